/// Finds tokens by their bytes: a hash table with open addressing over one flat array.
///
/// Keyed by bytes, because two strings that Unicode deems equivalent are different tokens. The
/// hash is keyed by a number drawn at start, so that no file can choose tokens that collide.
struct TokenIndex: Sendable {
  private let bytes: [UInt8]
  private let ends: [Int]
  private let slots: [Int32]
  private static let key = UInt64.random(in: 0...UInt64.max) | 1

  /// Indexes tokens by id; an empty one stands for an id without a token.
  ///
  /// - Throws: ``TokenizerError/duplicateToken(text:first:second:)``.
  init(_ tokens: [String]) throws(TokenizerError) {
    var bytes: [UInt8] = []
    var ends: [Int] = []
    ends.reserveCapacity(tokens.count)
    for token in tokens {
      bytes.append(contentsOf: token.utf8)
      ends.append(bytes.count)
    }
    self.init(bytes: bytes, ends: ends, of: nil)
    for (id, token) in tokens.enumerated() where !token.isEmpty {
      if let first = self[token], first != id {
        throw .duplicateToken(text: token, first: first, second: id)
      }
    }
  }

  /// Indexes spans of `bytes` that end at `ends`, those of `ids` alone where given; of equal ones
  /// the first is found.
  init(bytes: [UInt8], ends: [Int], of ids: [Int]?) {
    var size = 16
    while size < 2 * (ids?.count ?? ends.count) { size *= 2 }
    var slots = [Int32](repeating: -1, count: size)
    bytes.withUnsafeBufferPointer { all in
      func insert(_ id: Int) {
        let token = all[part: (id == 0 ? 0 : ends[id - 1])..<ends[id]]
        if token.isEmpty { return }
        var slot = Int(truncatingIfNeeded: Self.hash(token)) & (size - 1)
        while slots[slot] >= 0 { slot = (slot + 1) & (size - 1) }
        slots[slot] = Int32(id)
      }
      if let ids { ids.forEach(insert) } else { ends.indices.forEach(insert) }
    }
    (self.bytes, self.ends, self.slots) = (bytes, ends, slots)
  }

  /// The id of the token that is `text`, byte by byte; nil if there is none.
  @inline(__always)
  func id(_ text: Bytes) -> Int? {
    var slot = Int(truncatingIfNeeded: Self.hash(text)) & (slots.count - 1)
    while slots[slot] >= 0 {
      let id = Int(slots[slot])
      let start = id == 0 ? 0 : ends[id - 1]
      if ends[id] - start == text.count, isEqual(start, text) { return id }
      slot = (slot + 1) & (slots.count - 1)
    }
    return nil
  }

  subscript(text: String) -> Int? {
    var text = text
    return text.withUTF8 { id($0) }
  }

  private func isEqual(_ start: Int, _ text: Bytes) -> Bool {
    for offset in text.indices where bytes[start + offset] != text[offset] { return false }
    return true
  }

  /// Eight bytes a step, each mixed by a product of 128 bits (after Wang Yi's wyhash).
  @inline(__always)
  static func hash(_ text: Bytes) -> UInt64 {
    var hash = key ^ UInt64(truncatingIfNeeded: text.count) &* 0x9E37_79B9_7F4A_7C15
    var position = 0
    while position + 8 <= text.count {
      let word = UnsafeRawBufferPointer(text).loadUnaligned(
        fromByteOffset: position, as: UInt64.self)
      hash = mix(hash ^ word, 0xE703_7ED1_A0B4_28DB ^ key)
      position += 8
    }
    var rest: UInt64 = 0
    while position < text.count {
      rest = rest << 8 | UInt64(text[position])
      position += 1
    }
    return mix(hash ^ rest, 0x8EBC_6AF0_9C88_C6E3 ^ key)
  }

  @inline(__always)
  private static func mix(_ left: UInt64, _ right: UInt64) -> UInt64 {
    let product = left.multipliedFullWidth(by: right)
    return product.high ^ product.low
  }
}
