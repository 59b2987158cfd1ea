extension Tokenizer {
  /// Builds the tokenizer that a GGUF file carries in its metadata.
  ///
  /// - Throws: ``ModelFileError`` if the metadata is missing, of another type, or of another kind
  ///   of tokenizer; ``TokenizerError`` if it contradicts itself.
  package convenience init(_ file: GGUFFile) throws {
    let model = try file.string("tokenizer.ggml.model")
    guard model == "gpt2" else {
      throw ModelFileError.unsupported(
        .init(
          path: file.path, expected: "byte-level BPE (`tokenizer.ggml.model` = `gpt2`)",
          found: "`\(model.prefix(40))`", remedy: "use one of the supported models"))
    }
    let endings = try ["eos", "eot", "eom"].map {
      try file.int("tokenizer.ggml.\($0)_token_id", default: -1)
    }
    let bos = try file.int("tokenizer.ggml.bos_token_id", default: -1)
    try self.init(
      tokens: file.strings("tokenizer.ggml.tokens"),
      tokenTypes: file.ints("tokenizer.ggml.token_type", default: []),
      merges: file.strings("tokenizer.ggml.merges"),
      pre: file.string("tokenizer.ggml.pre", default: "gpt-2"),
      bosID: bos == -1 ? nil : bos,
      eosIDs: endings.filter { $0 != -1 },
      addsBOS: file.bool("tokenizer.ggml.add_bos_token", default: false))
  }
}
