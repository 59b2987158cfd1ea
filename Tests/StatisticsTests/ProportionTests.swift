import Statistics
import TestSupport
import Testing

@Suite struct ProportionTests {
  @Test func `Clopper-Pearson agrees with SciPy from 0 of 1 to 5e8 of 1e9`() throws {
    let rows = try Fixtures.load().clopperPearson
    #expect(rows.count == 216)
    for row in rows {
      let numbers = row.kNLevelLowHigh
      let interval = try clopperPearson(
        successes: Int(numbers[0]), trials: Int(numbers[1]), level: numbers[2], side: row.side)
      // Measured 6.8e-15, at 1 of 1e9.
      expectClose(
        [interval.lower, interval.upper], Array(numbers[3...]), rtol: 1e-13, "\(row)")
      #expect(interval.level == numbers[2])
    }
  }

  @Test func `none of two models is at most 84 percent`() throws {
    let interval = try clopperPearson(successes: 0, trials: 2)
    #expect(interval.lower == 0)
    expectClose(interval.upper, 1 - 0.025.squareRoot(), rtol: 1e-14)
    let all = try clopperPearson(successes: 2, trials: 2)
    #expect(all.upper == 1)
    expectClose(all.lower, 0.025.squareRoot(), rtol: 1e-14)
    let oneSided = try clopperPearson(successes: 0, trials: 2, side: .upper)
    expectClose(oneSided.upper, 1 - 0.05.squareRoot(), rtol: 1e-14)
  }

  @Test func `the two-sided interval covers at least its level at every rate`() throws {
    let n = 13
    let intervals = try (0...n).map { try clopperPearson(successes: $0, trials: n) }
    for step in 1..<100 {
      let rate = Double(step) / 100
      var (covered, mass) = (0.0, 1.0)
      for _ in 0..<n { mass *= 1 - rate }
      for k in 0...n {
        if intervals[k].contains(rate) { covered += mass }
        mass *= Double(n - k) / Double(k + 1) * rate / (1 - rate)
      }
      #expect(covered >= 0.95)
    }
  }

  @Test func `a rate of nothing and impossible counts are errors`() {
    #expect(throws: StatisticsError.tooFew(what: "trials", needed: 1, found: 0)) {
      try clopperPearson(successes: 0, trials: 0)
    }
    #expect(throws: StatisticsError.self) { try clopperPearson(successes: 3, trials: 2) }
    #expect(throws: StatisticsError.self) { try clopperPearson(successes: -1, trials: 2) }
    #expect(throws: StatisticsError.self) { try clopperPearson(successes: 0, trials: -2) }
    for level in [0, 1, 1.5, .nan] {
      #expect(throws: StatisticsError.self) {
        try clopperPearson(successes: 1, trials: 2, level: level)
      }
    }
  }

  @Test func `an estimate carries its counts, unit and method`() throws {
    let estimate = try Proportion(successes: 3, trials: 30).estimate(unit: "prompt")
    #expect(estimate.value == 0.1)
    #expect(estimate.n == 30)
    #expect(estimate.unit == "prompt")
    #expect(estimate.method == "Clopper–Pearson")
    #expect(estimate.interval.contains(0.1))
    #expect(try Proportion(successes: 0, trials: 0).value == nil)
  }

  @Test func `clustered proportions agree with R's survey package`() throws {
    for recorded in try Fixtures.load().clusteredProportions {
      let estimate = try clusteredProportion(
        outcomes: recorded.outcomes.map { $0 == 1 }, clusters: recorded.clusters, unit: "response")
      // Measured 7e-16.
      expectClose(
        [estimate.interval.lower, estimate.interval.upper], recorded.interval, rtol: 1e-13)
    }
  }

  @Test func `clustered proportions without clustering are Clopper-Pearson`() throws {
    let outcomes = (0..<20).map { $0 < 3 }
    let estimate = try clusteredProportion(
      outcomes: outcomes, clusters: Array(0..<20), unit: "response")
    let exact = try clopperPearson(successes: 3, trials: 20)
    // p (1 - p) / (n - 1) against / n: the effective size is n - 1 here.
    #expect(estimate.interval.lower <= exact.lower && estimate.interval.upper >= exact.upper)
    expectClose(estimate.interval.upper, exact.upper, atol: 0.01)
  }

  @Test func `where all outcomes agree the clusters are the trials`() throws {
    let estimate = try clusteredProportion(
      outcomes: Array(repeating: false, count: 200), clusters: (0..<200).map { $0 / 100 },
      unit: "response")
    #expect(estimate.interval == (try clopperPearson(successes: 0, trials: 2)))
    #expect(estimate.n == 200)
    #expect(estimate.clusters == 2)
    #expect(throws: StatisticsError.tooFew(what: "clusters", needed: 2, found: 1)) {
      try clusteredProportion(outcomes: [true, false], clusters: [0, 0], unit: "response")
    }
  }

  @Test func `of several ways to cluster the widest interval counts`() throws {
    let outcomes = Array(repeating: false, count: 12)
    let (templates, words) = ((0..<12).map(\.self), (0..<12).map { $0 % 3 })
    let one = Array(repeating: 0, count: 12)
    let estimate = try clusteredProportion(
      outcomes: outcomes, clusterings: [templates, words, one], unit: "response")
    #expect(estimate.interval == (try clopperPearson(successes: 0, trials: 3)))
    #expect(estimate.clusters == 3)
    #expect(throws: StatisticsError.tooFew(what: "clusters", needed: 2, found: 1)) {
      try clusteredProportion(outcomes: outcomes, clusterings: [one], unit: "response")
    }
  }
}
