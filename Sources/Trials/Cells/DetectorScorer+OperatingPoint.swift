import Organisms

extension DetectorScorer {
  /// The false positive rate on the negatives that the ROC curve is drawn from, which are those of
  /// the specimens with the secret alone; nil without a scored one.
  func curveFPR(threshold: Double) -> ClusteredRate? {
    let negatives = config.examined.filter { $0.arm == .secret }.flatMap {
      items(of: $0.id, [.nearMiss, .ordinary])
    }
    return try? rate(negatives, threshold, flagged: true)
  }
}
