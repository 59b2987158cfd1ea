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

  /// Elements of a tensor, counted row-major in whole rows.
  func read(
    _ elements: Range<Int>, of name: String, into output: UnsafeMutableBufferPointer<Float>
  ) throws(ModelFileError) {
    switch self {
    case .gguf(let file): try file.tensor(name).dequantize(elements, into: output)
    case .safetensors(let file): try file.tensor(name).read(elements, into: output)
    }
  }

  /// Lets go of the pages of a tensor that has been read.
  func release(_ name: String) throws(ModelFileError) {
    switch self {
    case .gguf(let file): try file.tensor(name).releasePages()
    case .safetensors(let file): try file.tensor(name).releasePages()
    }
  }
}

/// A weight that is read from its file, or computed, when it is first used.
@TensorActor
final class StoredWeight {
  let shape: [Int]
  private let source: WeightSource?
  private let computed: (() throws -> Tensor)?
  private let name: String
  private let layout: TensorNames.Layout
  private let heads: Int
  private var loaded: Tensor?

  /// `heads` says whose halves are interleaved, where the layout does.
  init(
    _ source: WeightSource, _ name: String, shape: [Int], layout: TensorNames.Layout, heads: Int
  ) {
    (self.source, self.name, self.shape) = (source, name, shape)
    (self.layout, self.heads, computed) = (layout, heads, nil)
  }

  /// A matrix that is in no file.
  init(shape: [Int], computing body: @escaping () throws -> Tensor) {
    (self.shape, computed) = (shape, body)
    (source, name, layout, heads) = (nil, "", .asUsed, 1)
  }

  /// The weight in fp32, kept from the first call on.
  func tensor() throws -> Tensor {
    if let loaded { return loaded }
    let tensor = try read()
    loaded = tensor
    return tensor
  }

  /// The weight in fp32, not kept.
  private func read() throws -> Tensor {
    if let computed { return try computed() }
    guard let source else { preconditionFailure("a weight is in a file or computed") }
    defer { try? source.release(name) }
    switch layout {
    case .asUsed, .interleavedHalves:
      return try Tensor(shape: shape) { try fill(0..<shape[0], $0, from: source) }
    case .transposed:
      return Tensor(try source.floats(name), shape: shape.reversed()).transpose()
    case .lessOne: return Tensor(try source.floats(name), shape: shape) + 1
    }
  }

  /// Some rows in fp32.
  private func fill(
    _ rows: Range<Int>, _ output: UnsafeMutableBufferPointer<Float>, from source: WeightSource
  ) throws(ModelFileError) {
    let width = shape.count == 1 ? 1 : shape[1]
    guard layout == .interleavedHalves else {
      return try source.read(
        rows.lowerBound * width..<rows.upperBound * width, of: name, into: output)
    }
    let order = interleavedOrder
    for (place, row) in rows.enumerated() {
      let from = Int(order[row]) * width
      try source.read(
        from..<from + width, of: name,
        into: UnsafeMutableBufferPointer(rebasing: output[place * width..<(place + 1) * width]))
    }
  }

  /// The weight packed in bf16 or two parts of it, without an fp32 copy of the whole.
  func packed(parts: Int) throws -> PackedWeight {
    // What is computed takes as much again in fp32: it is packed and let go.
    if computed != nil { return try PackedWeight(try loaded ?? read(), parts: parts) }
    guard loaded == nil, let source, layout == .asUsed || layout == .interleavedHalves else {
      return try PackedWeight(try tensor(), parts: parts)
    }
    defer { try? source.release(name) }
    return try PackedWeight(shape: shape, parts: parts) { try fill($0, $1, from: source) }
  }

  /// The weight packed as its file holds it, where products can be taken with that.
  func packedBlocks() throws -> PackedWeight? {
    guard case .gguf(let file) = source, shape.count == 2,
      layout == .asUsed || layout == .interleavedHalves
    else { return nil }
    let tensor = try file.tensor(name)
    let kinds: [String: PackedWeight.Blocks] = [
      "Q4_0": .q40, "Q4_1": .q41, "Q8_0": .q80, "Q5_0": .q50, "Q5_1": .q51, "Q2_K": .q2K,
      "Q3_K": .q3K, "Q4_K": .q4K, "Q5_K": .q5K, "Q6_K": .q6K,
    ]
    guard let kind = kinds[tensor.type.name], shape[1] % kind.columns == 0 else { return nil }
    let stored = tensor.storedBytes
    defer { tensor.releasePages() }
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
    guard loaded == nil, layout == .asUsed, let source else {
      return try tensor().take(Tensor(rows.map(Int32.init)))
    }
    // Many rows touch most pages of a matrix, and are asked for once a text.
    defer { if rows.count > 256 { try? source.release(name) } }
    return try Tensor(shape: [rows.count, shape[1]]) { output in
      for (place, row) in rows.enumerated() {
        try fill(
          row..<row + 1,
          UnsafeMutableBufferPointer(
            rebasing: output[place * shape[1]..<(place + 1) * shape[1]]), from: source)
      }
    }
  }
}
