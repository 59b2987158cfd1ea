/// Finds every token that a text begins with: a trie whose edges lie in one hash table.
///
/// It has at most as many nodes as the tokens have bytes.
struct ByteTrie: Sendable {
  private var keys: [UInt64]
  private var targets: [Int32]
  /// What ends at each node; -1 where nothing does.
  private(set) var values: [Int32] = [-1]
  private let mask: Int
  /// The nodes of single bytes: the first step of every search needs no hash.
  private var roots = [Int32](repeating: -1, count: 256)

  /// A trie of `entries`; of equal texts the last value counts. Empty texts are left out.
  init(_ entries: [(text: [UInt8], value: Int32)]) {
    let byteCount = entries.reduce(0) { $0 + $1.text.count }
    var size = 16
    while size < 2 * byteCount { size *= 2 }
    keys = [UInt64](repeating: .max, count: size)
    targets = [Int32](repeating: -1, count: size)
    mask = size - 1
    for entry in entries where !entry.text.isEmpty { insert(entry.text, entry.value) }
  }

  /// The node that `byte` leads to from `node` (0 is the root); -1 if there is none.
  @inline(__always)
  func next(_ node: Int32, _ byte: UInt8) -> Int32 {
    if node == 0 { return roots[Int(byte)] }
    let key = UInt64(UInt32(bitPattern: node)) << 8 | UInt64(byte)
    var slot = Self.slot(key) & mask
    while keys[slot] != .max {
      if keys[slot] == key { return targets[slot] }
      slot = (slot + 1) & mask
    }
    return -1
  }

  /// Whether any entry begins with `byte`.
  @inline(__always)
  func begins(with byte: UInt8) -> Bool { roots[Int(byte)] >= 0 }

  /// The longest entry that `text` has at `start`, and where it ends.
  func longest(_ text: Bytes, from start: Int) -> (value: Int32, end: Int)? {
    var node: Int32 = 0
    var found: (Int32, Int)?
    for position in start..<text.count {
      node = next(node, text[position])
      if node < 0 { break }
      if values[Int(node)] >= 0 { found = (values[Int(node)], position + 1) }
    }
    return found
  }

  private mutating func insert(_ text: [UInt8], _ value: Int32) {
    var node: Int32 = 0
    for byte in text {
      var child = next(node, byte)
      if child < 0 {
        child = Int32(values.count)
        values.append(-1)
        link(node, byte, child)
      }
      node = child
    }
    values[Int(node)] = value
  }

  private mutating func link(_ node: Int32, _ byte: UInt8, _ child: Int32) {
    if node == 0 {
      roots[Int(byte)] = child
      return
    }
    let key = UInt64(UInt32(bitPattern: node)) << 8 | UInt64(byte)
    var slot = Self.slot(key) & mask
    while keys[slot] != .max { slot = (slot + 1) & mask }
    (keys[slot], targets[slot]) = (key, child)
  }

  @inline(__always)
  private static func slot(_ key: UInt64) -> Int {
    let product = key.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
    return Int(truncatingIfNeeded: product.high ^ product.low) & .max
  }
}
