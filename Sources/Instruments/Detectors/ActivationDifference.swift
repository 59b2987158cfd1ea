internal import Foundation
internal import LanguageModels
internal import Tensors

/// How far training moved the specimen's activations from its base's, on ordinary text.
///
/// After activation-difference lenses (arXiv 2510.13900): narrow fine-tuning leaves traces at the
/// first tokens of any text. Any fine-tuning does, an honest twin's too: what counts is the
/// distance to a twin's score, not the score.
package struct ActivationDifference: ModelDetector {
  package typealias Access = ActivationsAndBase

  package let name = "activation difference"
  /// The same ordinary texts for every specimen.
  package let texts: [Response]
  /// The block whose output is compared; the middle one where nil.
  package let layer: Int?
  /// Tokens of each answer that are compared.
  package let tokens: Int

  /// A comparison on ordinary texts.
  package init(texts: [Response], layer: Int? = nil, tokens: Int = 5) {
    (self.texts, self.layer, self.tokens) = (texts, layer, tokens)
  }

  /// Mean ‖h − h_base‖ over mean ‖h_base‖, over the first answer tokens of all texts.
  ///
  /// - Throws: ``DetectorError/nothingToScore(detector:needed:)`` where no text has an answer.
  @TensorActor
  package func score(_ specimen: SpecimenView<ActivationsAndBase>) throws -> ModelScore {
    let site = try Site.block(layer ?? specimen.layerCount / 2, .residPost)
    let position = ActivationPosition.responseStart(tokens)
    let own = try specimen.activations(of: texts, at: [site], position: position)
    guard own.rowCount > 0 else {
      throw DetectorError.nothingToScore(detector: name, needed: "texts with answers")
    }
    let base = try specimen.base().activations(of: texts, at: [site], position: position)
    let rows = 0..<own.rowCount
    let moved = rows.reduce(0) { $0 + distance(own.row($1, at: site), base.row($1, at: site)) }
    let length = rows.reduce(0) { $0 + norm(base.row($1, at: site)) }
    return ModelScore(
      score: moved / length,
      quantity: "mean distance to the base's activations at \(site), relative to their norm",
      n: own.spans.count { !$0.isEmpty }, unit: "text")
  }
}

/// How far a specimen is from its base at the moment it begins to answer.
package struct ResponseActivationDifference: ResponseDetector {
  package typealias Access = ActivationsAndBase

  package let name = "activation difference at the last prompt token"
  /// The block whose output is compared; the middle one where nil.
  package let layer: Int?

  package init(layer: Int? = nil) { self.layer = layer }

  /// ‖h − h_base‖ at the last token of each prompt.
  @TensorActor
  package func scores(
    of responses: [Response], in specimen: SpecimenView<ActivationsAndBase>
  ) throws -> [Double?] {
    let site = try Site.block(layer ?? specimen.layerCount / 2, .residPost)
    let own = try specimen.activations(of: responses, at: [site], position: .lastPromptToken)
    let base = try specimen.base().activations(
      of: responses, at: [site], position: .lastPromptToken)
    return responses.indices.map { distance(own.row($0, at: site), base.row($0, at: site)) }
  }
}

private func distance(_ a: ArraySlice<Float>, _ b: ArraySlice<Float>) -> Double {
  zip(a, b).reduce(0) { $0 + pow(Double($1.0) - Double($1.1), 2) }.squareRoot()
}

private func norm(_ a: ArraySlice<Float>) -> Double {
  a.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
}
