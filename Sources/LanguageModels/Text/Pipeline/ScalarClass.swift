/// The four classes of Unicode scalars that GPT-2's pattern tells apart, in Unicode 15.1.
package enum ScalarClass: UInt8, Sendable {
  /// General category L.
  case letter
  /// General category N.
  case number
  /// The property White_Space.
  case space
  /// All the rest, unassigned code points included.
  case other
}

extension ScalarClass {
  /// The class of a scalar in llama.cpp's tables.
  package init(_ scalar: Unicode.Scalar) {
    let traits = ScalarTable.unicode15[scalar.value]
    self =
      if traits.contains(.space) {
        .space
      } else if traits.contains(.number) {
        .number
      } else if traits.isDisjoint(with: .letter) { .other } else { .letter }
  }
}
