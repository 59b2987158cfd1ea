extension Family {
  /// GPT-2: learned positions, LayerNorm, one projection for queries, keys and values, weights
  /// stored `[in, out]` (Radford et al. 2019).
  static let gpt2 = Family(
    modelTypes: ["gpt2"], architectures: [],
    checkpoint: TensorNames(
      prefixes: ["transformer.", ""],
      [
        .embed: "wte", .positions: "wpe", .finalNorm: "ln_f", .unembed: "/lm_head",
        .attentionNorm: "h.{i}.ln_1", .mlpNorm: "h.{i}.ln_2",
        .linear(.qkv): "h.{i}.attn.c_attn", .linear(.o): "h.{i}.attn.c_proj",
        .linear(.up): "h.{i}.mlp.c_fc", .linear(.down): "h.{i}.mlp.c_proj",
      ],
      layouts: [
        .linear(.qkv): .transposed, .linear(.o): .transposed, .linear(.up): .transposed,
        .linear(.down): .transposed,
      ],
      // Buffers of the causal mask.
      ignored: [".attn.bias", ".attn.masked_bias"]),
    tiesByDefault: true, fusedQKV: .inTurn,
    readConfig: { (config) throws(ModelFileError) in
      let dModel = try config.int("n_embd", upTo: 1 << 20, default: 768)
      let nHeads = try config.int("n_head", upTo: 1 << 16, default: 12)
      let dHead = max(dModel / nHeads, 1)
      guard dHead * nHeads == dModel else {
        throw config.refusal("a divisor of \(dModel) under", "n_head")
      }
      var c = ModelConfiguration(
        family: "gpt2", nLayers: try config.int("n_layer", upTo: 1_000, default: 12),
        dModel: dModel, nHeads: nHeads, nKVHeads: nHeads, dHead: dHead,
        dMLP: try config.int("n_inner", upTo: 1 << 22, default: 4 * dModel),
        dVocab: try config.int("vocab_size", upTo: 1 << 24, default: 50_257),
        contextLength: try config.int("n_positions", upTo: 1 << 24, default: 1_024),
        normEpsilon: Float(try config.number("layer_norm_epsilon", in: 1e-12...1, default: 1e-5)),
        attentionScale: try config.bool("scale_attn_weights", default: true)
          ? 1 / Float(dHead).squareRoot() : 1)
      c.scalesByDepth = try config.bool("scale_attn_by_inverse_layer_idx", default: false)
      try config.require("add_cross_attention", .bool(false))
      (c.norm, c.isGated, c.biases) = (.layer, false, [.qkv, .o, .up, .down])
      c.activation = try config.activation("activation_function", default: "gelu_new")
      return c
    })
}

extension ConfigFile {
  /// The nonlinearity under `key`, by transformers' names.
  func activation(
    _ key: String, default fallback: String
  ) throws(ModelFileError) -> ModelConfiguration.Activation {
    switch try text(key, default: fallback) {
    case "silu", "swish": return .silu
    case "gelu": return .gelu
    case "gelu_new", "gelu_pytorch_tanh", "gelu_fast": return .geluTanh
    default: throw refusal("`silu`, `gelu`, `gelu_new` or `gelu_pytorch_tanh` under", key)
    }
  }
}
