/// A value that a chat template is given: JSON, with members in the order in which they came.
///
/// The order is kept because templates write tools down with it, and the model saw one order.
package enum ChatValue: Equatable, Sendable {
  /// A name and its value.
  package struct Member: Equatable, Sendable {
    package var name: String
    package var value: ChatValue

    package init(name: String, value: ChatValue) {
      self.name = name
      self.value = value
    }
  }

  case null
  case bool(Bool)
  case integer(Int)
  case double(Double)
  case string(String)
  case list([ChatValue])
  case object([Member])

  /// Reads JSON, such as a tool's schema. Of equal names the last counts.
  ///
  /// - Throws: ``ModelFileError/malformed(_:)`` if it is no JSON, or nested more than 32 deep.
  package init(json text: String) throws(ModelFileError) {
    self = try Array(text.utf8).withUnsafeBytes { bytes in
      Result { () throws(ModelFileError) in
        var json = JSONScanner(
          bytes: bytes, path: "the given JSON",
          subject: .init(name: "text", remedy: "give one JSON value"))
        let value = try json.value()
        try json.expectEnd()
        return value
      }
    }.get()
  }

  /// The value under a name of an object.
  package subscript(_ name: String) -> ChatValue? {
    guard case .object(let members) = self else { return nil }
    return members.last { $0.name.utf8.elementsEqual(name.utf8) }?.value
  }

  /// The value as a template sees it.
  var templateValue: TemplateValue {
    switch self {
    case .null: return .null
    case .bool(let value): return .bool(value)
    case .integer(let value): return .integer(value)
    case .double(let value): return .double(value)
    case .string(let value): return .string(value)
    case .list(let elements): return .list(elements.map(\.templateValue))
    case .object(let members):
      var entries: [TemplateValue.Entry] = []
      for member in members {
        let value = member.value.templateValue
        if let place = entries.firstIndex(where: { $0.key.utf8.elementsEqual(member.name.utf8) }) {
          entries[place].value = value
        } else {
          entries.append(.init(key: member.name, value: value))
        }
      }
      return .dictionary(entries)
    }
  }
}

extension JSONScanner {
  /// Reads a value of any kind.
  mutating func value(depth: Int = 0) throws(ModelFileError) -> ChatValue {
    skipSpace()
    guard depth < 32 else { throw unexpected("values nested less deeply", at: offset) }
    switch peek() {
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "{"):
      var members: [ChatValue.Member] = []
      try object { (json, name) throws(ModelFileError) in
        members.append(.init(name: name, value: try json.value(depth: depth + 1)))
      }
      return .object(members)
    case UInt8(ascii: "["):
      try expect("[")
      var elements: [ChatValue] = []
      if take("]") { return .list(elements) }
      repeat { elements.append(try value(depth: depth + 1)) } while take(",")
      try expect("]")
      return .list(elements)
    default: return try plainValue()
    }
  }

  private mutating func plainValue() throws(ModelFileError) -> ChatValue {
    let start = offset
    switch plainText() {
    case "null": return .null
    case "true": return .bool(true)
    case "false": return .bool(false)
    case let text:
      if let integer = Int(text), !text.hasPrefix("+") { return .integer(integer) }
      let isNumber = text.first.map { "-0123456789".contains($0) } ?? false
      guard isNumber, let number = Double(text), number.isFinite else {
        throw unexpected("a value", at: start)
      }
      return .double(number)
    }
  }
}
