extension Tokenizer {
  /// Builds the tokenizer that a GGUF file carries in its metadata.
  ///
  /// - Throws: ``ModelFileError`` if the metadata is missing, of another type, or of another kind
  ///   of tokenizer; ``TokenizerError`` if it contradicts itself.
  package convenience init(_ file: GGUFFile) throws {
    try self.init(TokenizerDescription(file))
  }

  /// Builds a byte-level tokenizer from the plain values of `tokenizer.ggml.*`.
  ///
  /// - Parameters:
  ///   - tokens: `tokens`, by id.
  ///   - tokenTypes: `token_type`; empty means that all are normal.
  ///   - merges: `merges`, by rank.
  ///   - pre: `pre`, the name of the pre-tokeniser.
  ///   - bosID: `bos_token_id`.
  ///   - eosIDs: `eos_token_id` and its kind. Control tokens that end a turn by their name, such
  ///     as `<|endoftext|>`, join them.
  ///   - addsBOS: `add_bos_token`.
  /// - Throws: ``TokenizerError`` on values that contradict each other or name a pre-tokeniser
  ///   that is not implemented.
  package convenience init(
    tokens: [String], tokenTypes: [Int], merges: [String], pre: String, bosID: Int?,
    eosIDs: [Int], addsBOS: Bool
  ) throws(TokenizerError) {
    let (preTokenizer, keepsWholeWords) = try PreTokenizer.named(pre)
    var description = TokenizerDescription(
      tokens: tokens, types: try Self.types(tokenTypes, count: tokens.count),
      model: .bytePairs(
        .init(merges: .lines(merges), isByteLevel: true, keepsWholeWords: keepsWholeWords)))
    description.preTokenizer = preTokenizer
    description.decoding = .byteLevel(plainNames: true)
    (description.bosID, description.eosIDs) = (bosID, eosIDs)
    if addsBOS {
      guard let bosID else { throw .missingBOS }
      description.prefix = [bosID]
    }
    description.addSpecialTokens()
    try self.init(description)
  }
}

extension PreTokenizer {
  /// The pre-tokeniser that `tokenizer.ggml.pre` names, and whether words that are tokens stay
  /// whole.
  ///
  /// - Throws: ``TokenizerError/unsupportedPreTokenizer(name:)``: a wrong cut would give token
  ///   ids that look right and are not.
  static func named(
    _ name: String
  ) throws(TokenizerError) -> (preTokenizer: PreTokenizer, keepsWholeWords: Bool) {
    let gpt2 = Step.pattern(WordPattern(family: .gpt2))
    func gpt4(_ digits: Int, marks: Bool = false) -> [Step] {
      [.pattern(WordPattern(family: .gpt4, digits: digits, marksAreLetters: marks))]
    }
    let steps: [Step]
    switch name {
    case "gpt-2", "phi-2", "mpt", "olmo", "jais", "roberta-bpe", "exaone4": steps = [gpt2]
    case "smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b":
      steps = [.pattern(WordPattern(family: .numbers)), gpt2]
    case "llama-bpe", "llama3", "llama-v3", "dbrx", "smaug-bpe", "glm4", "chatglm-bpe", "falcon3":
      steps = gpt4(3)
    case "qwen2", "stablelm2", "deepseek-r1-qwen", "megrez", "hunyuan": steps = gpt4(1)
    case "qwen35": steps = gpt4(1, marks: true)
    case "tekken": steps = [.pattern(WordPattern(family: .gpt4o, contractions: false))]
    case "gpt-4o", "llama4": steps = [.pattern(WordPattern(family: .gpt4o, digits: 3))]
    case "deepseek-v3":
      steps = [
        .pattern(WordPattern(family: .numbers, digits: 3)),
        .pattern(WordPattern(family: .ideographs)), .pattern(WordPattern(family: .deepSeek)),
      ]
    default: throw .unsupportedPreTokenizer(name: name)
    }
    let whole = ["llama-bpe", "llama3", "llama-v3", "falcon3", "tekken", "glm4"].contains(name)
    return (PreTokenizer(steps: steps, table: .unicode15), whole)
  }
}

extension TokenizerDescription {
  /// Looks for the special tokens by name, as llama.cpp does.
  fileprivate mutating func addSpecialTokens() {
    addedOrder = .longest
    added = tokens.indices.filter { types[$0].isSpecial && !tokens[$0].isEmpty }.map {
      AddedToken(id: $0, text: Array(tokens[$0].utf8), isSpecial: types[$0] != .userDefined)
    }
  }

