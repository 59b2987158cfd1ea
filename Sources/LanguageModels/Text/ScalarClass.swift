/// The four classes of Unicode scalars that byte-level BPE's pre-tokenisers tell apart.
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
  /// The class of a scalar in Unicode 15.1.
  ///
  /// llama.cpp's tables are of that version, while Swift's know later scripts; a letter added in
  /// Unicode 16 must stay `other` for both to cut a text alike. So the age decides first.
  package init(_ scalar: Unicode.Scalar) {
    self = scalar.value < 0x10000 ? Self.basicPlane[Int(scalar.value)] : Self.lookedUp(scalar)
  }

  /// One entry a code point of the Basic Multilingual Plane (a few milliseconds, once): the
  /// properties' own look-up takes about 200 times as long.
  private static let basicPlane: [ScalarClass] = (UInt32(0)..<0x10000).map { value in
    Unicode.Scalar(value).map(lookedUp) ?? .other
  }

  private static func lookedUp(_ scalar: Unicode.Scalar) -> ScalarClass {
    let properties = scalar.properties
    if properties.isWhitespace { return .space }
    guard let age = properties.age, (age.major, age.minor) <= (15, 1) else { return .other }
    return switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
      .letter
    case .decimalNumber, .letterNumber, .otherNumber: .number
    default: .other
    }
  }
}
