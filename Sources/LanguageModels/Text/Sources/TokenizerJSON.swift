/// Reads a `tokenizer.json`; every part that is not implemented is an error that names it.
struct TokenizerJSON {
  let path: String

  /// The description in the file at ``path``; the tokens of `bos`, `eos` are not part of it.
  func description() throws -> TokenizerDescription {
    let root = try JSONValue(path: path)
    guard let model = root["model"] else { throw malformed("model", "an object", nil) }
    let vocabulary = try vocabulary(model, try required(root, "added_tokens", default: []))
    var description = TokenizerDescription(
      tokens: vocabulary.tokens, types: vocabulary.types,
      model: try self.model(model, vocabulary))
    description.added = vocabulary.added
    description.normalizer.steps = try normalizer(root["normalizer"], "normalizer")
    description.preTokenizer.steps = try preTokenizer(root["pre_tokenizer"], "pre_tokenizer")
    if case .bytePairs(var pairs) = description.model {
      pairs.isByteLevel = isByteLevel(root["pre_tokenizer"])
      description.model = .bytePairs(pairs)
    }
    description.decoding = try decoding(root["decoder"])
    (description.prefix, description.suffix) = try ends(
      root["post_processor"], "post_processor", vocabulary)
    return description
  }

  // MARK: Vocabulary

  /// What `model.vocab` and `added_tokens` say together.
  struct Vocabulary {
    var tokens: [String] = []
    var types: [Tokenizer.TokenType] = []
    var scores: [Double] = []
    var added: [AddedToken] = []
    /// How many tokens the model itself has.
    var modelSize = 0

    /// The id of `text`, byte by byte.
    func id(_ text: String) -> Int? { tokens.firstIndex { $0.utf8.elementsEqual(text.utf8) } }

    mutating func set(_ id: Int, _ text: String, _ type: Tokenizer.TokenType) {
      while tokens.count <= id {
        tokens.append("")
        types.append(.unused)
        scores.append(0)
      }
      (tokens[id], types[id]) = (text, type)
    }
  }

  private func vocabulary(_ model: JSONValue, _ added: [JSONValue]) throws -> Vocabulary {
    var vocabulary = Vocabulary()
    switch model["vocab"] {
    case .object(let members):
      // As many ids without a token as there are tokens, at most: nothing is sized by a number alone.
      let limit = 2 * (members.count + added.count) + 1024
      for (text, value) in members {
        guard let id = value.int, (0..<limit).contains(id) else {
          throw malformed("model.vocab", "ids below \(limit)", value)
        }
        vocabulary.set(id, text, .normal)
      }
    case .array(let entries):
      for entry in entries {
        guard let pair = entry.array, pair.count == 2, let text = pair[0].string,
          let score = pair[1].double
        else { throw malformed("model.vocab", "pairs of a token and its score", entry) }
        vocabulary.set(vocabulary.tokens.count, text, .normal)
        vocabulary.scores[vocabulary.tokens.count - 1] = score
      }
    case let other: throw malformed("model.vocab", "an object or an array", other)
    }
    vocabulary.modelSize = vocabulary.types.count { $0 != .unused }
    for token in added {
      try add(token, to: &vocabulary, limit: 2 * vocabulary.tokens.count + added.count + 1024)
    }
    return vocabulary
  }

  private func add(_ token: JSONValue, to vocabulary: inout Vocabulary, limit: Int) throws {
    guard let id = token["id"]?.int, (0..<limit).contains(id), let text = token["content"]?.string
    else { throw malformed("added_tokens", "tokens with an id below \(limit) and a text", token) }
    let isSpecial = token["special"]?.bool ?? false
    if id < vocabulary.tokens.count, !vocabulary.tokens[id].isEmpty,
      !vocabulary.tokens[id].utf8.elementsEqual(text.utf8)
    {
      throw malformed(
        "added_tokens", "\(vocabulary.tokens[id].prefix(40)) as token \(id)", token["content"])
    }
    try checkNew(id, text, vocabulary)
    vocabulary.set(id, text, isSpecial ? .control : .userDefined)
    if text.isEmpty { return }
    vocabulary.added.append(
      AddedToken(
        id: id, text: Array(text.utf8), isSpecial: isSpecial,
        isNormalized: token["normalized"]?.bool ?? !isSpecial,
        isWord: token["single_word"]?.bool ?? false, takesLeft: token["lstrip"]?.bool ?? false,
        takesRight: token["rstrip"]?.bool ?? false))
  }

