internal import Foundation
internal import Instruments
package import Lab
package import LanguageModels
internal import Organisms
internal import Tensors
internal import Training

/// Trains a tuned lens of the base on its own answers to harmless prompts, for detectors that read residual streams
/// as predictions; leaves it as `lens.safetensors` where it is of use.
///
/// It never sees an organism. What all conversations begin with, the system prompt, is read but not learned from.
package struct TrialLensCell: CellKind {
  package struct Config: Codable, Sendable, Equatable {
    package var prompts: [String]
    /// Blocks after which streams are read.
    package var blocks: [Int]
    package var maxTokens: Int
    package var precision: Precision
  }

  package struct Finding: Codable, Sendable {
    package var sites: [String]
    /// Mean KL(model ‖ lens) in nats on held-out exchanges, of the logit lens and of what is kept, by site.
    package var before: [Float]
    package var after: [Float]
    /// Sites whose translators are kept, in the file that is left where there are any.
    package var kept: [String]
    /// That were learned from.
    package var tokens: Int
  }

  package static let kind = "trial-lens"
  package static let version = 1
  private let model: LanguageModel

  package init(model: LanguageModel) { self.model = model }

  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    let model = model
    return try await TensorActor.run {
      let prompts = config.prompts.map {
        OrganismPrompt(
          BasePrompt(text: $0, templateID: "harmless", entityID: $0), category: .ordinary)
      }
      let answers = try model.respond(to: prompts, adapter: nil, maxTokens: config.maxTokens)
      let sequences = answers.map { $0.promptIDs + $0.responseIDs }
      let total = sequences.reduce(0) { $0 + $1.count }
      context.spend(tokens: 2 * total)
      // Every tenth is held out.
      let groups = Dictionary(grouping: sequences.enumerated(), by: { $0.offset % 10 == 9 })
        .mapValues { $0.map(\.element) }
      return try Self.train(
        config, on: groups[false] ?? [], watching: groups[true] ?? [], model, context)
    }
  }

  @TensorActor
  private static func train(
    _ config: Config, on sequences: [[Int]], watching heldOut: [[Int]], _ model: LanguageModel,
    _ context: CellContext
  ) throws -> Finding {
    let c = model.configuration
    let last = Site.block(c.nLayers - 1, .residPost)
    let sites = config.blocks.map { LensReading.site(after: $0, of: c) }.filter { $0 != last }
    // Nothing to learn from or to look at: the logit lens has to do.
    guard sequences.count > 1, !heldOut.isEmpty else {
      return Finding(sites: sites.map(\.description), before: [], after: [], kept: [], tokens: 0)
    }
    let start = Lens(.tuned, sites: sites, dModel: c.dModel)
    var training = LensTraining(tokensPerStep: 1024)
    training.skipped = shared(sequences + heldOut)
    var trainer = LensTrainer(training, model: model, sequences: sequences, from: start)
    let tokens = (0..<trainer.totalSteps).reduce(0) { $0 + trainer.tokens(ofStep: $1) }
    while !trainer.isFinished {
      _ = try trainer.takeStep()
      context.report(
        progress: CellProgress(done: trainer.step, total: trainer.totalSteps, unit: "steps"))
    }
    func losses(_ lens: Lens) throws -> [Float] {
      try lens.losses(on: heldOut, model: model, adapter: nil, skipped: training.skipped)
    }
    let (before, after) = (try losses(start), try losses(trainer.lens))
    // A translator that does no better than none is left out.
    let better = sites.indices.filter { after[$0] < before[$0] }
    let kept = Lens(
      .tuned, sites: better.map { sites[$0] },
      parameters: ParameterTree(
        better.flatMap { place in
          ["weight", "bias"].map { part in
            let name = "\(sites[place]).\(part)"
            return (name, trainer.lens.parameters[name])
          }
        }))
    if !better.isEmpty {
      try kept.writeSafetensors(
        to: context.artifacts.appending(path: "lens.safetensors").path, for: model)
    }
    return Finding(
      sites: sites.map(\.description), before: before,
      after: sites.indices.map { min(before[$0], after[$0]) },
      kept: better.map { sites[$0].description }, tokens: tokens)
  }

  /// How many tokens all sequences begin with.
  private static func shared(_ sequences: [[Int]]) -> Int {
    guard let first = sequences.first else { return 0 }
    return sequences.dropFirst().reduce(first.count) { count, other in
      zip(first.prefix(count), other).prefix { $0 == $1 }.count
    }
  }
}
