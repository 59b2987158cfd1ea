/// Methods of strings that search, cut and ask.
extension TemplateEvaluator {
  /// The result of a method of this file; nil if the name is another's.
  mutating func searchMethod(
    _ name: String, of text: String, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue? {
    switch name {
    case "find", "rfind", "count", "removeprefix", "removesuffix":
      guard arguments.positional.count == 1 else {
        throw .unsupported(line: line, construct: "`\(name)` within a part of a string")
      }
      return try search(name, text, self.text(arguments.positional.first, name))
    case "join":
      let parts = arguments.positional.first ?? .list([])
      for part in try elements(of: parts) { _ = try self.text(part, name) }
      return try filter(parts, "join", .init(positional: [.string(text)]), line)
    case "splitlines": return .list(PythonText.lines(text).map { .string($0) })
    case "format": return try format(text, arguments)
    case "isdigit", "isnumeric", "isdecimal":
      return .bool(Self.all(text) { $0.properties.numericType == .decimal })
    case "isalpha": return .bool(Self.all(text, Self.isLetter))
    case "isalnum":
      return .bool(Self.all(text) { Self.isLetter($0) || $0.properties.numericType != nil })
    case "isspace": return .bool(Self.all(text, PythonText.isSpace))
    case "isupper", "islower":
      let other = name == "isupper" ? text.uppercased() : text.lowercased()
      let isCased = text.unicodeScalars.contains { $0.properties.isCased }
      return .bool(isCased && other.utf8.elementsEqual(text.utf8))
    default: return nil
    }
  }

  private func search(
    _ name: String, _ text: String, _ part: String
  ) throws(ChatTemplateError) -> TemplateValue {
    let (bytes, mark) = (Array(text.utf8), Array(part.utf8))
    switch name {
    case "removeprefix":
      let isThere = bytes.starts(with: mark)
      return .string(isThere ? String(decoding: bytes[mark.count...], as: UTF8.self) : text)
    case "removesuffix":
      let isThere = bytes.reversed().starts(with: mark.reversed())
      return .string(
        isThere ? String(decoding: bytes.dropLast(mark.count), as: UTF8.self) : text)
    case "count":
      guard !mark.isEmpty else { return .integer(text.unicodeScalars.count + 1) }
      return .integer(PythonText.split(text, part, limit: -1).count - 1)
    default:
      var found = PythonText.find(mark, in: bytes)
      if name == "rfind", found != nil {
        found = bytes.indices.last { bytes[$0...].starts(with: mark) } ?? bytes.count
        if mark.isEmpty { found = bytes.count }
      }
      guard let found else { return .integer(-1) }
      return .integer(String(decoding: bytes[..<found], as: UTF8.self).unicodeScalars.count)
    }
  }

  /// `str.format` with fields that are empty, a number or a name, and nothing behind them.
  private mutating func format(
    _ text: String, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue {
    var result = ""
    var next = 0
    var scalars = text.unicodeScalars[...]
    while let scalar = scalars.popFirst() {
      switch scalar {
      case "{" where scalars.first == "{", "}" where scalars.first == "}":
        scalars.removeFirst()
        result.unicodeScalars.append(scalar)
      case "{":
        guard let end = scalars.firstIndex(of: "}") else { throw failure("a `{` without its `}`") }
        let field = String(scalars[..<end])
        scalars = scalars[scalars.index(after: end)...]
        let place = field.isEmpty ? next : Int(field)
        if field.isEmpty { next += 1 }
        let written = try self.text(of: self.field(field, place, arguments))
        try charge(bytes: written.utf8.count)
        result += written
        if result.utf8.count > 16 << 20 { try charge(bytes: .max) }
      case "}": throw failure("a `}` without its `{`")
      default: result.unicodeScalars.append(scalar)
      }
    }
    return .string(result)
  }

  /// The argument that a field of `format` means, by its place or its name.
  private func field(
    _ field: String, _ place: Int?, _ arguments: TemplateArguments
  ) throws(ChatTemplateError) -> TemplateValue {
    if let place, arguments.positional.indices.contains(place) {
      return arguments.positional[place]
    }
    if let value = arguments.named[field] { return value }
    let isPlain = field.unicodeScalars.allSatisfy { Self.isLetter($0) || Self.isDigit($0) }
    guard isPlain || field.contains("_") else {
      throw .unsupported(line: line, construct: "the format \(quoted(field))")
    }
    throw failure("no value for the field \(quoted(field))")
  }

  private static func isDigit(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.numericType == .decimal
  }

  private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
    default: false
    }
  }

  private static func all(_ text: String, _ holds: (Unicode.Scalar) -> Bool) -> Bool {
    !text.isEmpty && text.unicodeScalars.allSatisfy(holds)
  }
}
