/// How a safetensors tensor's elements are stored; the raw value is the file's `dtype`.
package enum SafetensorsType: String, Sendable, CaseIterable {
  case bool = "BOOL"
  case uint8 = "U8"
  case int8 = "I8"
  case uint16 = "U16"
  case int16 = "I16"
  case uint32 = "U32"
  case int32 = "I32"
  case uint64 = "U64"
  case int64 = "I64"
  case float16 = "F16"
  case bfloat16 = "BF16"
  case float32 = "F32"
  case float64 = "F64"
  case float8E4M3 = "F8_E4M3"
  case float8E5M2 = "F8_E5M2"
  case float8E8M0 = "F8_E8M0"

  /// Bytes of one element.
  package var byteCount: Int {
    switch self {
    case .bool, .uint8, .int8, .float8E4M3, .float8E5M2, .float8E8M0: 1
    case .uint16, .int16, .float16, .bfloat16: 2
    case .uint32, .int32, .float32: 4
    case .uint64, .int64, .float64: 8
    }
  }

  /// The loop that converts this type to fp32; nil for the 8-bit floats, which are here for
  /// their size, so that a file that has them can be listed.
  var decoder: WeightDecoder? {
    switch self {
    case .float32: decodeFloat32
    case .float16: decodeFloat16
    case .bfloat16: decodeBFloat16
    case .float64: decodeFloat64
    case .bool: { decode(UInt8.self, $0, $1, $2) { $0 == 0 ? 0 : 1 } }
    case .uint8: { decode(UInt8.self, $0, $1, $2) { Float($0) } }
    case .int8: { decode(Int8.self, $0, $1, $2) { Float($0) } }
    case .uint16: { decode(UInt16.self, $0, $1, $2) { Float($0) } }
    case .int16: { decode(Int16.self, $0, $1, $2) { Float($0) } }
    case .uint32: { decode(UInt32.self, $0, $1, $2) { Float($0) } }
    case .int32: { decode(Int32.self, $0, $1, $2) { Float($0) } }
    case .uint64: { decode(UInt64.self, $0, $1, $2) { Float($0) } }
    case .int64: { decode(Int64.self, $0, $1, $2) { Float($0) } }
    case .float8E4M3, .float8E5M2, .float8E8M0: nil
    }
  }
}

extension SafetensorsType: CustomStringConvertible {
  /// The file's name for the type, such as `BF16`.
  package var description: String { rawValue }
}

@inline(__always)
private func decode<T: FixedWidthInteger & BitwiseCopyable>(
  _ type: T.Type, _ source: UnsafeRawPointer, _ count: Int, _ target: UnsafeMutablePointer<Float>,
  _ convert: (T) -> Float
) {
  let stride = MemoryLayout<T>.size
  for index in 0..<count {
    let bits = source.loadUnaligned(fromByteOffset: stride &* index, as: T.self)
    target[index] = convert(T(littleEndian: bits))
  }
}

private func decodeFloat64(
  _ source: UnsafeRawPointer, _ count: Int, _ target: UnsafeMutablePointer<Float>
) {
  decode(UInt64.self, source, count, target) { Float(Double(bitPattern: $0)) }
}
