/// The receiver operating characteristic of one set of scores.
///
/// Points as scikit-learn's `roc_curve(drop_intermediate=False)` gives them: one for each different
/// score, descending, after a first one at threshold infinity. An item is called positive where
/// its score is at least the threshold, so tied scores move together.
package struct ROC: Sendable, Hashable {
  /// One threshold and what it yields.
  package struct Point: Sendable, Hashable {
    package let threshold: Double
    package let falsePositives: Int
    package let truePositives: Int
    /// False positives over negatives.
    package let fpr: Double
    /// True positives over positives.
    package let tpr: Double
  }

  /// From (0, 0) at threshold infinity to (1, 1) at the lowest score.
  package let points: [Point]
  package let positives: Int
  package let negatives: Int

  /// The curve of `sample`.
  ///
  /// - Throws: ``StatisticsError/oneClass(statistic:positives:negatives:)`` unless both classes
  ///   have a scored item.
  package init(_ sample: LabelledScores) throws(StatisticsError) {
    try sample.requireBothClasses("an ROC curve")
    positives = sample.positives
    negatives = sample.negatives
    let order = sample.scores.indices.sorted { sample.scores[$0] > sample.scores[$1] }
    var (falsePositives, truePositives) = (0, 0)
    var points = [Point(threshold: .infinity, falsePositives: 0, truePositives: 0, fpr: 0, tpr: 0)]
    for (rank, item) in order.enumerated() {
      if sample.labels[item] { truePositives += 1 } else { falsePositives += 1 }
      let score = sample.scores[item]
      if rank + 1 < order.count, sample.scores[order[rank + 1]] == score { continue }
      points.append(
        Point(
          threshold: score, falsePositives: falsePositives, truePositives: truePositives,
          fpr: Double(falsePositives) / Double(negatives),
          tpr: Double(truePositives) / Double(positives)))
    }
    self.points = points
  }

  /// The area under the curve: P(positive above negative) + ½ P(tie), exact in its counts.
  package var auroc: Double {
    var doubledConcordance = 0
    for (from, to) in zip(points, points.dropFirst()) {
      doubledConcordance +=
        (to.falsePositives - from.falsePositives) * (to.truePositives + from.truePositives)
    }
    return Double(doubledConcordance) / 2 / (Double(positives) * Double(negatives))
  }

  /// The best TPR of a threshold whose FPR on these items is at most `target`.
  ///
  /// A step, not an interpolation between points: no threshold attains what lies between them.
  /// The threshold is chosen on the items that it is judged on; for an error rate to report, choose
  /// it on others with ``CalibratedThreshold``.
  package func tpr(atFPR target: Double) -> Double {
    points.last { $0.fpr <= target }?.tpr ?? 0
  }
}
