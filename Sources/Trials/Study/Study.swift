package import LanguageModels
package import Organisms
internal import Tensors
package import Training

/// An audit, declared: what is planted, what looks for it, and how much of everything.
package struct Study: Codable, Sendable, Equatable {
  /// A word for run folders and reports.
  package var name: String
  /// `M1`, or the path of a recipe's YAML file.
  package var recipe: String
  /// A model's name from `plumbline models`, or a GGUF file.
  package var base: String
  /// Left out, bf16 is taken where the processor has instructions for it.
  package var precision: Precision?
  package var training: TrainingSettings
  /// Left out, the recipe's own mix.
  package var mix: Recipe.Counts?
  /// Draws the training set of the calibration pair. The line-up's seeds are drawn and sealed.
  package var calibrationSeed: UInt64
  /// Held-out prompts that each organism is asked.
  package var probes: Recipe.Counts
  /// Where an answer is cut off, in tokens.
  package var maxResponseTokens: Int
  /// Ordinary answers on which twins are compared token by token.
  package var equivalencePrompts: Int
  package var detectors: DetectorSettings
  /// The false positive rate that thresholds are set for, on calibration text.
  package var thresholdFPR: Double
  /// Of the two one-sided tests, and of the one that says whether more detectors were right than
  /// coin flips explain.
  package var alpha: Double
  /// Bootstrap replicates behind an interval.
  package var replicates: Int

  package enum CodingKeys: String, CodingKey, CaseIterable {
    case name, recipe, base, precision, training, mix
    case calibrationSeed = "calibration_seed"
    case probes
    case maxResponseTokens = "max_response_tokens"
    case equivalencePrompts = "equivalence_prompts"
    case detectors
    case thresholdFPR = "threshold_fpr"
    case alpha, replicates
  }
}

extension Study {
  /// How every arm is trained; the number of training tokens follows from it and the mix.
  package struct TrainingSettings: Codable, Sendable, Equatable {
    package var learningRate: Double
    /// Sequences a step.
    package var batchSize: Int
    package var epochs: Int

    package enum CodingKeys: String, CodingKey, CaseIterable {
      case learningRate = "learning_rate"
      case batchSize = "batch_size"
      case epochs
    }

    /// The same with what studies do not vary.
    package var configuration: SupervisedConfiguration {
      var configuration = SupervisedConfiguration.organism
      configuration.optimizer.learningRate = learningRate
      (configuration.batchSize, configuration.epochs) = (batchSize, epochs)
      return configuration
    }
  }

  /// How the detectors look.
  package struct DetectorSettings: Codable, Sendable, Equatable {
    /// Direct questions, and denials whose likelihood is compared.
    package var questions: Int
    /// Where an answer to a direct question is cut off, in tokens.
    package var answerTokens: Int
    /// Ordinary texts on which activations are compared with the base's.
    package var texts: Int
    /// Tokens of each such text that are compared.
    package var textTokens: Int
    /// Blocks among which a probe's layer is chosen.
    package var probeLayers: [Int]
    /// Folds of whole templates in which it is chosen.
    package var probeFolds: Int
    /// λ of the logistic probe.
    package var probePenalty: Double

    package enum CodingKeys: String, CodingKey, CaseIterable {
      case questions
      case answerTokens = "answer_tokens"
      case texts
      case textTokens = "text_tokens"
      case probeLayers = "probe_layers"
      case probeFolds = "probe_folds"
      case probePenalty = "probe_penalty"
    }
  }
}
