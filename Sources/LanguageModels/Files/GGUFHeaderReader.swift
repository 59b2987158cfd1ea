/// What a GGUF header says, after every number in it was checked against the file.
struct GGUFHeader {
  /// A tensor's entry; `offset` counts bytes from the data section.
  struct Tensor {
    var name: String
    var shape: [Int]
    var type: GGUFTensorType
    var offset: Int
    var byteCount: Int
  }

  var version: Int
  var metadata: [String: GGUFValue]
  var tensors: [Tensor]
  var tensorIndices: [String: Int]
  var dataOffset: Int
}

/// Reads a GGUF header from bytes that nobody vouches for.
///
/// No number from the file sizes an allocation before it was compared with the bytes that are
/// left, so memory stays in proportion to the file. Layout: ggml's `docs/gguf.md`.
struct GGUFHeaderReader {
  let bytes: UnsafeRawBufferPointer
  let path: String
  var offset = 0

  private static let deepestArray = 8
  private static let largestAlignment = 1 << 20

  private var remaining: Int { bytes.count - offset }

  init(bytes: UnsafeRawBufferPointer, path: String) {
    self.bytes = bytes
    self.path = path
  }

  mutating func header() throws(ModelFileError) -> GGUFHeader {
    let version = try preamble()
    // Smallest entries: a tensor has a name's length, rank, type and offset; a key has its
    // length, a type and one byte of value.
    let tensorCount = try count("the number of tensors", smallest: 8 + 4 + 4 + 8)
    let keyCount = try count("the number of metadata keys", smallest: 8 + 4 + 1)
    let metadata = try metadata(keyCount)
    let alignment = try alignment(metadata)
    let (tensors, indices) = try tensors(tensorCount, alignment: alignment)
    // At most the file's size plus 2^20: cannot overflow.
    let dataOffset = (offset + alignment - 1) / alignment * alignment
    try checkPlacement(of: tensors, dataOffset: dataOffset)
    return GGUFHeader(
      version: version, metadata: metadata, tensors: tensors, tensorIndices: indices,
      dataOffset: dataOffset)
  }

  private mutating func preamble() throws(ModelFileError) -> Int {
    let magic = try take(4, "the magic bytes")
    guard magic.elementsEqual("GGUF".utf8) else {
      throw malformed(
        "the magic bytes `GGUF`", quoted(String(decoding: magic, as: UTF8.self)),
        "give a model in GGUF format")
    }
    let version = try integer(UInt32.self, "the version")
    guard version == 2 || version == 3 else {
      let swapped = version.byteSwapped == 2 || version.byteSwapped == 3
      throw .unsupported(
        .init(
          path: path, expected: "GGUF version 2 or 3",
          found: swapped ? "a big-endian file" : "version \(version)",
          remedy: "convert the model to GGUF again with a current converter"))
    }
    return Int(version)
  }

  // MARK: Metadata

  private mutating func metadata(_ count: Int) throws(ModelFileError) -> [String: GGUFValue] {
    var metadata: [String: GGUFValue] = [:]
    for _ in 0..<count {
      let key = try string("a metadata key")
      let type = try valueType(of: key)
      let value = try value(type, key: key, depth: 0)
      guard metadata.updateValue(value, forKey: key) == nil else {
        throw malformed("each metadata key once", "\(quoted(key)) twice")
      }
    }
    return metadata
  }

  private mutating func valueType(of key: String) throws(ModelFileError) -> ValueType {
    let code = try integer(UInt32.self, "a metadata type")
    guard let type = ValueType(rawValue: code) else {
      throw malformed("a metadata type of 0 to 12 for \(quoted(key))", "\(code)")
    }
    return type
  }

  private mutating func value(
    _ type: ValueType, key: String, depth: Int
  ) throws(ModelFileError) -> GGUFValue {
    let what = "the value of \(quoted(key))"
    switch type {
    case .string: return .string(try string(what))
    case .bool: return .bool(try bool(what))
    case .float32, .float64: return .real(try real(type, what))
    case .array: return try array(key: key, depth: depth)
    case .uint64:
      let number = try integer(UInt64.self, what)
      return Int(exactly: number).map(GGUFValue.integer) ?? .unsigned(number)
    default: return .integer(try smallInteger(type, what))
    }
  }

