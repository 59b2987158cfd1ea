/// A piece of a template.
struct TemplateToken: Equatable, Sendable {
  enum Kind: Equatable, Sendable {
    /// Text outside of tags, white space already trimmed.
    case text(String)
    case beginOutput
    case endOutput
    case beginBlock
    case endBlock
    case name(String)
    case string(String)
    case integer(Int)
    case double(Double)
    case symbol(String)
    case end
  }

  var kind: Kind
  var line: Int
}

/// Cuts a template into tokens, with `trim_blocks` and `lstrip_blocks` on as in transformers.
struct TemplateLexer {
  private let source: [UInt8]
  private var position = 0
  private var line = 1
  private var tokens: [TemplateToken] = []

  /// All tokens of a template, ``TemplateToken/Kind/end`` last.
  static func tokens(of source: String) throws(ChatTemplateError) -> [TemplateToken] {
    var lexer = TemplateLexer(source)
    try lexer.run()
    return lexer.tokens
  }

  private init(_ source: String) {
    // Jinja reads every kind of line end as \n, and drops one at the end of the file.
    var bytes: [UInt8] = []
    var previous: UInt8 = 0
    for byte in source.utf8 {
      if byte == UInt8(ascii: "\r") {
        bytes.append(UInt8(ascii: "\n"))
      } else if byte != UInt8(ascii: "\n") || previous != UInt8(ascii: "\r") {
        bytes.append(byte)
      }
      previous = byte
    }
    if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
    self.source = bytes
  }

  private mutating func run() throws(ChatTemplateError) {
    var startsLine = true
    while position < source.count {
      let begin = nextTag()
      var text = source[position..<begin]
      let sign = begin + 2 < source.count ? source[begin + 2] : 0
      if begin < source.count {
        trimEnd(&text, sign: sign, isOutput: source[begin + 1] == UInt8(ascii: "{"), startsLine)
      }
      emitText(text, upTo: begin)
      guard begin < source.count else { break }
      let kind = source[begin + 1]
      let tagLine = line
      position += 2
      if kind == UInt8(ascii: "#") {
        try skipComment(tagLine)
      } else {
        if sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") { position += 1 }
        try tag(isOutput: kind == UInt8(ascii: "{"), tagLine)
      }
      startsLine = source[position - 1] == UInt8(ascii: "\n")
    }
    tokens.append(TemplateToken(kind: .end, line: line))
  }

  private func nextTag() -> Int {
    var index = position
    while index + 1 < source.count {
      if source[index] == UInt8(ascii: "{") {
        switch source[index + 1] {
        case UInt8(ascii: "{"), UInt8(ascii: "%"), UInt8(ascii: "#"): return index
        default: break
        }
      }
      index += 1
    }
    return source.count
  }

