/// What a safetensors header says, after every number in it was checked against the file.
struct SafetensorsHeader {
  /// A tensor's entry; `range` counts bytes from the data section.
  struct Tensor {
    var name: String
    var type: SafetensorsType
    var shape: [Int]
    var range: Range<Int>
  }

  var metadata: [String: String]
  var tensors: [Tensor]
  var dataOffset: Int
}

/// Reads a safetensors header from bytes that nobody vouches for.
///
/// The header is JSON of one fixed shape, read directly: a general parser would keep one of two
/// equal keys without a word, and could be nested until the stack ends.
struct SafetensorsHeaderReader {
  let bytes: UnsafeRawBufferPointer
  let path: String

  // The reference implementation's limit.
  private static let largestHeader = 100_000_000

  func header() throws(ModelFileError) -> SafetensorsHeader {
    let headerRange = 8..<8 + (try headerLength())
    var json = JSONScanner(
      bytes: UnsafeRawBufferPointer(rebasing: bytes[headerRange]), path: path)
    var metadata: [String: String]?
    var tensors: [SafetensorsHeader.Tensor] = []
    var names: Set<String> = []
    try json.object { (json, key) throws(ModelFileError) in
      if key == "__metadata__" {
        guard metadata == nil else { throw json.malformed("`__metadata__` once", "it twice") }
        metadata = try Self.metadata(&json)
      } else {
        guard names.insert(key).inserted else {
          throw json.malformed("each tensor name once", "\(quoted(key)) twice")
        }
        tensors.append(try Self.tensor(&json, name: key))
      }
    }
    try json.expectEnd()
    tensors.sort {
      ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
    }
    try checkPlacement(of: tensors, dataCount: bytes.count - headerRange.upperBound)
    return SafetensorsHeader(
      metadata: metadata ?? [:], tensors: tensors, dataOffset: headerRange.upperBound)
  }

  private func headerLength() throws(ModelFileError) -> Int {
    guard bytes.count >= 8 else {
      throw malformed("8 bytes of header length", "\(bytes.count) bytes")
    }
    let length = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self))
    let limit = min(bytes.count - 8, Self.largestHeader)
    guard length <= UInt64(limit) else {
      throw malformed("a header of at most \(limit) bytes", "a header length of \(length)")
    }
    return Int(length)
  }

  private static func metadata(_ json: inout JSONScanner) throws(ModelFileError) -> [String: String]
  {
    var metadata: [String: String] = [:]
    try json.object { (json, key) throws(ModelFileError) in
      guard metadata.updateValue(try json.string(), forKey: key) == nil else {
        throw json.malformed("each metadata key once", "\(quoted(key)) twice")
      }
    }
    return metadata
  }

  private static func tensor(
    _ json: inout JSONScanner, name: String
  ) throws(ModelFileError) -> SafetensorsHeader.Tensor {
    var type: SafetensorsType?
    var shape: [Int]?
    var offsets: [Int]?
    try json.object { (json, key) throws(ModelFileError) in
      switch key {
      case "dtype" where type == nil: type = try Self.type(&json, name: name)
      case "shape" where shape == nil: shape = try json.integers()
      case "data_offsets" where offsets == nil: offsets = try json.integers()
      default:
        throw json.malformed(
          "`dtype`, `shape` and `data_offsets` once for \(quoted(name))", quoted(key))
      }
    }
    guard let type, let shape, let offsets else {
      throw json.malformed(
        "`dtype`, `shape` and `data_offsets` for \(quoted(name))", "not all three")
    }
    guard offsets.count == 2, offsets[0] <= offsets[1] else {
      throw json.malformed("a start and an end of \(quoted(name))", "\(offsets.prefix(4))")
    }
    let range = offsets[0]..<offsets[1]
    guard byteCount(shape, type) == range.count else {
      throw json.malformed(
        "the bytes of a \(type) of shape \(shape.prefix(16)) for \(quoted(name))",
        "\(range.count) bytes")
    }
    return .init(name: name, type: type, shape: shape, range: range)
  }

  private static func type(
    _ json: inout JSONScanner, name: String
  ) throws(ModelFileError) -> SafetensorsType {
    let dtype = try json.string()
    guard let type = SafetensorsType(rawValue: dtype) else {
      throw .unsupported(
        .init(
          path: json.path, expected: "a known dtype for \(quoted(name))", found: quoted(dtype),
          remedy: "save the tensor as F32, F16 or BF16"))
    }
    return type
  }

  /// The size of a tensor; nil if it exceeds an `Int`.
  private static func byteCount(_ shape: [Int], _ type: SafetensorsType) -> Int? {
    var product = type.byteCount
    for dimension in shape {
      let (next, overflow) = product.multipliedReportingOverflow(by: dimension)
      if overflow { return nil }
      product = next
    }
    return product
  }

  /// The tensors one after another, from the data's first byte to its last.
  private func checkPlacement(
    of tensors: [SafetensorsHeader.Tensor], dataCount: Int
  ) throws(ModelFileError) {
    var end = 0
    for tensor in tensors {
      guard tensor.range.lowerBound == end else {
        throw malformed(
          "\(quoted(tensor.name)) at offset \(end), where the tensor before it ends",
          "offset \(tensor.range.lowerBound)")
      }
      end = tensor.range.upperBound
    }
    guard end == dataCount else {
      throw malformed("\(end) bytes of data", "\(dataCount) bytes")
    }
  }

  private func malformed(_ expected: String, _ found: String) -> ModelFileError {
    JSONScanner(bytes: bytes, path: path).malformed(expected, found)
  }
}
