internal import Foundation

/// What happens to a text before it is cut into words, one step after the other.
struct Normalizer: Sendable {
  /// One step.
  enum Step: Sendable {
    case form(NormalForm)
    case lowercase
    /// Leaves out the scalars of category M.
    case stripAccents
    case bert(BertNormalization)
    /// Puts a text in front of one that is not empty.
    case prepend([UInt8])
    case replace([UInt8], [UInt8])
    /// Replaces two spaces or more.
    case replaceSpaceRuns([UInt8])
    case strip(left: Bool, right: Bool)
    /// Takes spaces, and no other white space, from both ends.
    case stripSpaces
    case precompiled(PrecompiledCharsmap)
    case sentencePiece(SentencePieceNormalization)
  }

  var steps: [Step] = []

  /// Normalises `text` in place.
  func apply(to text: inout [UInt8]) {
    for step in steps { step.apply(to: &text) }
  }
}

extension Normalizer.Step {
  fileprivate func apply(to text: inout [UInt8]) {
    switch self {
    case .form(let form): form.apply(to: &text)
    case .lowercase: text = text.mappedScalars(ascii: { $0.lowercase }, { $1 += $0.lowercased })
    case .stripAccents:
      text = text.mappedScalars(
        ascii: { $0 }, { if !$0.isOldMark { $1 += Array(String($0).utf8) } })
    case .bert(let bert): bert.apply(to: &text)
    case .prepend(let prefix): if !text.isEmpty { text.insert(contentsOf: prefix, at: 0) }
    case .replace(let old, let new): text = text.replacing(old, new)
    case .replaceSpaceRuns(let new): text = text.replacingSpaceRuns(new)
    case .strip(let left, let right): text = text.stripped(left: left, right: right)
    case .stripSpaces:
      let end = text.lastIndex { $0 != 0x20 }.map { $0 + 1 } ?? 0
      text = Array(text[..<end].drop { $0 == 0x20 })
    case .precompiled(let map): text = map.apply(to: text)
    case .sentencePiece(let spaces): text = spaces.apply(to: text)
    }
  }
}

/// Unicode's normal forms, of the version that Hugging Face tokenizers knows.
enum NormalForm: Sendable {
  case nfc, nfd, nfkc, nfkd

  /// Scalars below this one are in this form, and begin anew: no mark follows from them.
  private var firstChanged: UInt32 {
    switch self {
    case .nfc: 0x300
    case .nfd: 0xC0
    case .nfkc, .nfkd: 0xA0
    }
  }

  func apply(to text: inout [UInt8]) {
    guard text.contains(where: { $0 >= 0x80 }) else { return }
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    text.withUnsafeBufferPointer { bytes in
      var start = 0
      while start < bytes.count {
        // A run begins at the ASCII before it, which may compose with what follows.
        var run = start
        while run < bytes.count, bytes[run] < 0x80 { run += 1 }
        if run < bytes.count, run > start { run -= 1 }
        result += bytes[start..<run]
        var end = min(run + 1, bytes.count)
        while end < bytes.count, bytes[end] >= 0x80 { end += 1 }
        normalise(bytes[part: run..<end], &result)
        start = end
      }
    }
    text = result
  }

  private func normalise(_ run: Bytes, _ result: inout [UInt8]) {
    var position = 0
    var start = 0
    var changes = false
    func flush(_ end: Int) {
      guard start < end else { return }
      let part = run[start..<end]
      result += changes ? converted(String(decoding: part, as: UTF8.self)) : Array(part)
    }
    while position < run.count {
      let (value, length) = run.scalar(at: position)
      // What the reference's tables do not know is left alone, and neither composes nor is sorted.
      if value >= firstChanged, Self.isNew(value) {
        flush(position)
        result += run[position..<position + length]
        (start, changes) = (position + length, false)
      } else if value >= firstChanged, !(0x4E00...0x9FA5).contains(value) {
        changes = true
      }
      position += length
    }
    flush(run.count)
  }

  private func converted(_ text: String) -> [UInt8] {
    let isCompatible = self == .nfkc || self == .nfkd
    let decomposed = Self.sorted(
      isCompatible
        ? text.decomposedStringWithCompatibilityMapping : text.decomposedStringWithCanonicalMapping)
    let composes = self == .nfc || self == .nfkc
    return Array((composes ? decomposed.precomposedStringWithCanonicalMapping : decomposed).utf8)
  }

