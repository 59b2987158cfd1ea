/// A tensor to be written to a safetensors file as fp32.
package struct SafetensorsEntry: Sendable {
  package var name: String
  /// Row-major, the fastest axis last; empty for a scalar.
  package var shape: [Int]
  /// As many as `shape` says.
  package var values: [Float]

  package init(name: String, shape: [Int], values: [Float]) {
    self.name = name
    self.shape = shape
    self.values = values
  }
}

extension SafetensorsType {
  /// The same type for writing; nil for integers and other floats.
  var precision: SafetensorsLayout.Precision? {
    switch self {
    case .float32: .float32
    case .float16: .float16
    case .bfloat16: .bfloat16
    default: nil
    }
  }
}

/// A tensor to be written to a safetensors file, without its values.
package struct SafetensorsLayout: Sendable {
  /// The types that can be written.
  package enum Precision: Sendable {
    case float32, float16, bfloat16

    var type: SafetensorsType {
      switch self {
      case .float32: .float32
      case .float16: .float16
      case .bfloat16: .bfloat16
      }
    }
  }

  package var name: String
  /// Row-major, the fastest axis last; empty for a scalar.
  package var shape: [Int]
  package var precision: Precision

  var elementCount: Int { shape.reduce(1, *) }
  var byteCount: Int { elementCount * precision.type.byteCount }

  package init(name: String, shape: [Int], precision: Precision = .float32) {
    self.name = name
    self.shape = shape
    self.precision = precision
  }
}

extension SafetensorsFile {
  /// Writes `entries` as fp32 with `metadata` to `path`, all of it or nothing.
  ///
  /// The same entries give the same bytes, in whatever order they come, and the bytes that
  /// Python's `safetensors` writes. PEFT and transformers expect `["format": "pt"]`.
  ///
  /// - Precondition: Names are unique, none is `__metadata__`, and values fill their shapes.
  /// - Throws: ``ModelFileError/unwritable(_:)``; the path is then as it was.
  package static func write(
    _ entries: [SafetensorsEntry], metadata: [String: String] = [:], to path: String
  ) throws(ModelFileError) {
    let layouts = entries.map { SafetensorsLayout(name: $0.name, shape: $0.shape) }
    let places = Dictionary(
      zip(entries.map(\.name), entries.indices), uniquingKeysWith: { first, _ in first })
    try write(layouts, metadata: metadata, to: path) { layout in
      places[layout.name].map { entries[$0].values } ?? []
    }
  }

