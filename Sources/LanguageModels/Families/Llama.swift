extension Family {
  /// Llama 1 to 3 and Mistral: RMSNorm, rotary positions, grouped-query attention, SwiGLU (Touvron
  /// et al. 2023, arXiv 2302.13971; Jiang et al. 2023, arXiv 2310.06825).
  static let llama = Family(
    modelTypes: ["llama", "mistral"], architectures: ["llama"],
    checkpoint: .decoder(prefixes: ["model."]), gguf: .ggufDecoder(interleaved: true),
    readConfig: { (config) throws(ModelFileError) in
      let isMistral = config["model_type"] == .text("mistral")
      var c = try ModelConfiguration(decoder: config, keyHeads: isMistral ? 8 : nil)
      try config.require("hidden_act", .text("silu"))
      c.rotary = try config.rotary(width: c.dHead)
      if c.family == "mistral" {
        c.windows = try config.mistralWindows(layers: c.nLayers)
        return c
      }
      if try config.bool("attention_bias", default: false) { c.biases = [.q, .k, .v, .o] }
      if try config.bool("mlp_bias", default: false) { c.biases += [.gate, .up, .down] }
      return c
    },
    readMetadata: { (file) throws(ModelFileError) in
      var c = try ModelConfiguration(decoder: file, named: "llama")
      // Metadata do not say which layers add a bias; a block that differs from the first is refused.
      c.biases = c.modules.filter { module in
        let name = TensorNames.ggufDecoder(interleaved: true).stem(.linear(module), block: 0)
        return file.hasTensor("\(name ?? "").bias")
      }
      return c
    })
}

extension ConfigFile {
  /// The window holds in every block; a file that does not mention it means 4,096.
  fileprivate func mistralWindows(layers: Int) throws(ModelFileError) -> [Int?] {
    if let types = try layerTypes(layers), Set(types).count > 1 {
      throw refusal("blocks of one type under", "layer_types")
    }
    if fields["sliding_window"] == .null { return [] }
    let window = try int("sliding_window", upTo: 1 << 30, default: 4_096)
    return Array(repeating: window, count: layers)
  }
}

extension TensorNames {
  /// The names that most decoders' checkpoints share.
  static func decoder(
    prefixes: [String], more: [WeightRole: String] = [:], layouts: [WeightRole: Layout] = [:],
    mlpNorm: String = "post_attention_layernorm"
  ) -> TensorNames {
    let block = "layers.{i}."
    var names: [WeightRole: String] = [
      .embed: "embed_tokens", .finalNorm: "norm", .unembed: "/lm_head",
      .attentionNorm: block + "input_layernorm", .mlpNorm: block + mlpNorm,
    ]
    for module in LinearModule.separate { names[.linear(module)] = block + module.rawValue }
    for (role, name) in more { names[role] = block + name }
    // Old checkpoints carry the rotary frequencies, which follow from the configuration.
    return TensorNames(
      prefixes: prefixes, names, layouts: layouts, ignored: ["rotary_emb.inv_freq"])
  }

  /// The names that llama.cpp gives most decoders' weights.
  static func ggufDecoder(
    interleaved: Bool, more: [WeightRole: String] = [:]
  ) -> TensorNames {
    let block = "blk.{i}."
    var names: [WeightRole: String] = [
      .embed: "token_embd", .finalNorm: "output_norm", .unembed: "output",
      .attentionNorm: block + "attn_norm", .mlpNorm: block + "ffn_norm",
      .linear(.q): block + "attn_q", .linear(.k): block + "attn_k", .linear(.v): block + "attn_v",
      .linear(.o): block + "attn_output", .linear(.gate): block + "ffn_gate",
      .linear(.up): block + "ffn_up", .linear(.down): block + "ffn_down",
    ]
    for (role, name) in more { names[role] = block + name }
    return TensorNames(
      names,
      layouts: interleaved
        ? [.linear(.q): .interleavedHalves, .linear(.k): .interleavedHalves] : [:],
      ignored: ["rope_freqs.weight"])
  }
}