  private mutating func array(key: String, depth: Int) throws(ModelFileError) -> GGUFValue {
    guard depth < Self.deepestArray else {
      throw malformed(
        "arrays at most \(Self.deepestArray) deep under \(quoted(key))", "a deeper one")
    }
    let type = try valueType(of: key)
    let what = "an element of \(quoted(key))"
    let count = try count("the length of \(quoted(key))", smallest: type.smallestByteCount)
    switch type {
    case .string:
      return .strings(
        try elements(count) { (reader) throws(ModelFileError) in
          try reader.string(what)
        })
    case .bool:
      return .bools(
        try elements(count) { (reader) throws(ModelFileError) in
          try reader.bool(what)
        })
    case .float32, .float64:
      return .reals(
        try elements(count) { (reader) throws(ModelFileError) in
          try reader.real(type, what)
        })
    case .array, .uint64:
      let values = try elements(count) { (reader) throws(ModelFileError) in
        try reader.value(type, key: key, depth: depth + 1)
      }
      return type == .uint64 ? Self.integersIfAllFit(values) : .array(values)
    default:
      return .integers(
        try elements(count) { (reader) throws(ModelFileError) in
          try reader.smallInteger(type, what)
        })
    }
  }

  /// Reads `count` elements; `count` was checked against the bytes that are left.
  private mutating func elements<T>(
    _ count: Int, _ next: (inout GGUFHeaderReader) throws(ModelFileError) -> T
  ) throws(ModelFileError) -> [T] {
    var result: [T] = []
    result.reserveCapacity(count)
    for _ in 0..<count { result.append(try next(&self)) }
    return result
  }

  private static func integersIfAllFit(_ values: [GGUFValue]) -> GGUFValue {
    var integers: [Int] = []
    integers.reserveCapacity(values.count)
    for value in values {
      guard case .integer(let number) = value else { return .array(values) }
      integers.append(number)
    }
    return .integers(integers)
  }

  private func alignment(_ metadata: [String: GGUFValue]) throws(ModelFileError) -> Int {
    guard let value = metadata["general.alignment"] else { return 32 }
    guard case .integer(let alignment) = value, (1...Self.largestAlignment).contains(alignment),
      alignment.nonzeroBitCount == 1
    else {
      throw malformed(
        "`general.alignment` to be a power of two up to \(Self.largestAlignment)", "\(value)")
    }
    return alignment
  }

  // MARK: Tensors

  private mutating func tensors(
    _ count: Int, alignment: Int
  ) throws(ModelFileError) -> ([GGUFHeader.Tensor], [String: Int]) {
    var tensors: [GGUFHeader.Tensor] = []
    var indices: [String: Int] = [:]
    tensors.reserveCapacity(count)
    for index in 0..<count {
      let tensor = try tensor(alignment: alignment)
      guard indices.updateValue(index, forKey: tensor.name) == nil else {
        throw malformed("each tensor name once", "\(quoted(tensor.name)) twice")
      }
      tensors.append(tensor)
    }
    return (tensors, indices)
  }

  private mutating func tensor(alignment: Int) throws(ModelFileError) -> GGUFHeader.Tensor {
    let name = try string("a tensor's name")
    let shape = try shape(of: name)
    let code = try integer(UInt32.self, "the type of \(quoted(name))")
    guard let type = GGUFTensorType.numbered(code) else {
      throw .unsupported(
        .init(
          path: path, expected: "a known tensor type for \(quoted(name))", found: "type \(code)",
          remedy: "quantise the model as \(GGUFTensorType.readableNames)"))
    }
    let byteCount = try byteCount(of: name, shape: shape, type: type)
    let offset = try integer(UInt64.self, "the offset of \(quoted(name))")
    guard let offset = Int(exactly: offset), offset % alignment == 0 else {
      throw malformed(
        "the offset of \(quoted(name)) to be a multiple of \(alignment)", "\(offset)")
    }
    return GGUFHeader.Tensor(
      name: name, shape: shape, type: type, offset: offset, byteCount: byteCount)
  }

  /// The shape in row-major order: ggml lists the fastest axis first.
  private mutating func shape(of name: String) throws(ModelFileError) -> [Int] {
    let rank = try integer(UInt32.self, "the rank of \(quoted(name))")
    guard rank <= 4 else {
      throw malformed("at most 4 dimensions for \(quoted(name))", "\(rank)")
    }
    var shape: [Int] = []
    for _ in 0..<rank {
      let dimension = try integer(UInt64.self, "a dimension of \(quoted(name))")
      guard let dimension = Int(exactly: dimension), dimension > 0 else {
        throw malformed("dimensions of 1 to 2^63 - 1 for \(quoted(name))", "\(dimension)")
      }
      shape.append(dimension)
    }
    return shape.reversed()
  }

  private func byteCount(
    of name: String, shape: [Int], type: GGUFTensorType
  ) throws(ModelFileError) -> Int {
    let row = shape.last ?? 1
    guard row % type.blockElementCount == 0 else {
      throw malformed(
        "rows of \(type) in blocks of \(type.blockElementCount) for \(quoted(name))",
        "a row of \(row)")
    }
    var byteCount = row / type.blockElementCount
    var overflows = false
    for factor in shape.dropLast() + [type.blockByteCount] {
      let (product, overflow) = byteCount.multipliedReportingOverflow(by: factor)
      byteCount = product
      overflows = overflows || overflow
    }
    guard !overflows, byteCount <= bytes.count else {
      throw malformed(
        "\(quoted(name)) to fit the file of \(bytes.count) bytes", "a \(type) of shape \(shape)",
        "fetch the file again, it may be truncated")
    }
    return byteCount
  }

