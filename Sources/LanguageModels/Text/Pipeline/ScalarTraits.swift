/// UTF-8 that is known to be well formed, lent for the length of a call.
typealias Bytes = UnsafeBufferPointer<UInt8>

extension UnsafeBufferPointer<UInt8> {
  /// A part of the buffer, numbered from 0.
  @inline(__always)
  subscript(part range: Range<Int>) -> Bytes { Bytes(rebasing: self[range]) }

  /// Value and length in bytes of the scalar that starts at `position` of well-formed UTF-8.
  @inline(__always)
  func scalar(at position: Int) -> (value: UInt32, length: Int) {
    let lead = UInt32(self[position])
    if lead < 0x80 { return (lead, 1) }
    func trail(_ offset: Int) -> UInt32 { UInt32(self[position + offset] & 0x3F) }
    if lead < 0xE0 { return ((lead & 0x1F) << 6 | trail(1), 2) }
    if lead < 0xF0 { return ((lead & 0x0F) << 12 | trail(1) << 6 | trail(2), 3) }
    return ((lead & 0x07) << 18 | trail(1) << 12 | trail(2) << 6 | trail(3), 4)
  }
}

/// What pre-tokenisers ask of a scalar, one bit each.
struct ScalarTraits: OptionSet {
  let rawValue: UInt16

  /// General categories Lu and Lt, Ll, and Lm and Lo.
  static let upper = Self(rawValue: 1)
  static let lower = Self(rawValue: 2)
  static let caseless = Self(rawValue: 4)
  /// General category N.
  static let number = Self(rawValue: 8)
  /// The property White_Space.
  static let space = Self(rawValue: 16)
  /// General categories M, P and S.
  static let mark = Self(rawValue: 32)
  static let punctuation = Self(rawValue: 64)
  static let symbol = Self(rawValue: 128)
  /// The line feed and the carriage return.
  static let newline = Self(rawValue: 256)

  static let letter: Self = [.upper, .lower, .caseless]
}

/// The traits of every scalar in one version of Unicode.
///
/// llama.cpp's tables are of 15.1 and those of Hugging Face tokenizers' regular expressions of
/// 16.0, while Swift's know later scripts; a letter added since must stay nothing at all for both
/// to cut a text alike. So the age decides first.
struct ScalarTable: Sendable {
  /// One entry a code point of the first two planes (some milliseconds, once): the properties' own
  /// look-up takes about 200 times as long.
  private let traits: [ScalarTraits]
  private let newest: Unicode.Version

  /// As llama.cpp cuts.
  static let unicode15 = ScalarTable(newest: (15, 1))
  /// As Hugging Face tokenizers cut.
  static let unicode16 = ScalarTable(newest: (16, 0))

  private init(newest: Unicode.Version) {
    self.newest = newest
    traits = (UInt32(0)..<0x20000).map { Self.lookedUp($0, newest) }
  }

  @inline(__always)
  subscript(_ value: UInt32) -> ScalarTraits {
    value < 0x20000 ? traits[Int(value)] : Self.lookedUp(value, newest)
  }

  private static func lookedUp(_ value: UInt32, _ newest: Unicode.Version) -> ScalarTraits {
    guard let properties = Unicode.Scalar(value)?.properties else { return [] }
    if value == 0x0A || value == 0x0D { return [.space, .newline] }
    if properties.isWhitespace { return .space }
    guard let age = properties.age, age <= newest else { return [] }
    // A letter that became caseless in Unicode 17.
    if value == 0x295 { return .lower }
    return switch properties.generalCategory {
    case .uppercaseLetter, .titlecaseLetter: .upper
    case .lowercaseLetter: .lower
    case .modifierLetter, .otherLetter: .caseless
    case .decimalNumber, .letterNumber, .otherNumber: .number
    case .nonspacingMark, .spacingMark, .enclosingMark: .mark
    case let category where category.isPunctuation: .punctuation
    case .mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol: .symbol
    default: []
    }
  }
}

extension Unicode.GeneralCategory {
  /// Whether the category is one of P.
  var isPunctuation: Bool {
    switch self {
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
      .initialPunctuation, .finalPunctuation, .otherPunctuation:
      true
    default: false
    }
  }
}
