/// A token that is looked for in the text itself, before any model sees it.
struct AddedToken: Sendable {
  var id: Int
  var text: [UInt8]
  /// Not looked for where special tokens in a text are to be read as plain text.
  var isSpecial: Bool
  /// Looked for in the normalised text.
  var isNormalized = false
  /// Only where no letter, mark or number stands beside it.
  var isWord = false
  /// Whether white space before it, or after it, goes with it.
  var takesLeft = false
  var takesRight = false
}

/// Finds added tokens in a text.
struct AddedTokens: Sendable {
  /// Which of two tokens that overlap is found.
  enum Order: Sendable {
    /// The one that begins first, and of those the longest: Hugging Face tokenizers.
    case leftmost
    /// The longest, wherever it begins, and of equal ones the lower id: llama.cpp.
    case longest
  }

  /// A token found in a text.
  struct Match {
    var id: Int
    var range: Range<Int>
  }

  private let tokens: [AddedToken]
  private let trie: ByteTrie
  private let order: Order

  init(_ tokens: [AddedToken], _ order: Order) {
    self.tokens = tokens
    self.order = order
    trie = ByteTrie(tokens.enumerated().map { ($1.text, Int32($0)) })
  }

  /// The tokens in `text`, from left to right, none overlapping another.
  func matches(in text: Bytes, parseSpecial: Bool) -> [Match] {
    switch order {
    case .leftmost: leftmost(text, parseSpecial)
    case .longest: longest(text, parseSpecial)
    }
  }

  private func leftmost(_ text: Bytes, _ parseSpecial: Bool) -> [Match] {
    var matches: [Match] = []
    var position = 0
    var taken = 0
    while position < text.count {
      guard trie.begins(with: text[position]), let found = trie.longest(text, from: position) else {
        position += 1
        continue
      }
      let token = tokens[Int(found.value)]
      let range = position..<found.end
      position = found.end
      if token.isSpecial && !parseSpecial || token.isWord && !isWord(range, text) { continue }
      let wide = widened(range, token, text, from: taken)
      taken = wide.upperBound
      position = max(position, taken)
      matches.append(Match(id: token.id, range: wide))
    }
    return matches
  }

  private func longest(_ text: Bytes, _ parseSpecial: Bool) -> [Match] {
    var found: [(token: Int, start: Int)] = []
    for start in text.indices where trie.begins(with: text[start]) {
      var node: Int32 = 0
      for position in start..<text.count {
        node = trie.next(node, text[position])
        if node < 0 { break }
        let token = Int(trie.values[Int(node)])
        if token >= 0, parseSpecial || !tokens[token].isSpecial { found.append((token, start)) }
      }
    }
    guard !found.isEmpty else { return [] }
    found.sort {
      let (left, right) = (tokens[$0.token], tokens[$1.token])
      return (right.text.count, left.id, $0.start) < (left.text.count, right.id, $1.start)
    }
    var taken = [Bool](repeating: false, count: text.count)
    var matches: [Match] = []
    for (token, start) in found {
      let range = start..<start + tokens[token].text.count
      // No later match is longer than the earlier ones, so its ends tell whether it overlaps.
      if taken[range.lowerBound] || taken[range.upperBound - 1] { continue }
      for position in range { taken[position] = true }
      matches.append(Match(id: tokens[token].id, range: range))
    }
    return matches.sorted { $0.range.lowerBound < $1.range.lowerBound }
  }

  private func widened(
    _ range: Range<Int>, _ token: AddedToken, _ text: Bytes, from taken: Int
  ) -> Range<Int> {
    var (start, end) = (range.lowerBound, range.upperBound)
    while token.takesLeft, start > taken, let before = text.scalar(before: start),
      ScalarTable.unicode16[before.value].contains(.space)
    { start -= before.length }
    while token.takesRight, end < text.count {
      let next = text.scalar(at: end)
      guard ScalarTable.unicode16[next.value].contains(.space) else { break }
      end += next.length
    }
    return start..<end
  }

  private func isWord(_ range: Range<Int>, _ text: Bytes) -> Bool {
    func isPart(_ value: UInt32) -> Bool {
      value == 0x5F || !ScalarTable.unicode16[value].isDisjoint(with: [.letter, .number, .mark])
    }
    if let before = text.scalar(before: range.lowerBound), isPart(before.value) { return false }
    return range.upperBound == text.count || !isPart(text.scalar(at: range.upperBound).value)
  }
}

extension UnsafeBufferPointer<UInt8> {
  /// The scalar that ends at `position`; nil at the start.
  fileprivate func scalar(before position: Int) -> (value: UInt32, length: Int)? {
    guard position > 0 else { return nil }
    var start = position - 1
    while start > 0, self[start] & 0xC0 == 0x80 { start -= 1 }
    return scalar(at: start)
  }
}
