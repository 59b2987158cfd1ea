import Statistics
import TestSupport
import Testing

@Suite struct ClusterBootstrapTests {
  @Test func `intervals agree with scikit-learn on the same resamples`() throws {
    for recorded in try Fixtures.load().bootstrap {
      let sample = try recorded.sample
      let resamples = try ClusterResamples(
        clusterCount: sample.clusterCount, replicates: recorded.replicates, seed: recorded.seed)
      let distribution = try resamples.auroc(sample)
      #expect(distribution.replicates.undefined == recorded.undefined)
      let wide = try distribution.interval(level: 0.95)
      let narrow = try distribution.interval(level: 0.9)
      expectClose(
        [wide.lower, narrow.lower, narrow.upper, wide.upper], recorded.quantiles, atol: 1e-14)
      expectClose(distribution.standardError, recorded.standardError, rtol: 1e-12)
      let paired = try PairedScores(
        first: recorded.scores, second: recorded.other, labels: sample.labels,
        clusters: recorded.clusters)
      let difference = try resamples.aurocDifference(paired).interval()
      expectClose([difference.lower, difference.upper], recorded.differenceQuantiles, atol: 1e-14)
      let mean = try resamples.mean(of: recorded.scores, clusters: sample.clusters).interval()
      expectClose([mean.lower, mean.upper], recorded.meanQuantiles, atol: 1e-13)
    }
  }

  @Test func `a difference to the mean of two is half that to the one that differs`() throws {
    let recorded = try #require(try Fixtures.load().bootstrap.last)
    let paired = try PairedScores(
      first: recorded.scores, second: recorded.other, labels: recorded.sample.labels,
      clusters: recorded.clusters)
    let resamples = try ClusterResamples(clusterCount: paired.first.clusterCount, seed: 3)
    let toOne = try resamples.aurocDifference(paired)
    let toBoth = try resamples.auroc(paired.first, lessMeanOf: [paired.first, paired.second])
    #expect(toOne.observed != 0)
    expectClose([toBoth.observed * 2], [toOne.observed], atol: 1e-14)
    let (one, both) = (try toOne.interval(), try toBoth.interval())
    expectClose([both.lower * 2, both.upper * 2], [one.lower, one.upper], atol: 1e-14)
    #expect(throws: StatisticsError.self) {
      try resamples.auroc(paired.first, lessMeanOf: [])
    }
  }

  @Test func `the general statistic sees the same resamples as the fast ones`() throws {
    let recorded = try #require(try Fixtures.load().bootstrap.last)
    let sample = try recorded.sample
    let resamples = try ClusterResamples(clusterCount: sample.clusterCount, seed: 3)
    let slow = try resamples.distribution(clusters: sample.clusters) { items in
      let again = try? LabelledScores(
        scores: items.map { sample.scores[$0] }, labels: items.map { sample.labels[$0] })
      return again.flatMap { try? ROC($0).auroc }
    }
    let fast = try resamples.auroc(sample)
    expectClose(slow.values, fast.values)
    #expect(slow.replicates == fast.replicates)
    #expect(fast.replicates.undefined > 0)
  }

  @Test func `the basic interval mirrors the percentile one`() throws {
    let resamples = try ClusterResamples(clusterCount: 12, seed: 5)
    let values = (0..<12).map { Double($0 * $0) }
    let distribution = try resamples.mean(of: values, clusters: Array(0..<12))
    let percentile = try distribution.interval()
    let basic = try distribution.interval(method: .basic)
    #expect(basic.lower == 2 * distribution.observed - percentile.upper)
    #expect(basic.upper == 2 * distribution.observed - percentile.lower)
  }

  @Test func `the seed alone decides`() throws {
    let values = (0..<30).map { Double($0 % 7) }
    let clusters = (0..<30).map { $0 / 3 }
    func draw(_ seed: UInt64) throws -> [Double] {
      try ClusterResamples(clusterCount: 10, replicates: 50, seed: seed)
        .mean(of: values, clusters: clusters).values
    }
    let first = try draw(1)
    expectClose(first, try draw(1))
    #expect(try zip(first, draw(2)).contains { $0 != $1 })
  }

  @Test func `a perfect AUROC of few models keeps an honest width`() throws {
    let labels = (0..<60).map { $0 < 30 }
    let sample = try LabelledScores(
      scores: labels.map { $0 ? 2 : 1 }, labels: labels, clusters: (0..<60).map { $0 / 10 })
    let estimate = try clusterBootstrapAUROC(sample, unit: "response", seed: 1)
    #expect(estimate.value == 1)
    #expect(estimate.interval.upper == 1)
    // Three pairs of models all agree: 0.025^(1/3).
    expectClose(estimate.interval.lower, 0.292401773821287, rtol: 1e-12)
    #expect(estimate.method == "Clopper–Pearson over disjoint pairs of clusters")
    let constant = try LabelledScores(
      scores: labels.map { _ in 1 }, labels: labels, clusters: sample.clusters)
    let interval = try unanimousInterval(constant)
    expectClose(interval.lower, 0.292401773821287 / 2, rtol: 1e-12)
    expectClose(interval.upper, 1 - 0.292401773821287 / 2, rtol: 1e-12)
  }

  @Test func `clusters that do not fit are an error`() throws {
    #expect(throws: StatisticsError.tooFew(what: "clusters to resample", needed: 2, found: 1)) {
      try ClusterResamples(clusterCount: 1, seed: 1)
    }
    let resamples = try ClusterResamples(clusterCount: 2, replicates: 10, seed: 1)
    #expect(throws: StatisticsError.self) { try resamples.mean(of: [1, 2], clusters: [0, 2]) }
    #expect(throws: StatisticsError.self) { try resamples.mean(of: [1, 2], clusters: [0]) }
    #expect(throws: StatisticsError.self) { try resamples.mean(of: [], clusters: []) }
    #expect(throws: StatisticsError.noDefinedReplicate(replicates: 10)) {
      var isFirst = true
      return try resamples.distribution(clusters: [0, 1]) { _ in
        defer { isFirst = false }
        return isFirst ? 1 : nil
      }
    }
  }

  @Test func `the t interval on cluster means agrees with SciPy`() throws {
    for recorded in try Fixtures.load().bootstrap {
      let estimate = try clusterMeansEstimate(
        recorded.scores, clusters: recorded.clusters, unit: "response")
      expectClose(
        [estimate.value, estimate.interval.lower, estimate.interval.upper], recorded.clusterMeans,
        rtol: 1e-11)
    }
    #expect(throws: StatisticsError.self) {
      try clusterMeansEstimate([1, 1, 1], clusters: [0, 1, 1], unit: "response")
    }
  }

  @Test func `2,000 replicates of 1,000 responses take less than a second`() throws {
    var generator = SeededGenerator(seed: 6)
    let sample = try LabelledScores(
      scores: (0..<1000).map { _ in generator.normal() },
      labels: (0..<1000).map { $0 % 2 == 0 }, clusters: (0..<1000).map { $0 / 5 })
    let elapsed = try ContinuousClock().measure {
      _ = try clusterBootstrapAUROC(sample, unit: "response", seed: 1)
    }
    // Optimised it takes some 10 ms; unoptimised builds are not what the limit is about.
    #if !DEBUG
      #expect(elapsed < .seconds(1))
    #else
      #expect(elapsed < .seconds(60))
    #endif
  }
}
