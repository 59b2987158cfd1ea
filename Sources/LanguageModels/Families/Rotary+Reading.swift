internal import Foundation

extension ConfigFile {
  /// The rotation that a `config.json` asks for, in its old form (`rope_theta` and `rope_scaling`)
  /// or the new one (`rope_parameters`).
  /// `layerType` is whose parameters are read where the new form has one set for each type of layer.
  func rotary(
    width: Int, theta fallback: Double = 10_000, layerType: String? = nil
  ) throws(ModelFileError) -> Rotary {
    var parameters = try object("rope_parameters")
    if parameters != nil, self["rope_scaling"] != nil {
      throw refusal(
        "no second description beside `rope_parameters`, which is also there, under", "rope_scaling"
      )
    }
    if let layerType, let own = try parameters?.object(layerType) { parameters = own }
    if parameters == nil { parameters = try object("rope_scaling") }
    let outerTheta = try number("rope_theta", in: 1.001...1e12, default: fallback)
    let theta =
      try parameters?.number("rope_theta", in: 1.001...1e12, default: outerTheta) ?? outerTheta
    guard let scaling = parameters else { return Rotary(theta: theta, width: width) }
    // The outer key overrides the inner one in the reference.
    let outer =
      self["original_max_position_embeddings"] == nil
      ? nil : try number("original_max_position_embeddings", in: 1...1e9)
    let inner = try scaling.number(
      "original_max_position_embeddings", in: 1...1e9,
      default: try number("max_position_embeddings", in: 1...1e9, default: 2_048))
    let length = outer ?? inner
    return Rotary(theta: theta, width: width, scaling: try scaling.scaling(trainedFor: length))
  }

  private func scaling(trainedFor length: Double) throws(ModelFileError) -> Rotary.Scaling {
    let key = self["rope_type"] == nil && self["type"] != nil ? "type" : "rope_type"
    switch try text(key, default: "default") {
    case "default": return .none
    case "linear": return .linear(factor: try factor())
    case "llama3":
      return .llama3(
        factor: try factor(), low: try number("low_freq_factor", in: 1e-6...1e6),
        high: try number("high_freq_factor", in: 1e-6...1e6), original: length)
    case "yarn":
      return .yarn(
        factor: try factor(), fast: try number("beta_fast", in: 1e-6...1e6, default: 32),
        slow: try number("beta_slow", in: 1e-6...1e6, default: 1), original: length,
        attention: try yarnTemperature(), truncates: try bool("truncate", default: true))
    default: throw refusal("`default`, `linear`, `llama3` or `yarn` under", key)
    }
  }

  private func factor() throws(ModelFileError) -> Double { try number("factor", in: 1...1e6) }

  /// Peng et al. 2023, eq. 22, and the variant of it with two constants.
  private func yarnTemperature() throws(ModelFileError) -> Double {
    if self["attention_factor"] != nil { return try number("attention_factor", in: 1e-6...1e6) }
    let factor = try factor()
    func temperature(_ scale: Double) -> Double { factor <= 1 ? 1 : 0.1 * scale * log(factor) + 1 }
    guard self["mscale"] != nil, self["mscale_all_dim"] != nil else { return temperature(1) }
    let (scale, all) = (
      try number("mscale", in: 1e-6...1e6), try number("mscale_all_dim", in: 1e-6...1e6)
    )
    return temperature(scale) / temperature(all)
  }
}

extension GGUFFile {
  /// The rotation that a GGUF file asks for; llama.cpp writes Llama 3's as a tensor of divisors.
  func rotary(_ architecture: String, width: Int) throws(ModelFileError) -> Rotary {
    let key = "\(architecture).rope"
    var rotary = Rotary(theta: try double("\(key).freq_base", default: 10_000), width: width)
    guard rotary.theta > 1 else { throw refusal("`\(key).freq_base` above 1", "\(rotary.theta)") }
    let factor = try double(
      "\(key).scaling.factor", default: try double("\(key).scale_linear", default: 1))
    guard factor >= 1 else { throw refusal("`\(key).scaling.factor` from 1", "\(factor)") }
    switch try string("\(key).scaling.type", default: factor == 1 ? "none" : "linear") {
    case "none": break
    case "linear": rotary.scaling = .linear(factor: factor)
    case "yarn":
      let original = try double("\(key).scaling.original_context_length")
      rotary.scaling = .yarn(
        factor: factor, fast: 32, slow: 1, original: original,
        attention: try double("\(key).scaling.attn_factor", default: 1) * (0.1 * log(factor) + 1),
        truncates: true)
    case let other: throw refusal("`\(key).scaling.type` none, linear or yarn", quoted(other))
    }
    if hasTensor("rope_freqs.weight") {
      let divisors = try tensor("rope_freqs.weight").floats()
      guard divisors.count == width / 2, divisors.allSatisfy({ $0.isFinite && $0 > 0 }) else {
        throw refusal(
          "`rope_freqs.weight` to hold \(width / 2) positive divisors", "\(divisors.count) numbers")
      }
      rotary.divisors = divisors
    }
    return rotary
  }
}
