extension Tokenizer {
  /// The bytes that a token stands for within a text; a special token's are its own name.
  ///
  /// Empty for an id outside the vocabulary.
  package func bytes(_ id: Int) -> ArraySlice<UInt8> {
    guard tokens.indices.contains(id) else { return [] }
    return bytes[(id == 0 ? 0 : byteEnds[id - 1])..<byteEnds[id]]
  }

  /// The text of one token, with U+FFFD for a part of a character.
  package func piece(_ id: Int) -> String {
    String(decoding: bytes(id), as: UTF8.self)
  }

  /// The text of a sequence of tokens.
  ///
  /// Malformed UTF-8 becomes U+FFFD. Of byte-level tokens, one for each maximal part of a character,
  /// which is what Python's `bytes.decode("utf-8", errors="replace")` does; of SentencePiece's byte
  /// tokens, one for each of those in a row, as Hugging Face tokenizers does, or for each that is
  /// malformed where SentencePiece's own file was read. An id outside the vocabulary adds nothing.
  ///
  /// - Parameters:
  ///   - ids: `[tokens]`.
  ///   - skipSpecial: Whether control tokens are left out; else they are shown by name.
  /// - Returns: The text.
  package func decode(_ ids: some Sequence<Int>, skipSpecial: Bool = false) -> String {
    var state = DecodingState(self, skipSpecial: skipSpecial)
    var text: [UInt8] = []
    for id in ids { state.append(id, to: &text) }
    state.finish(&text)
    return String(decoding: text, as: UTF8.self)
  }
}

/// Where decoding stands within a text.
private struct DecodingState {
  let tokenizer: Tokenizer
  let skipSpecial: Bool
  private var isFirst = true
  /// How many spaces are still to be taken from the start.
  private var strip: Int
  /// Byte tokens in a row, which are text only if they are well formed together.
  private var run: [UInt8] = []

  init(_ tokenizer: Tokenizer, skipSpecial: Bool) {
    (self.tokenizer, self.skipSpecial) = (tokenizer, skipSpecial)
    strip = tokenizer.decoding.stripped
  }

  mutating func append(_ id: Int, to text: inout [UInt8]) {
    guard tokenizer.tokens.indices.contains(id), !tokenizer.tokens[id].isEmpty else { return }
    if skipSpecial, [.control, .unknown].contains(tokenizer.types[id]) { return }
    if tokenizer.decoding.isByte(tokenizer.tokens[id]) {
      run += tokenizer.bytes(id)
    } else {
      finish(&text)
      let first = isFirst ? tokenizer.decoding.atStart(tokenizer.tokens[id]) : nil
      add(first ?? Array(tokenizer.bytes(id)), to: &text)
    }
    isFirst = false
  }

  /// Ends the bytes in a row.
  mutating func finish(_ text: inout [UInt8]) {
    guard !run.isEmpty else { return }
    // A space that is a byte is no marker in SentencePiece.
    if case .pieces(_, .single, _) = tokenizer.decoding { strip = 0 }
    add(tokenizer.decoding.repaired(run), to: &text)
    run.removeAll()
  }

  private mutating func add(_ bytes: [UInt8], to text: inout [UInt8]) {
    let most = min(strip, tokenizer.decoding.strippedOfToken)
    let spaces = bytes.prefix { $0 == 0x20 }.prefix(most).count
    strip = spaces < bytes.count ? 0 : strip - spaces
    text += bytes[spaces...]
  }
}

/// Decodes tokens as they are generated, without ever showing half a character.
///
/// The pieces joined, with ``finish()`` at the end, are what ``Tokenizer/decode(_:skipSpecial:)``
/// gives.
package struct StreamingDecoder {
  private var state: DecodingState
  /// The beginning of a character whose rest has not come yet; at most three bytes.
  private var held: [UInt8] = []

  /// Starts a text.
  ///
  /// - Parameters:
  ///   - tokenizer: What made the tokens.
  ///   - skipSpecial: Whether control tokens are left out.
  package init(_ tokenizer: Tokenizer, skipSpecial: Bool = false) {
    state = DecodingState(tokenizer, skipSpecial: skipSpecial)
  }

  /// The text that `id` completes; empty while a character is still open.
  package mutating func append(_ id: Int) -> String {
    state.append(id, to: &held)
    let complete = held.count - Self.openBytes(held)
    defer { held.removeFirst(complete) }
    return String(decoding: held[..<complete], as: UTF8.self)
  }

  /// What is left at the end: U+FFFD for a character that was never completed.
  package mutating func finish() -> String {
    state.finish(&held)
    defer { held.removeAll() }
    return String(decoding: held, as: UTF8.self)
  }

  /// How many bytes at the end may be the beginning of an unfinished character.
  ///
  /// Beginnings that no byte can complete are held as well: what follows shows them as they are.
  private static func openBytes(_ bytes: [UInt8]) -> Int {
    for length in 1...3 where length <= bytes.count {
      let lead = bytes[bytes.count - length]
      if lead & 0xC0 == 0x80 { continue }
      return length < sequenceLength(lead) ? length : 0
    }
    return 0
  }

  private static func sequenceLength(_ lead: UInt8) -> Int {
    switch lead {
    case 0xC2...0xDF: 2
    case 0xE0...0xEF: 3
    case 0xF0...0xF4: 4
    default: 1
    }
  }
}
