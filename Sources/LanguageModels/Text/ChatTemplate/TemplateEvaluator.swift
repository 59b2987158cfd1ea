/// Runs a template.
struct TemplateEvaluator {
  enum Flow {
    case next, `break`, `continue`
  }

  /// Variables, innermost scope last; a loop's body is a scope, an `if` is none.
  private var scopes: [[String: TemplateValue]]
  /// The values behind ``TemplateValue/namespace(_:)``.
  var namespaces: [[String: TemplateValue]] = []
  /// Where the statement being run stands, for messages.
  var line = 1
  private let limits: ChatTemplate.Limits
  private let date: ChatDate?
  private var steps = 0
  /// The macros behind ``TemplateValue/macro(_:)``.
  private var macros: [TemplateStatement.Macro] = []
  /// How deep expressions, statements and macros are in each other.
  private var depth = 0

  /// Fits a stack of 8 MB even without the optimiser.
  private static let deepest = 700

  init(globals: [String: TemplateValue], limits: ChatTemplate.Limits, date: ChatDate? = nil) {
    scopes = [globals]
    self.limits = limits
    self.date = date
  }

  mutating func render(_ body: [TemplateStatement]) throws(ChatTemplateError) -> String {
    var output = ""
    _ = try run(body, &output)
    return output
  }

  // MARK: Bounds

  /// Counts a step, and the making of a text of that many bytes.
  mutating func charge(bytes: Int = 0) throws(ChatTemplateError) {
    steps += 1 + bytes / 16
    if bytes > limits.bytes { throw .limit(line: line, what: "a text of \(bytes) bytes") }
    if steps > limits.steps { throw .limit(line: line, what: "more than \(limits.steps) steps") }
  }

  /// Charges for everything in `value`: what walks it or writes it down costs that much.
  mutating func weigh(_ value: TemplateValue) throws(ChatTemplateError) {
    var bytes = 0
    try weigh(value, &bytes)
  }

  private mutating func weigh(
    _ value: TemplateValue, _ bytes: inout Int
  ) throws(ChatTemplateError) {
    try charge()
    switch value {
    case .string(let text), .marked(let text):
      try charge(bytes: text.utf8.count)
      bytes += text.utf8.count
    case .list(let elements), .generator(let elements):
      for element in elements { try weigh(element, &bytes) }
    case .dictionary(let entries):
      for entry in entries {
        bytes += entry.key.utf8.count
        try weigh(entry.value, &bytes)
      }
    default: break
    }
    if bytes > limits.bytes { throw .limit(line: line, what: "a text of \(bytes) bytes") }
  }

  /// Python's `str(value)`, its size checked before it is made.
  mutating func text(of value: TemplateValue) throws(ChatTemplateError) -> String {
    if case .string(let text) = value { return text }
    if case .generator = value {
      throw .unsupported(line: line, construct: "the text of a generator")
    }
    try weigh(value)
    return value.text
  }

  /// Counts one level of nesting; the caller takes it back with ``leave()``.
  mutating func enter() throws(ChatTemplateError) {
    depth += 1
    if depth > Self.deepest {
      throw .limit(line: line, what: "more than \(Self.deepest) levels of nesting")
    }
  }

  mutating func leave() { depth -= 1 }

  func failure(_ problem: String) -> ChatTemplateError {
    .evaluation(line: line, problem: problem)
  }

  // MARK: Variables

  func variable(_ name: String) -> TemplateValue {
    for scope in scopes.reversed() {
      if let value = scope[name] { return value }
    }
    switch name {
    case "raise_exception", "namespace", "range", "dict", "lipsum", "cycler", "joiner":
      return .function(name)
    case "strftime_now" where date != nil: return .function(name)
    default: return .undefined(name)
    }
  }

  /// transformers' function; without a date it is no more defined than in older transformers.
  func now(_ format: String) throws(ChatTemplateError) -> TemplateValue {
    guard let date else {
      throw failure("`strftime_now`, for which no date was given")
    }
    guard let text = date.formatted(format) else {
      throw .unsupported(line: line, construct: "the date format \(quoted(format))")
    }
    return .string(text)
  }

