package import LanguageModels
package import Tensors

/// Reads the residual stream before the model has finished with it: an affine translator a site, and
/// what its output is compared with.
///
/// A translator is h ↦ h + h Wᵀ + b, so that weight decay pulls it to the identity (Belrose et al.
/// 2023, arXiv 2303.08112, section 3; the residual form is that of its published code).
@TensorActor
package struct Lens {
  /// What a lens tells.
  package enum Kind: String, Codable, Sendable, CaseIterable {
    /// What the model would predict next if it stopped here: through the final norm and the
    /// unembedding, untranslated.
    case logit
    /// The same after a trained translator.
    case tuned
    /// The same with the mean derivative of the last boundary by this one as translator.
    case jacobian
    /// The token that went in, by the embedding.
    case retrodiction
    /// The token before that.
    case previousToken = "previous-token"

    /// How far back of the position the token is that a retrodiction names; nil for predictions.
    package var stepsBack: Int? {
      switch self {
      case .logit, .tuned, .jacobian: nil
      case .retrodiction: 0
      case .previousToken: 1
      }
    }
  }

  package nonisolated let kind: Kind
  /// The sites that it reads, from the input on.
  package nonisolated let sites: [Site]
  /// `<site>.weight` `[dModel, dModel]` and `<site>.bias` `[dModel]` of each site; none in a logit lens.
  package private(set) var parameters: ParameterTree

  /// A lens over given translators.
  package init(_ kind: Kind, sites: [Site], parameters: ParameterTree) {
    (self.kind, self.sites, self.parameters) = (kind, sites, parameters)
  }

  /// A lens whose translators change nothing yet.
  package init(_ kind: Kind, sites: [Site], dModel: Int) {
    let named =
      kind == .logit
      ? []
      : sites.flatMap { site in
        [
          ("\(site).weight", Tensor.zeros([dModel, dModel])),
          ("\(site).bias", Tensor.zeros([dModel])),
        ]
      }
    self.init(kind, sites: sites, parameters: ParameterTree(named))
  }

  /// The block boundaries before the last: what goes into each block. With `mid`, also what attention
  /// has added to, where the family has such a place.
  package nonisolated static func sites(
    of c: ModelConfiguration, mid: Bool = false
  ) -> [Site] {
    (0..<c.nLayers).flatMap { i -> [Site] in
      mid && !c.isParallel
        ? [.block(i, .residPre), .block(i, .residMid)] : [.block(i, .residPre)]
    }
  }

  /// The same lens with other translators.
  package func replacing(_ parameters: ParameterTree) -> Lens {
    Lens(kind, sites: sites, parameters: parameters)
  }

  /// The residual stream `[token, dModel]` at `site` as it would be where it is read.
  package func translate(_ resid: Tensor, at site: Site) -> Tensor {
    kind == .logit
      ? resid
      : Self.translate(
        resid, weight: parameters["\(site).weight"], bias: parameters["\(site).bias"])
  }

  static func translate(_ resid: Tensor, weight: Tensor, bias: Tensor) -> Tensor {
    resid + resid.matmul(weight.transpose()) + bias
  }
}

extension LanguageModel {
  /// What `lens` reads in the residual stream `[token, dModel]` at `site`.
  package func read(
    _ resid: Tensor, at site: Site, through lens: Lens, withMoments: Bool = true
  ) throws -> Predictions {
    let rows = lens.translate(resid, at: site)
    return lens.kind.stepsBack == nil
      ? try predictions(from: finalNorm(rows), withMoments: withMoments)
      : try retrodictions(from: rows, withMoments: withMoments)
  }
}
