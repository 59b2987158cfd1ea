package import Lab
package import LanguageModels
package import Organisms

/// Records what an organism of the known pair answers to prompts of the calibration split: what
/// detectors learn from and set thresholds on.
///
/// Its gate is another cell, on the test split, which has prompts enough for the gate's bars.
package struct ObserveCell: CellKind {
  package struct Config: Codable, Sendable, Equatable {
    package var recipe: Recipe
    package var split: Recipe.Split
    /// Draws the prompts.
    package var seed: UInt64
    package var counts: Recipe.Counts
    package var precision: Precision
    /// The longest answer, in tokens.
    package var maxTokens: Int
  }

  package struct Finding: Codable, Sendable {
    package var responses: [OrganismResponse]
  }

  package static let kind = "observe"
  package static let version = 1
  private let loader: OrganismLoader

  package init(loader: OrganismLoader) { self.loader = loader }

  /// The input `adapter` is the organism: see ``OrganismLoader``.
  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    let probes = try config.recipe.probeSet(
      split: config.split, seed: config.seed, counts: config.counts)
    let prompts = probes.triggered + probes.nearMiss + probes.ordinary
    return Finding(
      responses: try await loader.ask(prompts, maxTokens: config.maxTokens, in: context))
  }
}
