/// Spearman's rank correlation, equal values sharing the mean of their ranks; nil where either side
/// does not vary, or below two pairs.
package func spearman(_ x: [Double], _ y: [Double]) -> Double? {
  precondition(x.count == y.count, "spearman: \(x.count) and \(y.count) values")
  return pearson(ranks(x), ranks(y))
}

/// Pearson's correlation; nil where either side does not vary, or below two pairs.
package func pearson(_ x: [Double], _ y: [Double]) -> Double? {
  precondition(x.count == y.count, "pearson: \(x.count) and \(y.count) values")
  let n = Double(x.count)
  guard n >= 2 else { return nil }
  let (meanX, meanY) = (x.reduce(0, +) / n, y.reduce(0, +) / n)
  var (xy, xx, yy) = (0.0, 0.0, 0.0)
  for (a, b) in zip(x, y) {
    xy += (a - meanX) * (b - meanY)
    xx += (a - meanX) * (a - meanX)
    yy += (b - meanY) * (b - meanY)
  }
  let length = (xx * yy).squareRoot()
  return length > 0 ? xy / length : nil
}

private func ranks(_ values: [Double]) -> [Double] {
  let order = values.indices.sorted { values[$0] < values[$1] }
  var ranks = [Double](repeating: 0, count: values.count)
  var start = 0
  while start < order.count {
    var end = start
    while end < order.count, values[order[end]] == values[order[start]] { end += 1 }
    for place in start..<end { ranks[order[place]] = Double(start + end - 1) / 2 }
    start = end
  }
  return ranks
}
