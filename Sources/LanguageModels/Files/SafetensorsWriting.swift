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
    let entries = entries.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    check(entries)
    let header = paddedHeader(entries, metadata)
    try AtomicFile.write(to: path) { (output) throws(ModelFileError) in
      try output.append([UInt64(header.count).littleEndian])
      try output.append(header)
      for entry in entries { try output.append(entry.values) }
    }
  }

  private static func check(_ entries: [SafetensorsEntry]) {
    for entry in entries {
      precondition(
        entry.shape.allSatisfy { $0 >= 0 } && entry.shape.reduce(1, *) == entry.values.count,
        "\(entry.values.count) values do not fill \(entry.name) \(entry.shape)")
      precondition(entry.name != "__metadata__", "`__metadata__` is not a tensor's name")
    }
    precondition(
      Set(entries.map(\.name)).count == entries.count, "two tensors of one safetensors name")
  }

  /// The JSON header, with spaces at its end so that the data starts at a multiple of 8.
  private static func paddedHeader(
    _ entries: [SafetensorsEntry], _ metadata: [String: String]
  ) -> [UInt8] {
    var members: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        .map { "\(jsonString($0.key)):\(jsonString($0.value))" }
      members.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
    }
    var offset = 0
    for entry in entries {
      let end = offset + 4 * entry.values.count
      let shape = entry.shape.map(\.description).joined(separator: ",")
      members.append(
        "\(jsonString(entry.name)):{\"dtype\":\"F32\",\"shape\":[\(shape)],"
          + "\"data_offsets\":[\(offset),\(end)]}")
      offset = end
    }
    let header = Array("{\(members.joined(separator: ","))}".utf8)
    return header + Array(repeating: UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
  }

  private static func jsonString(_ text: String) -> String {
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
