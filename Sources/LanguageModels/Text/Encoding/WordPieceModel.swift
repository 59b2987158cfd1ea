/// WordPiece (Schuster and Nakajima 2012): the longest token first, from left to right.
struct WordPieceModel: Sendable {
  private let first: ByteTrie
  private let following: ByteTrie
  private let unknown: Int
  private let longestWord: Int

  /// - Parameters:
  ///   - tokens: The vocabulary, by id.
  ///   - prefix: What stands in front of the tokens that continue a word.
  ///   - unknown: What a word becomes that the vocabulary cannot spell.
  ///   - longestWord: Words of more scalars are unknown.
  init(tokens: [String], prefix: String, unknown: Int, longestWord: Int) {
    let entries = tokens.enumerated().map { (text: Array($1.utf8), value: Int32($0)) }
    let marker = Array(prefix.utf8)
    first = ByteTrie(entries)
    following = ByteTrie(
      entries.filter { $0.text.starts(with: marker) }
        .map { (Array($0.text.dropFirst(marker.count)), $0.value) })
    (self.unknown, self.longestWord) = (unknown, longestWord)
  }

  /// Appends the tokens of `word`.
  func encode(_ word: Bytes, _ output: inout [Int]) {
    let count = output.count
    // A scalar has a byte that continues none.
    if word.count > longestWord, word.count(where: { $0 & 0xC0 != 0x80 }) > longestWord {
      return output.append(unknown)
    }
    var start = 0
    while start < word.count {
      guard let (id, end) = (start == 0 ? first : following).longest(word, from: start) else {
        output.removeSubrange(count...)
        return output.append(unknown)
      }
      output.append(Int(id))
      start = end
    }
  }
}
