extension TemplateEvaluator {
  mutating func evaluate(
    _ expression: TemplateExpression
  ) throws(ChatTemplateError) -> TemplateValue {
    try charge()
    try enter()
    defer { leave() }
    switch expression {
    case .literal(let value): return value
    case .name(let name): return variable(name)
    case .unpack: throw failure("a `*` that is no argument")
    case .list(let elements): return try bounded(.list(evaluate(elements)))
    case .dictionary(let entries): return try bounded(dictionary(entries))
    case .attribute(let base, let name):
      // First, because it may make the namespace whose attribute is meant.
      let base = try evaluate(base)
      return try attribute(name, of: base)
    case .element(let base, let index): return try element(evaluate(index), of: evaluate(base))
    case .slice(let base, let bounds): return try slice(evaluate(base), bounds)
    case .call(let function, let arguments, let line):
      return try call(function, arguments, line)
    case .filter(let value, let name, let arguments, let line):
      return try filter(evaluate(value), name, evaluate(arguments), line)
    case .test(let value, let name, let arguments, let line):
      return .bool(try test(evaluate(value), name, evaluate(arguments), line))
    case .negate(let value):
      let value = try evaluate(value)
      return try negate(value)
    case .not(let value): return .bool(try !evaluate(value).isTrue)
    case .and(let left, let right):
      let value = try evaluate(left)
      return value.isTrue ? try evaluate(right) : value
    case .or(let left, let right):
      let value = try evaluate(left)
      return value.isTrue ? value : try evaluate(right)
    case .binary(let operation, let left, let right):
      return try apply(operation, evaluate(left), evaluate(right))
    case .compare(let first, let rest): return .bool(try compare(first, rest))
    case .conditional(let value, let condition, let otherwise):
      if try evaluate(condition).isTrue { return try evaluate(value) }
      guard let otherwise else { return .undefined("the inline `if` without `else`") }
      return try evaluate(otherwise)
    }
  }

  private mutating func evaluate(
    _ expressions: [TemplateExpression]
  ) throws(ChatTemplateError) -> [TemplateValue] {
    var values: [TemplateValue] = []
    for expression in expressions {
      if case .unpack(let several) = expression {
        let all = try elements(of: evaluate(several))
        try charge(bytes: 16 * all.count)
        values += all
      } else {
        values.append(try evaluate(expression))
      }
    }
    return values
  }

  mutating func evaluate(
    _ arguments: TemplateExpression.Arguments
  ) throws(ChatTemplateError) -> TemplateArguments {
    var named: [String: TemplateValue] = [:]
    for (name, value) in arguments.named { named[name] = try evaluate(value) }
    return TemplateArguments(
      positional: try evaluate(arguments.positional), named: named,
      names: arguments.named.map(\.name))
  }

  private mutating func dictionary(
    _ entries: [(key: TemplateExpression, value: TemplateExpression)]
  ) throws(ChatTemplateError) -> TemplateValue {
    var result: [TemplateValue.Entry] = []
    for (key, value) in entries {
      let (key, number): (String, Int?) =
        switch try evaluate(key).plain {
        case .string(let text): (text, nil)
        case .integer(let number): (String(number), number)
        default: throw failure("a mapping whose key is neither a string nor an integer")
        }
      let value = try evaluate(value)
      if let index = result.firstIndex(where: { $0.has(key, number) }) {
        result[index].value = value
      } else {
        result.append(.init(key: key, number: number, value: value))
      }
    }
    return .dictionary(result)
  }

  /// Refuses values nested so deeply that walking them, or freeing them, would take the stack.
  mutating func bounded(
    _ value: TemplateValue, depth: Int = 0
  ) throws(ChatTemplateError) -> TemplateValue {
    try charge()
    if depth > 64 { throw .limit(line: line, what: "a value of more than 64 levels") }
    switch value {
    case .list(let elements), .generator(let elements):
      for element in elements { _ = try bounded(element, depth: depth + 1) }
    case .dictionary(let entries):
      for entry in entries { _ = try bounded(entry.value, depth: depth + 1) }
    default: break
    }
    return value
  }

  // MARK: Parts

  private func attribute(
    _ name: String, of base: TemplateValue
  ) throws(ChatTemplateError) -> TemplateValue {
    switch base {
    case .undefined(let missing): throw failure("`.\(name)` of `\(missing)`, which is undefined")
    case .dictionary: base.value(of: name) ?? .undefined(name)
    case .namespace(let index): namespaces[index][name] ?? .undefined(name)
    default: .undefined(name)
    }
  }

