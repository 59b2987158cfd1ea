extension ClusterResamples {
  /// The distribution of the AUROC; resamples without both classes are counted as undefined.
  ///
  /// Scores are sorted once, so that a replicate costs one pass over the items.
  /// - Throws: ``StatisticsError`` for a sample of one class or of other clusters.
  package func auroc(_ sample: LabelledScores) throws(StatisticsError) -> BootstrapDistribution {
    try sample.requireBothClasses("AUROC")
    try checkCount("clusters in the resamples", clusterCount, sample.clusterCount)
    let ranked = RankedScores(sample)
    let once = [Int32](repeating: 1, count: clusterCount)
    return try distribution(observed: ranked.auroc(weights: once[...])) { weights in
      ranked.auroc(weights: weights)
    }
  }

  /// The distribution of the first AUROC minus the second, both on the same resamples.
  ///
  /// - Throws: ``StatisticsError`` for scores of one class or of other clusters.
  package func aurocDifference(
    _ scores: PairedScores
  ) throws(StatisticsError) -> BootstrapDistribution {
    try auroc(scores.first, lessMeanOf: [scores.second])
  }

  /// The distribution of an AUROC minus the mean of others, all on the same resamples; cluster i is
  /// the same one in each sample.
  ///
  /// - Throws: ``StatisticsError`` for no others, or scores of one class or of other clusters.
  package func auroc(
    _ sample: LabelledScores, lessMeanOf others: [LabelledScores]
  ) throws(StatisticsError) -> BootstrapDistribution {
    guard !others.isEmpty else {
      throw .tooFew(what: "samples to compare an AUROC with", needed: 1, found: 0)
    }
    for one in [sample] + others {
      try one.requireBothClasses("the difference of AUROCs")
      try checkCount("clusters in the resamples", clusterCount, one.clusterCount)
    }
    let (own, ranked) = (RankedScores(sample), others.map(RankedScores.init))
    func difference(_ weights: ArraySlice<Int32>) -> Double? {
      guard let first = own.auroc(weights: weights) else { return nil }
      let rest = ranked.compactMap { $0.auroc(weights: weights) }
      guard rest.count == ranked.count else { return nil }
      return first - rest.reduce(0, +) / Double(rest.count)
    }
    let once = [Int32](repeating: 1, count: clusterCount)
    return try distribution(observed: difference(once[...]), statistic: difference)
  }
}

/// The AUROC of clustered items with its bootstrap percentile interval.
///
/// Where every comparison comes out alike (AUROC 0 or 1, or all scores equal), so does every
/// replicate, and the bootstrap would claim certainty; there the interval is
/// ``unanimousInterval(_:level:)``, and `method` says so.
/// - Throws: ``StatisticsError`` unless there are both classes and two clusters.
package func clusterBootstrapAUROC(
  _ sample: LabelledScores, unit: String, replicates: Int = 2000, seed: UInt64,
  level: Double = 0.95
) throws(StatisticsError) -> Estimate {
  let resamples = try ClusterResamples(
    clusterCount: sample.clusterCount, replicates: replicates, seed: seed)
  let distribution = try resamples.auroc(sample)
  let isUnanimous = sample.isUnanimous(auroc: distribution.observed)
  return Estimate(
    value: distribution.observed,
    interval: isUnanimous
      ? try unanimousInterval(sample, level: level) : try distribution.interval(level: level),
    n: sample.scores.count, unit: unit,
    method: isUnanimous
      ? "Clopper–Pearson over disjoint pairs of clusters" : "cluster bootstrap, percentile",
    clusters: sample.clusterCount,
    replicates: isUnanimous ? nil : distribution.replicates)
}

/// The interval of an AUROC where every comparison of a positive with a negative comes out alike.
///
/// Pair clusters with positives and clusters with negatives, each used once, before looking at the
/// scores: the k pairs are independent, and all agree. Clopper–Pearson on 0 of k bounds the chance
/// that a pair would not, and with it the AUROC. Conservative, as k leaves items out.
/// - Throws: ``StatisticsError`` where some comparisons differ, or no pair can be formed.
package func unanimousInterval(
  _ sample: LabelledScores, level: Double = 0.95
) throws(StatisticsError) -> Interval {
  let auroc = try ROC(sample).auroc
  guard sample.isUnanimous(auroc: auroc) else {
    throw .outOfRange(
      what: "an AUROC", expected: "of exactly 0 or 1, or scores that are all equal", found: auroc)
  }
  let positives = Set(zip(sample.clusters, sample.labels).filter { $0.1 }.map(\.0))
  let negatives = Set(zip(sample.clusters, sample.labels).filter { !$0.1 }.map(\.0))
  // A cluster with both classes can serve either side, but only one of them.
  let pairs = min(positives.count, negatives.count, positives.union(negatives).count / 2)
  let other = try clopperPearson(successes: 0, trials: pairs, level: level).upper
  return Interval(lower: auroc - auroc * other, upper: auroc + (1 - auroc) * other, level: level)
}

extension LabelledScores {
  fileprivate func isUnanimous(auroc: Double) -> Bool {
    auroc == 0 || auroc == 1 || scores.allSatisfy { $0 == scores.first }
  }
}

/// Items in ascending order of score, for AUROCs under many sets of cluster weights.
private struct RankedScores {
  private var items: [(cluster: Int32, isPositive: Bool, endsTie: Bool)]

  init(_ sample: LabelledScores) {
    let order = sample.scores.indices.sorted { sample.scores[$0] < sample.scores[$1] }
    items = order.indices.map { rank in
      let item = order[rank]
      let endsTie =
        rank + 1 == order.count || sample.scores[order[rank + 1]] != sample.scores[item]
      return (Int32(sample.clusters[item]), sample.labels[item], endsTie)
    }
  }

  /// The AUROC with every item counted as often as its cluster; `nil` without both classes.
  func auroc(weights: ArraySlice<Int32>) -> Double? {
    var (positives, negatives, doubledConcordance) = (0, 0, 0)
    var (tiedPositives, tiedNegatives) = (0, 0)
    for item in items {
      let weight = Int(weights[weights.startIndex + Int(item.cluster)])
      if item.isPositive { tiedPositives += weight } else { tiedNegatives += weight }
      guard item.endsTie else { continue }
      doubledConcordance += tiedPositives * (2 * negatives + tiedNegatives)
      positives += tiedPositives
      negatives += tiedNegatives
      (tiedPositives, tiedNegatives) = (0, 0)
    }
    guard positives > 0, negatives > 0 else { return nil }
    return Double(doubledConcordance) / 2 / (Double(positives) * Double(negatives))
  }
}
