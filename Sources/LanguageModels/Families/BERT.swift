extension Family {
  /// BERT encoders: every token sees all others, norms after each addition (Devlin et al. 2018,
  /// arXiv 1810.04805). Its head for masked tokens is not read.
  static let bert = Family(
    modelTypes: ["bert"], architectures: [],
    checkpoint: TensorNames(
      prefixes: ["bert.", ""],
      [
        .embed: "embeddings.word_embeddings", .positions: "embeddings.position_embeddings",
        .tokenTypes: "embeddings.token_type_embeddings", .embedNorm: "embeddings.LayerNorm",
        .linear(.q): bertLayer + "attention.self.query",
        .linear(.k): bertLayer + "attention.self.key",
        .linear(.v): bertLayer + "attention.self.value",
        .linear(.o): bertLayer + "attention.output.dense",
        .attentionNorm: bertLayer + "attention.output.LayerNorm",
        .linear(.up): bertLayer + "intermediate.dense", .linear(.down): bertLayer + "output.dense",
        .mlpNorm: bertLayer + "output.LayerNorm",
      ],
      ignored: [
        "embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias",
        "cls.predictions.bias", "cls.predictions.transform.dense.weight",
        "cls.predictions.transform.dense.bias", "cls.predictions.transform.LayerNorm.weight",
        "cls.predictions.transform.LayerNorm.bias", "cls.predictions.decoder.weight",
        "cls.predictions.decoder.bias", "cls.seq_relationship.weight", "cls.seq_relationship.bias",
      ]),
    readConfig: { (config) throws(ModelFileError) in
      let dModel = try config.int("hidden_size", upTo: 1 << 20, default: 768)
      let nHeads = try config.int("num_attention_heads", upTo: 1 << 16, default: 12)
      let dHead = max(dModel / nHeads, 1)
      guard dHead * nHeads == dModel else {
        throw config.refusal("a divisor of \(dModel) under", "num_attention_heads")
      }
      var c = ModelConfiguration(
        family: "bert", nLayers: try config.int("num_hidden_layers", upTo: 1_000, default: 12),
        dModel: dModel, nHeads: nHeads, nKVHeads: nHeads, dHead: dHead,
        dMLP: try config.int("intermediate_size", upTo: 1 << 22, default: 3_072),
        dVocab: try config.int("vocab_size", upTo: 1 << 24, default: 30_522),
        contextLength: try config.int("max_position_embeddings", upTo: 1 << 24, default: 512),
        normEpsilon: Float(try config.number("layer_norm_eps", in: 1e-15...1, default: 1e-12)),
        attentionScale: 1 / Float(dHead).squareRoot())
      try config.require("position_embedding_type", .text("absolute"))
      try config.require("is_decoder", .bool(false))
      (c.norm, c.normPlacement, c.isGated) = (.layer, .after, false)
      (c.isCausal, c.hasHead) = (false, false)
      c.biases = [.q, .k, .v, .o, .up, .down]
      c.tokenTypes = try config.int("type_vocab_size", upTo: 1_000, default: 2)
      c.activation = try config.activation("hidden_act", default: "gelu")
      return c
    })

  private static let bertLayer = "encoder.layer.{i}."
}
