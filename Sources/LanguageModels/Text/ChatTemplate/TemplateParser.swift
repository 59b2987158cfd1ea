/// Reads a template's tokens into statements.
struct TemplateParser {
  /// Bounds for what is read recursively: no template may take the stack.
  static let maxNesting = 100
  static let maxNodes = 500

  private let tokens: [TemplateToken]
  private var index = 0
  var nesting = 0
  /// Operations in the expression being read.
  var nodes = 0

  init(_ tokens: [TemplateToken]) {
    self.tokens = tokens
  }

  var token: TemplateToken { tokens[index] }
  var line: Int { token.line }

  mutating func template() throws(ChatTemplateError) -> [TemplateStatement] {
    let (body, end) = try statements(until: [])
    precondition(end.isEmpty)
    return body
  }

  // MARK: Statements

  /// Statements up to a block tag in `ends`, whose name is consumed and returned; up to the end
  /// of the template where `ends` is empty.
  private mutating func statements(
    until ends: Set<String>
  ) throws(ChatTemplateError) -> ([TemplateStatement], end: String) {
    try enter()
    defer { nesting -= 1 }
    var body: [TemplateStatement] = []
    while true {
      switch token.kind {
      case .text(let text):
        body.append(.text(text))
        advance()
      case .beginOutput:
        let line = line
        advance()
        body.append(.output(try wholeExpression(), line: line))
        try expect(.endOutput, "`}}`")
      case .beginBlock:
        advance()
        let name = try name("a statement")
        if ends.contains(name) { return (body, name) }
        body += try statement(name)
      case .end where ends.isEmpty: return (body, "")
      default:
        let missing = ends.sorted().map { "`\($0)`" }.joined(separator: " or ")
        throw .syntax(line: line, problem: "no \(missing)")
      }
    }
  }

  private mutating func statement(
    _ name: String
  ) throws(ChatTemplateError) -> [TemplateStatement] {
    switch name {
    case "if": return [try conditional()]
    case "for": return [try loop()]
    case "set": return [try set()]
    case "break", "continue":
      try expectBlockEnd()
      return [name == "break" ? .break : .continue]
    case "generation":
      // transformers' mark around what the assistant says: it writes nothing itself.
      return [.scope([], try block(until: "endgeneration"), line: line)]
    case "macro": return [.macro(try macro())]
    case "with": return [try with()]
    case "filter": return [try filterBlock()]
    case "elif", "else", "endif", "endfor", "endset", "endgeneration", "endmacro", "endwith",
      "endfilter":
      throw .syntax(line: line, problem: "an unexpected `\(name)`")
    default:
      throw .unsupported(line: line, construct: "the statement `\(name)`")
    }
  }

  /// What stands between the end of this tag and the tag `end`, which is consumed.
  private mutating func block(until end: String) throws(ChatTemplateError) -> [TemplateStatement] {
    try expectBlockEnd()
    let (body, _) = try statements(until: [end])
    // Jinja lets a macro's name stand behind `endmacro`.
    if end == "endmacro", case .name = token.kind { advance() }
    try expectBlockEnd()
    return body
  }

  private mutating func macro() throws(ChatTemplateError) -> TemplateStatement.Macro {
    let name = try name("a macro's name")
    try expect(symbol: "(")
    var parameters: [(name: String, standard: TemplateExpression?)] = []
    nodes = 0
    while !take(symbol: ")") {
      if !parameters.isEmpty { try expect(symbol: ",") }
      if take(symbol: ")") { break }
      let parameter = try self.name("a parameter")
      if take(symbol: "=") {
        parameters.append((parameter, try expression()))
      } else if parameters.last?.standard != nil {
        throw .syntax(line: line, problem: "a parameter without a default behind one with it")
      } else {
        parameters.append((parameter, nil))
      }
    }
    return .init(name: name, parameters: parameters, body: try block(until: "endmacro"))
  }

  private mutating func with() throws(ChatTemplateError) -> TemplateStatement {
    let line = line
    var values: [(name: String, value: TemplateExpression)] = []
    nodes = 0
    while token.kind != .endBlock {
      if !values.isEmpty { try expect(symbol: ",") }
      let name = try name("a variable")
      try expect(symbol: "=")
      values.append((name, try expression()))
    }
    return .scope(values, try block(until: "endwith"), line: line)
  }

  private mutating func filterBlock() throws(ChatTemplateError) -> TemplateStatement {
    let line = line
    nodes = 0
    let first = try filter(of: .name(TemplateStatement.filtered), line)
    let filters = try filtersAndTests(first)
    return .filter(filters, try block(until: "endfilter"), line: line)
  }

