import Organisms

extension DetectorScorer {
  /// The false positive rate on the negatives that the ROC curve is drawn from, which are those of
  /// the specimens with the secret alone; nil without a scored one.
  func curveFPR(threshold: Double) -> ClusteredRate? {
    let negatives = config.examined.filter { $0.arm == .secret }.flatMap {
      items(of: $0.id, [.nearMiss, .ordinary])
    }
    let scored = negatives.compactMap { item in item.score.map { ($0, item.label.templateID) } }
    return try? ClusteredRate(scored.map { $0.0 >= threshold }, clusters: scored.map(\.1))
  }
}
