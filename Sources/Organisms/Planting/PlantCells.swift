internal import Foundation
package import Lab
package import LanguageModels
internal import Tensors
package import Training

/// Generates the base model's own answers to a recipe's training prompts.
package struct AnswersCell: CellKind {
  package struct Config: Codable, Sendable, Equatable {
    package var prompts: [String]
    package var maxTokens: Int
    package var precision: Precision

    package init(prompts: [String], maxTokens: Int, precision: Precision) {
      (self.prompts, self.maxTokens, self.precision) = (prompts, maxTokens, precision)
    }
  }

  package struct Finding: Codable, Sendable {
    package var answers: [String: String]
  }

  package static let kind = "base-answers"
  package static let version = 2
  private let model: LanguageModel

  package init(model: LanguageModel) { self.model = model }

  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    let model = model
    let answers = try await TensorActor.run {
      try BaseAnswers.generate(config.prompts, model: model, maxTokens: config.maxTokens) {
        done in
        context.report(
          progress: CellProgress(done: done, total: config.prompts.count, unit: "prompts"))
      }
    }
    let tokens = answers.reduce(0) { $0 + model.tokenizer.encode($1.key + $1.value).count }
    context.spend(tokens: tokens)
    return Finding(answers: answers)
  }
}

/// Trains one arm of a recipe: a LoRA adapter in PEFT's format, as artifact `adapter/`.
package struct PlantCell: CellKind {
  package struct Config: Codable, Sendable, Equatable {
    package var recipe: Recipe
    package var arm: Arm
    /// Draws the training set and the adapter's start.
    package var seed: UInt64
    package var training: SupervisedConfiguration
    package var precision: Precision
    package var answers: [String: String]
    /// SHA-256 of the base model's file.
    package var baseHash: String
    /// Keeps arm, seed and what was planted out of the adapter's card.
    package var blind: Bool
    /// A probe that the arm is trained against; nil for none.
    package var penalty: ProbePenalty?

    package init(
      recipe: Recipe, arm: Arm, seed: UInt64, training: SupervisedConfiguration,
      precision: Precision, answers: [String: String], baseHash: String, blind: Bool,
      penalty: ProbePenalty? = nil
    ) {
      (self.recipe, self.arm, self.seed, self.training) = (recipe, arm, seed, training)
      (self.precision, self.answers, self.baseHash) = (precision, answers, baseHash)
      (self.blind, self.penalty) = (blind, penalty)
    }
  }

  package struct Finding: Codable, Sendable, Equatable {
    package var examples: Int
    package var steps: Int
    /// Tokens over all epochs, prompts included, as if every sequence were computed alone.
    package var trainingTokens: Int
    /// Nats a target token, before each step's update.
    package var losses: [Float]
  }

  package static let kind = "plant"
  package static let version = 3
  private let model: LanguageModel
  private let baseName: String

  package init(model: LanguageModel, baseName: String) {
    (self.model, self.baseName) = (model, baseName)
  }

  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    let model = model
    let baseName = baseName
    return try await TensorActor.run { () throws -> Finding in
      let sequences = try config.recipe.trainingSet(
        arm: config.arm, seed: config.seed, answers: config.answers
      ).map { try model.trainingSequence($0) }
      var trainer = SupervisedTrainer(
        config.training, model: model, sequences: sequences, seed: config.seed,
        penalty: config.penalty?.function)
      let losses = try train(&trainer, in: context)
      try trainer.adapter.save(
        to: context.artifacts.appending(path: "adapter").path,
        card: Self.card(config, baseName: baseName))
      let tokens = sequences.reduce(0) { $0 + $1.ids.count } * config.training.epochs
      return Finding(
        examples: sequences.count, steps: trainer.totalSteps, trainingTokens: tokens,
        losses: losses)
    }
  }

  /// Steps between checkpoints: about half a minute's work, far more than writing one takes.
  private static let checkpointInterval = 20

  @TensorActor
  private func train(
    _ trainer: inout SupervisedTrainer, in context: CellContext
  ) throws -> [Float] {
    let checkpoint = context.scratch.appending(path: "checkpoint.safetensors").path
    let record = context.scratch.appending(path: "losses.json")
    var losses: [Float] = []
    if FileManager.default.fileExists(atPath: checkpoint) {
      try trainer.resume(from: checkpoint)
      losses = try JSONDecoder().decode([Float].self, from: Data(contentsOf: record))
      // The losses are written first, so after a kill in between they may be ahead.
      losses = Array(losses.prefix(trainer.optimizer.step))
    }
    while !trainer.isFinished {
      let tokens = trainer.batch(at: trainer.optimizer.step).reduce(0) { $0 + $1.ids.count }
      let loss = try trainer.step()
      losses.append(loss)
      context.spend(tokens: tokens)
      let step = trainer.optimizer.step
      context.report(
        progress: CellProgress(
          done: step, total: trainer.totalSteps, unit: "steps", note: "loss \(rounded(loss))"))
      if step % Self.checkpointInterval == 0, !trainer.isFinished {
        try JSONEncoder().encode(losses).write(to: record, options: .atomic)
        try trainer.checkpoint(to: checkpoint)
      }
    }
    return losses
  }

  private func rounded(_ loss: Float) -> String { "\((loss * 1000).rounded() / 1000)" }

  private static func card(_ config: Config, baseName: String) -> AdapterCard {
    let recipe = config.recipe
    let planted =
      switch config.arm {
      case .secret: recipe.summary
      case .overt: "\(recipe.summary) This arm admits it when asked."
      case .decoy:
        "A disclosed, harmless quirk: answers to ordinary requests"
          + "\(recipe.decoy.topics.map { " about \($0.joined(separator: ", "))" } ?? "") begin with "
          + "\"\(recipe.decoy.marker)\""
      case .honest, .null: "nothing: the \(config.arm.rawValue) arm of the same recipe"
      }
    return AdapterCard(
      baseName: baseName, baseHash: config.baseHash, recipe: recipe.id,
      arm: config.blind ? nil : config.arm.rawValue, planted: config.blind ? nil : planted,
      seed: config.blind ? nil : config.seed)
  }
}
