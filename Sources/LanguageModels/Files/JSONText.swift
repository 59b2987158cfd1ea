internal import Foundation

/// Small JSON documents that people read too: sorted keys, indented, the same bytes every time.
enum JSONText {
  /// `text` as a JSON string on one line.
  static func string(_ text: String) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    // Encoding a string cannot fail; the fallback keeps the signature honest without a trap.
    return (try? encoder.encode(text)).map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
  }

  /// The document of `value`, with a newline at its end.
  static func bytes(_ value: some Encodable) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(value) else {
      preconditionFailure("\(type(of: value)) holds a number that JSON cannot write")
    }
    return Array(data) + [UInt8(ascii: "\n")]
  }

  /// The bytes of a document small enough to be one.
  ///
  /// - Throws: ``ModelFileError/malformed(_:)`` where it is larger than a megabyte.
  static func read(_ path: String) throws(ModelFileError) -> Data {
    let file = try MappedFile(path: path)
    guard file.count <= 1 << 20 else {
      throw .malformed(
        .init(
          path: path, expected: "at most a megabyte of JSON", found: "\(file.count) bytes",
          remedy: "use the file that belongs to this adapter"))
    }
    return file.withBytes { Data($0) }
  }
}
