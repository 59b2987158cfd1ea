/// Two one-sided tests of whether a paired difference lies within a margin (Schuirmann 1987).
package struct EquivalenceTest: Codable, Sendable, Hashable {
  /// First minus second.
  package let difference: Double
  /// The differences that count as equivalent, fixed before looking.
  package let margin: ClosedRange<Double>
  /// Statistic and p-value against "at or below the lower margin".
  package let lower: OneSided
  /// Statistic and p-value against "at or above the upper margin".
  package let upper: OneSided
  /// Of the difference at level 1 - 2 α, which lies within the margin where the test rejects.
  package let interval: Interval
  /// How many pairs.
  package let n: Int
  package let method: String

  /// One of the two one-sided tests.
  package struct OneSided: Codable, Sendable, Hashable {
    package let statistic: Double
    package let pValue: Double
  }

  /// The larger of the two: equivalence needs both to reject.
  package var pValue: Double { max(lower.pValue, upper.pValue) }

  /// Whether the difference is shown to lie within the margin, at the interval's α.
  package var isEquivalent: Bool { pValue < (1 - interval.level) / 2 }
}

/// The paired TOST on means, as statsmodels' `ttost_paired`.
///
/// Not finding a difference is not equivalence; this is the test that can find equivalence. Pass
/// cluster means where pairs share a template.
/// - Throws: ``StatisticsError`` below two pairs, for inputs of different lengths or values that
///   are not finite, or where all differences are equal (t is undefined; for rates see
///   ``PairedOutcomes/equivalence(margin:alpha:)``).
package func pairedTOST(
  _ first: [Double], _ second: [Double], margin: ClosedRange<Double>, alpha: Double = 0.05
) throws(StatisticsError) -> EquivalenceTest {
  try checkAlpha(alpha)
  try checkCount("values of the second arm", second.count, first.count)
  guard first.count >= 2 else { throw .tooFew(what: "pairs", needed: 2, found: first.count) }
  let differences = zip(first, second).map { $0 - $1 }
  if let index = differences.firstIndex(where: { !$0.isFinite }) {
    throw .notFinite(what: "difference", index: index, found: differences[index])
  }
  let (mean, deviation) = meanAndDeviation(differences)
  guard deviation > 0 else {
    throw .noVariation(
      statistic: "the constant difference \(mean)",
      remedy: "compare rates with PairedOutcomes, or report that every pair differs by the same")
  }
  let n = Double(differences.count)
  let standardError = deviation / n.squareRoot()
  let t = StudentT(degreesOfFreedom: n - 1)
  let low = (mean - margin.lowerBound) / standardError
  let high = (mean - margin.upperBound) / standardError
  let reach = t.quantile(1 - alpha) * standardError
  return EquivalenceTest(
    difference: mean, margin: margin,
    lower: .init(statistic: low, pValue: t.survival(low)),
    upper: .init(statistic: high, pValue: t.cdf(high)),
    interval: Interval(lower: mean - reach, upper: mean + reach, level: 1 - 2 * alpha),
    n: differences.count, method: "paired TOST, t")
}

func checkAlpha(_ alpha: Double) throws(StatisticsError) {
  guard alpha > 0, alpha < 0.5 else {
    throw .outOfRange(what: "alpha", expected: "between 0 and 0.5", found: alpha)
  }
}