  /// `{%-` takes all white space before it; a block tag alone at the start of a line takes its
  /// indentation.
  private func trimEnd(
    _ text: inout ArraySlice<UInt8>, sign: UInt8, isOutput: Bool, _ startsLine: Bool
  ) {
    if sign == UInt8(ascii: "-") {
      text = PythonText.trimmed(text, start: false)
    } else if sign != UInt8(ascii: "+"), !isOutput {
      let lineStart = text.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 }
      guard let start = lineStart ?? (startsLine ? text.startIndex : nil) else { return }
      if PythonText.trimmed(text[start...], start: false).isEmpty { text = text[..<start] }
    }
  }

  private mutating func emitText(_ text: ArraySlice<UInt8>, upTo end: Int) {
    if !text.isEmpty {
      tokens.append(.init(kind: .text(String(decoding: text, as: UTF8.self)), line: line))
    }
    advance(to: end)
  }

  private mutating func skipComment(_ tagLine: Int) throws(ChatTemplateError) {
    var end = position
    while end + 1 < source.count, source[end] != UInt8(ascii: "#") || source[end + 1] != brace {
      end += 1
    }
    guard end + 1 < source.count else {
      throw .syntax(line: tagLine, problem: "a comment without an end")
    }
    let sign = end > position ? source[end - 1] : 0
    advance(to: end + 2)
    skipAfterTag(sign: sign, isOutput: false)
  }

  /// `-%}` takes all white space after it, a plain `%}` one line end.
  private mutating func skipAfterTag(sign: UInt8, isOutput: Bool) {
    if sign == UInt8(ascii: "-") {
      advance(to: PythonText.trimmed(source[position...], end: false).startIndex)
    } else if sign != UInt8(ascii: "+"), !isOutput, position < source.count,
      source[position] == UInt8(ascii: "\n")
    {
      advance(to: position + 1)
    }
  }

  private mutating func tag(isOutput: Bool, _ tagLine: Int) throws(ChatTemplateError) {
    tokens.append(.init(kind: isOutput ? .beginOutput : .beginBlock, line: tagLine))
    var open: [UInt8] = []
    while true {
      guard position < source.count else {
        throw .syntax(line: tagLine, problem: "a tag without an end")
      }
      if open.isEmpty, let (sign, length) = tagEnd(isOutput: isOutput) {
        tokens.append(.init(kind: isOutput ? .endOutput : .endBlock, line: line))
        advance(to: position + length)
        return skipAfterTag(sign: sign, isOutput: isOutput)
      }
      try tagToken(&open)
    }
  }

  private func tagEnd(isOutput: Bool) -> (sign: UInt8, length: Int)? {
    let mark = isOutput ? brace : UInt8(ascii: "%")
    func closes(at index: Int) -> Bool {
      index + 1 < source.count && source[index] == mark && source[index + 1] == brace
    }
    if closes(at: position) { return (0, 2) }
    let sign = source[position]
    let isSign = sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") && !isOutput
    return isSign && closes(at: position + 1) ? (sign, 3) : nil
  }

  private mutating func tagToken(_ open: inout [UInt8]) throws(ChatTemplateError) {
    let byte = source[position]
    switch byte {
    case UInt8(ascii: " "), 0x09...0x0D: advance(to: position + 1)
    case UInt8(ascii: "0")...UInt8(ascii: "9"): try number()
    case UInt8(ascii: "'"), UInt8(ascii: "\""): try string(byte)
    case _ where isNameByte(byte): name()
    default: try symbol(&open)
    }
  }

  private mutating func name() {
    let end = source[position...].firstIndex { !isNameByte($0) } ?? source.count
    emit(.name(String(decoding: source[position..<end], as: UTF8.self)), upTo: end)
  }

  private mutating func number() throws(ChatTemplateError) {
    func digits(from start: Int) -> Int {
      source[start...].firstIndex { !isDigit($0) && $0 != UInt8(ascii: "_") } ?? source.count
    }
    var end = digits(from: position)
    var isDouble = false
    if end + 1 < source.count, source[end] == UInt8(ascii: "."), isDigit(source[end + 1]) {
      end = digits(from: end + 1)
      isDouble = true
    }
    if end < source.count, source[end] | 0x20 == UInt8(ascii: "e") {
      let isSigned = end + 1 < source.count && "+-".utf8.contains(source[end + 1])
      let start = end + (isSigned ? 2 : 1)
      if start < source.count, isDigit(source[start]) {
        end = digits(from: start)
        isDouble = true
      }
    }
    let text = String(
      decoding: source[position..<end].filter { $0 != UInt8(ascii: "_") }, as: UTF8.self)
    if isDouble, let value = Double(text) {
      emit(.double(value), upTo: end)
    } else if let value = Int(text) {
      emit(.integer(value), upTo: end)
    } else {
      throw .syntax(line: line, problem: "a number out of range")
    }
  }

  private mutating func string(_ quote: UInt8) throws(ChatTemplateError) {
    var end = position + 1
    while end < source.count, source[end] != quote {
      end += source[end] == UInt8(ascii: "\\") ? 2 : 1
    }
    guard end < source.count else {
      throw .syntax(line: line, problem: "a string without an end")
    }
    let raw = source[(position + 1)..<end]
    guard let value = PythonText.unescaped(raw) else {
      throw .unsupported(line: line, construct: "an escape sequence such as \\N")
    }
    emit(.string(value), upTo: end + 1)
  }

  private mutating func symbol(_ open: inout [UInt8]) throws(ChatTemplateError) {
    let pair = String(decoding: source[position..<min(position + 2, source.count)], as: UTF8.self)
    if ["==", "!=", "<=", ">=", "//", "**"].contains(pair) {
      return emit(.symbol(pair), upTo: position + 2)
    }
    let byte = source[position]
    switch byte {
    case UInt8(ascii: "("), UInt8(ascii: "["), UInt8(ascii: "{"): open.append(byte)
    case UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"):
      let partner = byte == UInt8(ascii: ")") ? byte - 1 : byte - 2
      guard open.popLast() == partner else {
        throw .syntax(line: line, problem: "an unexpected `\(Character(Unicode.Scalar(byte)))`")
      }
    case _ where "+-*/%~=<>|.,:".utf8.contains(byte): break
    default:
      throw .syntax(line: line, problem: "an unexpected byte \(byte)")
    }
    emit(.symbol(String(Unicode.Scalar(byte))), upTo: position + 1)
  }

  private mutating func emit(_ kind: TemplateToken.Kind, upTo end: Int) {
    tokens.append(TemplateToken(kind: kind, line: line))
    advance(to: end)
  }

  private mutating func advance(to end: Int) {
    line += source[position..<end].count { $0 == UInt8(ascii: "\n") }
    position = end
  }
}

private let brace = UInt8(ascii: "}")

private func isDigit(_ byte: UInt8) -> Bool {
  (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
}

private func isNameByte(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
    UInt8(ascii: "_"), UInt8(ascii: "0")...UInt8(ascii: "9"):
    true
  default: false
  }
}
