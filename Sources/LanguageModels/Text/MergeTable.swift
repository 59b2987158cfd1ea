/// The merges of a byte-pair encoding, and their application to one word.
struct MergeTable: Sendable {
  /// What a pair of neighbours becomes; a lower rank goes first.
  private struct Merge {
    var rank: UInt32
    var result: Int32
  }

  private let merges: [UInt64: Merge]

  /// Reads merges such as `Ġ t`, in order of rank.
  ///
  /// A pair that occurs twice keeps its first rank, as in llama.cpp.
  ///
  /// - Throws: ``TokenizerError`` on a merge that is not a pair, or whose parts or result are no
  ///   tokens.
  init(_ lines: [String], ids: [[UInt8]: Int32]) throws(TokenizerError) {
    var merges: [UInt64: Merge] = [:]
    merges.reserveCapacity(lines.count)
    for (rank, line) in lines.enumerated() {
      let bytes = Array(line.utf8)
      // From the second byte on: a merge of the space itself would begin with it.
      guard let space = bytes.dropFirst().firstIndex(of: UInt8(ascii: " ")), space + 1 < bytes.count
      else { throw .malformedMerge(text: line, rank: rank) }
      func id(_ part: [UInt8]) throws(TokenizerError) -> Int32 {
        if let id = ids[part] { return id }
        let missing = String(decoding: part, as: UTF8.self)
        throw .mergeOfUnknownToken(text: line, missing: missing, rank: rank)
      }
      let left = try id(Array(bytes[..<space]))
      let right = try id(Array(bytes[(space + 1)...]))
      let result = try id(Array(bytes[..<space] + bytes[(space + 1)...]))
      let pair = Self.key(left, right)
      if merges[pair] == nil { merges[pair] = Merge(rank: UInt32(rank), result: result) }
    }
    self.merges = merges
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
        let merge = merges[Self.key(word.ids[left], word.ids[right])], merge.rank == rank
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
    guard let merge = merges[Self.key(word.ids[left], word.ids[word.next[left]])] else { return }
    word.push(rank: merge.rank, left: left)
  }

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
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

  /// Starts over with these tokens.
  mutating func reset(_ tokens: some Sequence<Int32>) {
    ids.removeAll(keepingCapacity: true)
    next.removeAll(keepingCapacity: true)
    previous.removeAll(keepingCapacity: true)
    heap.removeAll(keepingCapacity: true)
    for token in tokens {
      previous.append(ids.count - 1)
      ids.append(token)
      next.append(ids.count)
    }
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
