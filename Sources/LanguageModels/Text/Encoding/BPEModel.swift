/// Byte-pair encoding of one word.
struct BPEModel: Sendable {
  /// What a word's bytes become before anything is merged.
  enum Alphabet {
    /// A token for each byte, -1 for those that have none.
    case bytes
    /// A token for each scalar; one without a token becomes the tokens of its bytes.
    case scalars
  }

  let alphabet: Alphabet
  let merges: MergeTable
  /// The tokens of single bytes; -1 where there is none. Of `scalars`, empty where a scalar without
  /// a token is unknown.
  let byteIDs: [Int32]
  /// What stands for a scalar that has no token; without it, it is left out.
  let unknown: Int32?
  /// Whether unknown scalars in a row become one token.
  let fusesUnknown: Bool
  /// Tokens by text, for single scalars and ``keepsWholeWords``.
  let index: TokenIndex
  /// Whether a word that is a token stays one, whatever the merges say.
  let keepsWholeWords: Bool
  /// Tokens that are found in a word before anything merges, the first and longest first.
  var frozen = ByteTrie([])

  /// Appends the tokens of `word`.
  func encode(_ text: Bytes, _ word: inout BPEWord, _ output: inout [Int]) {
    if keepsWholeWords, let id = index.id(text) { return output.append(id) }
    word.reset()
    switch alphabet {
    case .bytes: addBytes(text, &word)
    case .scalars: addScalars(text, &word)
    }
    merges.apply(to: &word)
    for id in word.ids where id >= 0 { append(id, word, &output) }
  }

  /// Appends a token, or what an unused one was merged from.
  private func append(_ id: Int32, _ word: BPEWord, _ output: inout [Int]) {
    guard !word.parts.isEmpty, let parts = word.parts[id] else { return output.append(Int(id)) }
    append(parts.left, word, &output)
    append(parts.right, word, &output)
  }

  private func addBytes(_ text: Bytes, _ word: inout BPEWord) {
    for byte in text {
      let id = byteIDs[Int(byte)]
      if id >= 0 { word.add(id) } else if let unknown { addUnknown(unknown, &word) }
    }
    word.close()
  }

  private func addScalars(_ text: Bytes, _ word: inout BPEWord) {
    var position = 0
    while position < text.count {
      if frozen.begins(with: text[position]), let found = frozen.longest(text, from: position) {
        word.add(found.value)
        position = found.end
        continue
      }
      let end = position + text.scalar(at: position).length
      let scalar = text[part: position..<end]
      if let id = index.id(scalar) {
        word.add(Int32(id))
      } else if !byteIDs.isEmpty, scalar.allSatisfy({ byteIDs[Int($0)] >= 0 }) {
        for byte in scalar { word.add(byteIDs[Int(byte)]) }
      } else if let unknown {
        addUnknown(unknown, &word)
      }
      position = end
    }
    word.close()
  }

  private func addUnknown(_ unknown: Int32, _ word: inout BPEWord) {
    if fusesUnknown, word.endsUnknown { return }
    word.add(unknown)
    word.endsUnknown = true
  }
}
