extension TokenizerDescription {
  /// What SentencePiece does to a text first.
  struct SentencePieceSpaces {
    var charsmap: PrecompiledCharsmap?
    /// Whether spaces at the ends go, and several become one.
    var removesExtra: Bool
    /// Whether a space goes in front.
    var addsPrefix: Bool
  }

  /// Fills in SentencePiece's steps.
  mutating func readSentencePiece(
    scores: [Double], isUnigram: Bool, unknown: Int?, fallsBackToBytes: Bool,
    spaces: SentencePieceSpaces
  ) {
    model =
      isUnigram
      ? .unigram(
        .init(
          scores: scores, unknown: unknown ?? 0, fallsBackToBytes: fallsBackToBytes,
          readsSpecial: false))
      : .bytePairs(
        .init(
          merges: .scores(scores), isByteLevel: false, fallsBackToBytes: fallsBackToBytes,
          unknown: unknown, fusesUnknown: true))
    let space: [UInt8] = [0x20]
    if let charsmap = spaces.charsmap { normalizer.steps.append(.precompiled(charsmap)) }
    if spaces.removesExtra {
      normalizer.steps += [.stripSpaces, .replaceSpaceRuns(space)]
    }
    if spaces.addsPrefix { normalizer.steps.append(.prepend(space)) }
    normalizer.steps.append(.replace(space, WordModel.marker))
    decoding = .pieces(
      replacing: [("▁", " ")], bytes: fallsBackToBytes ? .runs : .plainText,
      strip: .spaces(spaces.addsPrefix ? 1 : 0))
  }

  /// Reads a SentencePiece model, `tokenizer.model`.
  ///
  /// Control tokens in a text are found as they are in Hugging Face tokenizers. SentencePiece's file
  /// does not say what stands around a text; as llama.cpp assumes, that is the beginning token of
  /// byte-pair models and the end token of unigram models.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - addsBOS: Whether the beginning token goes in front; nil as above.
  ///   - addsEOS: Whether the end token goes after; nil as above.
  /// - Throws: ``ModelFileError`` where the file cannot be read or contradicts its format,
  ///   ``TokenizerError`` where it uses what is not implemented.
  package init(
    sentencePiece path: String, addsBOS: Bool? = nil, addsEOS: Bool? = nil
  ) throws {
    let file = try MappedFile(path: path)
    let proto = try file.withBytes { (bytes) throws(ModelFileError) in
      try SentencePieceProto(bytes, path: path)
    }
    guard [1, 2].contains(proto.modelType) else {
      throw TokenizerError.unsupported(
        path: path, field: "trainer_spec.model_type", value: "\(proto.modelType)")
    }
    if proto.suffixesSpace || !proto.escapesSpace {
      throw TokenizerError.unsupported(
        path: path,
        field: proto.suffixesSpace ? "treat_whitespace_as_suffix" : "escape_whitespaces",
        value: "\(proto.suffixesSpace)")
    }
    let types = try Tokenizer.types(proto.types, count: proto.pieces.count)
    self.init(
      tokens: proto.pieces, types: types, model: .wordPiece(prefix: "", unknown: 0, longestWord: 0))
    let isUnigram = proto.modelType == 1
    let spaces = SentencePieceSpaces(
      charsmap: try proto.charsmap(path), removesExtra: proto.removesExtraSpace,
      addsPrefix: proto.addsSpace)
    readSentencePiece(
      scores: proto.scores, isUnigram: isUnigram, unknown: types.firstIndex(of: .unknown),
      fallsBackToBytes: proto.fallsBackToBytes, spaces: spaces)
    followSentencePiece(spaces)
    bosID = proto.bosID
    eosIDs = proto.eosID.map { [$0] } ?? []
    if addsBOS ?? !isUnigram, let bosID { prefix = [bosID] }
    if addsEOS ?? isUnigram { suffix = eosIDs }
    // User-defined tokens are found in the normalised text, by the model itself.
    added = tokens.indices.filter {
      [.control, .unknown].contains(types[$0]) && !tokens[$0].isEmpty
    }.map { AddedToken(id: $0, text: Array(tokens[$0].utf8), isSpecial: true) }
  }

