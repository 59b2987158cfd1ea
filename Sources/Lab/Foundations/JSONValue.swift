import Foundation

/// A JSON value with one canonical spelling, so that equal values have equal hashes everywhere.
///
/// Canonical: keys sorted by their UTF-8 bytes, no white space, only the escapes that JSON demands,
/// integers as their digits, other numbers as the shortest decimal that reads back as the same
/// `Double`. Infinities and NaN, which JSON lacks, are the strings `Infinity`, `-Infinity`, `NaN`.
package enum JSONValue: Hashable, Sendable {
  case null
  case bool(Bool)
  /// A number by its canonical spelling: a string, because 64-bit seeds do not fit a `Double`.
  case number(String)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])
}

extension JSONValue {
  /// The value as `Codable` describes it.
  /// - Throws: `LabError.notCodable` if it cannot be encoded.
  package init(encoding value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
    do {
      self = try JSONValue(parsing: [UInt8](try encoder.encode(value)))
    } catch let error as EncodingError {
      throw LabError.notCodable(
        "Expected a \(type(of: value)) that can be written as JSON, found otherwise: \(error).")
    }
  }

  /// Reads the value back as a `Decodable` type.
  /// - Throws: `LabError.notCodable` naming the key path that did not fit.
  package func decode<T: Decodable>(as type: T.Type = T.self) throws -> T {
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
    do {
      return try decoder.decode(T.self, from: Data(canonicalBytes))
    } catch let error as DecodingError {
      throw LabError.notCodable(
        "Expected JSON that reads as \(type), found otherwise: \(error.place).")
    }
  }

  /// The member of an object, or nil.
  package subscript(key: String) -> JSONValue? {
    if case .object(let members) = self { members[key] } else { nil }
  }

  /// The string, or nil for any other kind of value.
  package var string: String? { if case .string(let text) = self { text } else { nil } }
}

extension JSONValue: Codable {
  package init(from decoder: any Decoder) throws {
    let single = try decoder.singleValueContainer()
    if single.decodeNil() {
      self = .null
    } else if let flag = try? single.decode(Bool.self) {
      self = .bool(flag)
    } else if let number = try? single.decode(Int64.self) {
      self = .number(String(number))
    } else if let number = try? single.decode(UInt64.self) {
      self = .number(String(number))
    } else if let number = try? single.decode(Double.self) {
      self = .number(Self.canonicalNumber(String(number)))
    } else if let text = try? single.decode(String.self) {
      self = .string(text)
    } else if let items = try? single.decode([JSONValue].self) {
      self = .array(items)
    } else {
      self = .object(try single.decode([String: JSONValue].self))
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var single = encoder.singleValueContainer()
    switch self {
    case .null: try single.encodeNil()
    case .bool(let flag): try single.encode(flag)
    case .number(let text):
      if let number = Int64(text) {
        try single.encode(number)
      } else if let number = UInt64(text) {
        try single.encode(number)
      } else {
        try single.encode(Double(text))
      }
    case .string(let text): try single.encode(text)
    case .array(let items): try single.encode(items)
    case .object(let members): try single.encode(members)
    }
  }
}

extension JSONValue {
  /// The canonical spelling in UTF-8, without a newline at the end.
  package var canonicalBytes: [UInt8] {
    var bytes: [UInt8] = []
    write(to: &bytes)
    return bytes
  }

  /// The canonical spelling as text.
  package var canonicalText: String { String(decoding: canonicalBytes, as: UTF8.self) }

  private func write(to bytes: inout [UInt8]) {
    switch self {
    case .null: bytes += Array("null".utf8)
    case .bool(let flag): bytes += Array((flag ? "true" : "false").utf8)
    case .number(let text): bytes += Array(text.utf8)
    case .string(let text): Self.write(text, to: &bytes)
    case .array(let items):
      bytes.append(UInt8(ascii: "["))
      for (position, item) in items.enumerated() {
        if position > 0 { bytes.append(UInt8(ascii: ",")) }
        item.write(to: &bytes)
      }
      bytes.append(UInt8(ascii: "]"))
    case .object(let members):
      bytes.append(UInt8(ascii: "{"))
      let sorted = members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
      for (position, member) in sorted.enumerated() {
        if position > 0 { bytes.append(UInt8(ascii: ",")) }
        Self.write(member.key, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        member.value.write(to: &bytes)
      }
      bytes.append(UInt8(ascii: "}"))
    }
  }

  private static func write(_ text: String, to bytes: inout [UInt8]) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
      case UInt8(ascii: "\n"): bytes += Array("\\n".utf8)
      case UInt8(ascii: "\t"): bytes += Array("\\t".utf8)
      case UInt8(ascii: "\r"): bytes += Array("\\r".utf8)
      case 0..<0x20:
        let digits = Array("0123456789abcdef".utf8)
        bytes += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }

  /// One spelling for each number: `-0` is `0`, `1.0` is `1`, `1E2` is `100`.
  static func canonicalNumber(_ text: String) -> String {
    if text.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: "-") }) {
      return text == "-0" ? "0" : text
    }
    // `Double.description` is the shortest spelling that reads back as the same number, and the
    // standard library promises it to be the same on every platform.
    guard let number = Double(text), number.isFinite else { return text }
    let spelled = number == 0 ? "0" : number.description
    return spelled.hasSuffix(".0") ? String(spelled.dropLast(2)) : spelled
  }
}

extension DecodingError {
  /// The key path and the reason, in words.
  fileprivate var place: String {
    switch self {
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
      "\(context.codingPath.map(\.stringValue).joined(separator: ".")): \(context.debugDescription)"
    case .keyNotFound(let key, let context):
      "\((context.codingPath + [key]).map(\.stringValue).joined(separator: ".")): missing"
    @unknown default: "\(self)"
    }
  }
}
