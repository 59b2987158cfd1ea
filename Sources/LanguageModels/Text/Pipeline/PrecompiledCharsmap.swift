/// SentencePiece's table of replacements: a double array of prefixes (Yata's darts-clone) and the
/// texts that replace them.
struct PrecompiledCharsmap: Sendable {
  private let units: [UInt32]
  private let texts: [UInt8]
  /// Whether what is looked up is a character as a person sees it, and then each of its scalars,
  /// as Hugging Face tokenizers does it; else the longest prefix, as SentencePiece does.
  var byCharacter = false
  /// What ASCII becomes; nil for what stays.
  private var ascii: [[UInt8]?] = []

  /// Reads the table; nil where its sizes contradict each other.
  init?(_ blob: [UInt8], byCharacter: Bool) {
    func word(_ index: Int) -> UInt32 {
      (0..<4).reduce(0) { $0 | UInt32(blob[4 * index + $1]) << (8 * UInt32($1)) }
    }
    guard blob.count >= 4 else { return nil }
    let size = Int(word(0))
    guard size > 0, size % 4 == 0, size <= blob.count - 4 else { return nil }
    units = (1...size / 4).map(word)
    texts = Array(blob[(4 + size)...])
    self.byCharacter = byCharacter
    ascii = (0..<128).map { byte in
      [UInt8(byte)].withUnsafeBufferPointer { matches($0, 0, first: true)?.text }
    }
  }

  func apply(to text: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    text.withUnsafeBufferPointer { bytes in
      var position = 0
      while position < bytes.count {
        let run = nextRun(bytes, position)
        for byte in bytes[position..<run.lowerBound] {
          if let new = ascii[Int(byte)] { result += new } else { result.append(byte) }
        }
        if byCharacter {
          characters(bytes[part: run], &result)
        } else {
          longest(bytes[part: run], &result)
        }
        position = run.upperBound
      }
    }
    return result
  }

  /// What cannot be replaced byte by byte: other than ASCII, with the ASCII on either side that may
  /// be part of a character with it.
  private func nextRun(_ text: Bytes, _ position: Int) -> Range<Int> {
    func isPlain(_ index: Int) -> Bool {
      // Of ASCII only the two line breaks belong together.
      text[index] < 0x80
        && !(text[index] == 0x0D && index + 1 < text.count && text[index + 1] == 0x0A)
    }
    var start = position
    while start < text.count, isPlain(start) { start += 1 }
    guard start < text.count else { return text.count..<text.count }
    var end = start
    repeat { end += 1 } while end < text.count && !(text[end] < 0x80 && text[end - 1] < 0x80)
    return max(position, start - 1)..<end
  }

  private func characters(_ run: Bytes, _ result: inout [UInt8]) {
    for character in String(decoding: run, as: UTF8.self) {
      var text = String(character)
      text.withUTF8 { bytes in
        if bytes.count < 6, let match = matches(bytes, 0, first: true) {
          result += match.text
          return
        }
        var position = 0
        while position < bytes.count {
          let end = position + bytes.scalar(at: position).length
          let scalar = bytes[part: position..<end]
          if let match = matches(scalar, 0, first: true) {
            result += match.text
          } else {
            result += scalar
          }
          position = end
        }
      }
    }
  }

  private func longest(_ run: Bytes, _ result: inout [UInt8]) {
    var position = 0
    while position < run.count {
      if let match = matches(run, position, first: false) {
        result += match.text
        position += match.length
      } else {
        let length = run.scalar(at: position).length
        result += run[position..<position + length]
        position += length
      }
    }
  }

  /// What the longest prefix of the text from `start` on becomes, and its length; nil where none is
  /// replaced.
  func longestPrefix(_ text: Bytes, _ start: Int) -> (text: [UInt8], length: Int)? {
    matches(text, start, first: false)
  }

  /// The shortest or the longest prefix of the text from `start` on that is replaced.
  private func matches(_ text: Bytes, _ start: Int, first: Bool) -> (text: [UInt8], length: Int)? {
    var found: (value: Int, length: Int)?
    var node = offset(units[0])
    for position in start..<text.count {
      let byte = text[position]
      guard byte != 0 else { break }
      node ^= Int(byte)
      guard node < units.count, units[node] & 0x8000_00FF == UInt32(byte) else { break }
      let unit = units[node]
      node ^= offset(unit)
      if unit >> 8 & 1 == 1, node < units.count {
        found = (Int(units[node] & 0x7FFF_FFFF), position + 1 - start)
        if first { break }
      }
    }
    guard let found, found.value < texts.count else { return nil }
    return (Array(texts[found.value...].prefix { $0 != 0 }), found.length)
  }

  private func offset(_ unit: UInt32) -> Int { Int(unit >> 10) << Int((unit & 1 << 9) >> 6) }
}
