/// Counts of what two arms, or two detectors, did on the same items.
package struct PairedOutcomes: Codable, Sendable, Hashable {
  package var both: Int
  package var onlyFirst: Int
  package var onlySecond: Int
  package var neither: Int

  /// The four counts.
  ///
  /// - Throws: ``StatisticsError`` for a negative count, or no items.
  package init(both: Int, onlyFirst: Int, onlySecond: Int, neither: Int) throws(StatisticsError) {
    for count in [both, onlyFirst, onlySecond, neither] where count < 0 {
      throw .outOfRange(what: "a count", expected: "of at least 0", found: Double(count))
    }
    self.both = both
    self.onlyFirst = onlyFirst
    self.onlySecond = onlySecond
    self.neither = neither
    guard n > 0 else { throw .tooFew(what: "pairs", needed: 1, found: 0) }
  }

  /// Counted from outcomes of the same items in the same order.
  ///
  /// - Throws: ``StatisticsError`` for different lengths, or no items.
  package init(first: [Bool], second: [Bool]) throws(StatisticsError) {
    try checkCount("outcomes of the second arm", second.count, first.count)
    let pairs = Array(zip(first, second))
    try self.init(
      both: pairs.count { $0 && $1 }, onlyFirst: pairs.count { $0 && !$1 },
      onlySecond: pairs.count { !$0 && $1 }, neither: pairs.count { !$0 && !$1 })
  }

  /// How many pairs.
  package var n: Int { both + onlyFirst + onlySecond + neither }

  /// The first rate minus the second.
  package var difference: Double { Double(onlyFirst - onlySecond) / Double(n) }

  /// McNemar's exact two-sided p-value: binomial in the discordant pairs, 1 where there are none.
  ///
  /// As statsmodels' `mcnemar(exact=True)`: twice the smaller tail, at most 1.
  package var mcNemarPValue: Double {
    let discordant = onlyFirst + onlySecond
    let fewer = min(onlyFirst, onlySecond)
    guard discordant > 2 * fewer else { return 1 }
    let tail = BetaDistribution(a: Double(discordant - fewer), b: Double(fewer + 1)).cdf(0.5)
    return min(1, 2 * tail)
  }
}

extension PairedOutcomes {
  /// The score interval of the difference of the two rates (Tango 1998, Stat. Med. 17:891).
  ///
  /// Unlike Wald's it keeps a width where no pair disagrees. Valid for independent pairs.
  /// - Throws: ``StatisticsError/outOfRange(what:expected:found:)`` for a level outside (0, 1).
  package func differenceInterval(level: Double = 0.95) throws(StatisticsError) -> Interval {
    try checkLevel(level)
    let z = NormalDistribution.quantile((1 + level) / 2)
    return Interval(
      lower: root(of: z, in: -1...difference), upper: root(of: -z, in: difference...1),
      level: level)
  }

  /// Whether the two rates differ by less than a margin: two one-sided score tests.
  ///
  /// Defined without any discordant pair too, where Wald's test would claim certainty.
  /// - Throws: ``StatisticsError/outOfRange(what:expected:found:)`` for a margin outside (-1, 1) or
  ///   an alpha outside (0, 0.5).
  package func equivalence(
    margin: ClosedRange<Double>, alpha: Double = 0.05
  ) throws(StatisticsError) -> EquivalenceTest {
    try checkAlpha(alpha)
    for bound in [margin.lowerBound, margin.upperBound] where !(abs(bound) < 1) {
      throw .outOfRange(what: "a margin", expected: "between -1 and 1", found: bound)
    }
    let low = score(margin.lowerBound)
    let high = score(margin.upperBound)
    return EquivalenceTest(
      difference: difference, margin: margin,
      lower: .init(statistic: low, pValue: NormalDistribution.survival(low)),
      upper: .init(statistic: high, pValue: NormalDistribution.cdf(high)),
      interval: try differenceInterval(level: 1 - 2 * alpha), n: n,
      method: "paired TOST, Tango's score")
  }

  /// Tango's score statistic against a true difference of `delta`, decreasing in it.
  private func score(_ delta: Double) -> Double {
    let (b, c, n) = (Double(onlyFirst), Double(onlySecond), Double(n))
    // Mirrored, so that `delta` >= 0 and the root below subtracts nothing close.
    guard delta >= 0 else {
      var swapped = self
      (swapped.onlyFirst, swapped.onlySecond) = (onlySecond, onlyFirst)
      return -swapped.score(-delta)
    }
    let linear = (2 * n - b + c) * delta - b - c
    let root = (linear * linear + 8 * n * c * delta * (1 - delta)).squareRoot()
    // The rate of "only second" that is most likely given the difference, in the stable form.
    let restricted =
      linear <= 0 ? (root - linear) / (4 * n) : 2 * c * delta * (1 - delta) / (root + linear)
    let variance = n * (2 * restricted + delta * (1 - delta))
    let numerator = b - c - n * delta
    guard variance > 0 else { return numerator == 0 ? 0 : numerator * .infinity }
    return numerator / variance.squareRoot()
  }

  /// The difference at which the score equals `target`, by bisection to the last bit.
  private func root(of target: Double, in range: ClosedRange<Double>) -> Double {
    var (low, high) = (range.lowerBound, range.upperBound)
    while true {
      let middle = low + (high - low) / 2
      guard middle > low, middle < high else { return middle }
      if score(middle) > target { low = middle } else { high = middle }
    }
  }
}
