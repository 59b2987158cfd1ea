import Statistics
import TestSupport
import Testing

@Suite struct ROCTests {
  @Test func `curves agree with scikit-learn point by point, ties and all-equal included`() throws {
    let curves = try Fixtures.load().roc.samples
    #expect(curves.count == 11)
    for curve in curves {
      let roc = try ROC(curve.sample)
      #expect(roc.points.map(\.fpr) == curve.fpr, "\(curve.name)")
      #expect(roc.points.map(\.tpr) == curve.tpr, "\(curve.name)")
      #expect(roc.points[0].threshold == .infinity)
      #expect(roc.points.dropFirst().map(\.threshold) == curve.thresholds, "\(curve.name)")
      // scikit-learn sums trapezoids in floating point, this counts. Measured 1.1e-16.
      expectClose(roc.auroc, curve.auroc, atol: 1e-15, curve.name)
      for row in curve.tprAtFpr { #expect(roc.tpr(atFPR: row[0]) == row[1], "\(curve.name)") }
    }
  }

  @Test func `AUROC is the share of concordant pairs, ties counted half`() throws {
    var generator = SeededGenerator(seed: 8)
    for _ in 0..<50 {
      let positives = (0...generator.below(9)).map { _ in Double(generator.below(5)) }
      let negatives = (0...generator.below(9)).map { _ in Double(generator.below(5)) }
      var concordant = 0.0
      for p in positives {
        for n in negatives { concordant += p > n ? 1 : (p == n ? 0.5 : 0) }
      }
      let roc = try ROC(LabelledScores(positives: positives, negatives: negatives))
      expectClose(
        roc.auroc, concordant / Double(positives.count * negatives.count), rtol: 1e-15)
    }
  }

  @Test func `one class is undefined, never 0.5`() throws {
    let sample = try LabelledScores(positives: [], negatives: [1, 2, 3])
    let expected = StatisticsError.oneClass(
      statistic: "an ROC curve", positives: 0, negatives: 3)
    #expect(throws: expected) { try ROC(sample) }
    #expect(expected.description.contains("undefined"))
    #expect(throws: StatisticsError.self) { try DeLong(sample) }
    #expect(throws: StatisticsError.self) { try clusterBootstrapAUROC(sample, unit: "x", seed: 1) }
    #expect(throws: StatisticsError.self) { try ROC(LabelledScores(scores: [], labels: [])) }
  }

  @Test func `a score that is not finite is rejected with its index`() {
    for bad in [Double.nan, .infinity, -.infinity] {
      let error = #expect(throws: StatisticsError.self) {
        try LabelledScores(scores: [0, nil, bad], labels: [true, false, true])
      }
      guard case .notFinite(_, let index, _) = error else {
        Issue.record("found \(String(describing: error))")
        continue
      }
      #expect(index == 2)
    }
    #expect(throws: StatisticsError.countMismatch(what: "labels", expected: 2, found: 1)) {
      try LabelledScores(scores: [0, 1], labels: [true])
    }
  }

  @Test func `unscored items are counted by class and otherwise left out`() throws {
    let sample = try LabelledScores(
      scores: [0.9, nil, 0.1, nil, nil, 0.5], labels: [true, true, false, false, false, true],
      clusters: ["a", "a", "b", "b", "c", "a"])
    #expect(sample.scores == [0.9, 0.1, 0.5])
    #expect(sample.labels == [true, false, true])
    #expect(sample.clusters == [0, 1, 0])
    #expect(sample.clusterCount == 3)
    #expect(sample.unscoredPositives == 1)
    #expect(sample.unscoredNegatives == 2)
    let counts = DetectionCounts(sample, threshold: 0.9)
    #expect(counts.tpr == (try Proportion(successes: 1, trials: 2)))
    #expect(counts.fnr == (try Proportion(successes: 1, trials: 2)))
    #expect(counts.fpr == (try Proportion(successes: 0, trials: 1)))
    #expect(counts.unscoredNegatives == 2)
  }

  @Test func `a calibrated threshold is the smallest that keeps the target`() throws {
    var generator = SeededGenerator(seed: 4)
    for target in [0, 0.01, 0.05, 0.29, 0.5, 0.99, 1] {
      for n in [1, 2, 10, 99, 100, 101] {
        let negatives = (0..<n).map { _ in Double(generator.below(n)) }
        let threshold = try CalibratedThreshold(negatives: negatives, targetFPR: target)
        let above = negatives.count { $0 >= threshold.value }
        #expect(Double(above) / Double(n) <= target)
        #expect(threshold.realised == (try Proportion(successes: above, trials: n)))
        let lower = negatives.count { $0 >= threshold.value.nextDown }
        #expect(Double(lower) / Double(n) > target || target == 1)
      }
    }
  }

  @Test func `a rate that division rounds down is still allowed`() throws {
    // 0.29 * 100 is 28.999999999999996.
    let threshold = try CalibratedThreshold(
      negatives: (0..<100).map(Double.init), targetFPR: 0.29)
    #expect(threshold.realised.successes == 29)
    #expect(threshold.value == 70.0.nextUp)
  }

  @Test func `calibration without scored negatives or with an impossible target is an error`() {
    #expect(throws: StatisticsError.self) {
      try CalibratedThreshold(negatives: [nil, nil], targetFPR: 0.01)
    }
    for target in [-0.1, 1.1, .nan] {
      #expect(throws: StatisticsError.self) {
        try CalibratedThreshold(negatives: [1], targetFPR: target)
      }
    }
  }
}
