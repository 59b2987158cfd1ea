/// A call's arguments, evaluated.
struct TemplateArguments {
  var positional: [TemplateValue] = []
  var named: [String: TemplateValue] = [:]

  /// The argument at a place or of a name.
  func value(_ place: Int, _ name: String) -> TemplateValue? {
    positional.indices.contains(place) ? positional[place] : named[name]
  }
}

/// Functions, methods, filters and tests: what a template reaches by name.
extension TemplateEvaluator {
  mutating func call(
    _ function: TemplateExpression, _ arguments: TemplateExpression.Arguments, _ line: Int
  ) throws(ChatTemplateError) -> TemplateValue {
    let values: TemplateArguments
    switch function {
    case .attribute(let base, let name):
      let base = try evaluate(base)
      values = try evaluate(arguments)
      self.line = line
      return try method(name, of: base, values)
    case .name(let name):
      values = try evaluate(arguments)
      self.line = line
      return try self.function(name, values)
    default: throw .unsupported(line: line, construct: "a call of a value")
    }
  }

  private mutating func function(
    _ name: String, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue {
    switch name {
    case "raise_exception":
      throw .refused(message: arguments.positional.first?.text ?? "")
    case "namespace":
      namespaces.append(arguments.named)
      return .namespace(namespaces.count - 1)
    case "range": return try range(arguments)
    case "dict":
      return try bounded(
        .dictionary(
          arguments.named.sorted { $0.key < $1.key }.map { .init(key: $0.key, value: $0.value) }))
    default: throw .unsupported(line: line, construct: "the function `\(name)`")
    }
  }

  private mutating func range(
    _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue {
    let bounds = arguments.positional.compactMap(\.asInteger)
    guard bounds.count == arguments.positional.count, (1...3).contains(bounds.count),
      bounds.count < 3 || bounds[2] != 0
    else { throw failure("a range of something else than numbers") }
    let (first, last) = bounds.count == 1 ? (0, bounds[0]) : (bounds[0], bounds[1])
    var values: [TemplateValue] = []
    for value in stride(from: first, to: last, by: bounds.count == 3 ? bounds[2] : 1) {
      try charge(bytes: 16)
      values.append(.integer(value))
    }
    return .list(values)
  }

  // MARK: Methods

  private mutating func method(
    _ name: String, of base: TemplateValue, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue {
    switch base {
    case .string(let text):
      try charge(bytes: text.utf8.count)
      if let value = try method(name, of: text, arguments) { return value }
    case .dictionary(let entries):
      if let value = try method(name, of: entries, base, arguments) { return value }
    case .undefined(let missing): throw failure("`.\(name)()` of `\(missing)`, which is undefined")
    default: break
    }
    throw .unsupported(line: line, construct: "the method `\(name)` of \(base.typeName)")
  }

  private mutating func method(
    _ name: String, of text: String, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue? {
    switch name {
    case "strip", "lstrip", "rstrip":
      return .string(
        PythonText.trimmed(
          text, try optionalText(arguments.value(0, "chars"), name),
          start: name != "rstrip", end: name != "lstrip"))
    case "upper": return .string(text.uppercased())
    case "lower": return .string(text.lowercased())
    case "capitalize": return .string(PythonText.capitalized(text, everyWord: false))
    case "title": return .string(PythonText.capitalized(text, everyWord: true))
    case "startswith":
      return .bool(try affixes(arguments, name) { text.utf8.starts(with: $0.utf8) })
    case "endswith":
      return .bool(
        try affixes(arguments, name) { text.utf8.reversed().starts(with: $0.utf8.reversed()) })
    case "replace": return try replace(text, arguments, name)
    case "split":
      let separator = try optionalText(arguments.value(0, "sep"), name)
      if separator?.isEmpty ?? false { throw failure("an empty separator") }
      let limit = arguments.value(1, "maxsplit")?.asInteger ?? -1
      return .list(PythonText.split(text, separator, limit: limit).map { .string($0) })
    default: return nil
    }
  }

  private mutating func method(
    _ name: String, of entries: [TemplateValue.Entry], _ base: TemplateValue,
    _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue? {
    switch name {
    case "items": return .list(entries.map { .list([.string($0.key), $0.value]) })
    case "keys": return .list(entries.map { .string($0.key) })
    case "values": return .list(entries.map(\.value))
    case "get":
      guard case .string(let key)? = arguments.positional.first else {
        throw failure("`get` of a key that is no string")
      }
      return base.value(of: key) ?? arguments.value(1, "default") ?? .null
    default: return nil
    }
  }

  private func optionalText(
    _ value: TemplateValue?, _ name: String
  ) throws(ChatTemplateError) -> String? {
    switch value {
    case nil, .null?: return nil
    case .string(let text)?: return text
    case let value?: throw failure("`\(name)` with \(value.typeName)")
    }
  }

  private func text(
    _ value: TemplateValue?, _ name: String
  ) throws(ChatTemplateError) -> String {
    guard let text = try optionalText(value, name) else {
      throw failure("`\(name)` without a string")
    }
    return text
  }

  /// `startswith` and `endswith` take one string or several.
  private func affixes(
    _ arguments: TemplateArguments, _ name: String, _ holds: (String) -> Bool
  ) throws(ChatTemplateError) -> Bool {
    guard case .list(let affixes)? = arguments.positional.first else {
      return holds(try text(arguments.positional.first, name))
    }
    for affix in affixes where holds(try text(affix, name)) { return true }
    return false
  }

  private mutating func replace(
    _ text: String, _ arguments: TemplateArguments, _ name: String
  ) throws(ChatTemplateError) -> TemplateValue {
    let old = try self.text(arguments.value(0, "old"), name)
    let new = try self.text(arguments.value(1, "new"), name)
    guard !old.isEmpty else {
      throw .unsupported(line: line, construct: "`replace` of an empty string")
    }
    let parts = PythonText.split(text, old, limit: arguments.value(2, "count")?.asInteger ?? -1)
    try charge(bytes: text.utf8.count + (parts.count - 1) * new.utf8.count)
    return .string(parts.joined(separator: new))
  }

  // MARK: Filters

  mutating func filter(
    _ value: TemplateValue, _ name: String, _ arguments: TemplateArguments, _ line: Int
  ) throws(ChatTemplateError) -> TemplateValue {
    self.line = line
    switch name {
    case "default", "d":
      let isMissing = if case .undefined = value { true } else { false }
      let alsoFalse = arguments.value(1, "boolean")?.isTrue ?? false
      return isMissing || alsoFalse && !value.isTrue
        ? arguments.value(0, "default_value") ?? .string("") : value
    case "length", "count": return .integer(try length(of: value))
    case "first": return try elements(of: value).first ?? .undefined("the first of nothing")
    case "last": return try elements(of: value).last ?? .undefined("the last of nothing")
    case "list": return .list(try elements(of: value))
    case "reverse":
      let reversed = Array(try elements(of: value).reversed())
      if case .string = value { return .string(reversed.map(\.text).joined()) }
      return .list(reversed)
    case "join": return try join(value, arguments)
    case "tojson": return try json(value, arguments)
    case "int": return try integer(value, arguments)
    case "items":
      if case .undefined = value { return .list([]) }
      return try method("items", of: value, arguments)
    case "string", "safe", "trim", "upper", "lower", "capitalize", "title", "replace":
      return try textFilter(value.text, name, arguments)
    default: throw .unsupported(line: line, construct: "the filter `\(name)`")
    }
  }

  private mutating func textFilter(
    _ text: String, _ name: String, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue {
    try charge(bytes: text.utf8.count)
    switch name {
    case "string", "safe": return .string(text)
    case "trim":
      return .string(PythonText.trimmed(text, try optionalText(arguments.value(0, "chars"), name)))
    case "title":
      throw .unsupported(line: line, construct: "the filter `title`")
    default: return try method(name, of: text, arguments) ?? .string(text)
    }
  }

  private func length(of value: TemplateValue) throws(ChatTemplateError) -> Int {
    switch value {
    case .string(let text): text.unicodeScalars.count
    case .list(let elements): elements.count
    case .dictionary(let entries): entries.count
    case .undefined: 0
    default: throw failure("the length of \(value.typeName)")
    }
  }

  private mutating func join(
    _ value: TemplateValue, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue {
    guard arguments.value(1, "attribute") == nil else {
      throw .unsupported(line: line, construct: "`join` by an attribute")
    }
    let separator = arguments.value(0, "d")?.text ?? ""
    let texts = try elements(of: value).map(\.text)
    try charge(bytes: texts.reduce(0) { $0 + $1.utf8.count + separator.utf8.count })
    return .string(texts.joined(separator: separator))
  }

  private func integer(
    _ value: TemplateValue, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue {
    if let number = value.asInteger { return .integer(number) }
    switch value {
    case .double(let number):
      if let whole = Int(exactly: number.rounded(.towardZero)) { return .integer(whole) }
    case .string(let text):
      if let number = Int(PythonText.trimmed(text)) { return .integer(number) }
      if let number = Double(PythonText.trimmed(text)),
        let whole = Int(exactly: number.rounded(.towardZero))
      {
        return .integer(whole)
      }
    default: break
    }
    return arguments.value(0, "default") ?? .integer(0)
  }

  /// transformers' `tojson`: `json.dumps(value, ensure_ascii=False, indent=…)`.
  private mutating func json(
    _ value: TemplateValue, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue {
    guard arguments.positional.isEmpty, arguments.named.keys.allSatisfy({ $0 == "indent" }) else {
      throw .unsupported(line: line, construct: "`tojson` with other arguments than `indent`")
    }
    let indent = arguments.named["indent"]?.asInteger.map { max(0, min($0, 16)) }
    let text = try json(value, indent: indent, depth: 0)
    try charge(bytes: text.utf8.count)
    return .string(text)
  }

  private mutating func json(
    _ value: TemplateValue, indent: Int?, depth: Int
  ) throws(ChatTemplateError) -> String {
    try charge()
    var parts: [String] = []
    switch value {
    case .null: return "null"
    case .bool(let flag): return flag ? "true" : "false"
    case .string(let text): return PythonText.json(text)
    case .integer, .double: return value.text
    case .list(let elements):
      for element in elements {
        parts.append(try json(element, indent: indent, depth: depth + 1))
      }
      return Self.enclosed(parts, "[", "]", indent, depth)
    case .dictionary(let entries):
      for entry in entries {
        let value = try json(entry.value, indent: indent, depth: depth + 1)
        parts.append(PythonText.json(entry.key) + ": " + value)
      }
      return Self.enclosed(parts, "{", "}", indent, depth)
    case .undefined, .namespace: throw failure("`tojson` of \(value.typeName)")
    }
  }

  private static func enclosed(
    _ parts: [String], _ open: String, _ close: String, _ indent: Int?, _ depth: Int
  ) -> String {
    guard let indent, !parts.isEmpty else { return open + parts.joined(separator: ", ") + close }
    let inner = "\n" + String(repeating: " ", count: indent * (depth + 1))
    let outer = "\n" + String(repeating: " ", count: indent * depth)
    return open + inner + parts.joined(separator: "," + inner) + outer + close
  }

  // MARK: Tests

  func test(
    _ value: TemplateValue, _ name: String, _ arguments: TemplateArguments, _ line: Int
  ) throws(ChatTemplateError) -> Bool {
    switch (name, value) {
    case ("defined", .undefined): return false
    case ("defined", _): return true
    case ("undefined", .undefined): return true
    case ("none", .null), ("string", .string), ("boolean", .bool), ("mapping", .dictionary),
      ("number", .integer), ("number", .double), ("number", .bool), ("integer", .integer),
      ("float", .double), ("sequence", .string), ("sequence", .list), ("sequence", .dictionary),
      ("iterable", .string), ("iterable", .list), ("iterable", .dictionary),
      ("iterable", .undefined), ("true", .bool(true)), ("false", .bool(false)):
      return true
    case ("undefined", _), ("none", _), ("string", _), ("boolean", _), ("mapping", _),
      ("number", _), ("integer", _), ("float", _), ("sequence", _), ("iterable", _), ("true", _),
      ("false", _):
      return false
    default: return try comparisonTest(value, name, arguments, line)
    }
  }

  private func comparisonTest(
    _ value: TemplateValue, _ name: String, _ arguments: TemplateArguments, _ line: Int
  ) throws(ChatTemplateError) -> Bool {
    switch (name, arguments.positional.first) {
    case ("equalto", let other?), ("eq", let other?): return value.equals(other)
    case ("ne", let other?): return !value.equals(other)
    case ("in", let other?): return try holds(.isIn, value, other)
    case ("even", nil), ("odd", nil), ("divisibleby", .some):
      let divisor = arguments.positional.first?.asInteger ?? 2
      guard let number = value.asInteger, divisor != 0 else {
        throw .evaluation(line: line, problem: "the test `\(name)` of \(value.typeName)")
      }
      return (divisor == -1 || number % divisor == 0) != (name == "odd")
    default: throw .unsupported(line: line, construct: "the test `\(name)`")
    }
  }
}
