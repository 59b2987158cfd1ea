/// A call's arguments, evaluated.
struct TemplateArguments {
  var positional: [TemplateValue] = []
  var named: [String: TemplateValue] = [:]
  /// The names in the order in which they were written.
  var names: [String] = []

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
      if case .macro(let index) = variable(name) { return try run(macro: index, values) }
      return try self.function(name, values)
    default:
      let callee = try evaluate(function)
      values = try evaluate(arguments)
      self.line = line
      switch callee {
      case .macro(let index): return try run(macro: index, values)
      case .function(let name): return try self.function(name, values)
      default: throw .unsupported(line: line, construct: "a call of \(callee.typeName)")
      }
    }
  }

  private mutating func function(
    _ name: String, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue {
    switch name {
    case "raise_exception":
      throw .refused(message: arguments.positional.first?.text ?? "")
    case "strftime_now": return try now(text(arguments.positional.first, name))
    case "namespace":
      var values = arguments.named
      if case .dictionary(let entries)? = arguments.positional.first {
        for entry in entries where values[entry.key] == nil { values[entry.key] = entry.value }
      }
      try charge(bytes: 16 * values.count)
      namespaces.append(values)
      return .namespace(namespaces.count - 1)
    case "range": return try range(arguments)
    case "dict":
      let entries = arguments.names.compactMap { name in
        arguments.named[name].map { TemplateValue.Entry(key: name, value: $0) }
      }
      return try bounded(.dictionary(entries))
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
    if let value = try searchMethod(name, of: text, arguments) { return value }
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
      try charge(bytes: 4 * text.utf8.count)
      return .list(PythonText.split(text, separator, limit: limit).map { .string($0) })
    default: return nil
    }
  }

  private mutating func method(
    _ name: String, of entries: [TemplateValue.Entry], _ base: TemplateValue,
    _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue? {
    switch name {
    case "items", "keys", "values": try charge(bytes: 16 * entries.count)
    default: break
    }
    switch name {
    case "items": return .list(entries.map { .list([$0.keyValue, $0.value]) })
    case "keys": return .list(entries.map(\.keyValue))
    case "values": return .list(entries.map(\.value))
    case "get":
      guard case .string(let key)? = arguments.positional.first?.plain else {
        throw failure("`get` of a key that is no string")
      }
      return base.value(of: key) ?? arguments.value(1, "default") ?? .null
    default: return nil
    }
  }

  func optionalText(
    _ value: TemplateValue?, _ name: String
  ) throws(ChatTemplateError) -> String? {
    switch value?.plain {
    case nil, .null?: return nil
    case .string(let text)?: return text
    case let value?: throw failure("`\(name)` with \(value.typeName)")
    }
  }

  func text(
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
    try charge(bytes: 4 * text.utf8.count)
    let parts = PythonText.split(text, old, limit: arguments.value(2, "count")?.asInteger ?? -1)
    try charge(bytes: text.utf8.count + (parts.count - 1) * new.utf8.count)
    return .string(parts.joined(separator: new))
  }

  // MARK: Filters

  mutating func filter(
    _ value: TemplateValue, _ name: String, _ arguments: TemplateArguments, _ line: Int
  ) throws(ChatTemplateError) -> TemplateValue {
    self.line = line
    if value.isMarked, !Self.takesMarked.contains(name) {
      throw .unsupported(line: line, construct: "the filter `\(name)` of \(value.typeName)")
    }
    if let result = try sequenceFilter(value, name, arguments) { return result }
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
      let forwards = try elements(of: value)
      try charge(bytes: 16 * forwards.count)
      let reversed = Array(forwards.reversed())
      if case .string = value { return .string(reversed.map(\.text).joined()) }
      return .list(reversed)
    case "join": return try join(value, arguments)
    case "tojson": return try json(value, arguments)
    case "int": return try integer(value, arguments)
    case "items":
      if case .undefined = value { return .list([]) }
      return try method("items", of: value, arguments)
    case "float": return try real(value, arguments)
    case "abs":
      guard let number = value.asDouble else { throw failure("`abs` of \(value.typeName)") }
      return number < 0 ? try negate(value) : value
    case "safe": return .marked(try text(of: value))
    case "string" where value.isMarked: return value
    case "string", "trim", "upper", "lower", "capitalize", "title", "replace", "indent":
      return try textFilter(text(of: value), name, arguments)
    default: throw .unsupported(line: line, construct: "the filter `\(name)`")
    }
  }

  /// The filters that do with a marked text what they do with a plain one, or leave it marked.
  private static let takesMarked: Set = [
    "safe", "string", "default", "d", "length", "count", "tojson", "replace", "int", "float",
    "list", "first", "last", "join", "map", "select", "reject",
  ]

  private mutating func textFilter(
    _ text: String, _ name: String, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue {
    try charge(bytes: text.utf8.count)
    switch name {
    case "string": return .string(text)
    case "trim":
      return .string(PythonText.trimmed(text, try optionalText(arguments.value(0, "chars"), name)))
    case "title": return .string(PythonText.titled(text))
    case "indent": return try indented(text, arguments)
    default: return try method(name, of: text, arguments) ?? .string(text)
    }
  }

  /// Jinja's `indent`: all lines but the first, and but empty ones.
  private mutating func indented(
    _ text: String, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue {
    let pad: String
    switch arguments.value(0, "width")?.plain {
    case .string(let text)?: pad = text
    case let width:
      let count = max(0, width.map { $0.asInteger ?? 0 } ?? 4)
      try charge(bytes: count)
      pad = String(repeating: " ", count: count)
    }
    let first = arguments.value(1, "first")?.isTrue ?? false
    let blank = arguments.value(2, "blank")?.isTrue ?? false
    // As in Jinja, so that a last line end stays.
    let lines = PythonText.lines(text + "\n")
    let (added, overflow) = pad.utf8.count.multipliedReportingOverflow(by: lines.count)
    try charge(bytes: overflow ? .max : added)
    let result = lines.enumerated().map { index, line in
      index == 0 ? (first ? pad + line : line) : (line.isEmpty && !blank ? line : pad + line)
    }
    return .string(result.joined(separator: "\n"))
  }

  private mutating func length(of value: TemplateValue) throws(ChatTemplateError) -> Int {
    switch value {
    case .string(let text), .marked(let text):
      try charge(bytes: text.utf8.count)
      return text.unicodeScalars.count
    case .list(let elements): return elements.count
    case .dictionary(let entries): return entries.count
    case .undefined: return 0
    default: throw failure("the length of \(value.typeName)")
    }
  }

  private mutating func join(
    _ value: TemplateValue, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue {
    var value = value
    if let attribute = arguments.value(1, "attribute") {
      value =
        try sequenceFilter(value, "map", .init(named: ["attribute": attribute])) ?? value
    }
    let separator = try text(of: arguments.value(0, "d") ?? .string(""))
    let elements = try elements(of: value)
    try weigh(.list(elements))
    let texts = elements.map(\.text)
    try charge(bytes: texts.reduce(0) { $0 + $1.utf8.count + separator.utf8.count })
    return .string(texts.joined(separator: separator))
  }

  private func integer(
    _ value: TemplateValue, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue {
    if let number = value.asInteger { return .integer(number) }
    switch value.plain {
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

  private func real(
    _ value: TemplateValue, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue {
    if let number = value.asDouble { return .double(number) }
    if case .string(let text) = value.plain, let number = Double(PythonText.trimmed(text)) {
      return .double(number)
    }
    return arguments.value(0, "default") ?? .double(0)
  }

  /// transformers' `tojson`: `json.dumps(value, ensure_ascii=False, indent=…)`.
  private mutating func json(
    _ value: TemplateValue, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue {
    let known: Set = ["indent", "ensure_ascii", "sort_keys"]
    guard arguments.positional.count <= 2, known.isSuperset(of: arguments.named.keys) else {
      throw .unsupported(
        line: line,
        construct: "`tojson` with other arguments than `ensure_ascii`, `indent` and `sort_keys`")
    }
    try weigh(value)
    let style = JSONStyle(
      indent: arguments.value(1, "indent")?.asInteger.map { max(0, min($0, 16)) },
      isASCII: arguments.value(0, "ensure_ascii")?.isTrue ?? false,
      isSorted: arguments.named["sort_keys"]?.isTrue ?? false)
    let text = try json(value, style, depth: 0)
    try charge(bytes: text.utf8.count)
    return .string(text)
  }

  private struct JSONStyle {
    var indent: Int?
    var isASCII: Bool
    var isSorted: Bool
  }

  private mutating func json(
    _ value: TemplateValue, _ style: JSONStyle, depth: Int
  ) throws(ChatTemplateError) -> String {
    try charge(bytes: (style.indent ?? 0) * depth)
    var parts: [String] = []
    switch value {
    case .null: return "null"
    case .bool(let flag): return flag ? "true" : "false"
    case .string(let text), .marked(let text): return PythonText.json(text, isASCII: style.isASCII)
    case .integer, .double: return value.text
    case .list(let elements):
      for element in elements { parts.append(try json(element, style, depth: depth + 1)) }
      return Self.enclosed(parts, "[", "]", style.indent, depth)
    case .dictionary(var entries):
      if style.isSorted { entries.sort { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) } }
      for entry in entries {
        let value = try json(entry.value, style, depth: depth + 1)
        parts.append(PythonText.json(entry.key, isASCII: style.isASCII) + ": " + value)
      }
      return Self.enclosed(parts, "{", "}", style.indent, depth)
    case .undefined, .generator, .namespace, .macro, .function:
      throw failure("`tojson` of \(value.typeName)")
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

  mutating func test(
    _ value: TemplateValue, _ name: String, _ arguments: TemplateArguments, _ line: Int
  ) throws(ChatTemplateError) -> Bool {
    switch (name, value.plain) {
    case ("defined", .undefined): return false
    case ("defined", _): return true
    case ("undefined", .undefined): return true
    case ("none", .null), ("string", .string), ("boolean", .bool), ("mapping", .dictionary),
      ("number", .integer), ("number", .double), ("number", .bool), ("integer", .integer),
      ("float", .double), ("sequence", .string), ("sequence", .list), ("sequence", .dictionary),
      ("iterable", .string), ("iterable", .list), ("iterable", .dictionary),
      ("iterable", .undefined), ("iterable", .generator), ("true", .bool(true)),
      ("false", .bool(false)):
      return true
    case ("undefined", _), ("none", _), ("string", _), ("boolean", _), ("mapping", _),
      ("number", _), ("integer", _), ("float", _), ("sequence", _), ("iterable", _), ("true", _),
      ("false", _):
      return false
    default: return try comparisonTest(value, name, arguments, line)
    }
  }

  private mutating func comparisonTest(
    _ value: TemplateValue, _ name: String, _ arguments: TemplateArguments, _ line: Int
  ) throws(ChatTemplateError) -> Bool {
    switch (name, arguments.positional.first) {
    case ("equalto", let other?), ("eq", let other?), ("sameas", let other?):
      return try holds(.equal, value, other)
    case ("ne", let other?): return try holds(.notEqual, value, other)
    case ("gt", let other?), ("greaterthan", let other?): return try holds(.greater, value, other)
    case ("ge", let other?): return try holds(.greaterOrEqual, value, other)
    case ("lt", let other?), ("lessthan", let other?): return try holds(.less, value, other)
    case ("le", let other?): return try holds(.lessOrEqual, value, other)
    case ("in", let other?): return try holds(.isIn, value, other)
    case ("callable", nil):
      switch value {
      case .macro, .function: return true
      default: return false
      }
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
