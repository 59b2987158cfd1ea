/// Cuts a text into the words that byte-level BPE never merges across.
///
/// The words are those of GPT-2's pattern
/// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
/// found by hand in one pass: a regular expression takes fifty times as long.
struct PreTokenizer {
  /// Whether every number scalar is a word of its own, cut out before the pattern is applied to
  /// what lies between.
  let splitsNumbers: Bool

  /// The pre-tokeniser that `tokenizer.ggml.pre` names.
  ///
  /// - Throws: ``TokenizerError/unsupportedPreTokenizer(name:)``: a wrong cut would give token
  ///   ids that look right and are not.
  init(named name: String) throws(TokenizerError) {
    switch name {
    case "smollm": splitsNumbers = true
    case "gpt-2": splitsNumbers = false
    default: throw .unsupportedPreTokenizer(name: name)
    }
  }

  /// Calls `body` with each word's range in `text`, well-formed UTF-8, in order and without gaps.
  func forEachWord(in text: [UInt8], range: Range<Int>, _ body: (Range<Int>) -> Void) {
    guard splitsNumbers else { return scan(text, range, body) }
    var start = range.lowerBound
    var position = start
    while position < range.upperBound {
      let (kind, length) = scalar(of: text, at: position)
      if kind == .number {
        scan(text, start..<position, body)
        body(position..<position + length)
        start = position + length
      }
      position += length
    }
    scan(text, start..<range.upperBound, body)
  }

  private func scan(_ text: [UInt8], _ range: Range<Int>, _ body: (Range<Int>) -> Void) {
    var position = range.lowerBound
    while position < range.upperBound {
      let end =
        contractionEnd(text, position, range.upperBound)
        ?? runEnd(text, position, range.upperBound)
        ?? spaceEnd(text, position, range.upperBound)
      body(position..<end)
      position = end
    }
  }

  /// `'s|'t|'re|'ve|'m|'ll|'d`, lower case only, as GPT-2 was trained.
  private func contractionEnd(_ text: [UInt8], _ start: Int, _ end: Int) -> Int? {
    guard text[start] == UInt8(ascii: "'"), start + 1 < end else { return nil }
    switch text[start + 1] {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"):
      return start + 2
    case UInt8(ascii: "r"), UInt8(ascii: "v"):
      return start + 2 < end && text[start + 2] == UInt8(ascii: "e") ? start + 3 : nil
    case UInt8(ascii: "l"):
      return start + 2 < end && text[start + 2] == UInt8(ascii: "l") ? start + 3 : nil
    default: return nil
    }
  }

  /// ` ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+`: a run of one class after at most one space.
  private func runEnd(_ text: [UInt8], _ start: Int, _ end: Int) -> Int? {
    var position = start
    if text[start] == UInt8(ascii: " ") { position += 1 }
    guard position < end else { return nil }
    let (kind, length) = scalar(of: text, at: position)
    guard kind != .space else { return nil }
    position += length
    while position < end {
      let next = scalar(of: text, at: position)
      guard next.class == kind else { break }
      position += next.length
    }
    return position
  }

  /// `\s+(?!\S)|\s+`: white space, less its last scalar where a word follows that may take it.
  private func spaceEnd(_ text: [UInt8], _ start: Int, _ end: Int) -> Int {
    var position = start
    var last = start
    while position < end {
      let next = scalar(of: text, at: position)
      guard next.class == .space else { break }
      last = position
      position += next.length
    }
    return position < end && last > start ? last : position
  }
}

/// The classes of ASCII, the common case, in a table that the optimiser keeps at hand.
private let asciiClasses: [ScalarClass] = (UInt8(0)..<128).map { ScalarClass(Unicode.Scalar($0)) }

/// Class and length in bytes of the scalar that starts at `position` of well-formed UTF-8.
@inline(__always)
private func scalar(of text: [UInt8], at position: Int) -> (class: ScalarClass, length: Int) {
  let lead = UInt32(text[position])
  if lead < 0x80 { return (asciiClasses[Int(lead)], 1) }
  func trail(_ offset: Int) -> UInt32 { UInt32(text[position + offset] & 0x3F) }
  let value: UInt32
  let length: Int
  if lead < 0xE0 {
    (value, length) = ((lead & 0x1F) << 6 | trail(1), 2)
  } else if lead < 0xF0 {
    (value, length) = ((lead & 0x0F) << 12 | trail(1) << 6 | trail(2), 3)
  } else {
    (value, length) = ((lead & 0x07) << 18 | trail(1) << 12 | trail(2) << 6 | trail(3), 4)
  }
  return (Unicode.Scalar(value).map(ScalarClass.init) ?? .other, length)
}
