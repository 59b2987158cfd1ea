/// Jinja's expressions, from the loosest binding to the tightest.
extension TemplateParser {
  /// An expression, or several with commas between them, which make a list.
  mutating func tuple(allowConditional: Bool) throws(ChatTemplateError) -> TemplateExpression {
    let first = try allowConditional ? expression() : disjunction()
    guard token.kind == .symbol(",") else { return first }
    var elements = [first]
    while take(symbol: ","), !isAtEnd {
      elements.append(try allowConditional ? expression() : disjunction())
    }
    return .list(elements)
  }

  private var isAtEnd: Bool {
    switch token.kind {
    case .endBlock, .endOutput, .symbol(")"): true
    default: false
    }
  }

  /// `a if condition else b`.
  mutating func expression() throws(ChatTemplateError) -> TemplateExpression {
    try enter()
    defer { nesting -= 1 }
    var value = try disjunction()
    while take(name: "if") {
      let condition = try disjunction()
      let otherwise = take(name: "else") ? try expression() : nil
      value = try counted(.conditional(value, condition: condition, otherwise))
    }
    return value
  }

  private mutating func disjunction() throws(ChatTemplateError) -> TemplateExpression {
    var left = try conjunction()
    while take(name: "or") { left = try counted(.or(left, conjunction())) }
    return left
  }

  private mutating func conjunction() throws(ChatTemplateError) -> TemplateExpression {
    var left = try negation()
    while take(name: "and") { left = try counted(.and(left, negation())) }
    return left
  }

  private mutating func negation() throws(ChatTemplateError) -> TemplateExpression {
    guard take(name: "not") else { return try comparison() }
    try enter()
    defer { nesting -= 1 }
    return try counted(.not(negation()))
  }

  private mutating func comparison() throws(ChatTemplateError) -> TemplateExpression {
    let left = try sum()
    var rest: [(TemplateExpression.Comparison, TemplateExpression)] = []
    while let comparison = try takeComparison() {
      rest.append((comparison, try sum()))
      nodes += 1
    }
    return rest.isEmpty ? left : try counted(.compare(left, rest))
  }

  private mutating func takeComparison() throws(ChatTemplateError)
    -> TemplateExpression.Comparison?
  {
    switch token.kind {
    case .symbol(let symbol):
      guard let comparison = TemplateExpression.Comparison(rawValue: symbol) else { return nil }
      advance()
      return comparison
    case .name("in"):
      advance()
      return .isIn
    case .name("not"):
      advance()
      if !take(name: "in") { throw unexpected("`in`") }
      return .isNotIn
    default: return nil
    }
  }

  private mutating func sum() throws(ChatTemplateError) -> TemplateExpression {
    var left = try concatenation()
    while let operation = take([.add, .subtract]) {
      left = try counted(.binary(operation, left, concatenation()))
    }
    return left
  }

  private mutating func concatenation() throws(ChatTemplateError) -> TemplateExpression {
    var left = try product()
    while take([.concatenate]) != nil {
      left = try counted(.binary(.concatenate, left, product()))
    }
    return left
  }

  private mutating func product() throws(ChatTemplateError) -> TemplateExpression {
    var left = try unary(withFilters: true)
    while let operation = take([.multiply, .floorDivide, .divide, .modulo]) {
      left = try counted(.binary(operation, left, unary(withFilters: true)))
    }
    if token.kind == .symbol("**") {
      throw .unsupported(line: line, construct: "the operator `**`")
    }
    return left
  }

  private mutating func take(
    _ operations: [TemplateExpression.Binary]
  ) -> TemplateExpression.Binary? {
    operations.first { take(symbol: $0.rawValue) }
  }

  private mutating func unary(withFilters: Bool) throws(ChatTemplateError) -> TemplateExpression {
    try enter()
    defer { nesting -= 1 }
    var value: TemplateExpression
    if take(symbol: "-") {
      value = try counted(.negate(unary(withFilters: false)))
    } else if take(symbol: "+") {
      value = try unary(withFilters: false)
    } else {
      value = try primary()
    }
    value = try postfix(value)
    return withFilters ? try filtersAndTests(value) : value
  }

  private mutating func primary() throws(ChatTemplateError) -> TemplateExpression {
    let kind = token.kind
    switch kind {
    case .name("true"), .name("True"): return literal(.bool(true))
    case .name("false"), .name("False"): return literal(.bool(false))
    case .name("none"), .name("None"): return literal(.null)
    case .name(let name):
      advance()
      return try counted(.name(name))
    case .integer(let value): return literal(.integer(value))
    case .double(let value): return literal(.double(value))
    case .string(var value):
      advance()
      while case .string(let more) = token.kind {
        value += more
        advance()
      }
      return .literal(.string(value))
    case .symbol("("):
      advance()
      if take(symbol: ")") { return .list([]) }
      let value = try tuple(allowConditional: true)
      try expect(symbol: ")")
      return value
    case .symbol("["): return try list()
    case .symbol("{"): return try dictionary()
    default: throw unexpected("a value")
    }
  }

