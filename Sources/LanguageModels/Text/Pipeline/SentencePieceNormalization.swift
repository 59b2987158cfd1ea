/// What SentencePiece makes of a text before it looks for tokens: replacements, visible spaces and
/// the one in front, a prefix of the text at a time.
struct SentencePieceNormalization: Sendable {
  var charsmap: PrecompiledCharsmap?
  /// Tokens that no replacement touches.
  var userDefined: ByteTrie
  /// Whether spaces at the ends go, and several become one.
  var removesExtra: Bool
  /// Whether a space goes in front.
  var addsPrefix: Bool

  func apply(to text: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(text.count + text.count / 2 + WordModel.marker.count)
    text.withUnsafeBufferPointer { bytes in
      var position = 0
      // A text of nothing but spaces gets none in front.
      while removesExtra, position < bytes.count, let next = space(bytes, position) {
        position += next
      }
      guard position < bytes.count else { return }
      if addsPrefix { result += WordModel.marker }
      var followsSpace = removesExtra
      while position < bytes.count {
        position += appendPrefix(bytes, position, &followsSpace, &result)
      }
    }
    // Markers that stood in the text go as well.
    while removesExtra, result.suffix(WordModel.marker.count).elementsEqual(WordModel.marker) {
      result.removeLast(WordModel.marker.count)
    }
    return result
  }

  /// The length of what becomes a single space at `position`; nil for anything else.
  private func space(_ text: Bytes, _ position: Int) -> Int? {
    if userDefined.longest(text, from: position) != nil { return nil }
    if let match = charsmap?.longestPrefix(text, position) {
      return match.text == [0x20] ? match.length : nil
    }
    return text[position] == 0x20 ? 1 : nil
  }

  /// Appends what the longest known prefix at `position` becomes.
  ///
  /// - Returns: Its length.
  private func appendPrefix(
    _ text: Bytes, _ position: Int, _ followsSpace: inout Bool, _ result: inout [UInt8]
  ) -> Int {
    if let match = userDefined.longest(text, from: position) {
      append(text[position..<match.end], &followsSpace, &result)
      return match.end - position
    }
    if let match = charsmap?.longestPrefix(text, position) {
      append(match.text[...], &followsSpace, &result)
      return match.length
    }
    let length = text.scalar(at: position).length
    append(text[position..<position + length], &followsSpace, &result)
    return length
  }

  private func append(
    _ part: some Collection<UInt8>, _ followsSpace: inout Bool, _ result: inout [UInt8]
  ) {
    var drops = followsSpace
    var last: UInt8?
    for byte in part {
      if drops, byte == 0x20 { continue }
      drops = false
      if byte == 0x20 { result += WordModel.marker } else { result.append(byte) }
      last = byte
    }
    if let last { followsSpace = removesExtra && last == 0x20 }
  }
}
