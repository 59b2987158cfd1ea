extension Tokenizer {
  /// The bytes that a token stands for; a special token's are its own name.
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

  /// The text of a sequence of tokens, special ones by name.
  ///
  /// Malformed UTF-8 becomes U+FFFD, one for each maximal part of a character, which is what
  /// Python's `bytes.decode("utf-8", errors="replace")` does. An id outside the vocabulary adds
  /// nothing.
  package func decode(_ ids: some Sequence<Int>) -> String {
    var text: [UInt8] = []
    for id in ids { text.append(contentsOf: bytes(id)) }
    return String(decoding: text, as: UTF8.self)
  }
}

/// Decodes tokens as they are generated, without ever showing half a character.
///
/// The pieces joined, with ``finish()`` at the end, are what ``Tokenizer/decode(_:)`` gives.
package struct StreamingDecoder {
  private let tokenizer: Tokenizer
  /// The beginning of a character whose rest has not come yet; at most three bytes.
  private var held: [UInt8] = []

  /// Starts a text.
  package init(_ tokenizer: Tokenizer) {
    self.tokenizer = tokenizer
  }

  /// The text that `id` completes; empty while a character is still open.
  package mutating func append(_ id: Int) -> String {
    held.append(contentsOf: tokenizer.bytes(id))
    let complete = held.count - Self.openBytes(held)
    defer { held.removeFirst(complete) }
    return String(decoding: held[..<complete], as: UTF8.self)
  }

  /// What is left at the end: U+FFFD for a character that was never completed.
  package mutating func finish() -> String {
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
