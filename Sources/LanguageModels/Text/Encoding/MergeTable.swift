/// The merges of a byte-pair encoding, and their application to one word.
struct MergeTable: Sendable {
  /// A pair of tokens and what it becomes; a lower rank goes first.
  struct Merge {
    var left: Int
    var right: Int
    var result: Int
    var rank: Int
  }

  /// Open addressing: pairs, and rank above result for each.
  private var pairs: [UInt64]
  private var merges: [UInt64]
  private let mask: Int
  /// Tokens that are merged into, but do not stand in the result.
  private let unused: Set<Int32>
  private static let noPair = UInt64.max
  private static let key = UInt64.random(in: 0...UInt64.max) | 1

  /// A pair that occurs twice keeps its first rank, as in llama.cpp.
  init(_ list: [Merge], unused: Set<Int32> = []) {
    self.unused = unused
    var size = 16
    while size < 2 * list.count { size *= 2 }
    mask = size - 1
    pairs = [UInt64](repeating: Self.noPair, count: size)
    merges = [UInt64](repeating: 0, count: size)
    for merge in list {
      let pair = Self.pair(Int32(merge.left), Int32(merge.right))
      var slot = Self.slot(pair) & mask
      while pairs[slot] != Self.noPair, pairs[slot] != pair { slot = (slot + 1) & mask }
      if pairs[slot] == pair { continue }
      pairs[slot] = pair
      merges[slot] = UInt64(UInt32(merge.rank)) << 32 | UInt64(UInt32(merge.result))
    }
  }

  /// Reads merges such as `Ġ t`, in order of rank.
  ///
  /// - Throws: ``TokenizerError`` on a merge that is not a pair, or whose parts or result are no
  ///   tokens.
  static func list(_ lines: [String], _ index: TokenIndex) throws(TokenizerError) -> [Merge] {
    var list: [Merge] = []
    list.reserveCapacity(lines.count)
    for (rank, line) in lines.enumerated() {
      let bytes = Array(line.utf8)
      // From the second byte on: a merge of the space itself would begin with it.
      guard let space = bytes.dropFirst().firstIndex(of: UInt8(ascii: " ")), space + 1 < bytes.count
      else { throw .malformedMerge(text: line, rank: rank) }
      let parts = (Array(bytes[..<space]), Array(bytes[(space + 1)...]))
      list.append(try merge(parts, rank, index))
    }
    return list
  }

  /// The merge of two tokens given by their bytes.
  static func merge(
    _ parts: ([UInt8], [UInt8]), _ rank: Int, _ index: TokenIndex
  ) throws(TokenizerError) -> Merge {
    func id(_ part: [UInt8]) throws(TokenizerError) -> Int {
      if let id = part.withUnsafeBufferPointer({ index.id($0) }) { return id }
      let line = String(decoding: parts.0 + [0x20] + parts.1, as: UTF8.self)
      let missing = String(decoding: part, as: UTF8.self)
      throw .mergeOfUnknownToken(text: line, missing: missing, rank: rank)
    }
    return Merge(
      left: try id(parts.0), right: try id(parts.1), result: try id(parts.0 + parts.1), rank: rank)
  }

  /// Merges `word`, a token for each byte, until no pair of neighbours has a merge.
  ///
  /// The lowest rank goes first and, of equal ones, the leftmost. A heap keeps a word of n bytes
  /// at n log n steps: a megabyte without a space is one word.
  func apply(to word: inout BPEWord) {
    for index in 0..<max(0, word.ids.count - 1) { push(index, &word) }
    while let (rank, left) = word.popLowest() {
      let right = word.next[left]
      // An entry is stale once either side has merged with another neighbour.
      guard word.ids[left] >= 0, right >= 0,
        let merge = find(word.ids[left], word.ids[right]), merge.rank == rank
      else { continue }
      word.ids[left] = merge.result
      word.ids[right] = -1
      word.next[left] = word.next[right]
      if word.next[left] >= 0 {
        word.previous[word.next[left]] = left
        push(left, &word)
      }
      if word.previous[left] >= 0 { push(word.previous[left], &word) }
    }
  }

  private func push(_ left: Int, _ word: inout BPEWord) {
    guard let merge = find(word.ids[left], word.ids[word.next[left]]) else { return }
    word.push(rank: merge.rank, left: left)
    // Always the same pair for a token: what merges within it does so in the same order anywhere.
    if !unused.isEmpty, unused.contains(merge.result) {
      word.parts[merge.result] = (word.ids[left], word.ids[word.next[left]])
    }
  }

  @inline(__always)
  private func find(_ left: Int32, _ right: Int32) -> (rank: UInt32, result: Int32)? {
    let pair = Self.pair(left, right)
    var slot = Self.slot(pair) & mask
    while pairs[slot] != Self.noPair {
      if pairs[slot] == pair {
        return (
          UInt32(truncatingIfNeeded: merges[slot] >> 32), Int32(truncatingIfNeeded: merges[slot])
        )
      }
      slot = (slot + 1) & mask
    }
    return nil
  }

  @inline(__always)
  private static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  @inline(__always)
  private static func slot(_ pair: UInt64) -> Int {
    let product = (pair ^ key).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
    return Int(truncatingIfNeeded: product.high ^ product.low) & .max
  }
}

/// One word during merging: a linked list of tokens and a heap of possible merges, kept between
/// words for their storage.
struct BPEWord: Sendable {
  /// Token at each position; -1 where it was merged into its left neighbour.
  var ids: [Int32] = []
  /// The nearest living position to the right, -1 at the end.
  var next: [Int] = []
  /// The nearest living position to the left, -1 at the start.
  var previous: [Int] = []
  /// Rank above, position below: the smallest is the merge to do.
  private var heap: [UInt64] = []

  /// Whether the last token added stands for something unknown.
  var endsUnknown = false

  /// What unused tokens fall apart into.
  var parts: [Int32: (left: Int32, right: Int32)] = [:]

  /// Starts over.
  mutating func reset() {
    ids.removeAll(keepingCapacity: true)
    next.removeAll(keepingCapacity: true)
    previous.removeAll(keepingCapacity: true)
    heap.removeAll(keepingCapacity: true)
    endsUnknown = false
    if !parts.isEmpty { parts.removeAll() }
  }

  mutating func add(_ token: Int32) {
    previous.append(ids.count - 1)
    ids.append(token)
    next.append(ids.count)
    endsUnknown = false
  }

  /// Ends the word after its last token.
  mutating func close() {
    if !ids.isEmpty { next[ids.count - 1] = -1 }
  }

  mutating func push(rank: UInt32, left: Int) {
    heap.append(UInt64(rank) << 32 | UInt64(left))
    var child = heap.count - 1
    while child > 0, heap[child] < heap[(child - 1) / 2] {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func popLowest() -> (rank: UInt32, left: Int)? {
    guard let lowest = heap.first, let last = heap.popLast() else { return nil }
    if !heap.isEmpty {
      heap[0] = last
      siftDown()
    }
    return (UInt32(lowest >> 32), Int(lowest & 0xFFFF_FFFF))
  }

  private mutating func siftDown() {
    var parent = 0
    while true {
      var child = 2 * parent + 1
      guard child < heap.count else { return }
      if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
      guard heap[child] < heap[parent] else { return }
      heap.swapAt(child, parent)
      parent = child
    }
  }
}