  /// Takes SentencePiece itself for the truth, in everything that llama.cpp, the measure for GGUF
  /// files, does in another way.
  private mutating func followSentencePiece(_ spaces: SentencePieceSpaces) {
    let userDefined = tokens.indices.filter { types[$0] == .userDefined }
    normalizer.steps = [
      .sentencePiece(
        SentencePieceNormalization(
          charsmap: spaces.charsmap,
          userDefined: ByteTrie(userDefined.map { (Array(tokens[$0].utf8), Int32($0)) }),
          removesExtra: spaces.removesExtra, addsPrefix: spaces.addsPrefix))
    ]
    if case .pieces(let replacing, let bytes, let strip) = decoding {
      decoding = .pieces(
        replacing: replacing, bytes: bytes == .runs ? .single : bytes,
        strip: spaces.removesExtra ? .onePerToken : strip)
    }
    switch model {
    case .bytePairs(var pairs):
      pairs.followsSentencePiece = true
      model = .bytePairs(pairs)
    case .unigram(var unigram):
      unigram.followsSentencePiece = true
      model = .unigram(unigram)
    case .wordPiece: break
    }
  }
}

/// The fields of SentencePiece's `ModelProto` that matter for tokenising.
struct SentencePieceProto {
  var pieces: [String] = []
  var scores: [Double] = []
  var types: [Int] = []
  var modelType = 1
  var fallsBackToBytes = false
  var suffixesSpace = false
  var addsSpace = true
  var removesExtraSpace = true
  var escapesSpace = true
  private var bos = 1
  private var eos = 2
  private var table: [UInt8] = []

  /// The ids, where the model has such a token.
  var bosID: Int? { pieces.indices.contains(bos) ? bos : nil }
  var eosID: Int? { pieces.indices.contains(eos) ? eos : nil }

  init(_ bytes: UnsafeRawBufferPointer, path: String) throws(ModelFileError) {
    var reader = ProtobufReader(bytes, path: path)
    while let field = try reader.next() {
      switch (field.number, field.value) {
      case (1, .bytes(let piece)): try readPiece(ProtobufReader(piece, path: path))
      case (2, .bytes(let spec)): try readTrainer(ProtobufReader(spec, path: path))
      case (3, .bytes(let spec)): try readNormalizer(ProtobufReader(spec, path: path))
      default: break
      }
    }
  }

  private mutating func readPiece(_ message: ProtobufReader) throws(ModelFileError) {
    var reader = message
    var (piece, score, type) = ("", 0.0, 1)
    while let field = try reader.next() {
      switch (field.number, field.value) {
      case (1, .bytes(let text)): piece = try reader.text(text)
      case (2, .fixed32(let bits)): score = Double(Float(bitPattern: bits))
      case (3, .number(let number)): type = Int(truncatingIfNeeded: number)
      default: break
      }
    }
    pieces.append(piece)
    scores.append(score)
    types.append(type)
  }

  private mutating func readTrainer(_ message: ProtobufReader) throws(ModelFileError) {
    var reader = message
    while let field = try reader.next() {
      guard case .number(let number) = field.value else { continue }
      switch field.number {
      case 3: modelType = Int(truncatingIfNeeded: number)
      case 24: suffixesSpace = number != 0
      case 35: fallsBackToBytes = number != 0
      case 41: bos = Int(truncatingIfNeeded: number)
      case 42: eos = Int(truncatingIfNeeded: number)
      default: break
      }
    }
  }

  private mutating func readNormalizer(_ message: ProtobufReader) throws(ModelFileError) {
    var reader = message
    while let field = try reader.next() {
      switch (field.number, field.value) {
      case (2, .bytes(let bytes)): table = Array(bytes)
      case (3, .number(let flag)): addsSpace = flag != 0
      case (4, .number(let flag)): removesExtraSpace = flag != 0
      case (5, .number(let flag)): escapesSpace = flag != 0
      default: break
      }
    }
  }

  /// The table of replacements, where there is one.
  func charsmap(_ path: String) throws(TokenizerError) -> PrecompiledCharsmap? {
    if table.isEmpty { return nil }
    if let map = PrecompiledCharsmap(table, byCharacter: false) { return map }
    throw .malformed(
      path: path, field: "normalizer_spec.precompiled_charsmap",
      expected: "a table of replacements", found: "\(table.count) bytes")
  }
}
