/// The values of a statistic on bootstrap resamples, beside its value on the data.
package struct BootstrapDistribution: Sendable, Hashable {
  package let observed: Double
  /// `[replicate]`, ascending, those on which the statistic was defined.
  package let values: [Double]
  /// How many were drawn, and on how many the statistic was undefined.
  package let replicates: Estimate.Replicates

  /// How quantiles of the replicates become an interval (Davison & Hinkley 1997, chapter 5).
  package enum Method: String, Codable, Sendable {
    /// From the replicates' quantiles; stays within the statistic's range.
    case percentile
    /// The same mirrored at the observed value: 2 θ − quantile. May leave the range.
    case basic
  }

  init(observed: Double, values: [Double], drawn: Int) throws(StatisticsError) {
    guard !values.isEmpty else { throw .noDefinedReplicate(replicates: drawn) }
    if let index = values.firstIndex(where: { !$0.isFinite }) {
      throw .notFinite(what: "value", index: index, found: values[index])
    }
    self.observed = observed
    self.values = values.sorted()
    replicates = Estimate.Replicates(drawn: drawn, undefined: drawn - values.count)
  }

  /// The interval at `level`, quantiles interpolated linearly as NumPy and SciPy do.
  ///
  /// Conditional on the replicates that were defined. With fewer than some 20 clusters it is too
  /// narrow: see ``clusterMeansEstimate(_:clusters:unit:level:)`` and ``DeLong``.
  /// - Throws: ``StatisticsError/outOfRange(what:expected:found:)`` for a level outside (0, 1).
  package func interval(
    level: Double = 0.95, method: Method = .percentile
  ) throws(StatisticsError) -> Interval {
    try checkLevel(level)
    let lower = quantile((1 - level) / 2)
    let upper = quantile((1 + level) / 2)
    return switch method {
    case .percentile: Interval(lower: lower, upper: upper, level: level)
    case .basic: Interval(lower: 2 * observed - upper, upper: 2 * observed - lower, level: level)
    }
  }

  /// The standard deviation of the replicates; 0 with only one.
  package var standardError: Double {
    guard values.count > 1 else { return 0 }
    let mean = values.reduce(0, +) / Double(values.count)
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return (squares / Double(values.count - 1)).squareRoot()
  }

  private func quantile(_ probability: Double) -> Double {
    let position = probability * Double(values.count - 1)
    let below = Int(position)
    let above = min(below + 1, values.count - 1)
    return values[below] + (position - Double(below)) * (values[above] - values[below])
  }
}
