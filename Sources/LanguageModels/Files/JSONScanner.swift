/// Reads objects, strings and natural numbers of strict JSON, in place; only ``skip()`` recurses,
/// to a bounded depth.
struct JSONScanner {
  /// What the bytes are, for messages.
  struct Subject {
    var name: String
    var remedy: String

    static let header = Subject(
      name: "JSON header", remedy: "give a whole safetensors file, or fetch or write it again")
  }

  let bytes: UnsafeRawBufferPointer
  let path: String
  let subject: Subject
  private(set) var offset = 0

  init(bytes: UnsafeRawBufferPointer, path: String, subject: Subject = .header) {
    self.bytes = bytes
    self.path = path
    self.subject = subject
  }

  /// Reads an object; `member` reads the value of each key. Equal keys come as they stand.
  mutating func object(
    _ member: (inout JSONScanner, String) throws(ModelFileError) -> Void
  ) throws(ModelFileError) {
    try expect("{")
    if take("}") { return }
    repeat {
      let key = try string()
      try expect(":")
      try member(&self, key)
    } while take(",")
    try expect("}")
  }

  /// Reads an array of integers of 0 to `Int.max`.
  mutating func integers() throws(ModelFileError) -> [Int] {
    try expect("[")
    var result: [Int] = []
    if take("]") { return result }
    repeat { result.append(try integer()) } while take(",")
    try expect("]")
    return result
  }

  private mutating func integer() throws(ModelFileError) -> Int {
    skipSpace()
    let start = offset
    var value = 0
    while let byte = peek(), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
      let (tenfold, overflow) = value.multipliedReportingOverflow(by: 10)
      let (next, carry) = tenfold.addingReportingOverflow(Int(byte - UInt8(ascii: "0")))
      guard !overflow, !carry else { throw unexpected("an integer below 2^63", at: start) }
      value = next
      offset += 1
    }
    let hasLeadingZero = offset - start > 1 && bytes[start] == UInt8(ascii: "0")
    guard offset > start, !hasLeadingZero else { throw unexpected("a natural number", at: start) }
    return value
  }

  /// Reads a string, its escapes resolved.
  mutating func string() throws(ModelFileError) -> String {
    try expect("\"")
    let start = offset
    var text: [UInt8] = []
    while let byte = peek(), byte != UInt8(ascii: "\"") {
      guard byte >= 0x20 else { throw unexpected("an escaped control character", at: offset) }
      offset += 1
      if byte == UInt8(ascii: "\\") {
        text.append(contentsOf: String(try escape()).utf8)
      } else {
        text.append(byte)
      }
    }
    guard peek() != nil else { throw unexpected("a string that ends", at: start) }
    offset += 1
    guard let result = String(validating: text, as: UTF8.self) else {
      throw unexpected("a string in UTF-8", at: start)
    }
    return result
  }

  private mutating func escape() throws(ModelFileError) -> Unicode.Scalar {
    let start = offset
    guard let byte = peek() else { throw unexpected("an escape", at: start) }
    offset += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{c}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"): return try escapedScalar(start)
    default: throw unexpected("an escape that JSON knows", at: start)
    }
  }

  /// The scalar of `\uXXXX`, or of a surrogate pair of them.
  private mutating func escapedScalar(_ start: Int) throws(ModelFileError) -> Unicode.Scalar {
    var code = try hexadecimal()
    if (0xd800..<0xdc00).contains(code), take(exactly: "\\"), take(exactly: "u") {
      let low = try hexadecimal()
      guard (0xdc00..<0xe000).contains(low) else { throw unexpected("a surrogate pair", at: start) }
      code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
    }
    guard let scalar = Unicode.Scalar(code) else { throw unexpected("a surrogate pair", at: start) }
    return scalar
  }

  private mutating func hexadecimal() throws(ModelFileError) -> UInt32 {
    let start = offset
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = peek().flatMap({ Character(Unicode.Scalar($0)).hexDigitValue }) else {
        throw unexpected("four hexadecimal digits", at: start)
      }
      value = value << 4 | UInt32(digit)
      offset += 1
    }
    return value
  }

  /// Reads a value of any kind and forgets it.
  mutating func skip(depth: Int = 0) throws(ModelFileError) {
    skipSpace()
    guard depth < 32 else { throw unexpected("values nested less deeply", at: offset) }
    switch peek() {
    case UInt8(ascii: "{"):
      try object { (json, _) throws(ModelFileError) in try json.skip(depth: depth + 1) }
    case UInt8(ascii: "["):
      try expect("[")
      if take("]") { return }
      repeat { try skip(depth: depth + 1) } while take(",")
      try expect("]")
    case UInt8(ascii: "\""): _ = try string()
    default:
      // A number or a word: which one does not matter here.
      let start = offset
      if plainText().isEmpty { throw unexpected("a value", at: start) }
    }
  }

  /// Reads what may be a number or a word.
  mutating func plainText() -> String {
    let start = offset
    while let byte = peek(), isPlain(byte) { offset += 1 }
    return String(decoding: bytes[start..<offset], as: UTF8.self)
  }

  private func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
      UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: "E"):
      true
    default: false
    }
  }

  /// Checks that only white space is left.
  mutating func expectEnd() throws(ModelFileError) {
    skipSpace()
    guard peek() == nil else { throw unexpected("the end", at: offset) }
  }

  // MARK: Bytes

  func peek() -> UInt8? { offset < bytes.count ? bytes[offset] : nil }

  mutating func skipSpace() {
    while let byte = peek(), byte == 0x20 || (0x09...0x0a).contains(byte) || byte == 0x0d {
      offset += 1
    }
  }

  /// Passes over `text`, which has to stand here.
  mutating func literal(_ text: String) throws(ModelFileError) {
    for symbol in text.unicodeScalars {
      guard take(exactly: symbol) else { throw unexpected("`\(text)`", at: offset) }
    }
  }

  /// Passes over the bytes that a number may have and returns them.
  mutating func numberText() -> String {
    let start = offset
    while let byte = peek(), byte >= 0x2B, byte <= 0x39 || byte | 0x20 == 0x65, byte != 0x2C,
      byte != 0x2F
    { offset += 1 }
    return String(decoding: bytes[start..<offset], as: UTF8.self)
  }

  private mutating func take(exactly symbol: Unicode.Scalar) -> Bool {
    guard peek() == UInt8(ascii: symbol) else { return false }
    offset += 1
    return true
  }

  mutating func take(_ symbol: Unicode.Scalar) -> Bool {
    skipSpace()
    return take(exactly: symbol)
  }

  mutating func expect(_ symbol: Unicode.Scalar) throws(ModelFileError) {
    guard take(symbol) else { throw unexpected("`\(symbol)`", at: offset) }
  }

  // MARK: Errors

  /// The error for a header that says `found` where `expected` should be.
  func malformed(_ expected: String, _ found: String) -> ModelFileError {
    .malformed(
      .init(
        path: path, expected: expected, found: found,
        remedy: subject.remedy))
  }

  func unexpected(_ expected: String, at position: Int) -> ModelFileError {
    let rest = bytes.dropFirst(position).prefix(12)
    let found = rest.isEmpty ? "its end" : quoted(String(decoding: rest, as: UTF8.self))
    return malformed("\(expected) at byte \(position) of the \(subject.name)", found)
  }
}
