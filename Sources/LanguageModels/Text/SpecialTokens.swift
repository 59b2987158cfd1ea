/// Finds special tokens in raw text.
struct SpecialTokens: Sendable {
  private struct Entry {
    var id: Int
    var text: [UInt8]
    /// Stays a token even where special tokens in the text are to be read as plain text.
    var isUserDefined: Bool
  }

  /// A special token found in a text.
  struct Match {
    var id: Int
    var range: Range<Int>
  }

  /// Longest first: the order in which they claim their places.
  private let entries: [Entry]
  /// Entries by first byte: most positions of a text are passed over after one look.
  private let byFirstByte: [[Int]]
  private let isFirstByte: [Bool]

  init(_ tokens: [String], _ types: [Tokenizer.TokenType]) {
    entries = tokens.indices
      .filter { types[$0].isSpecial && !tokens[$0].isEmpty }
      .map { Entry(id: $0, text: Array(tokens[$0].utf8), isUserDefined: types[$0] == .userDefined) }
      .sorted { ($1.text.count, $0.id) < ($0.text.count, $1.id) }
    var byFirstByte = [[Int]](repeating: [], count: 256)
    for (index, entry) in entries.enumerated() { byFirstByte[Int(entry.text[0])].append(index) }
    self.byFirstByte = byFirstByte
    isFirstByte = byFirstByte.map { !$0.isEmpty }
  }

  /// The special tokens in `text`, from left to right, none overlapping another.
  ///
  /// As in llama.cpp a longer token takes its place before a shorter one, wherever the two stand,
  /// and the same token from left to right.
  func matches(in text: [UInt8], parseSpecial: Bool) -> [Match] {
    var found: [(entry: Int, start: Int)] = []
    for start in text.indices where isFirstByte[Int(text[start])] {
      for index in byFirstByte[Int(text[start])] where parseSpecial || entries[index].isUserDefined
      {
        if text[start...].starts(with: entries[index].text) { found.append((index, start)) }
      }
    }
    guard !found.isEmpty else { return [] }
    found.sort { ($0.entry, $0.start) < ($1.entry, $1.start) }
    var taken = [Bool](repeating: false, count: text.count)
    var matches: [Match] = []
    for (index, start) in found {
      let range = start..<start + entries[index].text.count
      // No later match is longer than the earlier ones, so its ends tell whether it overlaps.
      if taken[range.lowerBound] || taken[range.upperBound - 1] { continue }
      for position in range { taken[position] = true }
      matches.append(Match(id: entries[index].id, range: range))
    }
    return matches.sorted { $0.range.lowerBound < $1.range.lowerBound }
  }
}