  /// Writes the tensors of `layouts` to `path`, all of it or nothing, with the values that
  /// `values` gives for one after the other: only one tensor at a time is in memory.
  ///
  /// Values round to the nearest number of the layout's precision, ties to even.
  ///
  /// - Precondition: Names are unique, none is `__metadata__`, and values fill their shapes.
  /// - Throws: ``ModelFileError/unwritable(_:)``, or what `values` throws; the path is then as it
  ///   was.
  package static func write(
    _ layouts: [SafetensorsLayout], metadata: [String: String] = [:], to path: String,
    values: (SafetensorsLayout) throws(ModelFileError) -> [Float]
  ) throws(ModelFileError) {
    check(layouts)
    // Python's order: the type of larger numbers first, and then by name.
    let layouts = layouts.sorted {
      let (a, b) = ($0.precision.rank, $1.precision.rank)
      return a == b ? $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) : a < b
    }
    let header = paddedHeader(layouts, metadata)
    try AtomicFile.write(to: path) { (output) throws(ModelFileError) in
      try output.append([UInt64(header.count).littleEndian])
      try output.append(header)
      for layout in layouts {
        let values = try values(layout)
        precondition(
          values.count == layout.elementCount,
          "\(values.count) values do not fill \(layout.name) \(layout.shape)")
        try output.append(values, as: layout.precision)
      }
    }
  }

  private static func check(_ layouts: [SafetensorsLayout]) {
    for layout in layouts {
      precondition(
        layout.shape.allSatisfy { $0 >= 0 }, "\(layout.name) has the shape \(layout.shape)")
      precondition(layout.name != "__metadata__", "`__metadata__` is not a tensor's name")
    }
    precondition(
      Set(layouts.map(\.name)).count == layouts.count, "two tensors of one safetensors name")
  }

  /// The JSON header, with spaces at its end so that the data starts at a multiple of 8.
  private static func paddedHeader(
    _ layouts: [SafetensorsLayout], _ metadata: [String: String]
  ) -> [UInt8] {
    var members: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        .map { "\(jsonString($0.key)):\(jsonString($0.value))" }
      members.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
    }
    var offset = 0
    for layout in layouts {
      let end = offset + layout.byteCount
      let shape = layout.shape.map(\.description).joined(separator: ",")
      members.append(
        "\(jsonString(layout.name)):{\"dtype\":\"\(layout.precision.type)\",\"shape\":[\(shape)],"
          + "\"data_offsets\":[\(offset),\(end)]}")
      offset = end
    }
    let header = Array("{\(members.joined(separator: ","))}".utf8)
    return header + Array(repeating: UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
  }

  static func jsonString(_ text: String) -> String {
    text.unicodeScalars.reduce(into: "\"") { json, scalar in
      switch scalar {
      case "\"": json += "\\\""
      case "\\": json += "\\\\"
      case "\n": json += "\\n"
      case "\r": json += "\\r"
      case "\t": json += "\\t"
      case "\u{8}": json += "\\b"
      case "\u{c}": json += "\\f"
      case ..<" ":
        let digits = String(scalar.value, radix: 16)
        json += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: json.unicodeScalars.append(scalar)
      }
    } + "\""
  }
}

extension SafetensorsLayout.Precision {
  fileprivate var rank: Int {
    switch self {
    case .float32: 0
    case .bfloat16: 1
    case .float16: 2
    }
  }
}

extension AtomicFile.Output {
  fileprivate func append(
    _ values: [Float], as precision: SafetensorsLayout.Precision
  ) throws(ModelFileError) {
    switch precision {
    case .float32: try append(values)
    case .float16: try append(values, halfBits)
    case .bfloat16: try append(values, bfloatBits)
    }
  }

  /// Converts a piece at a time, so that a large tensor is not in memory twice.
  private func append(
    _ values: [Float], _ convert: (Float) -> UInt16
  ) throws(ModelFileError) {
    for start in stride(from: 0, to: values.count, by: 1 << 18) {
      let part = values[start..<min(start + 1 << 18, values.count)]
      try append(part.map { convert($0).littleEndian })
    }
  }
}

/// The bfloat16 nearest to `value`, ties to even; NaN stays NaN.
@inline(__always)
func bfloatBits(_ value: Float) -> UInt16 {
  let bits = value.bitPattern
  if value.isNaN { return UInt16(bits >> 16) | 0x40 }
  return UInt16((bits + 0x7fff + (bits >> 16 & 1)) >> 16)
}

/// The half nearest to `value`, ties to even; infinite beyond the largest, and NaN stays NaN.
@inline(__always)
func halfBits(_ value: Float) -> UInt16 {
  let sign = UInt16(value.bitPattern >> 16 & 0x8000)
  let magnitude = value.bitPattern & 0x7fff_ffff
  if magnitude > 0x7f80_0000 { return sign | 0x7e00 }
  // 65520 lies in the middle between the largest half and the next power of two.
  if magnitude >= 0x477f_f000 { return sign | 0x7c00 }
  if magnitude < 0x3880_0000 {
    // Beside 0.5 a float has the resolution of subnormal halves, so the addition rounds.
    let half: Float = 0.5
    return sign | UInt16((Float(bitPattern: magnitude) + half).bitPattern - half.bitPattern)
  }
  let rebased = magnitude - 112 << 23
  return sign | UInt16((rebased + 0xfff + (rebased >> 13 & 1)) >> 13)
}
