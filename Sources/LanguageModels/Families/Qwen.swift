extension Family {
  /// Qwen 2, 2.5 and 3: Llama's blocks with biases on queries, keys and values (2 and 2.5) or with
  /// normalised queries and keys (3) (arXiv 2407.10671, 2505.09388).
  static let qwen = Family(
    modelTypes: ["qwen2", "qwen3"], architectures: ["qwen2", "qwen3"],
    checkpoint: .decoder(
      prefixes: ["model."], more: [.qNorm: "self_attn.q_norm", .kNorm: "self_attn.k_norm"]),
    gguf: .ggufDecoder(
      interleaved: false, more: [.qNorm: "attn_q_norm", .kNorm: "attn_k_norm"]),
    readConfig: { (config) throws(ModelFileError) in
      let isThird = config["model_type"] == .text("qwen3")
      var c = try ModelConfiguration(
        decoder: config, keyHeads: 32, headWidth: isThird ? 128 : nil)
      try config.require("hidden_act", .text("silu"))
      c.contextLength = try config.int("max_position_embeddings", upTo: 1 << 30, default: 32_768)
      c.applyQwen(biased: try config.bool("attention_bias", default: false))
      c.rotary = try config.rotary(width: c.dHead)
      c.windows = try config.qwenWindows(layers: c.nLayers)
      return c
    },
    readMetadata: { (file) throws(ModelFileError) in
      var c = try ModelConfiguration(decoder: file, named: try file.string("general.architecture"))
      c.applyQwen(biased: false)
      return c
    })
}

extension ModelConfiguration {
  fileprivate mutating func applyQwen(biased: Bool) {
    if family == "qwen2" {
      biases = [.q, .k, .v]
    } else {
      normalisesQK = true
      if biased { biases = [.q, .k, .v, .o] }
    }
  }
}

extension ConfigFile {
  /// A window applies from block `max_window_layers` on, and only where it is switched on; the new
  /// form lists the blocks' types.
  fileprivate func qwenWindows(layers: Int) throws(ModelFileError) -> [Int?] {
    guard try bool("use_sliding_window", default: false) else {
      if let types = try layerTypes(layers), types.contains("sliding_attention") {
        throw refusal("no window, since `use_sliding_window` is false, under", "layer_types")
      }
      return []
    }
    let window = try int("sliding_window", upTo: 1 << 30, default: 4_096)
    if let types = try layerTypes(layers) {
      return types.map { $0 == "sliding_attention" ? window : nil }
    }
    let first = Int(try number("max_window_layers", in: 0...1e6, default: 28))
    return (0..<layers).map { $0 >= first ? window : nil }
  }

  /// `layer_types`, checked.
  func layerTypes(_ layers: Int) throws(ModelFileError) -> [String]? {
    guard let types = try texts("layer_types") else { return nil }
    guard types.count == layers,
      types.allSatisfy({ $0 == "sliding_attention" || $0 == "full_attention" })
    else {
      throw refusal(
        "\(layers) entries, `sliding_attention` or `full_attention`, under", "layer_types")
    }
    return types
  }
}
