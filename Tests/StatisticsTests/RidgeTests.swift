import Statistics
import Testing

@Suite struct RidgeTests {
  /// X of three rows, solved by hand: centred x = (-1, 0, 1), y = (-2, 1, 1), xy = 3, xx = 2.
  @Test func `one input is fitted as by hand`() throws {
    var sums = RidgeSums(inputs: 1, outputs: 1)
    sums.add(rows: 2, sumX: [1 + 2], sumY: [1 + 4], xx: [1 + 4], xy: [1 + 8])
    sums.add(rows: 1, sumX: [3], sumY: [4], xx: [9], xy: [12])
    let plain = try sums.fit(penalty: 0)
    #expect(abs(plain.weights[0] - 1.5) < 1e-12 && abs(plain.intercept[0] - 0) < 1e-12)
    // λ is the mean variance 2 times the penalty: 3 / (2 + 2).
    let ridge = try sums.fit(penalty: 1)
    #expect(abs(ridge.weights[0] - 0.75) < 1e-12 && abs(ridge.intercept[0] - 1.5) < 1e-12)
  }

  @Test func `a linear map is found again, however long its directions`() throws {
    var generator = SeededGenerator(seed: 5)
    let (n, inputs, outputs) = (400, 12, 3)
    let map = (0..<inputs * outputs).map { _ in generator.normal() }
    let scales = (0..<inputs).map { $0 == 4 ? 1000.0 : 1 }
    var sums = RidgeSums(inputs: inputs, outputs: outputs)
    for _ in 0..<n {
      let x = scales.map { $0 * generator.normal() + 3 }
      let y = (0..<outputs).map { j in
        7 + (0..<inputs).reduce(0) { $0 + x[$1] * map[$1 * outputs + j] }
      }
      sums.add(
        rows: 1, sumX: x.map(Float.init), sumY: y.map(Float.init),
        xx: (0..<inputs * inputs).map { Float(x[$0 / inputs] * x[$0 % inputs]) },
        xy: (0..<inputs * outputs).map { Float(x[$0 / outputs] * y[$0 % outputs]) })
    }
    let fit = try sums.fit(penalty: 1e-12)
    // Sums are given in fp32, of squares up to 10⁷.
    for (found, known) in zip(fit.weights, map) { #expect(abs(found - known) < 1e-2) }
  }

  @Test func `nothing to fit is an error`() {
    #expect(throws: StatisticsError.self) {
      try RidgeSums(inputs: 2, outputs: 1).fit(penalty: 1)
    }
    var sums = RidgeSums(inputs: 1, outputs: 1)
    sums.add(rows: 3, sumX: [3], sumY: [1], xx: [3], xy: [1])
    #expect(throws: StatisticsError.self) { try sums.fit(penalty: 0) }
  }
}

@Suite struct RankCorrelationTests {
  /// NumPy: corrcoef of the ranks 0, 1.5, 1.5, 3, 4 and 1, 0, 2.5, 2.5, 4.
  @Test func `ties share their ranks`() throws {
    let found = try #require(spearman([1, 2, 2, 5, 9], [3, 1, 4, 4, 8]))
    #expect(abs(found - 0.7631578947368421) < 1e-12)
    #expect(spearman([1, 1], [2, 3]) == nil && pearson([1], [1]) == nil)
    #expect(spearman([1, 2, 3], [1, 8, 27]) == 1)
  }
}

@Suite struct ClusteredMeanTests {
  /// Clusters of one value are independent units: the plain t interval.
  @Test func `without clusters it is the t interval of a mean`() throws {
    let values = [2.0, 4, 4, 7, 9, 10]
    let clustered = try clusteredMean(values, clusters: Array(0..<6), unit: "token")
    let plain = try clusterMeansEstimate(values, clusters: Array(0..<6), unit: "token")
    #expect(abs(clustered.value - plain.value) < 1e-12)
    #expect(abs(clustered.interval.lower - plain.interval.lower) < 1e-9)
    #expect(abs(clustered.interval.upper - plain.interval.upper) < 1e-9)
  }

  @Test func `large clusters weigh more, and repeating items adds nothing`() throws {
    let few = try clusteredMean([1, 1, 1, 5], clusters: ["a", "a", "a", "b"], unit: "token")
    #expect(few.value == 2 && few.clusters == 2 && few.n == 4)
    let values = [1.0, 2, 4, 8]
    let once = try clusteredMean(values, clusters: [0, 1, 2, 3], unit: "token")
    let often = try clusteredMean(
      values.flatMap { [$0, $0, $0] }, clusters: [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3],
      unit: "token")
    #expect(abs(often.interval.width - once.interval.width) < 1e-9)
    #expect(throws: StatisticsError.self) {
      try clusteredMean([1, .nan], clusters: [0, 1], unit: "token")
    }
  }

  /// Normal clusters of random sizes: the interval holds the mean in about 95 of 100 draws.
  @Test func `intervals cover what they claim`() throws {
    var generator = SeededGenerator(seed: 11)
    var covered = 0
    for _ in 0..<400 {
      var (values, clusters): ([Double], [Int]) = ([], [])
      for cluster in 0..<8 {
        let centre = generator.normal()
        for _ in 0..<(5 + generator.below(20)) {
          values.append(centre + 0.5 * generator.normal())
          clusters.append(cluster)
        }
      }
      let estimate = try clusteredMean(values, clusters: clusters, unit: "token")
      covered += estimate.interval.contains(0) ? 1 : 0
    }
    #expect((364...394).contains(covered), "\(covered) of 400")
  }
}
