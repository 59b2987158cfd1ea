extension JSONValue {
  /// Reads one JSON text. Stricter than JSON where two readers could disagree: a repeated key is an
  /// error, and so is nesting deeper than 200.
  ///
  /// Foundation's parser is not used because it cannot give 64-bit integers and doubles apart
  /// without guessing, and does not say at which byte a ledger line goes wrong.
  /// - Throws: `JSONSyntaxError` with the offset of the first bad byte.
  package init(parsing bytes: [UInt8]) throws(JSONSyntaxError) {
    var parser = JSONParser(bytes: bytes)
    parser.skipSpace()
    self = try parser.value(depth: 0)
    parser.skipSpace()
    if parser.position != bytes.count { throw parser.error("more than one value") }
  }
}

/// Where and why bytes are not JSON.
package struct JSONSyntaxError: Error, Equatable, CustomStringConvertible {
  /// Offset of the first byte that does not fit.
  package let byte: Int
  /// What was wrong, in a few words.
  package let reason: String

  package var description: String { "\(reason) at byte \(byte)" }
}

private struct JSONParser {
  let bytes: [UInt8]
  var position = 0

  func error(_ reason: String) -> JSONSyntaxError {
    JSONSyntaxError(byte: position, reason: reason)
  }

  var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  mutating func skipSpace() {
    while let byte = next, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { position += 1 }
  }

  mutating func take(_ byte: UInt8) -> Bool {
    if next == byte {
      position += 1
      return true
    }
    return false
  }

  mutating func value(depth: Int) throws(JSONSyntaxError) -> JSONValue {
    if depth > 200 { throw error("nesting deeper than 200") }
    switch next {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return try number()
    }
  }

  mutating func word(_ word: String, _ value: JSONValue) throws(JSONSyntaxError) -> JSONValue {
    for byte in word.utf8 where !take(byte) { throw error("not \(word)") }
    return value
  }

  mutating func object(depth: Int) throws(JSONSyntaxError) -> JSONValue {
    position += 1
    var members: [String: JSONValue] = [:]
    skipSpace()
    if take(UInt8(ascii: "}")) { return .object(members) }
    while true {
      skipSpace()
      let key = try string()
      skipSpace()
      if !take(UInt8(ascii: ":")) { throw error("no colon after a key") }
      skipSpace()
      let value = try value(depth: depth + 1)
      if members.updateValue(value, forKey: key) != nil { throw error("a repeated key") }
      skipSpace()
      if take(UInt8(ascii: "}")) { return .object(members) }
      if !take(UInt8(ascii: ",")) { throw error("no comma between members") }
    }
  }

  mutating func array(depth: Int) throws(JSONSyntaxError) -> JSONValue {
    position += 1
    var items: [JSONValue] = []
    skipSpace()
    if take(UInt8(ascii: "]")) { return .array(items) }
    while true {
      skipSpace()
      items.append(try value(depth: depth + 1))
      skipSpace()
      if take(UInt8(ascii: "]")) { return .array(items) }
      if !take(UInt8(ascii: ",")) { throw error("no comma between items") }
    }
  }

  mutating func digits() throws(JSONSyntaxError) {
    let start = position
    while let byte = next, (0x30...0x39).contains(byte) { position += 1 }
    if position == start { throw error("no digit") }
  }

  mutating func number() throws(JSONSyntaxError) -> JSONValue {
    let start = position
    _ = take(UInt8(ascii: "-"))
    if !take(UInt8(ascii: "0")) { try digits() }
    if take(UInt8(ascii: ".")) { try digits() }
    if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
      if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
      try digits()
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    return .number(JSONValue.canonicalNumber(text))
  }

  mutating func string() throws(JSONSyntaxError) -> String {
    if !take(UInt8(ascii: "\"")) { throw error("no string") }
    let start = position
    var text: [UInt8] = []
    while let byte = next {
      switch byte {
      case UInt8(ascii: "\""):
        guard let valid = String(validating: text, as: UTF8.self) else {
          position = start
          throw error("a string that is not UTF-8")
        }
        position += 1
        return valid
      case UInt8(ascii: "\\"):
        position += 1
        try escape(into: &text)
      case 0..<0x20: throw error("a control character")
      default:
        text.append(byte)
        position += 1
      }
    }
    throw error("a string without end")
  }

  mutating func escape(into text: inout [UInt8]) throws(JSONSyntaxError) {
    guard let byte = next else { throw error("a string without end") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "u"): text += Array(String(try scalar()).utf8)
    default: throw error("an unknown escape")
    }
  }

  mutating func scalar() throws(JSONSyntaxError) -> Unicode.Scalar {
    var code = try codeUnit()
    if (0xD800..<0xDC00).contains(code) {
      if !take(UInt8(ascii: "\\")) || !take(UInt8(ascii: "u")) { throw error("half a surrogate") }
      let low = try codeUnit()
      guard (0xDC00..<0xE000).contains(low) else { throw error("half a surrogate") }
      code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
    }
    guard let scalar = Unicode.Scalar(code) else { throw error("half a surrogate") }
    return scalar
  }

  mutating func codeUnit() throws(JSONSyntaxError) -> UInt32 {
    guard position + 4 <= bytes.count,
      let code = UInt32(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
    else { throw error("a bad \\u escape") }
    position += 4
    return code
  }
}
