/// Writes GGUF files for tests, honest and dishonest ones.
struct GGUFBuilder {
  var magic = Array("GGUF".utf8)
  var version: UInt32 = 3
  var alignment = 32
  var keyCount: UInt64?
  var tensorCount: UInt64?
  private(set) var keys: [[UInt8]] = []
  private(set) var tensors: [(entry: (UInt64) -> [UInt8], data: [UInt8])] = []

  static func bytes<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  static func string(_ text: String) -> [UInt8] { bytes(UInt64(text.utf8.count)) + text.utf8 }

  /// Adds a key whose value has ggml's type number `type` and the bytes `value`.
  mutating func key(_ name: String, type: UInt32, _ value: [UInt8]) {
    keys.append(Self.string(name) + Self.bytes(type) + value)
  }

  mutating func key(_ name: String, _ value: UInt32) { key(name, type: 4, Self.bytes(value)) }

  mutating func key(_ name: String, _ value: String) { key(name, type: 8, Self.string(value)) }

  /// Adds an array of `count` elements; `count` may lie.
  mutating func array(_ name: String, type: UInt32, count: UInt64, _ elements: [UInt8]) {
    key(name, type: 9, Self.bytes(type) + Self.bytes(count) + elements)
  }

  /// Adds a tensor of ggml's `dimensions`, fastest first; `offset` may lie.
  mutating func tensor(
    _ name: String, dimensions: [UInt64], type: UInt32, _ data: [UInt8], offset: UInt64? = nil
  ) {
    let head =
      Self.string(name) + Self.bytes(UInt32(dimensions.count))
      + dimensions.flatMap(Self.bytes) + Self.bytes(type)
    tensors.append((entry: { head + Self.bytes(offset ?? $0) }, data: data))
  }

  /// The file, without padding after the last tensor.
  func build() -> [UInt8] {
    var header = magic + Self.bytes(version)
    header += Self.bytes(tensorCount ?? UInt64(tensors.count))
    header += Self.bytes(keyCount ?? UInt64(keys.count)) + keys.joined()
    var data: [UInt8] = []
    for tensor in tensors {
      data += Array(repeating: 0, count: (alignment - data.count % alignment) % alignment)
      header += tensor.entry(UInt64(data.count))
      data += tensor.data
    }
    let padding = (alignment - header.count % alignment) % alignment
    return header + Array(repeating: 0, count: padding) + data
  }

  /// A small file with every kind of value, nested arrays and four tensors.
  static func tiny() -> GGUFBuilder {
    var builder = GGUFBuilder()
    builder.key("general.architecture", "llama")
    builder.key("general.alignment", 32)
    builder.key("llama.block_count", 2)
    builder.key("r", type: 6, bytes(Float(1e-5).bitPattern))
    builder.key("b", type: 7, [1])
    builder.array("words", type: 8, count: 3, string("the") + string("") + string("é"))
    builder.array("types", type: 5, count: 2, bytes(Int32(-1)) + bytes(Int32(3)))
    builder.array("flags", type: 7, count: 2, [0, 1])
    builder.array("large", type: 10, count: 2, bytes(UInt64(7)) + bytes(UInt64.max))
    let inner = bytes(UInt32(0)) + bytes(UInt64(2)) + [1, 2]
    builder.array("nested", type: 9, count: 2, inner + inner)
    builder.tensor(
      "f32", dimensions: [3, 2], type: 0, (0..<6).flatMap { bytes(Float($0).bitPattern) })
    builder.tensor("f16", dimensions: [2], type: 1, bytes(UInt16(0x3c00)) + bytes(UInt16(0xc000)))
    builder.tensor(
      "q4_1", dimensions: [32, 2], type: 3,
      Array(repeating: [0x00, 0x3c, 0x00, 0xc0] + (0..<16).map { $0 * 16 + 1 }, count: 2).flatMap {
        $0
      })
    builder.tensor("scalar", dimensions: [], type: 0, bytes(Float(4).bitPattern))
    return builder
  }
}
