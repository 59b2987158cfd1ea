/// The mean of cluster means with its t interval, for few clusters.
///
/// Each cluster counts once, whatever its size: the estimand is the mean over clusters. Valid from
/// two clusters on if their means are roughly normal; clamp the interval of a rate yourself, and
/// prefer ``clusteredProportion(outcomes:clusters:unit:level:)`` for rates near 0 and 1.
/// - Throws: ``StatisticsError`` below two clusters, for a value that is not finite, or where the
///   cluster means do not vary.
package func clusterMeansEstimate<Cluster: Hashable>(
  _ values: [Double], clusters: [Cluster], unit: String, level: Double = 0.95
) throws(StatisticsError) -> Estimate {
  try checkLevel(level)
  try checkCount("clusters", clusters.count, values.count)
  if let index = values.firstIndex(where: { !$0.isFinite }) {
    throw .notFinite(what: "value", index: index, found: values[index])
  }
  let dense = denseIndices(clusters)
  guard dense.count >= 2 else { throw .tooFew(what: "clusters", needed: 2, found: dense.count) }
  var sums = [Double](repeating: 0, count: dense.count)
  var sizes = [Double](repeating: 0, count: dense.count)
  for (value, cluster) in zip(values, dense.indices) {
    sums[cluster] += value
    sizes[cluster] += 1
  }
  let (mean, deviation) = meanAndDeviation(zip(sums, sizes).map { $0 / $1 })
  guard deviation > 0 else {
    throw .noVariation(
      statistic: "the mean \(mean) of \(dense.count) equal cluster means",
      remedy: "for a rate use clusteredProportion, otherwise report that all clusters agree")
  }
  let count = Double(dense.count)
  let reach =
    StudentT(degreesOfFreedom: count - 1).quantile((1 + level) / 2) * deviation / count.squareRoot()
  return Estimate(
    value: mean, interval: Interval(lower: mean - reach, upper: mean + reach, level: level),
    n: values.count, unit: unit, method: "t interval on cluster means", clusters: dense.count)
}

/// The mean over all items with a t interval in which clusters count as a whole, for many clusters
/// and for few.
///
/// A ratio estimator, sum of values over number of items, with its linearised variance and the t
/// quantile of clusters - 1 degrees of freedom (Cochran 1977, Sampling Techniques, section 11.8): large
/// clusters weigh more than small ones, unlike in
/// ``clusterMeansEstimate(_:clusters:unit:level:)``.
/// - Throws: ``StatisticsError`` below two clusters, or for a value that is not finite.
package func clusteredMean<Cluster: Hashable>(
  _ values: [Double], clusters: [Cluster], unit: String, level: Double = 0.95
) throws(StatisticsError) -> Estimate {
  try checkLevel(level)
  try checkCount("clusters", clusters.count, values.count)
  if let index = values.firstIndex(where: { !$0.isFinite }) {
    throw .notFinite(what: "value", index: index, found: values[index])
  }
  let dense = denseIndices(clusters)
  guard dense.count >= 2 else { throw .tooFew(what: "clusters", needed: 2, found: dense.count) }
  let mean = values.reduce(0, +) / Double(values.count)
  let variance = linearisedVariance(values, dense.indices, dense.count, mean: mean)
  let reach =
    StudentT(degreesOfFreedom: Double(dense.count - 1)).quantile((1 + level) / 2)
    * variance.squareRoot()
  return Estimate(
    value: mean, interval: Interval(lower: mean - reach, upper: mean + reach, level: level),
    n: values.count, unit: unit, method: "t interval, clustered ratio estimator",
    clusters: dense.count)
}

/// One sum over another with a t interval in which clusters count as a whole: an explained share of a
/// variance, for example.
///
/// The combined ratio estimator with its linearised variance and the t quantile of clusters - 1 degrees
/// of freedom (Cochran 1977, Sampling Techniques, section 6.3).
///
/// - Parameters:
///   - numerators: Sums above the line, one a cluster.
///   - denominators: Sums below it, one a cluster, whose total is above 0.
///   - count: How many units the clusters hold together.
///   - unit: The unit that `count` counts.
///   - level: The interval's level.
/// - Returns: The ratio of the totals.
/// - Throws: ``StatisticsError`` below two clusters, or for a number that is not finite.
package func clusteredRatio(
  _ numerators: [Double], over denominators: [Double], count: Int, unit: String,
  level: Double = 0.95
) throws(StatisticsError) -> Estimate {
  try checkLevel(level)
  try checkCount("denominators", denominators.count, numerators.count)
  for (index, pair) in zip(numerators, denominators).enumerated()
  where !pair.0.isFinite || !pair.1.isFinite {
    throw .notFinite(what: "sum", index: index, found: pair.0.isFinite ? pair.1 : pair.0)
  }
  let k = numerators.count
  guard k >= 2 else { throw .tooFew(what: "clusters", needed: 2, found: k) }
  let below = denominators.reduce(0, +)
  guard below > 0 else {
    throw .noVariation(statistic: "a ratio over \(below)", remedy: "give more text")
  }
  let ratio = numerators.reduce(0, +) / below
  let squares = zip(numerators, denominators).reduce(0.0) { sum, pair in
    let residual = pair.0 - ratio * pair.1
    return sum + residual * residual
  }
  let deviation = (Double(k) / Double(k - 1) * squares).squareRoot() / below
  let reach = StudentT(degreesOfFreedom: Double(k - 1)).quantile((1 + level) / 2) * deviation
  return Estimate(
    value: ratio, interval: Interval(lower: ratio - reach, upper: ratio + reach, level: level),
    n: count, unit: unit, method: "t interval, clustered ratio estimator", clusters: k)
}

