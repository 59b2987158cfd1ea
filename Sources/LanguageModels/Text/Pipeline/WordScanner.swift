/// Applies a ``WordPattern`` to a text.
struct WordScanner {
  let pattern: WordPattern
  let table: ScalarTable

  /// Calls `body` with each word of `text`, in order and without gaps: what no alternative of the
  /// pattern matches is a word between those that one does.
  func forEachWord(in text: Bytes, _ body: (Bytes) -> Void) {
    var position = 0
    var gap = 0
    while position < text.count {
      if let end = end(text, position) {
        if gap < position { body(text[part: gap..<position]) }
        body(text[part: position..<end])
        (position, gap) = (end, end)
      } else {
        position += text.scalar(at: position).length
      }
    }
    if gap < position { body(text[part: gap..<position]) }
  }

  /// Where the match at `start` ends; nil if there is none.
  @inline(__always)
  private func end(_ text: Bytes, _ start: Int) -> Int? {
    switch pattern.family {
    case .gpt2:
      contraction(text, start, anyCase: false) ?? run(text, start) ?? spaces(text, start)
    case .gpt4: gpt4(text, start)
    case .gpt4o: gpt4o(text, start)
    case .deepSeek: deepSeek(text, start)
    case .numbers: numbers(text, start)
    case .ideographs: ideographs(text, start)
    }
  }

  // MARK: Families

  private func gpt4(_ text: Bytes, _ start: Int) -> Int? {
    if pattern.contractions, let end = contraction(text, start, anyCase: true) { return end }
    let letters: ScalarTraits = pattern.marksAreLetters ? [.letter, .mark] : .letter
    let first = text.scalar(at: start)
    let traits = table[first.value]
    if !traits.isDisjoint(with: letters) { return skip(letters, text, start + first.length) }
    if traits.isDisjoint(with: [.newline, .number]) {
      let end = skip(letters, text, start + first.length)
      if end > start + first.length { return end }
    }
    return numbers(text, start) ?? signs(text, start, letters, slash: false)
      ?? lineBreaks(text, start) ?? spaces(text, start)
  }

  private func gpt4o(_ text: Bytes, _ start: Int) -> Int? {
    let first = text.scalar(at: start)
    let isSign = table[first.value].isDisjoint(with: [.letter, .number, .newline])
    let starts = isSign ? [start + first.length, start] : [start]
    for begin in starts {
      if let end = casedWord(text, begin) { return withContraction(text, end) }
    }
    for begin in starts {
      let end = skip([.upper, .caseless, .mark], text, begin)
      if end > begin { return withContraction(text, end) }
    }
    return numbers(text, start) ?? signs(text, start, .letter, slash: true)
      ?? lineBreaks(text, start) ?? spaces(text, start)
  }

  /// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+`: where no lower case follows the
  /// first run, it gives back scalars up to the last that the second class holds as well.
  private func casedWord(_ text: Bytes, _ start: Int) -> Int? {
    var position = start
    var lastShared = start
    while position < text.count {
      let next = text.scalar(at: position)
      let traits = table[next.value]
      guard !traits.isDisjoint(with: [.upper, .caseless, .mark]) else { break }
      position += next.length
      if !traits.contains(.upper) { lastShared = position }
    }
    let end = skip([.lower, .caseless, .mark], text, position)
    if end > position { return end }
    return lastShared > start ? lastShared : nil
  }

  private func withContraction(_ text: Bytes, _ end: Int) -> Int {
    guard pattern.contractions, end < text.count else { return end }
    return contraction(text, end, anyCase: true) ?? end
  }

  private func deepSeek(_ text: Bytes, _ start: Int) -> Int? {
    let first = text.scalar(at: start)
    let traits = table[first.value]
    let next = start + first.length
    if first.value < 0x80, !traits.isDisjoint(with: [.punctuation, .symbol]) {
      let end = asciiLetters(text, next)
      if end > next { return end }
    }
    let body: ScalarTraits = [.letter, .mark]
    if traits.isDisjoint(with: [.newline, .letter, .punctuation, .symbol]) {
      let end = skip(body, text, next)
      if end > next { return end }
    }
    if !traits.isDisjoint(with: body) { return skip(body, text, next) }
    let begin = first.value == 0x20 ? next : start
    let end = skip([.punctuation, .symbol], text, begin)
    if end > begin { return skip(.newline, text, end) }
    guard traits.contains(.space) else { return nil }
    return lineBreaks(text, start) ?? spaces(text, start)
  }

