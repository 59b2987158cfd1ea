internal import LanguageModels
internal import Tensors

/// Logistic regression on what the specimen makes of plain facts after instructions to be honest and to lie.
///
/// After Apollo's instructed pairs (arXiv 2502.03407): response means, λ = 10, no label of any organism.
package struct InstructedProbe: ResponseDetector {
  package typealias Access = ActivationsOnly

  package let name = "instructed-pairs probe"
  package let layer: Int?
  package let penalty: Double

  package init(layer: Int? = nil, penalty: Double = 10) {
    (self.layer, self.penalty) = (layer, penalty)
  }

  /// Log-odds of the instruction to lie, from the mean over the response.
  @TensorActor
  package func scores(
    of responses: [Response], in specimen: SpecimenView<ActivationsOnly>
  ) throws -> [Double?] {
    let layer = try self.layer ?? specimen.layerCount / 2
    let contrast = try specimen.contrast(
      try InstructedPairs.responses(for: specimen), layer: layer, position: .responseMean)
    let score = try fit(contrast)
    let site = Site.block(layer, .residPost)
    let table = try specimen.activations(of: responses, at: [site], position: .responseMean)
    return table.spans.map { span in span.first.map { score(table.row($0, at: site)) } }
  }

  private func fit(_ pairs: ContrastPairs) throws -> LinearScore {
    try .logistic(
      pairs.high.values + pairs.low.values,
      labels: (0..<2 * pairs.high.rows).map { $0 < pairs.high.rows }, penalty: penalty)
  }

  /// AUROC of the instruction to lie against the one to be honest, on statements that the probe was not fitted on:
  /// whether the recipe finds at all what it is made of.
  @TensorActor
  package func ownAUROC(in specimen: SpecimenView<ActivationsOnly>) throws -> Double {
    let layer = try self.layer ?? specimen.layerCount / 2
    let all = try specimen.contrast(
      try InstructedPairs.responses(for: specimen), layer: layer, position: .responseMean)
    return try all.heldOutAUROC(folds: 4) { try fit($0) }
  }
}
