/// A count of successes among trials: what a rate is before it becomes a number.
package struct Proportion: Codable, Sendable, Hashable {
  package var successes: Int
  package var trials: Int

  /// `successes` of `trials`.
  ///
  /// - Throws: ``StatisticsError/outOfRange(what:expected:found:)`` unless 0 <= successes <= trials.
  package init(successes: Int, trials: Int) throws(StatisticsError) {
    guard trials >= 0 else {
      throw .outOfRange(what: "trials", expected: "of at least 0", found: Double(trials))
    }
    guard (0...trials).contains(successes) else {
      throw .outOfRange(
        what: "successes", expected: "from 0 to the \(trials) trials", found: Double(successes))
    }
    self.successes = successes
    self.trials = trials
  }

  /// How many of some outcomes are true.
  package static func counting(_ outcomes: [Bool]) -> Proportion {
    Proportion(unchecked: outcomes.count { $0 }, of: outcomes.count)
  }

  /// For counts that are right by construction.
  init(unchecked successes: Int, of trials: Int) {
    self.successes = successes
    self.trials = trials
  }

  /// Successes over trials; `nil` without trials, where a rate is undefined.
  package var value: Double? { trials == 0 ? nil : Double(successes) / Double(trials) }

  /// The rate of independent units with its exact interval.
  ///
  /// - Throws: ``StatisticsError/tooFew(what:needed:found:)`` without trials.
  package func estimate(
    unit: String, level: Double = 0.95, side: IntervalSide = .both
  ) throws(StatisticsError) -> Estimate {
    let interval = try clopperPearson(
      successes: successes, trials: trials, level: level, side: side)
    return Estimate(
      value: Double(successes) / Double(trials), interval: interval, n: trials, unit: unit,
      method: side == .both ? "Clopper–Pearson" : "Clopper–Pearson, one-sided")
  }
}

/// The exact binomial interval of a rate whose trials are independent.
///
/// Clopper & Pearson 1934: the ends are beta quantiles. It covers with at least `level`, whatever
/// the rate. Not valid where trials share a template or a model: see
/// ``clusteredProportion(outcomes:clusters:unit:level:)``.
/// - Throws: ``StatisticsError`` without trials, or where a count or the level is out of range.
package func clopperPearson(
  successes: Int, trials: Int, level: Double = 0.95, side: IntervalSide = .both
) throws(StatisticsError) -> Interval {
  _ = try Proportion(successes: successes, trials: trials)
  return try clopperPearson(
    successes: Double(successes), trials: Double(trials), level: level, side: side)
}

/// The same for fractional counts, which an effective sample size leads to.
func clopperPearson(
  successes: Double, trials: Double, level: Double, side: IntervalSide
) throws(StatisticsError) -> Interval {
  try checkLevel(level)
  guard trials > 0 else { throw .tooFew(what: "trials", needed: 1, found: 0) }
  let failures = trials - successes
  let tail = side == .both ? (1 - level) / 2 : 1 - level
  var interval = Interval(lower: 0, upper: 1, level: level)
  if side != .upper, successes > 0 {
    interval.lower = BetaDistribution(a: successes, b: failures + 1).quantile(tail)
  }
  if side != .lower, failures > 0 {
    // The complement of the mirrored quantile: 1 - tail would lose digits of a small tail.
    interval.upper =
      BetaDistribution(a: failures, b: successes + 1).quantileAndComplement(tail).complement
  }
  return interval
}