  private mutating func conditional() throws(ChatTemplateError) -> TemplateStatement {
    var branches: [TemplateStatement.Branch] = []
    var condition: TemplateExpression? = try wholeExpression()
    while true {
      let line = line
      try expectBlockEnd()
      let (body, end) = try statements(
        until: condition == nil ? ["endif"] : ["elif", "else", "endif"])
      branches.append(.init(line: line, condition: condition, body: body))
      switch end {
      case "elif": condition = try wholeExpression()
      case "else": condition = nil
      default:
        try expectBlockEnd()
        return .conditional(branches)
      }
    }
  }

  private mutating func loop() throws(ChatTemplateError) -> TemplateStatement {
    let line = line
    let names = try targetNames()
    guard take(name: "in") else { throw .syntax(line: self.line, problem: "a loop without `in`") }
    nodes = 0
    // Without its `if`, which filters here.
    let sequence = try tuple(allowConditional: false)
    let condition = take(name: "if") ? try wholeExpression() : nil
    if take(name: "recursive") {
      throw .unsupported(line: line, construct: "a recursive loop")
    }
    try expectBlockEnd()
    let (body, end) = try statements(until: ["else", "endfor"])
    var otherwise: [TemplateStatement] = []
    if end == "else" {
      try expectBlockEnd()
      (otherwise, _) = try statements(until: ["endfor"])
    }
    try expectBlockEnd()
    return .loop(
      .init(
        line: line, names: names, sequence: sequence, condition: condition, body: body,
        otherwise: otherwise))
  }

  private mutating func set() throws(ChatTemplateError) -> TemplateStatement {
    let line = line
    let names = try targetNames()
    var target = TemplateStatement.Target.names(names)
    if names.count == 1, take(symbol: ".") {
      target = .attribute(of: names[0], try name("an attribute"))
    }
    if take(symbol: "=") {
      let value = try wholeExpression()
      try expectBlockEnd()
      return .set(target, value, line: line)
    }
    if token.kind == .symbol("|") {
      throw .unsupported(line: line, construct: "a filter on a `set` block")
    }
    try expectBlockEnd()
    let (body, _) = try statements(until: ["endset"])
    try expectBlockEnd()
    return .setBlock(target, body, line: line)
  }

  private mutating func targetNames() throws(ChatTemplateError) -> [String] {
    let isParenthesised = take(symbol: "(")
    var names = [try name("a variable")]
    while take(symbol: ",") { names.append(try name("a variable")) }
    if isParenthesised { try expect(symbol: ")") }
    return names
  }

  private mutating func wholeExpression() throws(ChatTemplateError) -> TemplateExpression {
    nodes = 0
    return try tuple(allowConditional: true)
  }

  // MARK: Tokens

  mutating func advance() {
    if index + 1 < tokens.count { index += 1 }
  }

  mutating func take(symbol: String) -> Bool {
    guard token.kind == .symbol(symbol) else { return false }
    advance()
    return true
  }

  mutating func take(name: String) -> Bool {
    guard token.kind == .name(name) else { return false }
    advance()
    return true
  }

  mutating func name(_ what: String) throws(ChatTemplateError) -> String {
    guard case .name(let name) = token.kind else { throw unexpected("\(what)") }
    advance()
    return name
  }

  mutating func expect(symbol: String) throws(ChatTemplateError) {
    if !take(symbol: symbol) { throw unexpected("`\(symbol)`") }
  }

  private mutating func expectBlockEnd() throws(ChatTemplateError) {
    try expect(.endBlock, "`%}`")
  }

  private mutating func expect(
    _ kind: TemplateToken.Kind, _ what: String
  ) throws(ChatTemplateError) {
    guard token.kind == kind else { throw unexpected(what) }
    advance()
  }

  func unexpected(_ wanted: String) -> ChatTemplateError {
    let found =
      switch token.kind {
      case .text, .end: "the end of the template"
      case .beginOutput, .beginBlock, .endOutput, .endBlock: "the end of the tag"
      case .name(let name): "`\(name)`"
      case .string: "a string"
      case .integer, .double: "a number"
      case .symbol(let symbol): "`\(symbol)`"
      }
    return .syntax(line: line, problem: "\(found) instead of \(wanted)")
  }

  /// Counts one level of nesting; the caller takes it back.
  mutating func enter() throws(ChatTemplateError) {
    nesting += 1
    if nesting > Self.maxNesting {
      throw .limit(line: line, what: "more than \(Self.maxNesting) levels of nesting")
    }
  }
}
