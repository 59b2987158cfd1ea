/// Detector scores with their true labels and clusters, ready for ROC statistics.
///
/// A higher score means "more likely positive". Items without a score are counted by class and
/// otherwise left out: unscored is never 0.
package struct LabelledScores: Sendable, Hashable {
  /// `[item]`, scored items only, all finite.
  package let scores: [Double]
  /// `[item]`, `true` for a positive.
  package let labels: [Bool]
  /// `[item]`, the cluster of each item, in 0..<``clusterCount``; empty clusters are possible.
  package let clusters: [Int]
  /// How many clusters there are, those whose items are all unscored included.
  package let clusterCount: Int
  package let unscoredPositives: Int
  package let unscoredNegatives: Int

  /// Scores of independent items, `nil` where the detector gave none.
  ///
  /// - Throws: ``StatisticsError`` for a NaN or infinite score, or inputs of different lengths.
  package init(scores: [Double?], labels: [Bool]) throws(StatisticsError) {
    try self.init(scores: scores, labels: labels, clusters: Array(scores.indices))
  }

  /// Scores of items that come in clusters, such as prompts of one template.
  ///
  /// - Throws: ``StatisticsError`` for a NaN or infinite score, or inputs of different lengths.
  package init<Cluster: Hashable>(
    scores: [Double?], labels: [Bool], clusters: [Cluster]
  ) throws(StatisticsError) {
    try checkCount("labels", labels.count, scores.count)
    try checkCount("clusters", clusters.count, scores.count)
    let dense = denseIndices(clusters)
    var kept: [Int] = []
    for (index, score) in scores.enumerated() {
      guard let score else { continue }
      guard score.isFinite else { throw .notFinite(what: "score", index: index, found: score) }
      kept.append(index)
    }
    self.scores = kept.compactMap { scores[$0] }
    self.labels = kept.map { labels[$0] }
    self.clusters = kept.map { dense.indices[$0] }
    clusterCount = dense.count
    let scoredPositives = self.labels.count { $0 }
    unscoredPositives = labels.count { $0 } - scoredPositives
    unscoredNegatives = labels.count - labels.count { $0 } - (kept.count - scoredPositives)
  }

  /// Independent scores of the two classes.
  ///
  /// - Throws: ``StatisticsError/notFinite(what:index:found:)``, counting positives first.
  package init(positives: [Double?], negatives: [Double?]) throws(StatisticsError) {
    try self.init(
      scores: positives + negatives,
      labels: Array(repeating: true, count: positives.count)
        + Array(repeating: false, count: negatives.count))
  }

  /// How many scored items are positives.
  package var positives: Int { labels.count { $0 } }

  /// How many scored items are negatives.
  package var negatives: Int { labels.count - positives }

  /// Scores of one class, in item order.
  package func scores(of label: Bool) -> [Double] {
    zip(scores, labels).filter { $0.1 == label }.map(\.0)
  }

  func requireBothClasses(_ statistic: String) throws(StatisticsError) {
    let positives = positives
    guard positives > 0, positives < labels.count else {
      throw .oneClass(
        statistic: statistic, positives: positives, negatives: labels.count - positives)
    }
  }
}

/// Each value's index in order of first appearance, and the number of different values.
func denseIndices<Value: Hashable>(_ values: [Value]) -> (indices: [Int], count: Int) {
  var known: [Value: Int] = [:]
  let indices = values.map { value in
    let next = known.count
    return known[value]
      ?? {
        known[value] = next
        return next
      }()
  }
  return (indices, known.count)
}

func checkCount(_ what: String, _ found: Int, _ expected: Int) throws(StatisticsError) {
  guard found == expected else {
    throw .countMismatch(what: what, expected: expected, found: found)
  }
}
