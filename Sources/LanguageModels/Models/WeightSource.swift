internal import Tensors

/// The files that a model's weights lie in, whatever their format.
enum WeightSource: Sendable {
  case gguf(GGUFFile)
  case safetensors(SafetensorsCheckpoint)

  /// The file, for messages.
  var path: String {
    switch self {
    case .gguf(let file): file.path
    case .safetensors(let checkpoint): checkpoint.folder
    }
  }

  /// Name and shape of every tensor.
  var tensors: [(name: String, shape: [Int])] {
    switch self {
    case .gguf(let file): file.tensors.map { ($0.name, $0.shape) }
    case .safetensors(let file): file.tensors.map { ($0.name, $0.shape) }
    }
  }

  func has(_ name: String) -> Bool {
    switch self {
    case .gguf(let file): file.hasTensor(name)
    case .safetensors(let file): file.hasTensor(name)
    }
  }

  /// Checks that a tensor can be read as fp32.
  func checkReadable(_ name: String) throws(ModelFileError) {
    switch self {
    case .gguf(let file): try file.tensor(name).checkReadable()
    case .safetensors(let file): try file.tensor(name).checkReadable()
    }
  }

  /// All numbers of a tensor.
  func floats(_ name: String) throws(ModelFileError) -> [Float] {
    switch self {
    case .gguf(let file): try file.tensor(name).floats()
    case .safetensors(let file): try file.tensor(name).floats()
    }
  }

  /// Some rows of a matrix, one after the other.
  func rows(_ rows: [Int], of name: String) throws(ModelFileError) -> [Float] {
    switch self {
    case .gguf(let file):
      let tensor = try file.tensor(name)
      let width = tensor.shape.last ?? 0
      return try [Float](count: rows.count * width) { (output) throws(ModelFileError) in
        for (place, row) in rows.enumerated() {
          try tensor.dequantize(
            row * width..<(row + 1) * width,
            into: UnsafeMutableBufferPointer(
              rebasing: output[place * width..<(place + 1) * width]))
        }
      }
    case .safetensors(let file):
      let tensor = try file.tensor(name)
      let width = tensor.shape.last ?? 0
      let all = try tensor.floats()
      return rows.flatMap { all[$0 * width..<($0 + 1) * width] }
    }
  }
}

/// A weight that is read from its file when it is first used.
@TensorActor
final class StoredWeight {
  let shape: [Int]
  private let source: WeightSource
  private let name: String
  private let layout: TensorNames.Layout
  private let heads: Int
  private var loaded: Tensor?

  /// `heads` says whose halves are interleaved, where the layout does.
  init(
    _ source: WeightSource, _ name: String, shape: [Int], layout: TensorNames.Layout, heads: Int
  ) {
    (self.source, self.name, self.shape) = (source, name, shape)
    (self.layout, self.heads) = (layout, heads)
  }

  /// The weight in fp32, kept from the first call on.
  func tensor() throws -> Tensor {
    if let loaded { return loaded }
    let tensor = try read()
    loaded = tensor
    return tensor
  }

  /// The weight in fp32, not kept.
  func read() throws -> Tensor {
    if let loaded { return loaded }
    let stored = try source.floats(name)
    switch layout {
    case .asUsed: return Tensor(stored, shape: shape)
    case .transposed: return Tensor(stored, shape: shape.reversed()).transpose()
    case .lessOne: return Tensor(stored, shape: shape) + 1
    case .interleavedHalves:
      // A weight's columns stay together; a bias has one.
      let columns = shape.count == 1 ? 1 : shape[1]
      return Tensor(stored, shape: [heads, shape[0] / heads / 2, 2, columns])
        .transpose([0, 2, 1, 3]).reshape(shape)
    }
  }

  /// The weight packed as its file holds it, where products can be taken with that.
  func packedBlocks() throws -> PackedWeight? {
    guard case .gguf(let file) = source, shape.count == 2, shape[1] % 32 == 0,
      layout == .asUsed || layout == .interleavedHalves
    else { return nil }
    let tensor = try file.tensor(name)
    let kinds: [String: PackedWeight.Blocks] = ["Q4_0": .q40, "Q4_1": .q41, "Q8_0": .q80]
    guard let kind = kinds[tensor.type.name] else { return nil }
    let stored = tensor.storedBytes
    return try withExtendedLifetime(stored.owner) {
      try PackedWeight(
        kind, bytes: stored.bytes, shape: shape,
        order: layout == .interleavedHalves ? interleavedOrder : nil)
    }
  }

  /// Where the rows of a matrix lie whose heads' halves are interleaved.
  private var interleavedOrder: [Int32] {
    let width = shape[0] / heads
    return (0..<shape[0]).map { row in
      let (head, place) = row.quotientAndRemainder(dividingBy: width)
      let (half, pair) = place.quotientAndRemainder(dividingBy: width / 2)
      return Int32(head * width + 2 * pair + half)
    }
  }

  /// Rows of a matrix; only these are read where the weight has not been needed whole.
  func rows(_ rows: [Int]) throws -> Tensor {
    if loaded != nil || layout != .asUsed {
      return try tensor().take(Tensor(rows.map(Int32.init)))
    }
    return Tensor(try source.rows(rows, of: name), shape: [rows.count, shape[1]])
  }
}
