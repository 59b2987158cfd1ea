/// Benjamini and Hochberg's step-up adjusted p-values, in the order given.
///
/// Benjamini and Hochberg 1995: rejecting where the adjusted value is at most q keeps the expected
/// share of false rejections among all at or below q, for tests that are independent or positively
/// dependent (Benjamini and Yekutieli 2001, theorem 1.2).
/// - Returns: min over k ≥ rank of p₍ₖ₎ m / k for each p-value, at most 1.
/// - Throws: ``StatisticsError/outOfRange(what:expected:found:)`` for a value outside [0, 1] or NaN.
package func benjaminiHochberg(_ pValues: [Double]) throws(StatisticsError) -> [Double] {
  for value in pValues where !(0...1).contains(value) {
    throw .outOfRange(what: "a p-value", expected: "from 0 to 1", found: value)
  }
  let order = pValues.indices.sorted { pValues[$0] > pValues[$1] }
  var adjusted = pValues
  var least = 1.0
  for (place, index) in order.enumerated() {
    let rank = Double(pValues.count - place)
    least = min(least, pValues[index] * Double(pValues.count) / rank)
    adjusted[index] = least
  }
  return adjusted
}
