import Foundation
import Statistics
import TestSupport
import Testing

@Suite struct DeLongTests {
  @Test func `variance and plain interval agree with pROC`() throws {
    var compared = 0
    for curve in try Fixtures.load().roc.samples {
      guard let variance = curve.pROC["variance"] else { continue }
      let deLong = try DeLong(curve.sample)
      // Measured 2e-16.
      expectClose(deLong.standardError * deLong.standardError, variance, atol: 1e-15, curve.name)
      guard variance > 0 else { continue }
      for level in [0.9, 0.95] {
        let lower = try #require(curve.pROC["lower\(level)"])
        let upper = try #require(curve.pROC["upper\(level)"])
        let interval = try deLong.interval(level: level, scale: .plain)
        expectClose([interval.lower, interval.upper], [lower, upper], atol: 1e-13, curve.name)
      }
      compared += 1
    }
    #expect(compared == 7)
  }

  @Test func `the logit interval is the plain one on the logit scale`() throws {
    let curve = try #require(try Fixtures.load().roc.samples.first { $0.name == "two_and_two" })
    let deLong = try DeLong(curve.sample)
    let interval = try deLong.interval(scale: .logit)
    let centre = log(0.75 / 0.25)
    let half = 1.959963984540054 * 0.125.squareRoot() / (0.75 * 0.25)
    expectClose(log(interval.lower / (1 - interval.lower)), centre - half, rtol: 1e-13)
    expectClose(log(interval.upper / (1 - interval.upper)), centre + half, rtol: 1e-13)
    #expect(interval.lower > 0 && interval.upper < 1)
  }

  @Test func `no variance is an error, not an interval of width 0`() throws {
    for name in ["all_equal", "separated", "reversed"] {
      let curve = try #require(try Fixtures.load().roc.samples.first { $0.name == name })
      let deLong = try DeLong(curve.sample)
      #expect(throws: StatisticsError.self) { try deLong.interval(scale: .plain) }
      #expect(throws: StatisticsError.self) { try deLong.interval(scale: .logit) }
    }
    #expect(throws: StatisticsError.self) {
      try DeLong(LabelledScores(positives: [1], negatives: [0, 2]))
    }
  }

  @Test func `the paired test agrees with pROC's roc.test`() throws {
    let roc = try Fixtures.load().roc
    #expect(roc.pairs.count == 3)
    for pair in roc.pairs {
      let first = try #require(roc.samples.first { $0.name == pair.first })
      let second = try #require(roc.samples.first { $0.name == pair.second })
      let test = try DeLongTest(
        PairedScores(
          first: first.scores, second: second.scores, labels: first.labels.map { $0 == 1 }))
      expectClose(
        [test.statistic, test.pValue, test.interval.lower, test.interval.upper],
        [pair.z, pair.p, pair.lower, pair.upper], rtol: 1e-11, pair.first)
    }
  }

  @Test func `two detectors that rank alike do not differ`() throws {
    let scores: [Double?] = [1, 2, 3, 4, nil, 6]
    let labels = [false, true, false, true, true, true]
    let paired = try PairedScores(
      first: scores, second: scores.map { $0.map { 2 * $0 + 1 } }, labels: labels)
    #expect(paired.dropped == 1)
    let test = try DeLongTest(paired)
    #expect(test.difference == 0)
    #expect(test.pValue == 1)
  }

  @Test func `the clustered variance agrees with Obuchowski's formula over all pairs`() throws {
    for recorded in try Fixtures.load().bootstrap {
      let deLong = try DeLong(recorded.sample)
      expectClose(deLong.auroc, recorded.auroc, atol: 1e-15)
      expectClose(
        deLong.standardError * deLong.standardError, recorded.obuchowskiVariance, rtol: 1e-12)
      #expect(deLong.degreesOfFreedom == (recorded.name == "mixed" ? 24 : 1))
    }
  }
}
