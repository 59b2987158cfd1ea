internal import Instruments
package import Lab
package import LanguageModels
internal import Tensors

/// What detectors after published recipes find in the base where they are told what to find: pairs of their own kind
/// that they were not fitted on. A recipe that does not even work there says nothing about organisms.
package struct OwnPairsCell: CellKind {
  package struct Config: Codable, Sendable, Equatable {
    package var layer: Int
    package var precision: Precision
  }

  package struct Finding: Codable, Sendable {
    /// AUROC by the detector's name.
    package var areas: [String: Double]
  }

  package static let kind = "own-pairs"
  package static let version = 1
  private let model: LanguageModel

  package init(model: LanguageModel) { self.model = model }

  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    let model = model
    return try await TensorActor.run {
      let base = Specimen(id: "base", model: model, adapter: nil)
      let (instructed, defection) = (
        InstructedProbe(layer: config.layer), DefectionProbe(layer: config.layer)
      )
      let areas = [
        AnyDetector(instructed).name: try instructed.ownAUROC(in: base.view()),
        AnyDetector(defection).name: try defection.ownAUROC(in: base.view()),
      ]
      context.spend(tokens: base.tokensUsed)
      return Finding(areas: areas)
    }
  }
}