  /// Hugging Face tokenizers numbers tokens that the model lacks itself, and only warns where the
  /// file says another number.
  private func checkNew(_ id: Int, _ text: String, _ vocabulary: Vocabulary) throws {
    if id < vocabulary.tokens.count, !vocabulary.tokens[id].isEmpty { return }
    let next = max(vocabulary.modelSize, (vocabulary.added.map(\.id).max() ?? -1) + 1)
    guard id == next else {
      throw malformed("added_tokens", "\(next) as the id of \(text.prefix(40))", .integer(id))
    }
  }

  // MARK: Model

  private func model(
    _ model: JSONValue, _ vocabulary: Vocabulary
  ) throws -> TokenizerDescription.Model {
    // Old files leave the type out where the merges give it away.
    switch model["type"]?.string ?? (model["merges"] == nil ? "" : "BPE") {
    case "BPE": return .bytePairs(try bytePairs(model, vocabulary))
    case "Unigram":
      guard let unknown = model["unk_id"]?.int else {
        throw malformed("model.unk_id", "an id", model["unk_id"])
      }
      return .unigram(
        .init(
          scores: vocabulary.scores, unknown: unknown,
          fallsBackToBytes: model["byte_fallback"]?.bool ?? false, readsSpecial: true))
    case "WordPiece":
      guard let text = model["unk_token"]?.string, let unknown = vocabulary.id(text) else {
        throw malformed("model.unk_token", "a token of the vocabulary", model["unk_token"])
      }
      return .wordPiece(
        prefix: model["continuing_subword_prefix"]?.string ?? "##", unknown: unknown,
        longestWord: model["max_input_chars_per_word"]?.int ?? 100)
    default: throw unsupported("model.type", model["type"])
    }
  }

  private func bytePairs(
    _ model: JSONValue, _ vocabulary: Vocabulary
  ) throws -> TokenizerDescription.BytePairs {
    if let dropout = model["dropout"], dropout.double != 0 {
      throw unsupported("model.dropout", dropout)
    }
    for field in ["continuing_subword_prefix", "end_of_word_suffix"] {
      if let value = model[field], value.string != "" { throw unsupported("model.\(field)", value) }
    }
    var unknown: Int?
    if let value = model["unk_token"] {
      guard let text = value.string, let id = vocabulary.id(text) else {
        throw malformed("model.unk_token", "a token of the vocabulary", value)
      }
      unknown = id
    }
    return .init(
      merges: try merges(try required(model, "merges")), isByteLevel: false,
      fallsBackToBytes: model["byte_fallback"]?.bool ?? false, unknown: unknown,
      fusesUnknown: model["fuse_unk"]?.bool ?? false,
      keepsWholeWords: model["ignore_merges"]?.bool ?? false)
  }

  private func merges(
    _ entries: [JSONValue]
  ) throws -> TokenizerDescription.BytePairs.Merges {
    if case .array? = entries.first {
      return .pairs(
        try entries.map { entry in
          guard let pair = entry.array, pair.count == 2, let left = pair[0].string,
            let right = pair[1].string
          else { throw malformed("model.merges", "pairs of tokens", entry) }
          return (left, right)
        })
    }
    return .lines(
      try entries.map { entry in
        guard let line = entry.string else { throw malformed("model.merges", "lines", entry) }
        return line
      })
  }

  // MARK: Normaliser

  private func normalizer(_ value: JSONValue?, _ field: String) throws -> [Normalizer.Step] {
    guard let value else { return [] }
    switch value["type"]?.string {
    case "Sequence":
      return try required(value, "normalizers").enumerated().flatMap {
        try normalizer($1, "\(field).normalizers[\($0)]")
      }
    case "NFC": return [.form(.nfc)]
    case "NFD": return [.form(.nfd)]
    case "NFKC": return [.form(.nfkc)]
    case "NFKD": return [.form(.nfkd)]
    case "Lowercase": return [.lowercase]
    case "StripAccents": return [.stripAccents]
    case "Strip":
      return [
        .strip(
          left: try flag(value, "strip_left", field), right: try flag(value, "strip_right", field))
      ]
    case "Prepend": return [.prepend(Array(try text(value, "prepend", field).utf8))]
    case "Replace": return [try replacement(value, field)]
    case "BertNormalizer":
      let lowercases = try flag(value, "lowercase", field)
      return [
        .bert(
          BertNormalization(
            cleansText: try flag(value, "clean_text", field),
            spacesIdeographs: try flag(value, "handle_chinese_chars", field),
            stripsAccents: value["strip_accents"]?.bool ?? lowercases, lowercases: lowercases))
      ]
    case "Precompiled": return [try precompiled(value, field)]
    default: throw unsupported(field, value)
    }
  }

