/// The tokens of words met before: English repeats itself, and looking up is cheaper than merging.
///
/// A hash table with open addressing over two flat arrays. Its size is bounded, and so is the
/// length of a probe, so that no text, however chosen, makes it slow or large.
struct WordCache: Sendable {
  private struct Entry {
    var hash: UInt64 = 0
    var key: Range<Int32> = 0..<0
    var ids: Range<Int32> = 0..<0
  }

  private static let slotCount = 1 << 16
  private static let maxProbes = 8
  /// Longer words hardly repeat.
  private static let maxKeyLength = 48

  private var slots = [Entry](repeating: Entry(), count: slotCount)
  private var keys: [UInt8] = []
  private var ids: [Int32] = []

  /// Appends the tokens of the word to `output`; false if it is not in the cache.
  @inline(__always)
  func append(_ word: Bytes, _ hash: UInt64, to output: inout [Int]) -> Bool {
    guard word.count <= Self.maxKeyLength else { return false }
    for probe in 0..<Self.maxProbes {
      let entry = slots[(Int(truncatingIfNeeded: hash) &+ probe) & (Self.slotCount - 1)]
      if entry.key.isEmpty { return false }
      if entry.hash == hash, isEqual(entry.key, word) {
        for index in entry.ids { output.append(Int(ids[Int(index)])) }
        return true
      }
    }
    return false
  }

  /// Remembers a word's tokens where a slot is free.
  mutating func insert(_ word: Bytes, _ hash: UInt64, ids new: ArraySlice<Int>) {
    guard word.count <= Self.maxKeyLength else { return }
    for probe in 0..<Self.maxProbes {
      let slot = (Int(truncatingIfNeeded: hash) &+ probe) & (Self.slotCount - 1)
      guard slots[slot].key.isEmpty else { continue }
      let key = Int32(keys.count)
      let id = Int32(ids.count)
      keys.append(contentsOf: word)
      ids.append(contentsOf: new.lazy.map { Int32($0) })
      slots[slot] = Entry(hash: hash, key: key..<Int32(keys.count), ids: id..<Int32(ids.count))
      return
    }
  }

  @inline(__always)
  private func isEqual(_ key: Range<Int32>, _ word: Bytes) -> Bool {
    guard key.count == word.count else { return false }
    for offset in word.indices where keys[Int(key.lowerBound) + offset] != word[offset] {
      return false
    }
    return true
  }
}
