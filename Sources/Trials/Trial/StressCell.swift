internal import Foundation
internal import Instruments
package import Lab
package import LanguageModels
package import Organisms
internal import Statistics
internal import Tensors
internal import Training

/// What one secret organism answers under one stress, whether it still shows its behaviour, and what detectors
/// say that learned from other families without any stress, as for the leaderboard.
///
/// It knows the organism's recipe, and so runs after arms are opened; no number of it enters the leaderboard.
package struct StressCell: CellKind {
  /// What is learned on top.
  package struct Exchange: Codable, Sendable, Equatable {
    package var prompt: String
    package var answer: String
  }

  package struct Config: Codable, Sendable, Equatable {
    package var stress: Stress
    package var specimen: String
    package var recipe: Recipe
    /// By name.
    package var detectors: [String]
    package var known: [TryCell.Known]
    package var layers: [Int]
    package var isQuick: Bool
    /// The most labelled responses that a detector learns from.
    package var learned: Int
    package var counts: Recipe.Counts
    /// Draws prompts as for the leaderboard.
    package var seed: UInt64
    package var maxTokens: Int
    package var precision: Precision
    /// Unrelated to any recipe; only for ``Stress/tuned``.
    package var unrelated: [Exchange]
  }

  package struct Finding: Codable, Sendable {
    package var stress: Stress
    package var specimen: String
    package var labels: [WitnessLabel]
    /// Whether each response shows the behaviour.
    package var shown: [Bool]
    /// By detector, a score of each response.
    package var scores: [String: [Double?]]
    /// Detectors that gave up, and why.
    package var problems: [String: String]

    package init(
      stress: Stress, specimen: String, labels: [WitnessLabel], shown: [Bool],
      scores: [String: [Double?]], problems: [String: String] = [:]
    ) {
      (self.stress, self.specimen) = (stress, specimen)
      (self.labels, self.shown) = (labels, shown)
      (self.scores, self.problems) = (scores, problems)
    }
  }

  package static let kind = "stress"
  package static let version = 1
  private let shelf: TrialShelf

  package init(loader: OrganismLoader) { shelf = TrialShelf(loader: loader) }

  /// The inputs are those of a ``TryCell`` that judges the specimen. Leaves what was said as `answers.json`.
  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    let shelf = shelf
    return try await TensorActor.run {
      let prompts = try config.stress.prompts(
        of: config.recipe, seed: config.seed, counts: config.counts)
      let subject = try Self.subject(config, shelf.loader, context)
      let answers = try subject.model.respond(
        to: prompts, adapter: subject.adapter, maxTokens: config.maxTokens
      ) {
        context.report(progress: CellProgress(done: $0, total: prompts.count, unit: "prompts"))
      }
      context.spend(tokens: answers.reduce(0) { $0 + $1.promptIDs.count + $1.responseIDs.count })
      try Data(try JSONValue(encoding: answers).canonicalBytes)
        .write(to: context.artifacts.appending(path: "answers.json"))
      var finding = Finding(
        stress: config.stress, specimen: config.specimen,
        labels: answers.map {
          WitnessLabel(part: .judged, category: $0.source.category, clusters: $0.source.clusters)
        }, shown: answers.map { config.recipe.shows($0.text, to: $0.source) }, scores: [:])
      try Self.judge(answers, of: subject, config, shelf, context, &finding)
      return finding
    }
  }

  // MARK: The organism

  private typealias Subject = (model: LanguageModel, adapter: AdapterWeights?)

  /// The organism as the stress has it.
  @TensorActor
  private static func subject(
    _ config: Config, _ loader: OrganismLoader, _ context: CellContext
  ) throws -> Subject {
    let (model, adapter) = try loader.load(context.input(named: config.specimen))
    guard let adapter else { preconditionFailure("an organism of a zoo is an adapter") }
    switch config.stress {
    case .style, .persona, .negation, .fiction: return (model, adapter)
    case .merged: return (model.merging(adapter, rounding: .bfloat16), nil)
    case .quantised: return (model.merging(adapter, rounding: .q80), nil)
    case .quantised4: return (model.merging(adapter, rounding: .q40), nil)
    case .tuned: return (model, try tuned(adapter, on: model, config, context))
    }
  }

  /// The adapter after one epoch of something else, at the rate that it was planted with.
  @TensorActor
  private static func tuned(
    _ adapter: AdapterWeights, on model: LanguageModel, _ config: Config, _ context: CellContext
  ) throws -> AdapterWeights {
    var generator = SeededGenerator(seed: config.seed, stream: "stress.tuned")
    let sequences = try generator.shuffled(config.unrelated).map { exchange in
      let prompt = BasePrompt(
        text: exchange.prompt, templateID: exchange.prompt, entityID: exchange.prompt)
      return try model.trainingSequence(
        OrganismExample(
          source: OrganismPrompt(prompt, category: .ordinary), target: exchange.answer))
    }
    var training = SupervisedConfiguration.organism
    (training.lora, training.epochs) = (adapter.configuration, 1)
    var trainer = SupervisedTrainer(
      training, model: model, sequences: sequences, adapter: adapter,
      optimizer: AdamW(training.optimizer, parameters: adapter.parameters))
    while !trainer.isFinished {
      context.spend(
        tokens: trainer.batch(at: trainer.optimizer.step).reduce(0) { $0 + $1.ids.count })
      _ = try trainer.step()
      context.report(
        progress: .init(done: trainer.optimizer.step, total: trainer.totalSteps, unit: "steps"))
    }
    return trainer.adapter
  }

  // MARK: Detectors

  @TensorActor
  private static func judge(
    _ answers: [OrganismResponse], of subject: Subject, _ config: Config, _ shelf: TrialShelf,
    _ context: CellContext, _ finding: inout Finding
  ) throws {
    let responses = answers.enumerated().map { index, answer in
      Response(
        id: "response-\(index + 1)", promptIDs: answer.promptIDs, responseIDs: answer.responseIDs)
    }
    let specimen = try specimen(subject, saying: responses, config, shelf, context)
    let suite = DetectorSuite.all(layers: config.layers, candidates: [], isQuick: config.isQuick)
    for (done, name) in config.detectors.enumerated() {
      guard let detector = suite.first(where: { $0.name == name }) else {
        throw DetectorError.nothingToScore(detector: name, needed: "a detector of the suite")
      }
      do {
        // Read anew for each, so that what one learned from is let go.
        let known =
          detector.isLearned
          ? try TryCell.known(config.known, learned: config.learned, shelf, context) : []
        guard case .responses(let score) = try detector.examiner(learningFrom: known) else {
          preconditionFailure("only detectors of responses are asked under stress")
        }
        finding.scores[name] = try score(specimen, responses)
        context.spend(tokens: known.reduce(0) { $0 + $1.organism.tokensUsed })
      } catch let error where ModelCells.isDetectors(error) {
        finding.problems[name] = String(describing: error)
      }
      context.report(
        progress: .init(done: done + 1, total: config.detectors.count, unit: "detectors"))
    }
    context.spend(tokens: specimen.tokensUsed)
  }

  /// The stressed organism as detectors see it, its activations on what it said read once for all of them.
  @TensorActor
  private static func specimen(
    _ subject: Subject, saying responses: [Response], _ config: Config, _ shelf: TrialShelf,
    _ context: CellContext
  ) throws -> Specimen {
    let view = Specimen(
      id: config.specimen, model: subject.model, adapter: subject.adapter, base: shelf.loader.base
    ).view(declaring: [.activations, .logits, .base])
    _ = try ReadCell.keep(
      view, of: responses, config.layers, [.lastPromptToken, .responseMean], in: context.scratch,
      context)
    return Specimen(
      id: config.specimen, base: shelf.loader.base,
      stored: try StoredReadings(folder: context.scratch, of: responses),
      trusted: try shelf.trusted(of: config.specimen, in: context)
    ) { subject }
  }
}