  private func replacement(_ value: JSONValue, _ field: String) throws -> Normalizer.Step {
    let new = Array(try text(value, "content", field).utf8)
    if let old = value["pattern"]?["String"]?.string, !old.isEmpty {
      return .replace(Array(old.utf8), new)
    }
    guard value["pattern"]?["Regex"]?.string == " {2,}" else {
      throw unsupported(field + ".pattern", value["pattern"]?["Regex"] ?? value["pattern"])
    }
    return .replaceSpaceRuns(new)
  }

  private func precompiled(_ value: JSONValue, _ field: String) throws -> Normalizer.Step {
    let encoded = try text(value, "precompiled_charsmap", field)
    guard let blob = Base64.decode(encoded), let map = PrecompiledCharsmap(blob, byCharacter: true)
    else {
      throw malformed(
        field + ".precompiled_charsmap", "a table of replacements", value["precompiled_charsmap"])
    }
    return .precompiled(map)
  }

  // MARK: Pre-tokeniser

  private func preTokenizer(_ value: JSONValue?, _ field: String) throws -> [PreTokenizer.Step] {
    guard let value else { return [] }
    switch value["type"]?.string {
    case "Sequence":
      return try required(value, "pretokenizers").enumerated().flatMap {
        try preTokenizer($1, "\(field).pretokenizers[\($0)]")
      }
    case "ByteLevel":
      let pattern = PreTokenizer.Step.pattern(WordPattern(family: .gpt2))
      return (try flag(value, "add_prefix_space", field) ? [.prefixSpace] : [])
        + (value["use_regex"]?.bool ?? true ? [pattern] : [])
    case "Split": return [try split(value, field)]
    case "Digits": return [.digits(single: try flag(value, "individual_digits", field))]
    case "BertPreTokenizer": return [.bert]
    case "WhitespaceSplit": return [.whiteSpace]
    case "Punctuation":
      guard value["behavior"] == nil || value["behavior"]?.string == "Isolated" else {
        throw unsupported(field + ".behavior", value["behavior"])
      }
      return [.punctuation]
    case "Metaspace": return [.marker(try marker(value, field))]
    default: throw unsupported(field, value)
    }
  }

  private func split(_ value: JSONValue, _ field: String) throws -> PreTokenizer.Step {
    let inverts = try flag(value, "invert", field)
    let behavior = try text(value, "behavior", field)
    if let delimiter = value["pattern"]?["String"]?.string, !delimiter.isEmpty {
      guard behavior == "MergedWithPrevious", !inverts else {
        throw unsupported(field + ".behavior", value["behavior"])
      }
      return .endingWith(Array(delimiter.utf8))
    }
    guard let regex = value["pattern"]?["Regex"], let text = regex.string,
      let pattern = WordPattern(regex: text)
    else { throw unsupported(field + ".pattern", value["pattern"]?["Regex"] ?? value["pattern"]) }
    // What is left out between matches is nothing, for the patterns that match everything.
    let coversAll = [.gpt2, .gpt4, .gpt4o].contains(pattern.family)
    guard behavior == "Isolated" || behavior == "Removed" && inverts && coversAll else {
      throw unsupported(field + ".behavior", value["behavior"])
    }
    return .pattern(pattern)
  }

  private func marker(_ value: JSONValue, _ field: String) throws -> PreTokenizer.Marker {
    let text = try text(value, "replacement", field)
    guard text.unicodeScalars.count == 1 else {
      throw malformed(field + ".replacement", "one character", value["replacement"])
    }
    let old = value["add_prefix_space"]?.bool ?? true ? "always" : "never"
    let name = value["prepend_scheme"]?.string ?? old
    guard let prefix = PreTokenizer.Marker.Prefix(rawValue: name) else {
      throw unsupported(field + ".prepend_scheme", value["prepend_scheme"])
    }
    return .init(text: Array(text.utf8), prefix: prefix, cuts: value["split"]?.bool ?? true)
  }

  private func isByteLevel(_ value: JSONValue?) -> Bool {
    if value?["type"]?.string == "ByteLevel" { return true }
    return value?["pretokenizers"]?.array?.contains { isByteLevel($0) } ?? false
  }
}