  mutating func element(
    _ index: TemplateValue, of base: TemplateValue
  ) throws(ChatTemplateError) -> TemplateValue {
    switch (base, index.plain) {
    case (.marked, _):
      throw .unsupported(line: line, construct: "an element of \(base.typeName)")
    case (.undefined(let missing), _):
      throw failure("an element of `\(missing)`, which is undefined")
    case (.dictionary, .string(let key)): return base.value(of: key) ?? .undefined(key)
    case (.dictionary, .integer(let number)):
      return base.value(of: String(number), number) ?? .undefined(String(number))
    case (.namespace(let space), .string(let key)):
      return namespaces[space][key] ?? .undefined(key)
    case (.list(let elements), _):
      guard let index = index.asInteger else { return .undefined("an element") }
      let place = index < 0 ? index + elements.count : index
      return elements.indices.contains(place) ? elements[place] : .undefined("element \(index)")
    case (.string(let text), _):
      guard let index = index.asInteger else { return .undefined("an element") }
      try charge(bytes: text.utf8.count)
      let scalars = Array(text.unicodeScalars)
      let place = index < 0 ? index + scalars.count : index
      return scalars.indices.contains(place)
        ? .string(String(scalars[place])) : .undefined("element \(index)")
    default: return .undefined("an element")
    }
  }

  private mutating func slice(
    _ base: TemplateValue, _ bounds: [TemplateExpression?]
  ) throws(ChatTemplateError) -> TemplateValue {
    var parts: [Int?] = []
    for bound in bounds {
      guard let bound else {
        parts.append(nil)
        continue
      }
      let value = try evaluate(bound)
      guard let integer = value.asInteger else {
        if case .null = value {
          parts.append(nil)
          continue
        }
        throw failure("a slice bound that is \(value.typeName)")
      }
      parts.append(integer)
    }
    let step = parts.count > 2 ? parts[2] ?? 1 : 1
    guard step != 0 else { throw failure("a slice of step 0") }
    switch base {
    case .list(let elements):
      try charge(bytes: 16 * elements.count)
      return .list(Self.slice(elements, parts[0], parts[1], step))
    case .string(let text):
      try charge(bytes: 4 * text.utf8.count)
      var result = String.UnicodeScalarView()
      result.append(contentsOf: Self.slice(Array(text.unicodeScalars), parts[0], parts[1], step))
      return .string(String(result))
    default: throw failure("a slice of \(base.typeName)")
    }
  }

  /// Python's `elements[start:end:step]`.
  private static func slice<T>(_ elements: [T], _ start: Int?, _ end: Int?, _ step: Int) -> [T] {
    let count = elements.count
    let (low, high) = step > 0 ? (0, count) : (-1, count - 1)
    func place(_ bound: Int?, _ absent: Int) -> Int {
      guard let bound else { return absent }
      let (moved, _) = bound < 0 ? bound.addingReportingOverflow(count) : (bound, false)
      return min(max(moved, low), high)
    }
    let first = place(start, step > 0 ? low : high)
    let last = place(end, step > 0 ? high : low)
    return stride(from: first, to: last, by: step).map { elements[$0] }
  }

  // MARK: Operators

  func negate(_ value: TemplateValue) throws(ChatTemplateError) -> TemplateValue {
    if case .double(let number) = value { return .double(-number) }
    guard let number = value.asInteger, number != .min else {
      throw failure("`-` before \(value.typeName)")
    }
    return .integer(-number)
  }

  mutating func apply(
    _ operation: TemplateExpression.Binary, _ left: TemplateValue, _ right: TemplateValue
  ) throws(ChatTemplateError) -> TemplateValue {
    switch (operation, left, right) {
    case (.concatenate, _, _): return try join(text(of: left), text(of: right))
    case (.add, .string(let a), .string(let b)): return try join(a, b)
    case (.add, .marked(let a), .marked(let b)): return try marked(a, b)
    case (.add, .marked(let a), .string(let b)): return try marked(a, PythonText.escapedHTML(b))
    case (.add, .string(let a), .marked(let b)): return try marked(PythonText.escapedHTML(a), b)
    case (.add, .list(let a), .list(let b)):
      try charge(bytes: 16 * (a.count + b.count))
      return .list(a + b)
    case (.multiply, .string, _) where right.asInteger != nil,
      (.multiply, .list, _) where right.asInteger != nil:
      return try repeated(left, right.asInteger ?? 0)
    case (.multiply, _, .string) where left.asInteger != nil,
      (.multiply, _, .list) where left.asInteger != nil:
      return try repeated(right, left.asInteger ?? 0)
    default: break
    }
    if operation != .divide, let a = left.asInteger, let b = right.asInteger {
      return try integer(operation, a, b)
    }
    guard let a = left.asDouble, let b = right.asDouble else {
      throw failure("`\(operation.rawValue)` between \(left.typeName) and \(right.typeName)")
    }
    return .double(try double(operation, a, b))
  }