  /// Runs a macro, which sees its arguments and the template's own variables, not its caller's.
  mutating func run(
    macro index: Int, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue {
    try enter()
    defer { leave() }
    let macro = macros[index]
    let caller = scopes
    defer { scopes = [scopes[0]] + caller.dropFirst() }
    scopes = [caller[0], [:]]
    let names = macro.parameters.map(\.name)
    guard arguments.positional.count <= names.count,
      arguments.named.keys.allSatisfy({ names.dropFirst(arguments.positional.count).contains($0) })
    else { throw failure("arguments that the macro `\(macro.name)` does not take") }
    for (place, parameter) in macro.parameters.enumerated() {
      var value = arguments.value(place, parameter.name)
      if value == nil, let standard = parameter.standard { value = try evaluate(standard) }
      scopes[1][parameter.name] = value ?? .undefined(parameter.name)
    }
    var output = ""
    _ = try run(macro.body, &output)
    return .string(output)
  }

  private mutating func assign(
    _ target: TemplateStatement.Target, _ value: TemplateValue
  ) throws(ChatTemplateError) {
    switch target {
    case .names(let names): try bind(names, value)
    case .attribute(let name, let attribute):
      guard case .namespace(let index) = variable(name) else {
        throw failure("an assignment to an attribute of \(variable(name).typeName)")
      }
      namespaces[index][attribute] = value
    }
  }

  private mutating func bind(
    _ names: [String], _ value: TemplateValue
  ) throws(ChatTemplateError) {
    if names.count == 1 {
      scopes[scopes.count - 1][names[0]] = value
      return
    }
    let values = try elements(of: value)
    guard values.count == names.count else {
      throw failure("\(values.count) values for \(names.count) variables")
    }
    for (name, value) in zip(names, values) { scopes[scopes.count - 1][name] = value }
  }

  // MARK: Statements

  private mutating func run(
    _ body: [TemplateStatement], _ output: inout String
  ) throws(ChatTemplateError) -> Flow {
    for statement in body {
      let flow = try run(statement, &output)
      if flow != .next { return flow }
    }
    return .next
  }

  private mutating func run(
    _ statement: TemplateStatement, _ output: inout String
  ) throws(ChatTemplateError) -> Flow {
    try enter()
    defer { leave() }
    switch statement {
    case .text(let text): try write(text, &output)
    case .macro(let macro):
      try charge()
      macros.append(macro)
      scopes[scopes.count - 1][macro.name] = .macro(macros.count - 1)
    case .scope(let values, let body, let line):
      self.line = line
      return try run(values, body, &output)
    case .filter(let filters, let body, let line):
      self.line = line
      try write(filtered(filters, body), &output)
    case .output(let expression, let line):
      self.line = line
      try write(text(of: evaluate(expression)), &output)
    case .conditional(let branches): return try run(branches, &output)
    case .loop(let loop): return try run(loop, &output)
    case .set(let target, let expression, let line):
      self.line = line
      try assign(target, evaluate(expression))
    case .setBlock(let target, let body, let line):
      var text = ""
      let flow = try run(body, &text)
      self.line = line
      try assign(target, .string(text))
      return flow
    case .break: return .break
    case .continue: return .continue
    }
    return .next
  }

  private mutating func run(
    _ values: [(name: String, value: TemplateExpression)], _ body: [TemplateStatement],
    _ output: inout String
  ) throws(ChatTemplateError) -> Flow {
    var scope: [String: TemplateValue] = [:]
    for (name, value) in values { scope[name] = try evaluate(value) }
    scopes.append(scope)
    defer { scopes.removeLast() }
    return try run(body, &output)
  }

  private mutating func filtered(
    _ filters: TemplateExpression, _ body: [TemplateStatement]
  ) throws(ChatTemplateError) -> String {
    scopes.append([:])
    defer { scopes.removeLast() }
    var text = ""
    _ = try run(body, &text)
    scopes[scopes.count - 1][TemplateStatement.filtered] = .string(text)
    return try self.text(of: evaluate(filters))
  }

  private mutating func write(
    _ text: String, _ output: inout String
  ) throws(ChatTemplateError) {
    try charge(bytes: text.utf8.count)
    output += text
    if output.utf8.count > limits.bytes {
      throw .limit(line: line, what: "a text of more than \(limits.bytes) bytes")
    }
  }

  private mutating func run(
    _ branches: [TemplateStatement.Branch], _ output: inout String
  ) throws(ChatTemplateError) -> Flow {
    for branch in branches {
      line = branch.line
      try charge()
      guard let condition = branch.condition else { return try run(branch.body, &output) }
      if try evaluate(condition).isTrue { return try run(branch.body, &output) }
    }
    return .next
  }

  private mutating func run(
    _ loop: TemplateStatement.Loop, _ output: inout String
  ) throws(ChatTemplateError) -> Flow {
    line = loop.line
    let values = try filtered(elements(of: evaluate(loop.sequence)), loop)
    if values.isEmpty { return try run(loop.otherwise, &output) }
    scopes.append([:])
    defer { scopes.removeLast() }
    for index in values.indices {
      line = loop.line
      try charge()
      scopes[scopes.count - 1] = ["loop": Self.loopVariable(values, index)]
      try bind(loop.names, values[index])
      if try run(loop.body, &output) == .break { break }
    }
    return .next
  }

  /// The elements for which the loop's `if` holds: they alone count in `loop.index`.
  private mutating func filtered(
    _ values: [TemplateValue], _ loop: TemplateStatement.Loop
  ) throws(ChatTemplateError) -> [TemplateValue] {
    guard let condition = loop.condition else { return values }
    scopes.append([:])
    defer { scopes.removeLast() }
    var kept: [TemplateValue] = []
    for value in values {
      try charge()
      try bind(loop.names, value)
      if try evaluate(condition).isTrue { kept.append(value) }
    }
    return kept
  }

  private static func loopVariable(_ values: [TemplateValue], _ index: Int) -> TemplateValue {
    let count = values.count
    return .dictionary([
      .init(key: "index", value: .integer(index + 1)),
      .init(key: "index0", value: .integer(index)),
      .init(key: "revindex", value: .integer(count - index)),
      .init(key: "revindex0", value: .integer(count - index - 1)),
      .init(key: "first", value: .bool(index == 0)),
      .init(key: "last", value: .bool(index == count - 1)),
      .init(key: "length", value: .integer(count)),
      .init(
        key: "previtem", value: index > 0 ? values[index - 1] : .undefined("loop.previtem")),
      .init(
        key: "nextitem",
        value: index + 1 < count ? values[index + 1] : .undefined("loop.nextitem")),
    ])
  }

  /// What a loop over `value` meets.
  mutating func elements(of value: TemplateValue) throws(ChatTemplateError) -> [TemplateValue] {
    switch value {
    case .list(let elements), .generator(let elements): return elements
    case .dictionary(let entries):
      try charge(bytes: 16 * entries.count)
      return entries.map(\.keyValue)
    case .undefined: return []
    case .string(let text), .marked(let text):
      try charge(bytes: text.utf8.count * 16)
      return text.unicodeScalars.map { .string(String($0)) }
    default: throw failure("a loop over \(value.typeName)")
    }
  }
}