  /// Marks in a row by their combining class: Foundation leaves them as they stand where two
  /// scalars that decompose into marks follow each other (U+0F78 U+0F75).
  private static func sorted(_ text: String) -> String {
    var scalars = Array(text.unicodeScalars)
    var start = 0
    while start < scalars.count {
      func mark(_ index: Int) -> UInt8 {
        scalars[index].properties.canonicalCombiningClass.rawValue
      }
      var end = start
      while end < scalars.count, scalars[end].value >= 0x300, mark(end) != 0 { end += 1 }
      if end - start > 1 {
        let order = (start..<end).map { (class: mark($0), index: $0) }
          .sorted { ($0.class, $0.index) < ($1.class, $1.index) }
        scalars.replaceSubrange(start..<end, with: order.map { scalars[$0.index] })
      }
      start = max(end, start + 1)
    }
    return String(String.UnicodeScalarView(scalars))
  }

  /// Whether the scalar is newer than Unicode 9, whose tables the reference has.
  private static func isNew(_ value: UInt32) -> Bool {
    // Ideographs and syllables, the common case; nothing in these blocks is newer.
    if (0x3041...0x312C).contains(value) || (0x4E00...0x9FA5).contains(value) { return false }
    if value < 0x600 || (0xAC00...0xD7A3).contains(value) { return false }
    guard let age = Unicode.Scalar(value)?.properties.age else { return true }
    return age > (9, 0)
  }
}

extension Unicode.Scalar {
  /// The whole lower case mapping, without regard to what stands around.
  var lowercased: [UInt8] { Array(properties.lowercaseMapping.utf8) }

  /// Whether the scalar is of category M in Unicode 9.
  var isOldMark: Bool {
    if value < 0x300 { return false }
    switch value {
    case 0x111C9: return false
    case 0x1CF2, 0x1CF3: return true
    default: break
    }
    switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark:
      return properties.age.map { $0 <= (9, 0) } ?? false
    default: return false
    }
  }
}

extension UInt8 {
  /// The lower case of an ASCII letter.
  var lowercase: UInt8 { (0x41...0x5A).contains(self) ? self | 0x20 : self }
}

extension [UInt8] {
  /// Rewrites well-formed UTF-8 scalar by scalar, ASCII by a shorter way.
  func mappedScalars(
    ascii: (UInt8) -> UInt8, _ body: (Unicode.Scalar, inout [UInt8]) -> Void
  ) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(count)
    withUnsafeBufferPointer { bytes in
      var position = 0
      while position < bytes.count {
        let (value, length) = bytes.scalar(at: position)
        if length == 1 {
          result.append(ascii(bytes[position]))
        } else if let scalar = Unicode.Scalar(value) {
          body(scalar, &result)
        }
        position += length
      }
    }
    return result
  }

  /// Replaces every occurrence of `old`, from left to right: a hundredth of the time that the
  /// standard library's `replacing(_:with:)` takes for a token, and a vocabulary has many.
  func replacing(_ old: [UInt8], _ new: [UInt8]) -> [UInt8] {
    guard let first = old.first, contains(first) else { return self }
    var result: [UInt8] = []
    result.reserveCapacity(count + count / 2)
    var position = 0
    while position < count {
      if self[position] == first, self[position...].starts(with: old) {
        result += new
        position += old.count
      } else {
        result.append(self[position])
        position += 1
      }
    }
    return result
  }

  fileprivate func replacingSpaceRuns(_ new: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(count)
    var position = 0
    while position < count {
      var end = position
      while end < count, self[end] == 0x20 { end += 1 }
      if end - position >= 2 {
        result += new
      } else {
        if end == position { end += 1 }
        result += self[position..<end]
      }
      position = end
    }
    return result
  }

  /// Without the white space at its ends.
  fileprivate func stripped(left: Bool, right: Bool) -> [UInt8] {
    let scalars = String(decoding: self, as: UTF8.self).unicodeScalars[...]
    var kept = left ? scalars.drop { $0.properties.isWhitespace } : scalars
    while right, let last = kept.last, last.properties.isWhitespace { kept.removeLast() }
    return Array(String(kept).utf8)
  }
}