/// The rate of clustered successes with an exact-style interval at its effective sample size.
///
/// Korn & Graybill 1998 (Survey Methodology 24:193): the linearised cluster variance gives an
/// effective number of trials, at most n, for Clopper–Pearson, reduced for few clusters by the
/// ratio of t quantiles. Where all outcomes agree nothing is known about how alike a cluster's
/// items are, so the clusters themselves are the trials: 0 of 2 models stays "at most 84 %" however
/// many responses each gave.
/// - Throws: ``StatisticsError`` below two clusters, or where inputs differ in length.
package func clusteredProportion<Cluster: Hashable>(
  outcomes: [Bool], clusters: [Cluster], unit: String, level: Double = 0.95
) throws(StatisticsError) -> Estimate {
  try checkLevel(level)
  try checkCount("clusters", clusters.count, outcomes.count)
  let dense = denseIndices(clusters)
  guard dense.count >= 2 else { throw .tooFew(what: "clusters", needed: 2, found: dense.count) }
  let n = Double(outcomes.count)
  let rate = Double(outcomes.count { $0 }) / n
  let effective: Double
  if rate == 0 || rate == 1 {
    effective = Double(dense.count)
  } else {
    let variance = linearisedVariance(
      outcomes.map { $0 ? 1 : 0 }, dense.indices, dense.count, mean: rate)
    let tail = (1 + level) / 2
    let shrink =
      dense.count == outcomes.count
      ? 1
      : StudentT(degreesOfFreedom: n - 1).quantile(tail)
        / StudentT(degreesOfFreedom: Double(dense.count - 1)).quantile(tail)
    effective = min(n, rate * (1 - rate) / variance) * shrink * shrink
  }
  return Estimate(
    value: rate,
    interval: try clopperPearson(
      successes: rate * effective, trials: effective, level: level, side: .both),
    n: outcomes.count, unit: unit, method: "Clopper–Pearson at the effective sample size",
    clusters: dense.count)
}

/// The same where items share more than one thing, such as a template and an inserted word: the
/// widest of the intervals under each way to cluster them.
///
/// Ways are `[way][item]`; one with a single cluster says nothing and is left out.
/// - Throws: ``StatisticsError`` where no way has two clusters, or where inputs differ in length.
package func clusteredProportion<Cluster: Hashable>(
  outcomes: [Bool], clusterings: [[Cluster]], unit: String, level: Double = 0.95
) throws(StatisticsError) -> Estimate {
  var widest: Estimate?
  for clusters in clusterings where Set(clusters).count > 1 {
    let estimate = try clusteredProportion(
      outcomes: outcomes, clusters: clusters, unit: unit, level: level)
    widest = wider(widest, estimate)
  }
  guard let widest else { throw .tooFew(what: "clusters", needed: 2, found: 1) }
  return widest
}

/// Whichever estimate has the wider interval, the first of equals.
package func wider(_ first: Estimate?, _ second: Estimate) -> Estimate {
  guard let first else { return second }
  func width(_ estimate: Estimate) -> Double { estimate.interval.upper - estimate.interval.lower }
  return width(second) > width(first) ? second : first
}

/// The with-replacement variance of a ratio estimator: sum of values over number of items.
private func linearisedVariance(
  _ values: [Double], _ clusters: [Int], _ clusterCount: Int, mean: Double
) -> Double {
  var residuals = [Double](repeating: 0, count: clusterCount)
  for (value, cluster) in zip(values, clusters) { residuals[cluster] += value - mean }
  let n = Double(values.count)
  let k = Double(clusterCount)
  return k / (k - 1) * residuals.reduce(0) { $0 + $1 * $1 } / (n * n)
}

/// The mean and the standard deviation with divisor n - 1, for two values or more.
func meanAndDeviation(_ values: [Double]) -> (mean: Double, deviation: Double) {
  let n = Double(values.count)
  let mean = values.reduce(0, +) / n
  let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
  return (mean, (squares / (n - 1)).squareRoot())
}
