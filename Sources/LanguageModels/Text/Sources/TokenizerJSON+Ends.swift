extension TokenizerJSON {
  /// How tokens become text again.
  func decoding(_ value: JSONValue?) throws -> Decoding {
    guard let value else { return .spaced }
    switch value["type"]?.string {
    case "ByteLevel": return .byteLevel(plainNames: false)
    case "WordPiece":
      return .wordPiece(
        prefix: try text(value, "prefix", "decoder"),
        cleansUp: try flag(value, "cleanup", "decoder"))
    case "Metaspace":
      let dropsFirst =
        value["prepend_scheme"]?.string.map { $0 != "never" } ?? value["add_prefix_space"]?.bool
      return .marker(try text(value, "replacement", "decoder"), dropsFirst: dropsFirst ?? true)
    case "Sequence": return try pieces(try required(value, "decoders"))
    default: throw unsupported("decoder", value)
    }
  }

  /// Replace, ByteFallback, Fuse and Strip, in this order, each where there is need.
  private func pieces(_ steps: [JSONValue]) throws -> Decoding {
    var replacing: [(String, String)] = []
    var (bytes, strip, stage) = (Decoding.ByteTokens.plainText, 0, 0)
    for (index, step) in steps.enumerated() {
      let field = "decoder.decoders[\(index)]"
      let type = step["type"]?.string ?? ""
      guard let place = ["Replace": 0, "ByteFallback": 1, "Fuse": 2, "Strip": 3][type],
        place >= stage
      else {
        // A ByteLevel that stands alone is a sequence as well.
        if steps.count == 1 { return try decoding(step) }
        throw unsupported(field, step)
      }
      stage = place
      switch type {
      case "Replace":
        guard let old = step["pattern"]?["String"]?.string, !old.isEmpty else {
          throw unsupported(field + ".pattern", step["pattern"]?["Regex"] ?? step["pattern"])
        }
        replacing.append((old, try text(step, "content", field)))
      case "ByteFallback": bytes = .runs
      case "Strip":
        strip = try stripped(
          step, field, isFused: steps[..<index].contains { $0["type"]?.string == "Fuse" })
      default: break
      }
    }
    return .pieces(replacing: replacing, bytes: bytes, strip: .spaces(strip))
  }

  private func stripped(_ step: JSONValue, _ field: String, isFused: Bool) throws -> Int {
    guard isFused, step["content"]?.string == " ", step["stop"]?.int == 0,
      let start = step["start"]?.int,
      start >= 0
    else { throw unsupported(field, step) }
    return start
  }

  /// The tokens that the post-processor puts before and after a text.
  func ends(
    _ value: JSONValue?, _ field: String, _ vocabulary: Vocabulary
  ) throws -> (prefix: [Int], suffix: [Int]) {
    guard let value else { return ([], []) }
    switch value["type"]?.string {
    case "ByteLevel": return ([], [])
    case "TemplateProcessing": return try template(value, field)
    case "BertProcessing", "RobertaProcessing":
      return ([try pairID(value, "cls", field)], [try pairID(value, "sep", field)])
    case "Sequence":
      return try required(value, "processors").enumerated().reduce(([], [])) {
        let inner = try ends($1.element, "\(field).processors[\($1.offset)]", vocabulary)
        // A later processor puts its tokens around what the earlier ones made.
        return (inner.prefix + $0.0, $0.1 + inner.suffix)
      }
    default: throw unsupported(field, value)
    }
  }

  private func template(
    _ value: JSONValue, _ field: String
  ) throws -> (prefix: [Int], suffix: [Int]) {
    var (prefix, suffix, seesText) = ([Int](), [Int](), false)
    for piece in try required(value, "single") {
      if let name = piece["Sequence"]?["id"]?.string {
        guard name == "A", !seesText else {
          throw unsupported(field + ".single", piece["Sequence"]?["id"])
        }
        seesText = true
        continue
      }
      guard let name = piece["SpecialToken"]?["id"]?.string,
        let ids = value["special_tokens"]?[name]?["ids"]?.array
      else { throw malformed(field + ".single", "known special tokens", piece) }
      for id in ids {
        guard let id = id.int else { throw malformed(field + ".special_tokens", "ids", id) }
        if seesText { suffix.append(id) } else { prefix.append(id) }
      }
    }
    guard seesText else { throw unsupported(field + ".single", value["single"]) }
    return (prefix, suffix)
  }

  private func pairID(_ value: JSONValue, _ key: String, _ field: String) throws -> Int {
    guard let id = value[key]?.array?.last?.int else {
      throw malformed("\(field).\(key)", "a token and its id", value[key])
    }
    return id
  }

  // MARK: Fields

  func required(
    _ value: JSONValue, _ key: String, default fallback: [JSONValue]? = nil
  ) throws -> [JSONValue] {
    if let elements = value[key]?.array { return elements }
    if value[key] == nil, let fallback { return fallback }
    throw malformed(key, "an array", value[key])
  }

  func flag(_ value: JSONValue, _ key: String, _ field: String) throws -> Bool {
    if let flag = value[key]?.bool { return flag }
    throw malformed("\(field).\(key)", "true or false", value[key])
  }

  func text(_ value: JSONValue, _ key: String, _ field: String) throws -> String {
    if let text = value[key]?.string { return text }
    throw malformed("\(field).\(key)", "a text", value[key])
  }

  func unsupported(_ field: String, _ value: JSONValue?) -> TokenizerError {
    .unsupported(path: path, field: field, value: value?.summary ?? "nothing")
  }

  func malformed(_ field: String, _ expected: String, _ found: JSONValue?) -> TokenizerError {
    .malformed(path: path, field: field, expected: expected, found: found?.summary ?? "nothing")
  }
}
