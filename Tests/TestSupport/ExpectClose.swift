public import Testing

/// Expects every element of `actual` to lie within `atol + rtol * |expected|` of its counterpart.
///
/// NaN never passes, and a failure names the worst element, so that one wrong entry in a large
/// tensor is found at once.
public func expectClose<S: Sequence, T: Sequence>(
  _ actual: S, _ expected: T, rtol: Double = 0, atol: Double = 0,
  _ comment: @autoclosure () -> String = "", sourceLocation: SourceLocation = #_sourceLocation
) where S.Element: BinaryFloatingPoint, T.Element: BinaryFloatingPoint {
  let actual = actual.map { Double($0) }
  let expected = expected.map { Double($0) }
  guard actual.count == expected.count else {
    Issue.record(
      "\(comment()) expected \(expected.count) elements, found \(actual.count)",
      sourceLocation: sourceLocation)
    return
  }
  var worst = (index: -1, excess: 0.0)
  for (index, (a, e)) in zip(actual, expected).enumerated() {
    let excess = a == e ? 0 : abs(a - e) - (atol + rtol * abs(e))
    if excess.isNaN || excess > worst.excess { worst = (index, excess.isNaN ? .infinity : excess) }
    if excess.isNaN { break }
  }
  if worst.index >= 0 {
    Issue.record(
      """
      \(comment()) worst at [\(worst.index)]: expected \(expected[worst.index]), \
      found \(actual[worst.index]) (rtol \(rtol), atol \(atol))
      """,
      sourceLocation: sourceLocation)
  }
}

/// Expects two numbers to agree; see ``expectClose(_:_:rtol:atol:_:sourceLocation:)``.
public func expectClose<F: BinaryFloatingPoint>(
  _ actual: F, _ expected: F, rtol: Double = 0, atol: Double = 0,
  _ comment: @autoclosure () -> String = "", sourceLocation: SourceLocation = #_sourceLocation
) {
  expectClose(
    [actual], [expected], rtol: rtol, atol: atol, comment(), sourceLocation: sourceLocation)
}
