/// Reads the fields of one protobuf message in place; every length is checked against its bytes.
struct ProtobufReader {
  /// What a field holds.
  enum Value {
    case number(UInt64)
    case fixed32(UInt32)
    case fixed64
    case bytes(UnsafeRawBufferPointer)
  }

  private let bytes: UnsafeRawBufferPointer
  private let path: String
  private var offset = 0

  init(_ bytes: UnsafeRawBufferPointer, path: String) {
    self.bytes = bytes
    self.path = path
  }

  /// The next field; nil at the end of the message.
  ///
  /// - Throws: ``ModelFileError/malformed(_:)`` where the bytes are no protobuf.
  mutating func next() throws(ModelFileError) -> (number: Int, value: Value)? {
    guard offset < bytes.count else { return nil }
    let tag = try varint()
    let number = Int(truncatingIfNeeded: tag >> 3)
    guard number > 0, number < 1 << 29 else { throw malformed("a field", "field number \(number)") }
    switch tag & 7 {
    case 0: return (number, .number(try varint()))
    case 1:
      _ = try take(8)
      return (number, .fixed64)
    case 2: return (number, .bytes(try take(try varint())))
    case 5:
      let value = try take(4).loadUnaligned(as: UInt32.self)
      return (number, .fixed32(UInt32(littleEndian: value)))
    default: throw malformed("a protobuf wire type", "\(tag & 7)")
    }
  }

  /// The text that `field` holds.
  func text(_ field: UnsafeRawBufferPointer) throws(ModelFileError) -> String {
    if let text = String(validating: field, as: UTF8.self) { return text }
    throw malformed("text in UTF-8", "other bytes")
  }

  private mutating func varint() throws(ModelFileError) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      guard offset < bytes.count else { throw malformed("a whole number", "the message's end") }
      let byte = bytes[offset]
      offset += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
    }
    throw malformed("a number of at most ten bytes", "a longer one")
  }

  private mutating func take(_ count: UInt64) throws(ModelFileError) -> UnsafeRawBufferPointer {
    guard count <= UInt64(bytes.count - offset) else {
      throw malformed("\(count) bytes", "\(bytes.count - offset)")
    }
    defer { offset += Int(count) }
    return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + Int(count)])
  }

  private func malformed(_ expected: String, _ found: String) -> ModelFileError {
    .malformed(
      .init(
        path: path, expected: expected + " in the SentencePiece model", found: found,
        remedy: "fetch the file again"))
  }
}