  /// Python's `value * count`, its size checked before it is made.
  private mutating func repeated(
    _ value: TemplateValue, _ count: Int
  ) throws(ChatTemplateError) -> TemplateValue {
    let size =
      switch value {
      case .string(let text): text.utf8.count
      case .list(let elements): 16 * elements.count
      default: 0
      }
    let (bytes, overflow) = size.multipliedReportingOverflow(by: max(count, 0))
    try charge(bytes: overflow ? .max : bytes)
    // Of nothing there can be any number without a cost.
    let count = size == 0 ? 0 : max(count, 0)
    switch value {
    case .string(let text): return .string(String(repeating: text, count: count))
    case .list(let elements): return .list(Array(repeatElement(elements, count: count).joined()))
    default: return value
    }
  }

  private mutating func join(_ a: String, _ b: String) throws(ChatTemplateError) -> TemplateValue {
    try charge(bytes: a.utf8.count + b.utf8.count)
    return .string(a + b)
  }

  private mutating func marked(
    _ a: String, _ b: String
  ) throws(ChatTemplateError) -> TemplateValue {
    .marked(try join(a, b).text)
  }

  private func integer(
    _ operation: TemplateExpression.Binary, _ a: Int, _ b: Int
  ) throws(ChatTemplateError) -> TemplateValue {
    let (result, overflow): (Int, Bool)
    switch operation {
    case .add: (result, overflow) = a.addingReportingOverflow(b)
    case .subtract: (result, overflow) = a.subtractingReportingOverflow(b)
    case .multiply: (result, overflow) = a.multipliedReportingOverflow(by: b)
    default:
      guard b != 0 else { throw failure("a division by zero") }
      // Python rounds towards minus infinity; Int.min // -1 is the only overflow.
      guard b != -1 else {
        (result, overflow) =
          operation == .modulo ? (0, false) : (0).subtractingReportingOverflow(a)
        break
      }
      let isBelow = a % b != 0 && (a < 0) != (b < 0)
      result = operation == .modulo ? a % b + (isBelow ? b : 0) : a / b - (isBelow ? 1 : 0)
      overflow = false
    }
    if overflow { throw failure("a number out of range") }
    return .integer(result)
  }

  private func double(
    _ operation: TemplateExpression.Binary, _ a: Double, _ b: Double
  ) throws(ChatTemplateError) -> Double {
    switch operation {
    case .add: return a + b
    case .subtract: return a - b
    case .multiply: return a * b
    default:
      guard b != 0 else { throw failure("a division by zero") }
      if operation == .divide { return a / b }
      let floor = (a / b).rounded(.down)
      return operation == .floorDivide ? floor : a - b * floor
    }
  }

  private mutating func compare(
    _ first: TemplateExpression, _ rest: [(TemplateExpression.Comparison, TemplateExpression)]
  ) throws(ChatTemplateError) -> Bool {
    var left = try evaluate(first)
    for (comparison, expression) in rest {
      let right = try evaluate(expression)
      guard try holds(comparison, left, right) else { return false }
      left = right
    }
    return true
  }

  mutating func holds(
    _ comparison: TemplateExpression.Comparison, _ left: TemplateValue, _ right: TemplateValue
  ) throws(ChatTemplateError) -> Bool {
    let (left, right) = (left.plain, right.plain)
    switch comparison {
    case .equal, .notEqual:
      // The smaller of the two bounds what is compared; either is at hand.
      try weigh(left)
      return left.equals(right) == (comparison == .equal)
    case .isIn: return try contains(right, left)
    case .isNotIn: return try !contains(right, left)
    default: break
    }
    if case .string(let a) = left, case .string(let b) = right {
      try charge(bytes: a.utf8.count + b.utf8.count)
      return Self.ordered(comparison, Array(a.utf8), Array(b.utf8)) {
        $0.lexicographicallyPrecedes($1)
      }
    }
    guard let a = left.asDouble, let b = right.asDouble else {
      throw failure("`\(comparison.rawValue)` between \(left.typeName) and \(right.typeName)")
    }
    return Self.ordered(comparison, a, b, <)
  }

  private static func ordered<T: Equatable>(
    _ comparison: TemplateExpression.Comparison, _ a: T, _ b: T, _ precedes: (T, T) -> Bool
  ) -> Bool {
    switch comparison {
    case .less: precedes(a, b)
    case .lessOrEqual: precedes(a, b) || a == b
    case .greater: precedes(b, a)
    default: precedes(b, a) || a == b
    }
  }

  private mutating func contains(
    _ container: TemplateValue, _ value: TemplateValue
  ) throws(ChatTemplateError) -> Bool {
    switch (container, value) {
    case (.list(let elements), _):
      try weigh(container)
      return elements.contains { $0.equals(value) }
    case (.dictionary, .string(let key)): return container.value(of: key) != nil
    case (.dictionary, .integer(let number)):
      return container.value(of: String(number), number) != nil
    case (.dictionary, _), (.undefined, _): return false
    case (.string(let text), .string(let part)):
      try charge(bytes: text.utf8.count + part.utf8.count)
      return PythonText.find(Array(part.utf8), in: Array(text.utf8)) != nil
    default: throw failure("`in` between \(value.typeName) and \(container.typeName)")
    }
  }
}
