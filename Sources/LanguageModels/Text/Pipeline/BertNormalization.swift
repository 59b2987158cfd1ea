/// BERT's cleaning of a text, as Hugging Face tokenizers does it with Unicode 8's categories.
struct BertNormalization: Sendable {
  /// Whether control characters are left out and white space becomes spaces.
  var cleansText = true
  /// Whether ideographs stand alone, with a space on either side.
  var spacesIdeographs = true
  var stripsAccents = true
  var lowercases = true

  func apply(to text: inout [UInt8]) {
    if cleansText { text = text.mappedScalars(ascii: { $0 }, Self.clean).cleanedASCII() }
    if spacesIdeographs, text.contains(where: { $0 >= 0xE3 }) {
      text = text.mappedScalars(ascii: { $0 }, Self.space)
    }
    if stripsAccents {
      NormalForm.nfd.apply(to: &text)
      text = text.mappedScalars(ascii: { $0 }, { if !$0.isOldAccent { $1 += $0.utf8 } })
    }
    if lowercases { text = text.mappedScalars(ascii: { $0.lowercase }, { $1 += $0.lowercased }) }
  }

  private static func clean(_ scalar: Unicode.Scalar, _ text: inout [UInt8]) {
    if scalar.properties.isWhitespace, scalar.value != 0x85 {
      text.append(0x20)
    } else if scalar.value != 0xFFFD, !scalar.isOldControl {
      text += scalar.utf8
    }
  }

  private static func space(_ scalar: Unicode.Scalar, _ text: inout [UInt8]) {
    switch scalar.value {
    case 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFAFF, 0x20000...0x2A6DF, 0x2A700...0x2B81F,
      0x2B920...0x2CEAF, 0x2F800...0x2FA1F:
      text.append(0x20)
      text += scalar.utf8
      text.append(0x20)
    default: text += scalar.utf8
    }
  }
}

extension [UInt8] {
  /// Without the control characters of ASCII; tabs and line breaks become spaces.
  fileprivate func cleanedASCII() -> [UInt8] {
    guard contains(where: { $0 < 0x20 || $0 == 0x7F }) else { return self }
    return compactMap { byte in
      switch byte {
      case 0x09, 0x0A, 0x0D: 0x20
      case ..<0x20, 0x7F: nil
      default: byte
      }
    }
  }
}

extension Unicode.Scalar {
  fileprivate var utf8: String.UTF8View { String(self).utf8 }

  private func isOfUnicode8(_ matches: (Unicode.GeneralCategory) -> Bool) -> Bool {
    guard let age = properties.age, age <= (8, 0) else { return false }
    return matches(properties.generalCategory)
  }

  /// Whether the scalar is of category Cc, Cf or Co in Unicode 8.
  fileprivate var isOldControl: Bool {
    isOfUnicode8 { $0 == .control || $0 == .format || $0 == .privateUse }
  }

  /// Whether the scalar is of category Mn in Unicode 8.
  fileprivate var isOldAccent: Bool {
    switch value {
    case ..<0x300, 0x1885, 0x1886, 0xA9BD, 0x111C9: false
    case 0x1734, 0x1171E: true
    default: isOfUnicode8 { $0 == .nonspacingMark }
    }
  }

  /// Whether the scalar is of category P in Unicode 8, or punctuation of ASCII.
  var isOldPunctuation: Bool {
    switch value {
    case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E, 0x166D, 0x111C9: true
    case ..<0x80: false
    default: isOfUnicode8 { $0.isPunctuation }
    }
  }
}