  /// What a GGUF file's metadata says.
  init(_ file: GGUFFile) throws {
    let model = try file.string("tokenizer.ggml.model")
    let tokens = try file.strings("tokenizer.ggml.tokens")
    let types = try Tokenizer.types(
      file.ints("tokenizer.ggml.token_type", default: []), count: tokens.count)
    self.init(
      tokens: tokens, types: types, model: .wordPiece(prefix: "", unknown: 0, longestWord: 0))
    switch model {
    case "gpt2": try readBytePairs(file)
    case "llama": try readSentencePiece(file, isUnigram: false)
    case "t5": try readSentencePiece(file, isUnigram: true)
    case "bert": try readWordPiece(file)
    default:
      throw ModelFileError.unsupported(
        .init(
          path: file.path, expected: "`tokenizer.ggml.model` as `gpt2`, `llama`, `t5` or `bert`",
          found: "`\(model.prefix(40))`", remedy: "use one of the supported models"))
    }
    eosIDs = try ["eos", "eot", "eom"].compactMap { try file.tokenID($0) }
    addSpecialTokens()
  }

  private mutating func readBytePairs(_ file: GGUFFile) throws {
    let pre = try file.string("tokenizer.ggml.pre", default: "gpt-2")
    let keepsWholeWords: Bool
    (preTokenizer, keepsWholeWords) = try PreTokenizer.named(pre)
    model = .bytePairs(
      .init(
        merges: .lines(try file.strings("tokenizer.ggml.merges")), isByteLevel: true,
        keepsWholeWords: keepsWholeWords))
    decoding = .byteLevel(plainNames: true)
    try readEnds(file, addsBOS: keepsWholeWords && pre != "glm4", addsEOS: false)
  }

  private mutating func readSentencePiece(_ file: GGUFFile, isUnigram: Bool) throws {
    let unknown = try file.tokenID("unknown")
    let scores = try file.doubles("tokenizer.ggml.scores")
    readSentencePiece(
      scores: scores, isUnigram: isUnigram, unknown: unknown,
      fallsBackToBytes: types.contains(.byte),
      spaces: .init(
        charsmap: try file.charsmap(),
        removesExtra: try file.bool(
          "tokenizer.ggml.remove_extra_whitespaces", default: false),
        addsPrefix: try file.bool("tokenizer.ggml.add_space_prefix", default: true)))
    try readEnds(file, addsBOS: !isUnigram, addsEOS: isUnigram)
  }

  private mutating func readWordPiece(_ file: GGUFFile) throws {
    // llama.cpp's converter marks the tokens that begin a word, where BERT marks the others.
    tokens = tokens.map { token in
      if token.utf8.starts(with: WordModel.marker) {
        return String(token.unicodeScalars.dropFirst())
      }
      return token.hasPrefix("[") && token.hasSuffix("]") ? token : "##" + token
    }
    model = .wordPiece(
      prefix: "##", unknown: try file.tokenID("unknown") ?? 100, longestWord: 100)
    normalizer.steps = [.bert(BertNormalization())]
    preTokenizer = PreTokenizer(steps: [.bert])
    decoding = .wordPiece(prefix: "##", cleansUp: true)
    bosID = try file.tokenID("cls") ?? file.tokenID("bos") ?? 101
    prefix = bosID.map { [$0] } ?? []
    suffix = [try file.tokenID("seperator") ?? file.tokenID("separator") ?? 102]
  }

  /// What llama.cpp puts around every text.
  private mutating func readEnds(_ file: GGUFFile, addsBOS: Bool, addsEOS: Bool) throws {
    bosID = try file.tokenID("bos")
    if try file.bool("tokenizer.ggml.add_bos_token", default: addsBOS && bosID != nil) {
      guard let bosID else { throw TokenizerError.missingBOS }
      prefix = [bosID]
    }
    if let eos = try file.tokenID("eos"),
      try file.bool("tokenizer.ggml.add_eos_token", default: addsEOS)
    {
      suffix = [eos]
    }
  }
}

extension GGUFFile {
  fileprivate func tokenID(_ name: String) throws -> Int? {
    let id = try int("tokenizer.ggml.\(name)_token_id", default: -1)
    return id == -1 ? nil : id
  }

  /// SentencePiece's table of replacements.
  fileprivate func charsmap() throws -> PrecompiledCharsmap? {
    let key = "tokenizer.ggml.precompiled_charsmap"
    let bytes = try ints(key, default: []).map { UInt8(truncatingIfNeeded: $0) }
    if bytes.isEmpty { return nil }
    guard let map = PrecompiledCharsmap(bytes, byCharacter: false) else {
      throw TokenizerError.malformed(
        path: path, field: key, expected: "a table of replacements", found: "\(bytes.count) bytes")
    }
    return map
  }
}