extension ModelConfiguration {
  /// What the decoders after Llama have in common in `config.json`.
  init(
    decoder config: ConfigFile, keyHeads: Int? = nil, headWidth: Int? = nil
  ) throws(ModelFileError) {
    let dModel = try config.int("hidden_size", upTo: 1 << 20)
    let nHeads = try config.int("num_attention_heads", upTo: 1 << 16)
    let dHead = try config.int(
      "head_dim", upTo: 1 << 16, default: headWidth ?? max(dModel / nHeads, 1))
    self.init(
      family: try config.text("model_type"),
      nLayers: try config.int("num_hidden_layers", upTo: 1_000), dModel: dModel, nHeads: nHeads,
      nKVHeads: try config.int("num_key_value_heads", upTo: 1 << 16, default: keyHeads ?? nHeads),
      dHead: dHead, dMLP: try config.int("intermediate_size", upTo: 1 << 22),
      dVocab: try config.int("vocab_size", upTo: 1 << 24),
      contextLength: try config.int("max_position_embeddings", upTo: 1 << 30, default: 2_048),
      normEpsilon: Float(try config.number("rms_norm_eps", in: 1e-12...1, default: 1e-6)),
      attentionScale: 1 / Float(dHead).squareRoot())
    try requireWhole(config.path)
    try config.require("partial_rotary_factor", .number(1))
    try config.require("quantization_config", .null)
  }

  /// What the decoders after Llama have in common in GGUF metadata, under `architecture`.
  init(decoder file: GGUFFile, named family: String) throws(ModelFileError) {
    let architecture = try file.string("general.architecture")
    func count(
      _ key: String, _ most: Int, default fallback: Int? = nil
    ) throws(ModelFileError) -> Int {
      let value = try file.int("\(architecture).\(key)", default: fallback)
      guard (1...most).contains(value) else {
        throw file.refusal("`\(architecture).\(key)` from 1 to \(most)", "\(value)")
      }
      return value
    }
    let dModel = try count("embedding_length", 1 << 20)
    let nHeads = try count("attention.head_count", 1 << 16)
    let dHead = try count("attention.key_length", 1 << 16, default: max(dModel / nHeads, 1))
    let width = try count("rope.dimension_count", dHead, default: dHead)
    let valueWidth = try count("attention.value_length", 1 << 16, default: dHead)
    guard valueWidth == dHead else {
      throw file.refusal("keys and values of one width", "\(dHead) and \(valueWidth)")
    }
    self.init(
      family: family, nLayers: try count("block_count", 1_000), dModel: dModel, nHeads: nHeads,
      nKVHeads: try count("attention.head_count_kv", 1 << 16, default: nHeads), dHead: dHead,
      dMLP: try count("feed_forward_length", 1 << 22),
      dVocab: try file.tensor("token_embd.weight").shape.first ?? 0,
      contextLength: try count("context_length", 1 << 30),
      normEpsilon: Float(try file.double("\(architecture).attention.layer_norm_rms_epsilon")),
      attentionScale: 1 / Float(dHead).squareRoot())
    guard normEpsilon > 0 else {
      throw file.refusal(
        "a positive `\(architecture).attention.layer_norm_rms_epsilon`", "\(normEpsilon)")
    }
    try requireWhole(file.path)
    if file.metadata["\(architecture).expert_count"] ?? .integer(0) != .integer(0) {
      throw file.refusal("no `\(architecture).expert_count`", "a mixture of experts")
    }
    rotary = try file.rotary(architecture, width: width)
  }

  /// Checks what head counts and widths have to have in common.
  func requireWhole(_ path: String) throws(ModelFileError) {
    guard nHeads % nKVHeads == 0, dHead % 2 == 0 else {
      throw .unsupported(
        .init(
          path: path, expected: "heads that divide evenly and an even head width",
          found: "\(nHeads) heads, \(nKVHeads) key heads, width \(dHead)",
          remedy: "convert the model again"))
    }
  }
}

extension GGUFFile {
  /// The error for metadata that asks for something else than `expected`.
  func refusal(_ expected: String, _ found: String) -> ModelFileError {
    .unsupported(
      .init(
        path: path, expected: expected, found: found,
        remedy: "use a model without it: it would silently be another one"))
  }
}
