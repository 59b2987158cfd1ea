internal import Foundation

/// A JSON document as a tree.
///
/// Foundation's reader gives dictionaries whose keys Swift compares by canonical equivalence: two
/// tokens of a vocabulary that Unicode deems the same would become one. Here an object is a list.
enum JSONValue: Sendable {
  case null
  case bool(Bool)
  case integer(Int)
  case real(Double)
  case string(String)
  case array([JSONValue])
  case object([(key: String, value: JSONValue)])

  /// Deeper documents are refused: reading is recursive.
  private static let maximumDepth = 64

  /// Reads the JSON file at `path`.
  ///
  /// - Throws: ``ModelFileError`` if it cannot be read or is not JSON.
  init(path: String) throws(ModelFileError) {
    let file = try MappedFile(path: path)
    self = try file.withBytes { (bytes) throws(ModelFileError) in
      var scanner = JSONScanner(
        bytes: bytes, path: path,
        subject: .init(name: "JSON document", remedy: "fetch the file again"))
      let value = try JSONValue(&scanner, depth: 0)
      try scanner.expectEnd()
      return value
    }
  }

  private init(_ scanner: inout JSONScanner, depth: Int) throws(ModelFileError) {
    guard depth < Self.maximumDepth else {
      throw scanner.unexpected("at most \(Self.maximumDepth) levels", at: scanner.offset)
    }
    scanner.skipSpace()
    switch scanner.peek() {
    case UInt8(ascii: "{"):
      var members: [(key: String, value: JSONValue)] = []
      try scanner.object { (scanner, key) throws(ModelFileError) in
        members.append((key, try JSONValue(&scanner, depth: depth + 1)))
      }
      self = .object(members)
    case UInt8(ascii: "["): self = .array(try Self.elements(&scanner, depth: depth))
    case UInt8(ascii: "\""): self = .string(try scanner.string())
    case UInt8(ascii: "t"): self = try Self.literal("true", .bool(true), &scanner)
    case UInt8(ascii: "f"): self = try Self.literal("false", .bool(false), &scanner)
    case UInt8(ascii: "n"): self = try Self.literal("null", .null, &scanner)
    default: self = try Self.number(&scanner)
    }
  }

  private static func elements(
    _ scanner: inout JSONScanner, depth: Int
  ) throws(ModelFileError) -> [JSONValue] {
    var elements: [JSONValue] = []
    try scanner.expect("[")
    if scanner.take("]") { return elements }
    repeat { elements.append(try JSONValue(&scanner, depth: depth + 1)) } while scanner.take(",")
    try scanner.expect("]")
    return elements
  }

  private static func literal(
    _ text: String, _ value: JSONValue, _ scanner: inout JSONScanner
  ) throws(ModelFileError) -> JSONValue {
    try scanner.literal(text)
    return value
  }

  private static func number(_ scanner: inout JSONScanner) throws(ModelFileError) -> JSONValue {
    let start = scanner.offset
    let text = scanner.numberText()
    if let integer = Int(text), text.first != "+" { return .integer(integer) }
    guard let real = Double(text), real.isFinite, text.first != "+" else {
      throw scanner.unexpected("a value", at: start)
    }
    return .real(real)
  }

  // MARK: Access

  /// The member called `key`; nil where there is none, where it is null, or in what is no object.
  subscript(key: String) -> JSONValue? {
    guard case .object(let members) = self, let member = members.last(where: { $0.key == key })
    else { return nil }
    if case .null = member.value { return nil }
    return member.value
  }

  var string: String? { if case .string(let text) = self { text } else { nil } }
  var bool: Bool? { if case .bool(let flag) = self { flag } else { nil } }
  var int: Int? { if case .integer(let number) = self { number } else { nil } }
  var array: [JSONValue]? { if case .array(let elements) = self { elements } else { nil } }

  var double: Double? {
    switch self {
    case .integer(let number): Double(number)
    case .real(let number): number
    default: nil
    }
  }

  /// What a value is, for messages: short ones whole, others by their kind.
  var summary: String {
    switch self {
    case .null: "null"
    case .bool(let flag): "\(flag)"
    case .integer(let number): "\(number)"
    case .real(let number): "\(number)"
    case .string(let text): text
    case .array(let elements): "an array of \(elements.count)"
    case .object: self["type"]?.string ?? "an object"
    }
  }
}
