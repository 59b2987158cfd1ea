/// Python's treatment of strings where Swift's differs: code points instead of characters, no
/// canonical equivalence, its own idea of white space.
enum PythonText {
  /// Whether `str.isspace` holds for a scalar: White_Space and the four separators of ASCII.
  static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
    (0x1C...0x1F).contains(scalar.value) || scalar.properties.isWhitespace
  }

  /// `str.strip()`, `lstrip` and `rstrip` on UTF-8.
  static func trimmed(
    _ text: ArraySlice<UInt8>, start: Bool = true, end: Bool = true
  ) -> ArraySlice<UInt8> {
    let scalars = String(decoding: text, as: UTF8.self).unicodeScalars
    let kept = trimmed(scalars[...], start: start, end: end, isSpace)
    let lower = scalars.utf8Distance(to: kept.startIndex)
    return text[(text.startIndex + lower)..<(text.startIndex + lower + String(kept).utf8.count)]
  }

  /// `str.strip(characters)`; white space where `characters` is nil.
  static func trimmed(
    _ text: String, _ characters: String? = nil, start: Bool = true, end: Bool = true
  ) -> String {
    let set = characters.map { Set($0.unicodeScalars) }
    return String(
      trimmed(text.unicodeScalars[...], start: start, end: end) { set?.contains($0) ?? isSpace($0) }
    )
  }

  private static func trimmed(
    _ text: Substring.UnicodeScalarView, start: Bool, end: Bool, _ goes: (Unicode.Scalar) -> Bool
  ) -> Substring.UnicodeScalarView {
    var text = text
    while start, let first = text.first, goes(first) { text.removeFirst() }
    while end, let last = text.last, goes(last) { text.removeLast() }
    return text
  }

  /// `text.split(separator, limit)`; runs of white space where `separator` is nil.
  static func split(_ text: String, _ separator: String?, limit: Int) -> [String] {
    guard let separator else {
      return text.unicodeScalars
        .split(maxSplits: limit < 0 ? .max : limit, whereSeparator: isSpace)
        .map { String($0) }
    }
    let bytes = Array(text.utf8)
    let mark = Array(separator.utf8)
    var parts: [String] = []
    var start = 0
    while limit < 0 || parts.count < limit, let next = find(mark, in: bytes, from: start) {
      parts.append(String(decoding: bytes[start..<next], as: UTF8.self))
      start = next + mark.count
    }
    return parts + [String(decoding: bytes[start...], as: UTF8.self)]
  }

  /// Where `mark` first stands in `text`, in bytes; nil if nowhere.
  static func find(_ mark: [UInt8], in text: [UInt8], from start: Int = 0) -> Int? {
    guard let first = mark.first else { return start }
    var index = start
    while index + mark.count <= text.count {
      if text[index] == first, text[index...].starts(with: mark) { return index }
      index += 1
    }
    return nil
  }

  /// markupsafe's `escape(text)`.
  static func escapedHTML(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "'": result += "&#39;"
      case "\"": result += "&#34;"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// What stands between the quotes of a string literal; nil for an escape not implemented.
  static func unescaped(_ raw: ArraySlice<UInt8>) -> String? {
    var text = ""
    var scalars = String(decoding: raw, as: UTF8.self).unicodeScalars[...]
    while let scalar = scalars.popFirst() {
      guard scalar == "\\", let escape = scalars.popFirst() else {
        text.unicodeScalars.append(scalar)
        continue
      }
      switch escape {
      case "\n": break
      case "x", "u", "U":
        let count = escape == "x" ? 2 : escape == "u" ? 4 : 8
        let digits = String(scalars.prefix(count))
        guard digits.utf8.count == count, let value = UInt32(digits, radix: 16),
          let decoded = Unicode.Scalar(value)
        else { return nil }
        text.unicodeScalars.append(decoded)
        scalars = scalars.dropFirst(count)
      case "N", "0"..."7": return nil
      default:
        if let plain = escapes[escape] {
          text.unicodeScalars.append(plain)
        } else {
          text.unicodeScalars.append(contentsOf: ["\\", escape])
        }
      }
    }
    return text
  }

  private static let escapes: [Unicode.Scalar: Unicode.Scalar] = [
    "n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", "\"": "\"", "a": "\u{7}", "b": "\u{8}",
    "f": "\u{C}", "v": "\u{B}",
  ]

  /// `repr(text)`.
  static func quoted(_ text: String) -> String {
    let scalars = text.unicodeScalars
    let quote: Unicode.Scalar = scalars.contains("'") && !scalars.contains("\"") ? "\"" : "'"
    var result = String(quote)
    for scalar in scalars {
      switch scalar {
      case "\\", quote: result += "\\" + String(scalar)
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      default: result += isPrintable(scalar) ? String(scalar) : escape(scalar)
      }
    }
    return result + String(quote)
  }

  private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
      .paragraphSeparator:
      false
    case .spaceSeparator: scalar == " "
    default: true
    }
  }

  private static func escape(_ scalar: Unicode.Scalar) -> String {
    let digits = String(scalar.value, radix: 16)
    let (letter, width) =
      scalar.value < 0x100 ? ("x", 2) : scalar.value < 0x10000 ? ("u", 4) : ("U", 8)
    return "\\" + letter + String(repeating: "0", count: width - digits.utf8.count) + digits
  }

  /// `json.dumps(text, ensure_ascii=False)`.
  static func json(_ text: String, isASCII: Bool = false) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\" + String(scalar)
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\u{8}": result += "\\b"
      case "\u{C}": result += "\\f"
      case "\u{0}"..<" ":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
      case "\u{7F}"... where isASCII && scalar.value > 0x7F:
        for unit in String(scalar).utf16 {
          let digits = String(unit, radix: 16)
          result += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
        }
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  /// Jinja's `title`: each run of white space, hyphens and opening brackets begins a word.
  static func titled(_ text: String) -> String {
    var result = ""
    var isInside = false
    for scalar in text.unicodeScalars {
      result +=
        isInside ? scalar.properties.lowercaseMapping : scalar.properties.uppercaseMapping
      isInside = !(isSpace(scalar) || "-({[<".unicodeScalars.contains(scalar))
    }
    return result
  }

  /// `str.splitlines()`.
  static func lines(_ text: String) -> [String] {
    var lines: [String] = []
    var line = String.UnicodeScalarView()
    var previous: Unicode.Scalar?
    for scalar in text.unicodeScalars {
      defer { previous = scalar }
      if scalar == "\n", previous == "\r" { continue }
      switch scalar {
      case "\n", "\r", "\u{B}", "\u{C}", "\u{1C}"..."\u{1E}", "\u{85}", "\u{2028}", "\u{2029}":
        lines.append(String(line))
        line = .init()
      default: line.append(scalar)
      }
    }
    return line.isEmpty ? lines : lines + [String(line)]
  }

  /// `str.capitalize()` and, with `everyWord`, `str.title()`.
  static func capitalized(_ text: String, everyWord: Bool) -> String {
    var result = ""
    var isInside = false
    for scalar in text.unicodeScalars {
      let properties = scalar.properties
      result += isInside ? properties.lowercaseMapping : properties.titlecaseMapping
      isInside = everyWord ? properties.isCased : true
    }
    return result
  }
}

extension String.UnicodeScalarView {
  fileprivate func utf8Distance(to end: Index) -> Int {
    String(self[..<end]).utf8.count
  }
}
