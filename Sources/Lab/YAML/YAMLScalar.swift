import Yams

/// A node read as one of the plain types, without YAML 1.1's surprises.
struct YAMLScalar {
  let node: Node
  let document: YAMLDocument
  let path: [any CodingKey]

  init(_ node: Node, _ document: YAMLDocument, _ path: [any CodingKey]) {
    self.node = node
    self.document = document
    self.path = path
  }

  /// The value, or nil if `type` is none of the plain types.
  func decode<T>(_ type: T.Type) throws -> T? {
    switch type {
    case is String.Type: try string() as? T
    case is Bool.Type: try bool() as? T
    case is Double.Type: try float(Double.self) as? T
    case is Float.Type: try float(Float.self) as? T
    case let integer as any FixedWidthInteger.Type: try self.integer(integer) as? T
    default: nil
    }
  }

  /// Whether the node says that there is no value.
  var isNull: Bool {
    guard case .scalar(let scalar) = node, scalar.style == .plain else { return false }
    return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
  }

  private func string() throws -> String {
    guard case .scalar(let scalar) = node, !isNull else { throw mismatch("text") }
    return scalar.string
  }

  private func bool() throws -> Bool {
    switch plain {
    case "true": return true
    case "false": return false
    default: throw mismatch("true or false")
    }
  }

  private func integer<I: FixedWidthInteger>(_ type: I.Type) throws -> I {
    guard let text = plain, let value = I(text.filter { $0 != "_" }) else {
      throw mismatch(I.isSigned ? "a whole number" : "a whole number that is not negative")
    }
    return value
  }

  private func float<F: BinaryFloatingPoint & LosslessStringConvertible>(
    _ type: F.Type
  ) throws -> F {
    guard let text = plain, text.utf8.allSatisfy({ Self.numeric.contains($0) }),
      let value = F(text.filter { $0 != "_" }), value.isFinite
    else { throw mismatch("a number") }
    return value
  }

  /// What a decimal number is written with; keeps out `nan`, `inf` and hexadecimal.
  private static let numeric = Set("0123456789+-.eE_".utf8)

  /// The text of a scalar without quotes.
  private var plain: String? {
    if case .scalar(let scalar) = node, scalar.style == .plain { scalar.string } else { nil }
  }

  /// The error for a node that is not what it should be.
  func mismatch(_ expected: String) -> LabError {
    document.error(
      node.mark?.line, "Expected \(expected) for \(path.quoted), found \(found).")
  }

  private var found: String {
    switch node {
    case .scalar(let scalar):
      if isNull { return "nothing" }
      let text = scalar.string.count > 40 ? scalar.string.prefix(40) + "…" : scalar.string[...]
      return scalar.style == .plain ? "`\(text)`" : "the text \"\(text)\""
    case .mapping: return "a mapping"
    case .sequence: return "a list"
    case .alias: return "an alias"
    }
  }
}
