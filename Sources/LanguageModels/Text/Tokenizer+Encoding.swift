import Synchronization

/// What encoding needs beside the vocabulary, kept from call to call.
struct EncodingScratch: Sendable {
  var cache = WordCache()
  var word = BPEWord()
  var nodes: [UnigramModel.Node] = []
}

extension Tokenizer {
  /// The token ids of `text`, as it is: no template and, unless asked for, no added token.
  ///
  /// - Parameters:
  ///   - text: Any text.
  ///   - parseSpecial: Whether strings such as `<|im_end|>` in the text become the special token;
  ///     else they are ordinary text (user-defined tokens are recognised either way).
  ///   - addSpecial: Whether the tokens that the model expects around every text are added: ``bosID``
  ///     where ``addsBOS``, `[CLS]` and `[SEP]`, the end token of T5.
  /// - Returns: `[tokens]`. Empty for empty text. A byte without a token in a byte-level vocabulary
  ///   is left out, as llama.cpp does; SmolLM2's lacks six control characters and the lead bytes of
  ///   planes that are empty.
  package func encode(
    _ text: String, parseSpecial: Bool = true, addSpecial: Bool = false
  ) -> [Int] {
    var text = text
    return text.withUTF8 { encode(wellFormed: $0, parseSpecial, addSpecial) }
  }

  /// The token ids of UTF-8 bytes; malformed sequences are read as U+FFFD, as
  /// ``decode(_:skipSpecial:)`` writes them.
  ///
  /// - Returns: `[tokens]`.
  package func encode(
    bytes: some Collection<UInt8>, parseSpecial: Bool = true, addSpecial: Bool = false
  ) -> [Int] {
    encode(
      String(decoding: bytes, as: UTF8.self), parseSpecial: parseSpecial, addSpecial: addSpecial)
  }

  private func encode(wellFormed text: Bytes, _ parseSpecial: Bool, _ addSpecial: Bool) -> [Int] {
    var scratch = scratch.withLock { $0.take() } ?? EncodingScratch()
    defer { self.scratch.withLock { [scratch] in $0 = scratch } }
    var output: [Int] = []
    output.reserveCapacity(text.count / 3 + prefix.count + suffix.count)
    if addSpecial { output += prefix }
    var start = 0
    for match in rawTokens.matches(in: text, parseSpecial: parseSpecial) {
      normalize(
        text[part: start..<match.range.lowerBound], start == 0, parseSpecial, &scratch, &output)
      output.append(match.id)
      start = match.range.upperBound
    }
    normalize(text[part: start..<text.count], start == 0, parseSpecial, &scratch, &output)
    if addSpecial { output += suffix }
    return output
  }

  private func normalize(
    _ text: Bytes, _ isFirst: Bool, _ parseSpecial: Bool, _ scratch: inout EncodingScratch,
    _ output: inout [Int]
  ) {
    if text.isEmpty { return }
    guard !normalizer.steps.isEmpty else {
      return split(text, isFirst, parseSpecial, &scratch, &output)
    }
    var normalized = Array(text)
    normalizer.apply(to: &normalized)
    normalized.withUnsafeBufferPointer { split($0, isFirst, parseSpecial, &scratch, &output) }
  }

  private func split(
    _ text: Bytes, _ isFirst: Bool, _ parseSpecial: Bool, _ scratch: inout EncodingScratch,
    _ output: inout [Int]
  ) {
    guard let normalizedTokens else { return words(text, isFirst, &scratch, &output) }
    var start = 0
    for match in normalizedTokens.matches(in: text, parseSpecial: parseSpecial) {
      words(text[part: start..<match.range.lowerBound], isFirst && start == 0, &scratch, &output)
      output.append(match.id)
      start = match.range.upperBound
    }
    words(text[part: start..<text.count], isFirst && start == 0, &scratch, &output)
  }

  private func words(
    _ text: Bytes, _ isFirst: Bool, _ scratch: inout EncodingScratch, _ output: inout [Int]
  ) {
    let cuts = model.cutsAtMarker
    preTokenizer.forEachWord(in: text, isFirst: isFirst) { word in
      guard cuts else { return encode(word, &scratch, &output) }
      var start = 0
      var position = 0
      // A word begins where visible spaces do.
      while position < word.count {
        if word[position] == 0xE2, isMarker(word, position) {
          if start < position { encode(word[part: start..<position], &scratch, &output) }
          start = position
          while position < word.count, isMarker(word, position) { position += 3 }
        } else {
          position += 1
        }
      }
      if start < position { encode(word[part: start..<position], &scratch, &output) }
    }
  }

  @inline(__always)
  private func isMarker(_ word: Bytes, _ position: Int) -> Bool {
    position + 2 < word.count && word[position] == 0xE2 && word[position + 1] == 0x96
      && word[position + 2] == 0x81
  }

  @inline(__always)
  private func encode(
    _ word: Bytes, _ scratch: inout EncodingScratch, _ output: inout [Int]
  ) {
    let hash = TokenIndex.hash(word)
    if scratch.cache.append(word, hash, to: &output) { return }
    let start = output.count
    model.encode(word, &scratch, &output)
    scratch.cache.insert(word, hash, ids: output[start...])
  }
}
