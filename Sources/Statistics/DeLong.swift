internal import Foundation

/// The AUROC of one set of scores with its DeLong standard error.
///
/// DeLong, DeLong & Clarke-Pearson 1988, computed from midranks (Sun & Xu 2014) in n log n. Where
/// items share clusters the placement values are summed per cluster (Obuchowski 1997, Biometrics
/// 53:567), which with one item a cluster is DeLong's variance again.
package struct DeLong: Sendable, Hashable {
  package let auroc: Double
  package let standardError: Double
  /// `.infinity` for independent items, where the normal approximation is DeLong's own; otherwise
  /// one less than the clusters of the class that has fewer.
  package let degreesOfFreedom: Double

  /// The scale on which an interval is symmetric.
  package enum Scale: String, Codable, Sendable {
    /// AUROC ± z SE, cut at 0 and 1: pROC's `ci.auc`.
    case plain
    /// Symmetric in log(A / (1 - A)): never leaves [0, 1], covers better near the ends.
    case logit
  }

  /// The AUROC of `sample` and its standard error, items of one cluster taken as dependent.
  ///
  /// - Throws: ``StatisticsError`` unless each class has scored items in at least two clusters.
  package init(_ sample: LabelledScores) throws(StatisticsError) {
    try sample.requireBothClasses("AUROC")
    let placements = Placements(sample)
    let sums = try ClusterSums(sample)
    let deviations = sums.deviations(placements)
    auroc = placements.auroc
    standardError = max(0, sums.covariance(deviations, deviations)).squareRoot()
    degreesOfFreedom = sums.degreesOfFreedom
  }

  /// The confidence interval of the AUROC.
  ///
  /// - Throws: ``StatisticsError/noVariation(statistic:remedy:)`` where the standard error is 0, as
  ///   when the classes are perfectly separated: a width of 0 would claim certainty.
  package func interval(
    level: Double = 0.95, scale: Scale = .logit
  ) throws(StatisticsError) -> Interval {
    try checkLevel(level)
    guard standardError > 0, scale == .plain || (auroc > 0 && auroc < 1) else {
      throw .noVariation(
        statistic: "the AUROC \(auroc)",
        remedy: "use unanimousInterval at 0, at 1 and where all scores are equal")
    }
    let reach = quantile((1 + level) / 2) * standardError
    switch scale {
    case .plain:
      return Interval(lower: max(0, auroc - reach), upper: min(1, auroc + reach), level: level)
    case .logit:
      let centre = log(auroc / (1 - auroc))
      let half = reach / (auroc * (1 - auroc))
      return Interval(lower: logistic(centre - half), upper: logistic(centre + half), level: level)
    }
  }

  private func quantile(_ probability: Double) -> Double {
    degreesOfFreedom.isFinite
      ? StudentT(degreesOfFreedom: degreesOfFreedom).quantile(probability)
      : NormalDistribution.quantile(probability)
  }
}

/// Two detectors' scores of the same items; those that either left unscored are dropped.
package struct PairedScores: Sendable, Hashable {
  package let first: LabelledScores
  package let second: LabelledScores
  /// Items that at least one of the two left unscored.
  package let dropped: Int

  /// Paired scores of independent items.
  ///
  /// - Throws: ``StatisticsError`` for a score that is not finite, or inputs of different lengths.
  package init(
    first: [Double?], second: [Double?], labels: [Bool]
  ) throws(StatisticsError) {
    try self.init(first: first, second: second, labels: labels, clusters: Array(labels.indices))
  }

  /// Paired scores of items that come in clusters.
  ///
  /// - Throws: ``StatisticsError`` for a score that is not finite, or inputs of different lengths.
  package init<Cluster: Hashable>(
    first: [Double?], second: [Double?], labels: [Bool], clusters: [Cluster]
  ) throws(StatisticsError) {
    try checkCount("scores of the second detector", second.count, first.count)
    let scored = zip(first, second).map { $0 != nil && $1 != nil }
    self.first = try LabelledScores(
      scores: zip(first, scored).map { $1 ? $0 : nil }, labels: labels, clusters: clusters)
    self.second = try LabelledScores(
      scores: zip(second, scored).map { $1 ? $0 : nil }, labels: labels, clusters: clusters)
    dropped = scored.count { !$0 }
  }
}

/// DeLong's test of whether two detectors have the same AUROC on the same items.
package struct DeLongTest: Sendable, Hashable {
  /// First minus second.
  package let difference: Double
  package let standardError: Double
  package let statistic: Double
  /// Two-sided.
  package let pValue: Double
  /// Of the difference.
  package let interval: Interval

  /// The paired test, items of one cluster taken as dependent.
  ///
  /// Two detectors that rank every item alike have p = 1 and an interval of width 0.
  /// - Throws: ``StatisticsError`` unless each class has scored items in at least two clusters, or
  ///   where the AUROCs differ and their difference has no variance.
  package init(_ scores: PairedScores, level: Double = 0.95) throws(StatisticsError) {
    try checkLevel(level)
    try scores.first.requireBothClasses("the difference of two AUROCs")
    let sums = try ClusterSums(scores.first)
    let (first, second) = (Placements(scores.first), Placements(scores.second))
    let deviations = zip(sums.deviations(first), sums.deviations(second)).map {
      (positive: $0.positive - $1.positive, negative: $0.negative - $1.negative)
    }
    difference = first.auroc - second.auroc
    standardError = max(0, sums.covariance(deviations, deviations)).squareRoot()
    guard standardError > 0 || difference == 0 else {
      throw .noVariation(
        statistic: "the AUROC difference \(difference)",
        remedy: "report the two AUROCs with an interval each")
    }
    let freedom = sums.degreesOfFreedom
    statistic = standardError > 0 ? difference / standardError : 0
    let size = abs(statistic)
    let reach: Double
    if freedom.isFinite {
      let t = StudentT(degreesOfFreedom: freedom)
      (pValue, reach) = (2 * t.survival(size), t.quantile((1 + level) / 2))
    } else {
      pValue = 2 * NormalDistribution.survival(size)
      reach = NormalDistribution.quantile((1 + level) / 2)
    }
    interval = Interval(
      lower: max(-1, difference - reach * standardError),
      upper: min(1, difference + reach * standardError), level: level)
  }
}

private func logistic(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
