extension Family {
  /// GPT-NeoX, Pythia's family: LayerNorm, attention and MLP side by side, a part of each head
  /// rotated (Black et al. 2022, arXiv 2204.06745; Biderman et al. 2023, arXiv 2304.01373).
  static let neoX = Family(
    modelTypes: ["gpt_neox"], architectures: [],
    checkpoint: TensorNames(
      prefixes: ["gpt_neox.", ""],
      [
        .embed: "embed_in", .finalNorm: "final_layer_norm", .unembed: "/embed_out",
        .attentionNorm: "layers.{i}.input_layernorm",
        .mlpNorm: "layers.{i}.post_attention_layernorm",
        .linear(.qkv): "layers.{i}.attention.query_key_value",
        .linear(.o): "layers.{i}.attention.dense",
        .linear(.up): "layers.{i}.mlp.dense_h_to_4h",
        .linear(.down): "layers.{i}.mlp.dense_4h_to_h",
      ],
      // Buffers of the causal mask and the rotation.
      ignored: [".attention.bias", ".attention.masked_bias", ".rotary_emb.inv_freq"],
      aliases: ["lm_head": "embed_out"]),
    fusedQKV: .byHead,
    readConfig: { (config) throws(ModelFileError) in
      let dModel = try config.int("hidden_size", upTo: 1 << 20, default: 6_144)
      let nHeads = try config.int("num_attention_heads", upTo: 1 << 16, default: 64)
      let dHead = max(dModel / nHeads, 1)
      guard dHead * nHeads == dModel else {
        throw config.refusal("a divisor of \(dModel) under", "num_attention_heads")
      }
      var c = ModelConfiguration(
        family: "gpt_neox", nLayers: try config.int("num_hidden_layers", upTo: 1_000, default: 44),
        dModel: dModel, nHeads: nHeads, nKVHeads: nHeads, dHead: dHead,
        dMLP: try config.int("intermediate_size", upTo: 1 << 22, default: 24_576),
        dVocab: try config.int("vocab_size", upTo: 1 << 24, default: 50_432),
        contextLength: try config.int("max_position_embeddings", upTo: 1 << 30, default: 2_048),
        normEpsilon: Float(try config.number("layer_norm_eps", in: 1e-12...1, default: 1e-5)),
        attentionScale: 1 / Float(dHead).squareRoot())
      (c.norm, c.isGated, c.biases) = (.layer, false, [.up, .down])
      if try config.bool("attention_bias", default: true) { c.biases += [.qkv, .o] }
      c.isParallel = try config.bool("use_parallel_residual", default: true)
      c.activation = try config.activation("hidden_act", default: "gelu")
      c.rotary = try config.neoXRotary(dHead: dHead)
      return c
    })
}

extension ConfigFile {
  /// Old files say `rotary_pct` and `rotary_emb_base`, new ones `rope_parameters`.
  fileprivate func neoXRotary(dHead: Int) throws(ModelFileError) -> Rotary {
    let parameters = try object("rope_parameters") ?? self
    let key = parameters["partial_rotary_factor"] == nil ? "rotary_pct" : "partial_rotary_factor"
    let holder = key == "rotary_pct" ? self : parameters
    let share = try holder.number(key, in: 1e-3...1, default: 0.25)
    let width = Int(Double(dHead) * share)
    guard width >= 2, width % 2 == 0 else {
      throw holder.refusal("a share that rotates an even number of elements under", key)
    }
    let base = try number("rotary_emb_base", in: 1.001...1e12, default: 10_000)
    // The reference does not read it here.
    try require("rope_theta", .number(base))
    return try rotary(width: width, theta: base)
  }
}