  /// Every tensor inside the file, and none over another: overlaps would let a small file claim
  /// any number of weights.
  private func checkPlacement(
    of tensors: [GGUFHeader.Tensor], dataOffset: Int
  ) throws(ModelFileError) {
    var end = 0
    for index in tensors.indices.sorted(by: { tensors[$0].offset < tensors[$1].offset }) {
      let tensor = tensors[index]
      guard tensor.offset >= end else {
        throw malformed("tensors one after another", "\(quoted(tensor.name)) over its neighbour")
      }
      let (last, overflow) = tensor.offset.addingReportingOverflow(tensor.byteCount)
      guard !overflow, last <= bytes.count - dataOffset else {
        throw malformed(
          "\(quoted(tensor.name)) to end within the file's \(bytes.count) bytes",
          "\(tensor.byteCount) bytes at offset \(tensor.offset) of the data at \(dataOffset)",
          "fetch the file again, it may be truncated")
      }
      end = last
    }
  }

  // MARK: Numbers and strings

  private mutating func count(
    _ what: @autoclosure () -> String, smallest: Int
  ) throws(ModelFileError) -> Int {
    let count = try integer(UInt64.self, what())
    guard count <= UInt64(remaining / smallest) else {
      throw malformed(
        "\(what()) to fit the \(remaining) bytes left", "\(count)",
        "fetch the file again, it may be truncated")
    }
    return Int(count)
  }

  private mutating func take(
    _ count: Int, _ what: @autoclosure () -> String
  ) throws(ModelFileError) -> UnsafeRawBufferPointer {
    guard count <= remaining else {
      throw malformed(
        "\(count) bytes for \(what()) at offset \(offset)", "\(remaining) bytes",
        "fetch the file again, it may be truncated")
    }
    defer { offset += count }
    return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
  }

  private mutating func integer<T: FixedWidthInteger>(
    _ type: T.Type, _ what: @autoclosure () -> String
  ) throws(ModelFileError) -> T {
    T(littleEndian: try take(MemoryLayout<T>.size, what()).loadUnaligned(as: T.self))
  }

  private mutating func smallInteger(
    _ type: ValueType, _ what: @autoclosure () -> String
  ) throws(ModelFileError) -> Int {
    switch type {
    case .uint8: Int(try integer(UInt8.self, what()))
    case .int8: Int(try integer(Int8.self, what()))
    case .uint16: Int(try integer(UInt16.self, what()))
    case .int16: Int(try integer(Int16.self, what()))
    case .uint32: Int(try integer(UInt32.self, what()))
    case .int32: Int(try integer(Int32.self, what()))
    case .int64: Int(try integer(Int64.self, what()))
    default: preconditionFailure("\(type) is not an integer that always fits an Int")
    }
  }

  private mutating func real(
    _ type: ValueType, _ what: @autoclosure () -> String
  ) throws(ModelFileError) -> Double {
    type == .float32
      ? Double(Float(bitPattern: try integer(UInt32.self, what())))
      : Double(bitPattern: try integer(UInt64.self, what()))
  }

  private mutating func bool(
    _ what: @autoclosure () -> String
  ) throws(ModelFileError) -> Bool {
    let byte = try integer(UInt8.self, what())
    guard byte <= 1 else { throw malformed("0 or 1 for \(what())", "\(byte)") }
    return byte == 1
  }

  private mutating func string(
    _ what: @autoclosure () -> String
  ) throws(ModelFileError) -> String {
    let length = try count("the length of \(what())", smallest: 1)
    let start = offset
    guard let text = String(validating: try take(length, what()), as: UTF8.self) else {
      throw malformed("\(what()) in UTF-8", "other bytes at offset \(start)")
    }
    return text
  }

  private func malformed(
    _ expected: String, _ found: String,
    _ remedy: String = "convert or fetch the model again, its header is damaged"
  ) -> ModelFileError {
    .malformed(.init(path: path, expected: expected, found: found, remedy: remedy))
  }
}

/// The types of metadata values, by their numbers in the file.
private enum ValueType: UInt32 {
  case uint8, int8, uint16, int16, uint32, int32, float32, bool, string, array
  case uint64, int64, float64

  /// The fewest bytes that one element of this type takes in the file.
  var smallestByteCount: Int {
    switch self {
    case .uint8, .int8, .bool: 1
    case .uint16, .int16: 2
    case .uint32, .int32, .float32: 4
    case .uint64, .int64, .float64, .string: 8
    case .array: 12
    }
  }
}
