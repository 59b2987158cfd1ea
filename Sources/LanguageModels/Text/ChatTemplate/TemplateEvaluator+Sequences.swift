/// Filters over the elements of a sequence.
extension TemplateEvaluator {
  /// The result of a filter of this file; nil if the name is another's.
  mutating func sequenceFilter(
    _ value: TemplateValue, _ name: String, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue? {
    switch name {
    // Jinja lets nothing through of what is false, be it none.
    case "map" where !value.isTrue, "select" where !value.isTrue, "reject" where !value.isTrue,
      "selectattr" where !value.isTrue, "rejectattr" where !value.isTrue:
      return .generator([])
    case "map": return try map(value, arguments)
    case "select", "reject", "selectattr", "rejectattr":
      return try select(value, name, arguments)
    case "dictsort": return try sortedByKey(value, arguments)
    case "sort":
      let attribute = try optionalText(arguments.value(2, "attribute"), name)
      let ignoresCase = !(arguments.value(1, "case_sensitive")?.isTrue ?? false)
      return .list(
        try sorted(
          elements(of: value), isReversed: arguments.value(0, "reverse")?.isTrue ?? false
        ) { (evaluator, element) throws(ChatTemplateError) in
          try evaluator.key(element, attribute, ignoresCase: ignoresCase)
        })
    case "unique": return .generator(try unique(value, arguments))
    case "min", "max":
      let all = try sorted(elements(of: value), isReversed: name == "max") {
        (evaluator, element) throws(ChatTemplateError) in
        try evaluator.key(element, nil, ignoresCase: true)
      }
      return all.first ?? .undefined("the \(name) of nothing")
    case "sum":
      var sum = TemplateValue.integer(0)
      for element in try elements(of: value) { sum = try apply(.add, sum, element) }
      return sum
    default: return nil
    }
  }

  private mutating func map(
    _ value: TemplateValue, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue {
    var result: [TemplateValue] = []
    if let attribute = arguments.named["attribute"] {
      let standard = arguments.named["default"]
      for element in try elements(of: value) {
        result.append(try part(attribute, of: element, standard: standard))
      }
      return .generator(result)
    }
    let filter = try text(arguments.positional.first, "map")
    let rest = TemplateArguments(
      positional: Array(arguments.positional.dropFirst()), named: arguments.named)
    for element in try elements(of: value) {
      try charge()
      result.append(try self.filter(element, filter, rest, line))
    }
    return .generator(result)
  }

  private mutating func select(
    _ value: TemplateValue, _ name: String, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue {
    var rest = arguments.positional[...]
    let attribute = name.hasSuffix("attr") ? rest.popFirst() : nil
    if name.hasSuffix("attr"), attribute == nil { throw failure("`\(name)` without an attribute") }
    let test = try optionalText(rest.popFirst(), name)
    let operands = TemplateArguments(positional: Array(rest))
    var result: [TemplateValue] = []
    for element in try elements(of: value) {
      try charge()
      let operand = try attribute.map { (attribute) throws(ChatTemplateError) in
        try part(attribute, of: element)
      }
      let subject = operand ?? element
      let holds =
        if let test { try self.test(subject, test, operands, line) } else { subject.isTrue }
      if holds == name.hasPrefix("select") { result.append(element) }
    }
    return .generator(result)
  }

  /// A part by its name, by its index, or by names with points between them.
  private mutating func part(
    _ path: TemplateValue, of value: TemplateValue, standard: TemplateValue? = nil
  ) throws(ChatTemplateError) -> TemplateValue {
    guard case .string(let names) = path.plain else { return try element(path, of: value) }
    var value = value
    for name in names.split(separator: ".", omittingEmptySubsequences: false) {
      let index = Int(name).map { TemplateValue.integer($0) }
      value = try element(index ?? .string(String(name)), of: value)
      if case .undefined = value, let standard { value = standard }
    }
    return value
  }

  private mutating func sortedByKey(
    _ value: TemplateValue, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue {
    guard case .dictionary(let entries) = value else {
      throw failure("`dictsort` of \(value.typeName)")
    }
    let isByValue = try optionalText(arguments.value(1, "by"), "dictsort") == "value"
    let ignoresCase = !(arguments.value(0, "case_sensitive")?.isTrue ?? false)
    let pairs = entries.map { TemplateValue.list([$0.keyValue, $0.value]) }
    let isReversed = arguments.value(2, "reverse")?.isTrue ?? false
    return .list(
      try sorted(pairs, isReversed: isReversed) { (evaluator, pair) throws(ChatTemplateError) in
        try evaluator.key(pair, nil, ignoresCase: ignoresCase, place: isByValue ? 1 : 0)
      })
  }

  private mutating func unique(
    _ value: TemplateValue, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> [TemplateValue] {
    let ignoresCase = !(arguments.value(0, "case_sensitive")?.isTrue ?? false)
    let attribute = try optionalText(arguments.value(1, "attribute"), "unique")
    var seen: [TemplateValue] = []
    var result: [TemplateValue] = []
    for element in try elements(of: value) {
      let key = try key(element, attribute, ignoresCase: ignoresCase)
      // Compared with each of those before, so each costs a step.
      try charge(bytes: 16 * seen.count)
      if !seen.contains(where: { $0.equals(key) }) {
        seen.append(key)
        result.append(element)
      }
    }
    return result
  }

  // MARK: Order

  private mutating func key(
    _ element: TemplateValue, _ attribute: String?, ignoresCase: Bool, place: Int? = nil
  ) throws(ChatTemplateError) -> TemplateValue {
    var key =
      try attribute.map { (name) throws(ChatTemplateError) in
        try part(.string(name), of: element)
      } ?? element
    if let place { key = try self.element(.integer(place), of: element) }
    try weigh(key)
    if ignoresCase, case .string(let text) = key.plain { return .string(text.lowercased()) }
    return key
  }

  /// Python's stable sort by the key of each element.
  private mutating func sorted(
    _ elements: [TemplateValue], isReversed: Bool,
    _ key: (inout TemplateEvaluator, TemplateValue) throws(ChatTemplateError) -> TemplateValue
  ) throws(ChatTemplateError) -> [TemplateValue] {
    var keys: [TemplateValue] = []
    for element in elements { keys.append(try key(&self, element)) }
    var places = Array(elements.indices)
    // Insertion by bisection: a comparison may throw, which the standard sort does not pass on typed.
    places.removeAll(keepingCapacity: true)
    for index in elements.indices {
      var (low, high) = (0, places.count)
      while low < high {
        let middle = (low + high) / 2
        try charge()
        let (new, old) = (keys[index], keys[places[middle]])
        let goesBefore = try isReversed ? holds(.greater, new, old) : holds(.less, new, old)
        if goesBefore { high = middle } else { low = middle + 1 }
      }
      try charge(bytes: places.count - low)
      places.insert(index, at: low)
    }
    return places.map { elements[$0] }
  }
}
