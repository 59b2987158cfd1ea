/// A template's expressions.
indirect enum TemplateExpression: Sendable {
  struct Arguments: Sendable {
    var positional: [TemplateExpression] = []
    var named: [(name: String, value: TemplateExpression)] = []
  }

  enum Binary: String, Sendable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case floorDivide = "//"
    case modulo = "%"
    case concatenate = "~"
  }

  enum Comparison: String, Sendable {
    case equal = "=="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case isIn = "in"
    case isNotIn = "not in"
  }

  case literal(TemplateValue)
  case name(String)
  case list([TemplateExpression])
  case dictionary([(key: TemplateExpression, value: TemplateExpression)])
  case attribute(TemplateExpression, String)
  case element(TemplateExpression, TemplateExpression)
  case slice(TemplateExpression, [TemplateExpression?])
  /// `*value` among arguments.
  case unpack(TemplateExpression)
  case call(TemplateExpression, Arguments, line: Int)
  case filter(TemplateExpression, String, Arguments, line: Int)
  case test(TemplateExpression, String, Arguments, line: Int)
  case negate(TemplateExpression)
  case not(TemplateExpression)
  case and(TemplateExpression, TemplateExpression)
  case or(TemplateExpression, TemplateExpression)
  case binary(Binary, TemplateExpression, TemplateExpression)
  case compare(TemplateExpression, [(Comparison, TemplateExpression)])
  case conditional(TemplateExpression, condition: TemplateExpression, TemplateExpression?)
}

/// A template's statements, each with the line where it begins.
indirect enum TemplateStatement: Sendable {
  enum Target: Sendable {
    case names([String])
    case attribute(of: String, String)
  }

  /// The name under which a filter block's text reaches its filters: none that a template can write.
  static let filtered = "filter block"

  struct Branch: Sendable {
    var line: Int
    /// nil for `else`.
    var condition: TemplateExpression?
    var body: [TemplateStatement]
  }

  struct Loop: Sendable {
    var line: Int
    var names: [String]
    var sequence: TemplateExpression
    var condition: TemplateExpression?
    var body: [TemplateStatement]
    var otherwise: [TemplateStatement]
  }

  struct Macro: Sendable {
    var name: String
    var parameters: [(name: String, standard: TemplateExpression?)]
    var body: [TemplateStatement]
  }

  case text(String)
  case macro(Macro)
  /// A body with variables of its own: `with`, and `generation`, which transformers runs as a call.
  case scope([(name: String, value: TemplateExpression)], [TemplateStatement], line: Int)
  /// A body whose text goes through filters; its first operand is ``filtered``.
  case filter(TemplateExpression, [TemplateStatement], line: Int)
  case output(TemplateExpression, line: Int)
  case conditional([Branch])
  case loop(Loop)
  case set(Target, TemplateExpression, line: Int)
  case setBlock(Target, [TemplateStatement], line: Int)
  case `break`
  case `continue`
}
