/// A value in a template: Python's types, as far as chat templates meet them.
enum TemplateValue: Sendable {
  struct Entry: Sendable {
    /// The key, or a number's digits.
    var key: String
    /// The key where it is a number.
    var number: Int?
    var value: TemplateValue

    init(key: String, number: Int? = nil, value: TemplateValue) {
      self.key = key
      self.number = number
      self.value = value
    }

    /// The key as a value.
    var keyValue: TemplateValue { number.map { .integer($0) } ?? .string(key) }

    func has(_ key: String, _ number: Int?) -> Bool {
      number == self.number && key.utf8.elementsEqual(self.key.utf8)
    }
  }

  /// A variable, attribute or element that does not exist; writes nothing, by that name.
  case undefined(String)
  case null
  case bool(Bool)
  case integer(Int)
  case double(Double)
  case string(String)
  /// A text that went through `safe`, markupsafe's `Markup`: what is added to it is escaped as HTML,
  /// although nothing else in a chat template is.
  case marked(String)
  case list([TemplateValue])
  /// What `map` and `select` give: elements that can be gone through, but not counted or written.
  case generator([TemplateValue])
  /// In the order in which the keys were written.
  case dictionary([Entry])
  /// The only value that changes: an index into the evaluator's namespaces.
  case namespace(Int)
  /// An index into the evaluator's macros.
  case macro(Int)
  /// A function of the environment, such as `range`.
  case function(String)
}

extension TemplateValue {
  /// The type, as named in messages.
  var typeName: String {
    switch self {
    case .undefined(let name): "undefined (`\(name)`)"
    case .null: "none"
    case .bool: "a boolean"
    case .integer: "an integer"
    case .double: "a float"
    case .string: "a string"
    case .marked: "a text marked `safe`"
    case .list: "a list"
    case .generator: "a generator"
    case .dictionary: "a mapping"
    case .namespace: "a namespace"
    case .macro, .function: "a function"
    }
  }

  /// Python's `bool(value)`.
  var isTrue: Bool {
    switch self {
    case .undefined, .null: false
    case .bool(let value): value
    case .integer(let value): value != 0
    case .double(let value): value != 0
    case .string(let value), .marked(let value): !value.isEmpty
    case .list(let elements): !elements.isEmpty
    case .dictionary(let entries): !entries.isEmpty
    case .generator, .namespace, .macro, .function: true
    }
  }

  /// Whether `safe` marked the text.
  var isMarked: Bool {
    if case .marked = self { return true }
    return false
  }

  /// The string that a marked text is; everything else as it is.
  var plain: TemplateValue {
    if case .marked(let text) = self { return .string(text) }
    return self
  }

  /// Integers, and booleans, which are integers in Python.
  var asInteger: Int? {
    switch self {
    case .integer(let value): value
    case .bool(let value): value ? 1 : 0
    default: nil
    }
  }

  /// Any number.
  var asDouble: Double? {
    if case .double(let value) = self { return value }
    return asInteger.map(Double.init)
  }

  /// Python's `==`.
  func equals(_ other: TemplateValue) -> Bool {
    switch (plain, other.plain) {
    case (.undefined, .undefined), (.null, .null): return true
    case (.string(let a), .string(let b)): return a.utf8.elementsEqual(b.utf8)
    case (.list(let a), .list(let b)):
      return a.count == b.count && zip(a, b).allSatisfy { $0.equals($1) }
    case (.dictionary(let a), .dictionary(let b)):
      return a.count == b.count
        && a.allSatisfy { entry in
          other.value(of: entry.key, entry.number)?.equals(entry.value) ?? false
        }
    case (.namespace(let a), .namespace(let b)), (.macro(let a), .macro(let b)): return a == b
    case (.function(let a), .function(let b)): return a == b
    default:
      if let a = asInteger, let b = other.asInteger { return a == b }
      guard let a = asDouble, let b = other.asDouble else { return false }
      return a == b
    }
  }

  /// The value under a key of a mapping.
  func value(of key: String, _ number: Int? = nil) -> TemplateValue? {
    guard case .dictionary(let entries) = self else { return nil }
    return entries.last { $0.has(key, number) }?.value
  }

  /// Python's `str(value)`.
  var text: String {
    switch self {
    case .undefined: ""
    case .string(let value), .marked(let value): value
    default: representation
    }
  }

  /// Python's `repr(value)`.
  var representation: String {
    switch self {
    case .undefined: "Undefined"
    case .null: "None"
    case .bool(let value): value ? "True" : "False"
    case .integer(let value): String(value)
    case .double(let value): Self.text(of: value)
    case .string(let value): PythonText.quoted(value)
    case .marked(let value): "Markup(" + PythonText.quoted(value) + ")"
    case .list(let elements): "[" + elements.map(\.representation).joined(separator: ", ") + "]"
    case .dictionary(let entries):
      "{"
        + entries.map { $0.keyValue.representation + ": " + $0.value.representation }
        .joined(separator: ", ") + "}"
    case .namespace: "<Namespace>"
    case .generator, .macro, .function: "<\(typeName)>"
    }
  }

  private static func text(of value: Double) -> String {
    if value.isNaN { return "nan" }
    if value.isInfinite { return value < 0 ? "-inf" : "inf" }
    return "\(value)"
  }
}