  private mutating func literal(_ value: TemplateValue) -> TemplateExpression {
    advance()
    return .literal(value)
  }

  private mutating func list() throws(ChatTemplateError) -> TemplateExpression {
    advance()
    var elements: [TemplateExpression] = []
    while !take(symbol: "]") {
      if !elements.isEmpty { try expect(symbol: ",") }
      if take(symbol: "]") { break }
      elements.append(try expression())
    }
    return try counted(.list(elements))
  }

  private mutating func dictionary() throws(ChatTemplateError) -> TemplateExpression {
    advance()
    var elements: [(key: TemplateExpression, value: TemplateExpression)] = []
    while !take(symbol: "}") {
      if !elements.isEmpty { try expect(symbol: ",") }
      if take(symbol: "}") { break }
      let key = try expression()
      try expect(symbol: ":")
      elements.append((key, try expression()))
    }
    return try counted(.dictionary(elements))
  }

  private mutating func postfix(
    _ start: TemplateExpression
  ) throws(ChatTemplateError) -> TemplateExpression {
    var value = start
    while true {
      let line = line
      if take(symbol: ".") {
        value = try counted(attribute(of: value))
      } else if take(symbol: "[") {
        value = try counted(element(of: value))
      } else if take(symbol: "(") {
        value = try counted(.call(value, arguments(), line: line))
      } else {
        return value
      }
    }
  }

  private mutating func attribute(
    of value: TemplateExpression
  ) throws(ChatTemplateError) -> TemplateExpression {
    if case .integer(let index) = token.kind {
      advance()
      return .element(value, .literal(.integer(index)))
    }
    return .attribute(value, try name("an attribute"))
  }

  private mutating func element(
    of value: TemplateExpression
  ) throws(ChatTemplateError) -> TemplateExpression {
    var parts: [TemplateExpression?] = []
    repeat {
      let isAbsent = token.kind == .symbol(":") || token.kind == .symbol("]")
      parts.append(isAbsent ? nil : try expression())
    } while take(symbol: ":")
    try expect(symbol: "]")
    if parts.count == 1, let index = parts[0] { return .element(value, index) }
    guard (2...3).contains(parts.count) else { throw unexpected("an index") }
    return .slice(value, parts)
  }

  /// Arguments after `(`, up to and with `)`.
  private mutating func arguments() throws(ChatTemplateError) -> TemplateExpression.Arguments {
    var arguments = TemplateExpression.Arguments()
    var isFirst = true
    while !take(symbol: ")") {
      if !isFirst { try expect(symbol: ",") }
      if take(symbol: ")") { break }
      isFirst = false
      if token.kind == .symbol("**") {
        throw .unsupported(line: line, construct: "the unpacking of named arguments")
      }
      if take(symbol: "*") {
        arguments.positional.append(try counted(.unpack(expression())))
        continue
      }
      let value = try expression()
      if case .name(let name) = value, take(symbol: "=") {
        arguments.named.append((name, try expression()))
      } else {
        arguments.positional.append(value)
      }
    }
    return arguments
  }

  mutating func filtersAndTests(
    _ start: TemplateExpression
  ) throws(ChatTemplateError) -> TemplateExpression {
    var value = start
    while true {
      let line = line
      if take(symbol: "|") {
        value = try filter(of: value, line)
      } else if take(name: "is") {
        value = try test(of: value, line)
      } else if take(symbol: "(") {
        value = try counted(.call(value, arguments(), line: line))
      } else {
        return value
      }
    }
  }

  /// A filter behind its `|`, or at the start of a filter block.
  mutating func filter(
    of value: TemplateExpression, _ line: Int
  ) throws(ChatTemplateError) -> TemplateExpression {
    let name = try name("a filter")
    let arguments = take(symbol: "(") ? try arguments() : .init()
    return try counted(.filter(value, name, arguments, line: line))
  }

  private mutating func test(
    of value: TemplateExpression, _ line: Int
  ) throws(ChatTemplateError) -> TemplateExpression {
    let isNegated = take(name: "not")
    let name = try name("a test")
    var arguments = TemplateExpression.Arguments()
    if take(symbol: "(") {
      arguments = try self.arguments()
    } else if beginsTestArgument {
      arguments.positional = [try postfix(primary())]
    }
    let test = try counted(.test(value, name, arguments, line: line))
    return isNegated ? .not(test) : test
  }

  /// Whether a value follows a test's name, as in `is divisibleby 3`.
  private var beginsTestArgument: Bool {
    switch token.kind {
    case .string, .integer, .double, .symbol("["), .symbol("{"): true
    case .name(let name): !["else", "or", "and", "if", "in", "not", "is"].contains(name)
    default: false
    }
  }

  private mutating func counted(
    _ expression: TemplateExpression
  ) throws(ChatTemplateError) -> TemplateExpression {
    nodes += 1
    if nodes > Self.maxNodes {
      throw .limit(line: line, what: "an expression of more than \(Self.maxNodes) operations")
    }
    return expression
  }
}