  // MARK: Alternatives

  /// `'s|'t|'re|'ve|'m|'ll|'d`, where `anyCase` in upper case as well; ſ is a lower case S.
  @inline(__always)
  private func contraction(_ text: Bytes, _ start: Int, anyCase: Bool) -> Int? {
    guard text[start] == UInt8(ascii: "'"), start + 1 < text.count else { return nil }
    func letter(_ offset: Int) -> UInt8 {
      guard start + offset < text.count else { return 0 }
      let byte = text[start + offset]
      return anyCase && (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
    }
    switch (letter(1), letter(2)) {
    case (UInt8(ascii: "s"), _), (UInt8(ascii: "t"), _), (UInt8(ascii: "m"), _),
      (UInt8(ascii: "d"), _):
      return start + 2
    case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
      (UInt8(ascii: "l"), UInt8(ascii: "l")):
      return start + 3
    case (0xC5, 0xBF) where anyCase: return start + 3
    default: return nil
    }
  }

  /// ` ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+`: a run of one class after at most one space.
  @inline(__always)
  private func run(_ text: Bytes, _ start: Int) -> Int? {
    var position = start
    if text[start] == 0x20 { position += 1 }
    guard position < text.count else { return nil }
    let (value, length) = text.scalar(at: position)
    let traits = table[value]
    if traits.contains(.space) { return nil }
    position += length
    if !traits.isDisjoint(with: .letter) { return skip(.letter, text, position) }
    if traits.contains(.number) { return skip(.number, text, position) }
    return skipOthers([.letter, .number, .space], text, position)
  }

  private func numbers(_ text: Bytes, _ start: Int) -> Int? {
    var position = start
    var count = 0
    while position < text.count, count < pattern.digits {
      let next = text.scalar(at: position)
      guard table[next.value].contains(.number) else { break }
      position += next.length
      count += 1
    }
    return count > 0 ? position : nil
  }

  /// ` ?[^\s\p{L}\p{N}]+[\r\n]*`, the last class with a slash for some.
  private func signs(_ text: Bytes, _ start: Int, _ letters: ScalarTraits, slash: Bool) -> Int? {
    let begin = text[start] == 0x20 ? start + 1 : start
    var end = skipOthers(letters.union([.number, .space]), text, begin)
    guard end > begin else { return nil }
    while end < text.count, text[end] == 0x0A || text[end] == 0x0D || (slash && text[end] == 0x2F) {
      end += 1
    }
    return end
  }

  /// `\s*[\r\n]+`: white space up to its last line break.
  private func lineBreaks(_ text: Bytes, _ start: Int) -> Int? {
    var position = start
    var end: Int?
    while position < text.count {
      let next = text.scalar(at: position)
      let traits = table[next.value]
      guard traits.contains(.space) else { break }
      position += next.length
      if traits.contains(.newline) { end = position }
    }
    return end
  }

  /// `\s+(?!\S)|\s+`: white space, less its last scalar where a word follows that may take it.
  private func spaces(_ text: Bytes, _ start: Int) -> Int? {
    var position = start
    var last = start
    while position < text.count {
      let next = text.scalar(at: position)
      guard table[next.value].contains(.space) else { break }
      last = position
      position += next.length
    }
    guard position > start else { return nil }
    return position < text.count && last > start ? last : position
  }

  private func ideographs(_ text: Bytes, _ start: Int) -> Int? {
    var position = start
    while position < text.count {
      let next = text.scalar(at: position)
      guard (0x4E00...0x9FA5).contains(next.value) || (0x3040...0x30FF).contains(next.value)
      else { break }
      position += next.length
    }
    return position > start ? position : nil
  }

  // MARK: Runs

  @inline(__always)
  private func skip(_ traits: ScalarTraits, _ text: Bytes, _ start: Int) -> Int {
    var position = start
    while position < text.count {
      let next = text.scalar(at: position)
      guard !table[next.value].isDisjoint(with: traits) else { break }
      position += next.length
    }
    return position
  }

  @inline(__always)
  private func skipOthers(_ traits: ScalarTraits, _ text: Bytes, _ start: Int) -> Int {
    var position = start
    while position < text.count {
      let next = text.scalar(at: position)
      guard table[next.value].isDisjoint(with: traits) else { break }
      position += next.length
    }
    return position
  }

  private func asciiLetters(_ text: Bytes, _ start: Int) -> Int {
    var position = start
    while position < text.count, (0x61...0x7A).contains(text[position] | 0x20) { position += 1 }
    return position
  }
}
