/// Holm's step-down adjusted p-values, in the order given.
///
/// Holm 1979: rejecting where the adjusted value is below alpha keeps the chance of any false
/// rejection in the family below alpha, however the tests depend on one another.
/// - Throws: ``StatisticsError/outOfRange(what:expected:found:)`` for a value outside [0, 1] or NaN.
package func holm(_ pValues: [Double]) throws(StatisticsError) -> [Double] {
  for value in pValues where !(0...1).contains(value) {
    throw .outOfRange(what: "a p-value", expected: "from 0 to 1", found: value)
  }
  let order = pValues.indices.sorted { pValues[$0] < pValues[$1] }
  var adjusted = pValues
  var largest = 0.0
  for (rank, index) in order.enumerated() {
    largest = max(largest, min(1, Double(pValues.count - rank) * pValues[index]))
    adjusted[index] = largest
  }
  return adjusted
}
