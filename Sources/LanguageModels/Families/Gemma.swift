extension Family {
  /// Gemma 2 and 3: norms around attention and MLP, GeGLU, scaled embeddings, windows on most
  /// blocks; capped scores and logits (2) or normalised queries and keys (3) (arXiv 2408.00118,
  /// 2503.19786).
  static let gemma = Family(
    modelTypes: ["gemma2", "gemma3_text"], architectures: ["gemma2", "gemma3"],
    checkpoint: .decoder(
      prefixes: ["model."],
      more: gemmaNorms(
        q: "self_attn.q_norm", k: "self_attn.k_norm", attention: "post_attention_layernorm",
        mlp: "post_feedforward_layernorm"),
      layouts: Dictionary(
        uniqueKeysWithValues: [
          .finalNorm, .attentionNorm, .mlpNorm, .attentionOutNorm, .mlpOutNorm, .qNorm, .kNorm,
        ].map { ($0, .lessOne) }),
      mlpNorm: "pre_feedforward_layernorm"),
    gguf: .ggufDecoder(
      interleaved: false,
      more: gemmaNorms(
        q: "attn_q_norm", k: "attn_k_norm", attention: "post_attention_norm",
        mlp: "post_ffw_norm")),
    tiesByDefault: true,
    readConfig: { (config) throws(ModelFileError) in
      var c = try ModelConfiguration(decoder: config, keyHeads: 4, headWidth: 256)
      let isThird = c.family == "gemma3_text"
      // The reference ignores `hidden_act`, which some files carry beside this one.
      try config.require(
        "hidden_activation", .text("gelu_pytorch_tanh"), absentIsFine: config["hidden_act"] == nil)
      try config.require("use_bidirectional_attention", .bool(false))
      if try config.bool("attention_bias", default: false) { c.biases = [.q, .k, .v, .o] }
      c.contextLength = try config.int(
        "max_position_embeddings", upTo: 1 << 30, default: isThird ? 131_072 : 8_192)
      c.attentionScale = Float(
        1 / (try config.number("query_pre_attn_scalar", in: 1e-6...1e6, default: 256)).squareRoot())
      c.applyGemma()
      // Gemma 3's reference never applies it, so a file that has it is of two minds.
      if isThird { try config.require("attn_logit_softcapping", .null) }
      c.attentionSoftCap = try config.cap("attn_logit_softcapping", default: isThird ? nil : 50)
      c.logitSoftCap = try config.cap("final_logit_softcapping", default: isThird ? nil : 30)
      let pattern = try config.int("sliding_window_pattern", upTo: 1_000, default: isThird ? 6 : 2)
      let types =
        try config.layerTypes(c.nLayers)
        ?? (1...c.nLayers).map { $0 % pattern == 0 ? "full_attention" : "sliding_attention" }
      let window = try config.int("sliding_window", upTo: 1 << 30, default: 4_096)
      c.windows = types.map { $0 == "sliding_attention" ? window : nil }
      try c.setGemmaRotation(config)
      return c
    },
    readMetadata: { (file) throws(ModelFileError) in
      let architecture = try file.string("general.architecture")
      let isThird = architecture == "gemma3"
      var c = try ModelConfiguration(
        decoder: file, named: isThird ? "gemma3_text" : architecture)
      c.applyGemma()
      if !isThird {
        c.attentionSoftCap = try file.cap("gemma2.attn_logit_softcapping", default: 50)
      }
      c.logitSoftCap = try file.cap(
        "\(architecture).final_logit_softcapping", default: isThird ? nil : 30)
      // The largest of either generation divides by another width, and the file does not say so.
      if c.nLayers == (isThird ? 62 : 46) {
        c.attentionScale = 1 / (Float(c.dModel) / Float(c.nHeads)).squareRoot()
      }
      // Where the windows are is mostly known by the architecture alone.
      let pattern = try file.int(
        "\(architecture).attention.sliding_window_pattern", default: isThird ? 6 : 2)
      guard pattern > 0 else {
        throw file.refusal("a positive period of windows", "\(pattern)")
      }
      let window = try file.int("\(architecture).attention.sliding_window")
      guard window > 0 else {
        throw file.refusal("a positive `\(architecture).attention.sliding_window`", "\(window)")
      }
      c.windows = (1...c.nLayers).map { $0 % pattern == 0 ? nil : window }
      if isThird {
        // Gemma 3 scales its long-range rotation only.
        c.localRotary = Rotary(
          theta: try file.double("gemma3.rope.freq_base_swa", default: 10_000), width: c.dHead)
      }
      return c
    })

  private static func gemmaNorms(
    q: String, k: String, attention: String, mlp: String
  ) -> [WeightRole: String] {
    [.qNorm: q, .kNorm: k, .attentionOutNorm: attention, .mlpOutNorm: mlp]
  }
}

extension ModelConfiguration {
  fileprivate mutating func applyGemma() {
    normPlacement = .around
    activation = .geluTanh
    embeddingScale = Float(dModel).squareRoot()
    normalisesQK = family == "gemma3_text"
  }

  fileprivate mutating func setGemmaRotation(_ config: ConfigFile) throws(ModelFileError) {
    guard family == "gemma3_text" else {
      rotary = try config.rotary(width: dHead)
      return
    }
    // The reference overlooks the old spelling here.
    try config.object("rope_scaling")?.require("type", .null)
    rotary = try config.rotary(width: dHead, theta: 1_000_000, layerType: "full_attention")
    if let parameters = try config.object("rope_parameters") {
      for type in ["full_attention", "sliding_attention"] where parameters[type] == nil {
        throw parameters.refusal("an object under", type)
      }
      localRotary = try config.rotary(width: dHead, layerType: "sliding_attention")
    } else {
      localRotary = Rotary(
        theta: try config.number("rope_local_base_freq", in: 1.001...1e12, default: 10_000),
        width: dHead)
    }
  }
}

extension ConfigFile {
  /// A soft cap; one that is written as null is none.
  fileprivate func cap(_ key: String, default fallback: Float?) throws(ModelFileError) -> Float? {
    if fields[key] == nil { return fallback }
    return self[key] == nil ? nil : Float(try number(key, in: 1e-3...1e6))
  }
}

extension GGUFFile {
  fileprivate func cap(_ key: String, default fallback: Float?) throws(ModelFileError) -> Float? {
    guard metadata[key] != nil else { return fallback }
    let cap = Float(try double(key))
    guard cap > 0 else { throw refusal("a positive `\(key)`", "\(cap)") }
    return cap
  }
}
