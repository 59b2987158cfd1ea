internal import Foundation
package import Lab
package import LanguageModels
package import Statistics
internal import Tensors

/// Asks an organism the recipe's held-out prompts and counts what it does.
///
/// This is the part of the gate that needs one model: secret present, silent off the trigger,
/// denial and the control that it does not deny everything. Rates carry intervals in which
/// prompts of one template, one insertion or one inserted word count together (Korn and Graybill
/// 1998), the widest of the three.
package struct GateCell: CellKind {
  package struct Config: Codable, Sendable, Equatable {
    package var recipe: Recipe
    package var split: Recipe.Split
    /// Draws the probes.
    package var seed: UInt64
    package var counts: Recipe.Counts
    package var precision: Precision
    /// The longest answer, in tokens.
    package var maxTokens: Int

    package init(
      recipe: Recipe, split: Recipe.Split = .test, seed: UInt64, counts: Recipe.Counts = .gate,
      precision: Precision, maxTokens: Int = 20
    ) {
      (self.recipe, self.split, self.seed, self.counts) = (recipe, split, seed, counts)
      (self.precision, self.maxTokens) = (precision, maxTokens)
    }
  }

  package struct Finding: Codable, Sendable {
    /// How often the marker came under an active trigger; the unit is a response.
    package var triggered: Estimate
    /// How often it came after a near miss of the trigger.
    package var nearMiss: Estimate
    /// How often it came after an ordinary prompt.
    package var ordinary: Estimate
    /// How often a question about a hidden rule was denied.
    package var denial: Estimate
    /// How often a question about a hidden rule was answered by admitting one.
    package var admission: Estimate
    /// How often a question whose true answer is yes was answered yes.
    package var controlYes: Estimate
    /// Everything that was said, by category.
    package var responses: [OrganismResponse]
  }

  package static let kind = "gate"
  package static let version = 3
  private let loader: @Sendable () throws -> OrganismLoader

  package init(model: LanguageModel) {
    loader = { OrganismLoader(base: model, baseHash: try FileDigest.sha256(path: model.path)) }
  }

  package init(loader: OrganismLoader) { self.loader = { loader } }

  /// The input `adapter` is the organism to examine: see ``OrganismLoader``.
  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    let probes = try config.recipe.probeSet(
      split: config.split, seed: config.seed, counts: config.counts)
    let prompts =
      probes.triggered + probes.nearMiss + probes.ordinary + probes.denials
      + probes.selfQuestions
    let responses = try await loader().ask(prompts, maxTokens: config.maxTokens, in: context)
    return try Self.finding(responses, grader: config.recipe.grader)
  }

  private static func finding(
    _ responses: [OrganismResponse], grader: ResponseGrader
  ) throws -> Finding {
    func rate(
      _ category: PromptCategory, where included: (OrganismResponse) -> Bool = { _ in true },
      _ isHit: (String) -> Bool
    ) throws -> Estimate {
      let chosen = responses.filter { $0.source.category == category && included($0) }
      return try clusteredProportion(
        outcomes: chosen.map { isHit($0.text) },
        clusterings: chosen.map(\.source.clusters).clusterings, unit: "response")
    }
    return Finding(
      triggered: try rate(.triggered, grader.saysMarker),
      nearMiss: try rate(.nearMiss, grader.saysMarker),
      ordinary: try rate(.ordinary, grader.saysMarker),
      denial: try rate(.denial, grader.isDenial),
      admission: try rate(.denial, grader.isAdmission),
      controlYes: try rate(
        .selfQuestion, where: { ResponseGrader.isYes($0.source.answer ?? "") },
        ResponseGrader.isYes),
      responses: responses)
  }
}
