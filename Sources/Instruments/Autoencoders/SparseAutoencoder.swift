package import LanguageModels
package import Tensors

/// A sparse autoencoder of one site's activations: x̂ = a W_dec + b_dec, where few of a = σ(x W_enc + b_enc)
/// are not 0 (Bricken et al. 2023, "Towards Monosemanticity").
@TensorActor
package struct SparseAutoencoder {
  /// Which features are let through.
  package enum Architecture: Codable, Sendable, Equatable {
    /// The k largest of each token that are above 0 (Gao et al. 2024, arXiv 2406.04093); all that equal the
    /// k-th are let through.
    case topK(Int)
    /// Those above a threshold of their own (Rajamanoharan et al. 2024, arXiv 2407.14435).
    case jumpReLU
  }

  package nonisolated let architecture: Architecture
  /// Where the activations come from.
  package nonisolated let site: Site
  /// `W_enc [d_in, d_sae]`, `b_enc [d_sae]`, `W_dec [d_sae, d_in]`, `b_dec [d_in]` and, for JumpReLU,
  /// `threshold [d_sae]`.
  package let parameters: ParameterTree
  /// Whether b_dec is taken from what is encoded.
  package nonisolated let subtractsBias: Bool

  package init(
    _ architecture: Architecture, site: Site, parameters: ParameterTree, subtractsBias: Bool
  ) {
    (self.architecture, self.site) = (architecture, site)
    (self.parameters, self.subtractsBias) = (parameters, subtractsBias)
  }

  package var width: Int { parameters["W_enc"].shape[0] }
  package var featureCount: Int { parameters["W_enc"].shape[1] }

  /// What features are before any is left out, `[token, d_sae]`, of activations `[token, d_in]`.
  package func preActivations(_ x: Tensor) -> Tensor {
    let input = subtractsBias ? x - parameters["b_dec"] : x
    return input.matmul(parameters["W_enc"]) + parameters["b_enc"]
  }

  /// Features `[token, d_sae]` of activations `[token, d_in]`.
  package func encode(_ x: Tensor) -> Tensor {
    let pre = preActivations(x)
    return pre * mask(pre)
  }

  /// 1 where a feature is let through, otherwise 0; a constant to differentiation.
  func mask(_ preActivations: Tensor) -> Tensor {
    let pre = preActivations.stopGradient()
    let isPositive = Tensor(0).less(pre)
    switch architecture {
    case .topK(let k):
      let least = pre.largest(k, axis: 1).min(axes: [1], keepDims: true)
      return (isPositive.astype(.float32) * least.lessEqual(pre).astype(.float32)).stopGradient()
    case .jumpReLU:
      let isAbove = parameters["threshold"].less(pre).astype(.float32)
      return (isPositive.astype(.float32) * isAbove).stopGradient()
    }
  }

  /// Activations `[token, d_in]` that features stand for.
  package func decode(_ features: Tensor) -> Tensor {
    features.matmul(parameters["W_dec"]) + parameters["b_dec"]
  }

  /// What is left of activations `[token, d_in]` when they are encoded and decoded.
  package func reconstruct(_ x: Tensor) -> Tensor { decode(encode(x)) }

  /// The same for activations of any shape `[token, …]`, but of rows where `isKept` is 1 nothing changes.
  package func splice(_ activation: Tensor, keeping isKept: Tensor) -> Tensor {
    let x = activation.reshape([activation.shape[0], -1])
    let keep = isKept.expandDims(1)
    return (x * keep + reconstruct(x) * (Tensor(1) - keep)).reshape(activation.shape)
  }
}

extension Site {
  /// Whether each token has a vector of its own here that a dictionary can be made of.
  package var isPerToken: Bool {
    switch self {
    case .block(_, .pattern), .logits: false
    default: true
    }
  }

  /// What TransformerLens calls it, where it has a name for it.
  package var hookName: String? {
    switch self {
    case .embed: "hook_embed"
    case .finalNorm: "ln_final.hook_normalized"
    case .logits: nil
    case .block(let i, let place): Self.hooks[place].map { "blocks.\(i).\($0)" }
    }
  }

  private static let hooks: [Place: String] = [
    .residPre: "hook_resid_pre", .residMid: "hook_resid_mid", .residPost: "hook_resid_post",
    .attnOut: "hook_attn_out", .mlpOut: "hook_mlp_out", .post: "mlp.hook_post", .z: "attn.hook_z",
    .q: "attn.hook_q", .k: "attn.hook_k", .v: "attn.hook_v",
  ]

  /// The site that TransformerLens, or this package, calls so.
  package init?(hookName: String, nLayers: Int) {
    if let site = try? Site(hookName, nLayers: nLayers) {
      self = site
      return
    }
    let places = (0..<nLayers).flatMap { i in Place.allCases.map { Site.block(i, $0) } }
    guard let site = ([.embed, .finalNorm] + places).first(where: { $0.hookName == hookName })
    else { return nil }
    self = site
  }
}
