import Synchronization

/// What encoding needs beside the vocabulary, kept from call to call.
struct EncodingScratch: Sendable {
  var cache = WordCache()
  var word = BPEWord()
}

extension Tokenizer {
  /// The token ids of `text`, as it is: no template and, unless asked for, no added token.
  ///
  /// - Parameters:
  ///   - text: Any text.
  ///   - parseSpecial: Whether strings such as `<|im_end|>` in the text become the special token;
  ///     else they are ordinary text (user-defined tokens are recognised either way).
  ///   - addSpecial: Whether ``bosID`` goes in front, where the model wants it (``addsBOS``).
  /// - Returns: `[tokens]`. Empty for empty text. A byte without a token in the vocabulary is
  ///   left out, as llama.cpp does; SmolLM2's lacks six control characters and the lead bytes of
  ///   planes that are empty.
  package func encode(
    _ text: String, parseSpecial: Bool = true, addSpecial: Bool = false
  ) -> [Int] {
    encode(wellFormed: Array(text.utf8), parseSpecial, addSpecial)
  }

  /// The token ids of UTF-8 bytes; malformed sequences are read as U+FFFD, as
  /// ``decode(_:)`` writes them.
  ///
  /// - Returns: `[tokens]`.
  package func encode(
    bytes: some Collection<UInt8>, parseSpecial: Bool = true, addSpecial: Bool = false
  ) -> [Int] {
    encode(
      String(decoding: bytes, as: UTF8.self), parseSpecial: parseSpecial, addSpecial: addSpecial)
  }

  private func encode(wellFormed text: [UInt8], _ parseSpecial: Bool, _ addSpecial: Bool) -> [Int] {
    var scratch = scratch.withLock { $0.take() } ?? EncodingScratch()
    defer { self.scratch.withLock { [scratch] in $0 = scratch } }
    var output: [Int] = []
    output.reserveCapacity(text.count / 3)
    if addSpecial, addsBOS, let bosID { output.append(bosID) }
    var start = 0
    for match in specials.matches(in: text, parseSpecial: parseSpecial) {
      encode(text, start..<match.range.lowerBound, &scratch, &output)
      output.append(match.id)
      start = match.range.upperBound
    }
    encode(text, start..<text.count, &scratch, &output)
    return output
  }

  private func encode(
    _ text: [UInt8], _ range: Range<Int>, _ scratch: inout EncodingScratch, _ output: inout [Int]
  ) {
    let byteIDs = byteIDs
    preTokenizer.forEachWord(in: text, range: range) { word in
      if scratch.cache.append(word, of: text, to: &output) { return }
      let start = output.count
      scratch.word.reset(text[word].lazy.map { byteIDs[Int($0)] }.filter { $0 >= 0 })
      merges.apply(to: &scratch.word)
      for id in scratch.word.ids where id >= 0 { output.append(Int(id)) }
      scratch.cache.insert(word, of: text, ids: output[start...])
    }
  }
}
