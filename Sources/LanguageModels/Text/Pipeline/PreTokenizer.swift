/// Cuts a text into the words that a tokenizer never merges across, one step after the other.
struct PreTokenizer: Sendable {
  /// One step, which cuts what the step before it left whole.
  enum Step: Equatable, Sendable {
    case pattern(WordPattern)
    /// Numbers, each by itself or in runs.
    case digits(single: Bool)
    /// White space is left out.
    case whiteSpace
    /// Every punctuation mark stands alone.
    case punctuation
    /// White space is left out, every punctuation mark stands alone.
    case bert
    /// A space goes in front of a text that does not begin with one.
    case prefixSpace
    /// Spaces become a marker, and every marker begins a word.
    case marker(Marker)
    /// Every occurrence of a text ends a word.
    case endingWith([UInt8])
  }

  /// SentencePiece's visible space.
  struct Marker: Equatable, Sendable {
    enum Prefix: String, Sendable {
      case always, first, never
    }

    var text: [UInt8]
    /// Which texts get one in front.
    var prefix: Prefix
    var cuts = true
  }

  var steps: [Step] = []
  /// The version of Unicode that patterns know.
  var table: ScalarTable = .unicode16

  /// Calls `body` with each word of `text`, in order.
  ///
  /// - Parameters:
  ///   - text: The text.
  ///   - isFirst: Whether nothing stands before the text.
  ///   - body: What to call.
  func forEachWord(in text: Bytes, isFirst: Bool, _ body: (Bytes) -> Void) {
    if !text.isEmpty { run(0, text, isFirst, body) }
  }

  private func run(_ index: Int, _ text: Bytes, _ isFirst: Bool, _ body: (Bytes) -> Void) {
    guard index < steps.count else { return body(text) }
    // The last step calls the caller itself: one closure a word less.
    if index + 1 == steps.count { return cut(steps[index], text, isFirst, body) }
    let start = text.baseAddress
    cut(steps[index], text, isFirst) {
      run(index + 1, $0, isFirst && $0.baseAddress == start, body)
    }
  }

  private func cut(_ step: Step, _ text: Bytes, _ isFirst: Bool, _ body: (Bytes) -> Void) {
    switch step {
    case .pattern(let pattern):
      WordScanner(pattern: pattern, table: table).forEachWord(in: text, body)
    case .digits(let single): isolate(text, runs: !single, body) { $0.isNumber }
    case .whiteSpace: removeSpace(text, body)
    case .punctuation: isolate(text, runs: false, body) { $0.isOldPunctuation }
    case .bert: bert(text, body)
    case .prefixSpace:
      if text.first == 0x20 { body(text) } else { withCopy([0x20], of: text, body) }
    case .marker(let marker): mark(marker, text, isFirst, body)
    case .endingWith(let delimiter): cut(after: delimiter, text, body)
    }
  }

  private func withCopy(_ prefix: [UInt8], of text: Bytes, _ body: (Bytes) -> Void) {
    (prefix + Array(text)).withUnsafeBufferPointer(body)
  }

  /// Scalars that match stand alone, or in runs of their kind.
  private func isolate(
    _ text: Bytes, runs: Bool, _ body: (Bytes) -> Void, _ matches: (Unicode.Scalar) -> Bool
  ) {
    var start = 0
    var position = 0
    var inRun = false
    while position < text.count {
      let (value, length) = text.scalar(at: position)
      let found = Unicode.Scalar(value).map(matches) ?? false
      if found != inRun || found && !runs, start < position {
        body(text[part: start..<position])
        start = position
      }
      inRun = found
      position += length
    }
    if start < position { body(text[part: start..<position]) }
  }

  private func removeSpace(_ text: Bytes, _ body: (Bytes) -> Void) {
    var start = 0
    var position = 0
    while position < text.count {
      let (value, length) = text.scalar(at: position)
      if table[value].contains(.space) {
        if start < position { body(text[part: start..<position]) }
        start = position + length
      }
      position += length
    }
    if start < position { body(text[part: start..<position]) }
  }

  private func bert(_ text: Bytes, _ body: (Bytes) -> Void) {
    var start = 0
    var position = 0
    while position < text.count {
      let (value, length) = text.scalar(at: position)
      let isSpace =
        value < 0x80 ? value == 0x20 || (9...13).contains(value) : table[value].contains(.space)
      if isSpace || isPunctuation(value) {
        if start < position { body(text[part: start..<position]) }
        start = position + length
        if !isSpace { body(text[part: position..<start]) }
      }
      position += length
    }
    if start < position { body(text[part: start..<position]) }
  }

  private func isPunctuation(_ value: UInt32) -> Bool {
    if value < 0x80 {
      return (0x21...0x2F).contains(value) || (0x3A...0x40).contains(value)
        || (0x5B...0x60).contains(value) || (0x7B...0x7E).contains(value)
    }
    // A letter was never punctuation; the table spares its look-up.
    guard table[value].isDisjoint(with: [.letter, .number]) else { return false }
    return Unicode.Scalar(value)?.isOldPunctuation ?? false
  }

  private func mark(_ marker: Marker, _ text: Bytes, _ isFirst: Bool, _ body: (Bytes) -> Void) {
    let mark = marker.text
    let starts = text.first == 0x20 || text.starts(with: mark)
    let prefixes = marker.prefix == .always || marker.prefix == .first && isFirst
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: (text.count + 1) * max(1, mark.count)) {
      buffer in
      var count = 0
      func append(_ byte: UInt8) {
        buffer[count] = byte
        count += 1
      }
      if prefixes, !starts { mark.forEach(append) }
      for byte in text {
        if byte == 0x20 { mark.forEach(append) } else { append(byte) }
      }
      let marked = Bytes(rebasing: buffer[..<count])
      if marker.cuts { cut(before: mark, marked, body) } else { body(marked) }
    }
  }

  private func cut(before delimiter: [UInt8], _ text: Bytes, _ body: (Bytes) -> Void) {
    var start = 0
    var position = 0
    while position < text.count {
      if text[position] == delimiter[0], text[position...].starts(with: delimiter) {
        if start < position { body(text[part: start..<position]) }
        start = position
        position += delimiter.count
      } else {
        position += 1
      }
    }
    if start < position { body(text[part: start..<position]) }
  }

  private func cut(after delimiter: [UInt8], _ text: Bytes, _ body: (Bytes) -> Void) {
    var start = 0
    var position = 0
    while position < text.count {
      if text[position] == delimiter[0], text[position...].starts(with: delimiter) {
        position += delimiter.count
        body(text[part: start..<position])
        start = position
      } else {
        position += 1
      }
    }
    if start < position { body(text[part: start..<position]) }
  }
}

extension Unicode.Scalar {
  /// Whether the scalar is of category N in this Unicode.
  fileprivate var isNumber: Bool {
    if value < 0x80 { return (0x30...0x39).contains(value) }
    return switch properties.generalCategory {
    case .decimalNumber, .letterNumber, .otherNumber: true
    default: false
    }
  }
}
