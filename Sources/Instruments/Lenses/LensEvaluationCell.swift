internal import Foundation
package import Lab
package import LanguageModels
package import Statistics
internal import Tensors

/// Judges lenses on text: what each site's reading is worth, with intervals over documents.
///
/// Inputs: `base`, `text0` …, `lens0` …, `adapter` where there is one. The logit lens is judged beside
/// the lenses that are given.
package struct LensEvaluationCell: CellKind {
  package struct Config: Codable, Sendable, Equatable {
    /// What people call the lenses that are given.
    package var lenses: [String]
    /// Whether the logit lens reads between attention and MLP too.
    package var mid: Bool
    package var sequenceLength: Int
    /// Tokens to judge on; nil for all.
    package var tokens: Int?
    /// So many tokens' whole distributions are looked at, for marginal biases and ranks; 0 for none.
    package var wholeTokens: Int
    /// On so many tokens each site's translator is tried at every other; 0 for none.
    package var transferTokens: Int
    package var level: Double
    package var seed: UInt64
    package var precision: Precision
    package var textFiles: Int

    package init(
      lenses: [String], mid: Bool = false, sequenceLength: Int = 512, tokens: Int? = nil,
      wholeTokens: Int = 0, transferTokens: Int = 0, level: Double = 0.95, seed: UInt64 = 1,
      precision: Precision, textFiles: Int
    ) {
      (self.lenses, self.mid, self.sequenceLength) = (lenses, mid, sequenceLength)
      (self.tokens, self.wholeTokens, self.level) = (tokens, wholeTokens, level)
      (self.transferTokens, self.seed, self.precision) = (transferTokens, seed, precision)
      self.textFiles = textFiles
    }
  }

  /// One lens at one site; nats a token, but for rates.
  package struct SiteReading: Codable, Sendable {
    package var site: String
    /// −log q of the next token; for a retrodiction, of the token that it names.
    package var crossEntropy: Estimate
    /// KL(model ‖ lens); nil for retrodictions.
    package var divergence: Estimate?
    package var entropy: Estimate
    /// How often the lens's first choice is the model's; nil for retrodictions.
    package var agreement: Estimate?
    /// How often the lens's first choice is the token itself.
    package var accuracy: Estimate
    /// KL(mean prediction of the model ‖ that of the lens) in nats: what a lens favours whatever the
    /// text. For a retrodiction, the mean of the tokens' frequencies takes the model's place.
    package var marginalBias: Double?
    /// Mean of 1 / rank of the token.
    package var reciprocalRank: Double?
    /// The cross-entropy of the first lens of this kind that was given, less this one's, token by token;
    /// nil for that lens, and where it does not read the site.
    package var lead: Estimate?
  }

  package struct LensReading: Codable, Sendable {
    package var name: String
    package var kind: Lens.Kind
    package var sites: [SiteReading]
    package var transfer: Transfer?
    /// As people are told of it.
    package var title: String {
      kind == .logit ? "logit lens" : "\(kind.rawValue) lens \(name)"
    }
    /// Tokens whose readings are counted.
    package var tokens: Int
    /// The first lens of this kind that was given, with which this one is compared; nil for that one.
    package var comparedWith: String?
  }

  /// `[translator][site]`, means over tokens in nats.
  package struct Transfer: Codable, Sendable {
    /// KL(reading by the site's own translator ‖ by another's).
    package var divergence: [[Double]]
    /// −log q of the next token by the other's.
    package var crossEntropy: [[Double]]
  }

  package struct Finding: Codable, Sendable {
    package var lenses: [LensReading]
    /// The model's own next-token cross-entropy and entropy.
    package var modelCrossEntropy: Estimate
    package var modelEntropy: Estimate
    package var documents: Int
    /// What a document is: `article`, `passage`.
    package var unit: String
    /// Multiplies nats a token into bits a byte.
    package var bitsPerByte: Double
    /// For every retrodiction and every prediction among the lenses.
    package var crossings: [Crossing]

    /// Where the curve of a retrodiction crosses that of a prediction.
    package struct Crossing: Codable, Sendable, Equatable {
      package var retrodiction: String
      package var prediction: String
      /// The first site from which on the next token's cross-entropy is the lower one at every site
      /// that both read; nil where there is none.
      package var site: String?
    }

    static func crossings(_ lenses: [LensReading]) -> [Crossing] {
      let (back, forward) = (
        lenses.filter { $0.kind.stepsBack != nil }, lenses.filter { $0.kind.stepsBack == nil }
      )
      return back.flatMap { one in
        forward.map { other in
          let known = Dictionary(
            other.sites.map { ($0.site, $0.crossEntropy.value) }, uniquingKeysWith: { $1 })
          let common = one.sites.filter { known[$0.site] != nil }
          let last = common.lastIndex { $0.crossEntropy.value <= known[$0.site, default: 0] }
          let first = last.map { $0 + 1 } ?? 0
          return Crossing(
            retrodiction: one.name, prediction: other.name,
            site: first < common.count ? common[first].site : nil)
        }
      }
    }
  }

  package static let kind = "lens-eval"
  package static let version = 2
  private let model: LanguageModel

  package init(model: LanguageModel) { self.model = model }

  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    let model = model
    let files = try (0..<config.textFiles).map { try context.input(named: "text\($0)").path }
    let corpus = try Corpus(files: files)
    let paths = try config.lenses.indices.map { try context.input(named: "lens\($0)").path }
    return try await TensorActor.run { () throws -> Finding in
      let c = model.configuration
      let logit = Lens(.logit, sites: Lens.sites(of: c, mid: config.mid), dModel: c.dModel)
      var evaluation = LensEvaluation(
        config, model: model, adapter: try model.adapter(of: context),
        lenses: [logit] + (try paths.map { try Lens.read($0, for: model) }),
        windows: try corpus.windowsForIntervals(
          model.tokenizer, length: config.sequenceLength, tokens: config.tokens,
          seed: config.seed))
      try evaluation.run(in: context)
      return try evaluation.finding(unit: corpus.unit)
    }
  }
}

extension LanguageModel {
  /// The adapter among a cell's inputs, where it has one, held against the input `base`.
  func adapter(of context: CellContext) throws -> AdapterWeights? {
    guard let folder = try? context.input(named: "adapter").path else { return nil }
    let base = try context.input(named: "base").path
    return try AdapterWeights.load(
      folder: folder, for: configuration, baseHash: try FileDigest.sha256(path: base))
  }
}
