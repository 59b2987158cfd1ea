internal import Foundation
package import Lab
package import LanguageModels
package import Statistics
internal import Tensors

/// Whether readings of weights get better when they are corrected for the drift of the residual stream's
/// basis: what they predict, against effects that are measured in the model on other text.
///
/// After William Saunders' proposal: a neuron's output is carried forward by a lens before it is read, and
/// what a neuron reads carried back. Raw readings are exact for the direct path and can lose on total
/// effects only. Rule, set beforehand: the correction helps if, over all gaps, its mean correlation with
/// what was measured is more than ``margin`` above that of the raw reading, and above both controls', each by
/// a 95 % interval over neurons.
///
/// Inputs: `base`, `lens`, `backward` where there is a retrodiction lens, `text0` …, `fit0` …, `adapter`
/// where there is one.
package struct WeightValidationCell: CellKind {
  package struct Config: Codable, Sendable, Equatable {
    /// The blocks whose neurons are read.
    package var blocks: [Int]
    package var neuronsPerBlock: Int
    /// How many blocks on virtual weights are read.
    package var gaps: [Int]
    /// Windows of text in which effects are measured, at one token each.
    package var windows: Int
    package var sequenceLength: Int
    /// Tokens on which transports are fitted.
    package var fitTokens: Int
    /// Random directions for each mean derivative.
    package var jacobianSamples: Int
    /// Tokens from which mean inputs by token are taken, and how often one has to occur.
    package var inputTokens: Int
    package var minimumCount: Int
    package var hasBackward: Bool
    package var level: Double
    package var seed: UInt64
    package var precision: Precision
    package var textFiles: Int
    package var fitFiles: Int

    package init(
      blocks: [Int], neuronsPerBlock: Int = 30, gaps: [Int] = [1, 2, 4, 8, 16], windows: Int = 64,
      sequenceLength: Int = 128, fitTokens: Int = 32_768, jacobianSamples: Int = 4096,
      inputTokens: Int = 16_384, minimumCount: Int = 20, hasBackward: Bool, level: Double = 0.95,
      seed: UInt64 = 1, precision: Precision, textFiles: Int, fitFiles: Int
    ) {
      (self.blocks, self.neuronsPerBlock, self.gaps) = (blocks, neuronsPerBlock, gaps)
      (self.windows, self.sequenceLength, self.fitTokens) = (windows, sequenceLength, fitTokens)
      (self.jacobianSamples, self.inputTokens) = (jacobianSamples, inputTokens)
      (self.minimumCount, self.hasBackward, self.level) = (minimumCount, hasBackward, level)
      (self.seed, self.precision, self.textFiles) = (seed, precision, textFiles)
      self.fitFiles = fitFiles
    }

    /// Up to so many blocks from the first to the last but one, evenly.
    package static func blocks(of c: ModelConfiguration, count: Int = 8) -> [Int] {
      let last = c.nLayers - 2
      guard last > 0, count > 1 else { return [0] }
      return Set((0..<min(count, last + 1)).map { $0 * last / (min(count, last + 1) - 1) }).sorted()
    }
  }

  /// What is read from weights.
  package enum ReadingKind: String, Codable, Sendable, CaseIterable {
    /// The tokens that a neuron promotes.
    case output
    /// The neurons of later blocks that a neuron excites.
    case virtual
    /// The tokens that excite a neuron.
    case input
  }

  /// What it is held against.
  package enum Truth: String, Codable, Sendable, CaseIterable {
    /// The total effect of a small change of the activation, at the same token.
    case slope
    /// The total effect of putting the activation's mean in place.
    case ablation
    /// The mean of what a neuron gets at a token.
    case tokenMean = "token-mean"
  }

  /// One transport at one gap, means over neurons.
  package struct Transported: Codable, Sendable {
    package var kind: TransportKind
    package var cosine: Estimate
    package var rank: Estimate
    package var top: Estimate
    package var sign: Estimate
    /// The correction's cosine less this one's, paired; nil for the correction itself.
    package var lead: Estimate?
  }

  package struct Gap: Codable, Sendable {
    /// Blocks from the writer to the reader, the embedding being block -1 and the head the one after
    /// the last; nil for all together.
    package var gap: Int?
    package var neurons: Int
    /// The cosine that a perfect prediction would reach, by how far the halves of the measurement agree.
    package var ceiling: Double?
    package var transports: [Transported]
  }

  package enum Verdict: String, Codable, Sendable {
    case helps
    /// Better than raw, and not shown to be better than another layer's or a random correction.
    case noBetterThanControls = "no better than controls"
    /// The interval of the difference lies within the margin.
    case noDifference = "no difference"
    case undecided
    case hurts

    /// What follows "the correction".
    package var sentence: String {
      switch self {
      case .helps: "helps"
      case .noBetterThanControls:
        "is better than none, but not shown to be better than its controls"
      case .noDifference: "makes no difference"
      case .undecided: "is not shown to help or to hurt"
      case .hurts: "hurts"
      }
    }
  }

  package struct Reading: Codable, Sendable {
    package var kind: ReadingKind
    package var truth: Truth
    /// Which transport is the lens's correction here.
    package var correction: TransportKind
    /// Their intervals hold together.
    package var gaps: [Gap]
    package var pooled: Gap
    package var verdict: Verdict
  }

  /// What has to hold whatever the verdict.
  package struct Controls: Codable, Sendable {
    /// Correlations of raw readings with direct effects, by reading: the mean and the least over neurons.
    package var direct: [Direct]
    /// How far each transport from a site to itself is from changing nothing, relative to what is carried.
    package var coincidence: [Coincidence]

    package struct Direct: Codable, Sendable {
      package var kind: ReadingKind
      package var mean: Double
      package var least: Double
      package var neurons: Int
    }

    package struct Coincidence: Codable, Sendable {
      package var kind: TransportKind
      package var largest: Double
    }
  }

  package struct Finding: Codable, Sendable {
    package var readings: [Reading]
    package var controls: Controls
    package var neurons: Int
    package var windows: Int
    package var fitTokens: Int
    /// Tokens that occurred often enough for a mean.
    package var countedTokens: Int
  }

  /// The least difference of correlations that is of interest.
  package static let margin = 0.01

  package static let kind = "weights-validate"
  package static let version = 1
  private let model: LanguageModel

  package init(model: LanguageModel) { self.model = model }

  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    let model = model
    func corpus(_ name: String, _ count: Int) throws -> Corpus {
      try Corpus(files: (0..<count).map { try context.input(named: "\(name)\($0)").path })
    }
    let (text, fit) = (try corpus("text", config.textFiles), try corpus("fit", config.fitFiles))
    let path = try context.input(named: "lens").path
    let backward = config.hasBackward ? try context.input(named: "backward").path : nil
    return try await TensorActor.run { () throws -> Finding in
      var validation = try WeightValidation(
        config, model: model, adapter: model.adapter(of: context),
        lens: try Lens.read(path, for: model),
        backward: backward.map { try Lens.read($0, for: model) },
        text: text, fit: fit, context: context)
      return try validation.run()
    }
  }
}
