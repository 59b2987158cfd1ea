/// A confidence interval and its level, such as 0.95.
package struct Interval: Codable, Sendable, Hashable {
  package var lower: Double
  package var upper: Double
  package var level: Double

  /// The interval from `lower` to `upper` at a confidence level in (0, 1).
  package init(lower: Double, upper: Double, level: Double) {
    precondition(lower <= upper, "Expected lower <= upper, found \(lower) and \(upper).")
    precondition(level > 0 && level < 1, "Expected a level between 0 and 1, found \(level).")
    self.lower = lower
    self.upper = upper
    self.level = level
  }

  /// Upper minus lower, in the unit of the estimate.
  package var width: Double { upper - lower }

  /// Whether `value` lies within the interval, ends included.
  package func contains(_ value: Double) -> Bool { lower <= value && value <= upper }

  /// The part of the interval inside `bounds`, for estimates that cannot leave them.
  package func clamped(to bounds: ClosedRange<Double>) -> Interval {
    Interval(
      lower: min(max(lower, bounds.lowerBound), bounds.upperBound),
      upper: min(max(upper, bounds.lowerBound), bounds.upperBound), level: level)
  }
}

/// Which ends an interval bounds; the other end is where the estimand's range ends.
package enum IntervalSide: String, Codable, Sendable, CaseIterable {
  /// Both ends, half of the error probability at each.
  case both
  /// "At least": only the lower end, all of the error probability there.
  case lower
  /// "At most": only the upper end.
  case upper
}

/// A number with all that a reader needs to weigh it: interval, n, the unit counted, the method.
package struct Estimate: Codable, Sendable, Hashable {
  package var value: Double
  package var interval: Interval
  /// How many units the value was computed from.
  package var n: Int
  /// The unit that `n` counts, in the singular: `response`, `prompt`, `model`.
  package var unit: String
  /// How the interval was computed, for people, such as `Clopper–Pearson`.
  package var method: String
  /// How many independent clusters the units form; `nil` where each unit is independent.
  package var clusters: Int?
  /// Bootstrap replicates behind the interval; `nil` where none were drawn.
  package var replicates: Replicates?

  /// How many bootstrap replicates were drawn, and on how many the statistic was undefined.
  package struct Replicates: Codable, Sendable, Hashable {
    package var drawn: Int
    package var undefined: Int

    /// Counts of replicates; the undefined ones are among the drawn.
    package init(drawn: Int, undefined: Int) {
      self.drawn = drawn
      self.undefined = undefined
    }
  }

  /// An estimate; `clusters` and `replicates` only where the method has them.
  package init(
    value: Double, interval: Interval, n: Int, unit: String, method: String,
    clusters: Int? = nil, replicates: Replicates? = nil
  ) {
    self.value = value
    self.interval = interval
    self.n = n
    self.unit = unit
    self.method = method
    self.clusters = clusters
    self.replicates = replicates
  }
}
