internal import Foundation
package import Lab
package import LanguageModels
package import Statistics
internal import Tensors

/// Judges sparse autoencoders on text that they were not trained on: what they explain, how many features
/// it takes, and what the model loses when it goes on from what they rebuilt.
///
/// First tokens of windows are neither counted nor rebuilt, whose activations are like no others'.
///
/// Inputs: `base`, `text0` …, `sae0` …, `adapter` where there is one.
package struct AutoencoderEvaluationCell: CellKind {
  package struct Config: Codable, Sendable, Equatable {
    /// What people call them.
    package var autoencoders: [String]
    package var sequenceLength: Int
    /// Tokens to judge on; nil for all.
    package var tokens: Int?
    package var level: Double
    package var seed: UInt64
    package var precision: Precision
    package var textFiles: Int

    package init(
      autoencoders: [String], sequenceLength: Int = 512, tokens: Int? = nil, level: Double = 0.95,
      seed: UInt64 = 1, precision: Precision, textFiles: Int
    ) {
      (self.autoencoders, self.sequenceLength) = (autoencoders, sequenceLength)
      (self.tokens, self.level, self.seed) = (tokens, level, seed)
      (self.precision, self.textFiles) = (precision, textFiles)
    }
  }

  package struct Reading: Codable, Sendable {
    package var name: String
    package var site: String
    package var architecture: SparseAutoencoder.Architecture
    package var features: Int
    /// 1 − Σ‖x − x̂‖² / Σ‖x − x̄‖².
    package var explained: Estimate
    /// Features of a token.
    package var l0: Estimate
    /// Features that no token had.
    package var dead: Int
    /// Next-token loss in nats when the model goes on from what was rebuilt, less its own; nil for a model
    /// that predicts nothing.
    package var addedLoss: Estimate?
    /// 1 − (added loss) / (added loss of zeros in the site's place).
    package var recovered: Estimate?
    /// How many features are seen in a share of tokens of 10^-n to 10^(1-n), from n = 1 on; the last bin
    /// takes all rarer ones that are seen at all.
    package var frequencies: [Int]
  }

  package struct Finding: Codable, Sendable {
    package var readings: [Reading]
    /// The model's own next-token loss in nats; nil where it predicts nothing.
    package var loss: Estimate?
    package var tokens: Int
    package var documents: Int
    /// What a document is: `article`, `passage`.
    package var unit: String
  }

  package static let kind = "sae-eval"
  package static let version = 1
  private let model: LanguageModel

  package init(model: LanguageModel) { self.model = model }

  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    let model = model
    let files = try (0..<config.textFiles).map { try context.input(named: "text\($0)").path }
    let corpus = try Corpus(files: files)
    let paths = try config.autoencoders.indices.map { try context.input(named: "sae\($0)").path }
    return try await TensorActor.run { () throws -> Finding in
      var evaluation = AutoencoderEvaluation(
        config, model: model, adapter: try model.adapter(of: context),
        autoencoders: try paths.map { try SparseAutoencoder.read($0, for: model) },
        windows: try corpus.windowsForIntervals(
          model.tokenizer, length: config.sequenceLength, tokens: config.tokens, seed: config.seed))
      try evaluation.run(in: context)
      return try evaluation.finding(unit: corpus.unit)
    }
  }
}

/// An evaluation in progress; sums by document.
@TensorActor
private struct AutoencoderEvaluation {
  private let config: AutoencoderEvaluationCell.Config
  private let model: LanguageModel
  private let adapter: AdapterWeights?
  private let autoencoders: [SparseAutoencoder]
  private let windows: [Corpus.Window]
  private var tallies: [Tally]
  private var losses: [Int: (sum: Double, count: Int)] = [:]
  /// Tokens that were rebuilt, by document.
  private var counts: [Int: Int] = [:]

  /// What is known of one autoencoder.
  struct Tally {
    var error: [Int: Double] = [:]
    /// The first window's mean, from which activations are counted here.
    var centre: Tensor?
    /// Σ x and Σ ‖x‖² by document, from which any mean's variance follows.
    var sums: [Int: [Double]] = [:]
    var squares: [Int: Double] = [:]
    var active: [Int: Double] = [:]
    var fired: [Double]
    var spliced: [Int: Double] = [:]
    var zeroed: [Int: Double] = [:]
  }

  init(
    _ config: AutoencoderEvaluationCell.Config, model: LanguageModel, adapter: AdapterWeights?,
    autoencoders: [SparseAutoencoder], windows: [Corpus.Window]
  ) {
    (self.config, self.model, self.adapter, self.windows) = (config, model, adapter, windows)
    self.autoencoders = autoencoders
    tallies = autoencoders.map { Tally(fired: [Double](repeating: 0, count: $0.featureCount)) }
  }

  mutating func run(in context: CellContext) throws {
    let passes =
      model.configuration.hasHead
      ? 1 + autoencoders.count + Set(autoencoders.map(\.site)).count : 1
    for (index, window) in windows.enumerated() {
      try add(window)
      context.spend(tokens: window.ids.count * passes)
      context.report(
        progress: CellProgress(done: index + 1, total: windows.count, unit: "windows"))
    }
  }

  private mutating func add(_ window: Corpus.Window) throws {
    let (batch, document) = (TokenBatch([window.ids]), window.document)
    let output = try model.forward(
      batch, logits: .none, adapter: adapter, hooks: Hooks(captures: Set(autoencoders.map(\.site))))
    let rows = 1..<window.ids.count
    counts[document, default: 0] += rows.count
    if model.configuration.hasHead {
      let loss = try self.loss(output, window)
      losses[document, default: (0, 0)].sum += loss
      losses[document, default: (0, 0)].count += rows.count
    }
    let keep = Tensor(window.ids.indices.map { $0 == 0 ? 1 : 0 } as [Float])
    func loss(at site: Site, _ change: @escaping (Tensor) -> Tensor) throws -> Double {
      let hooks = Hooks(interventions: [(site: site, change: .transform(change))])
      return try self.loss(
        model.forward(batch, logits: .none, adapter: adapter, hooks: hooks), window)
    }
    var zeroed: [Site: Double] = [:]
    for (i, autoencoder) in autoencoders.enumerated() {
      let site = autoencoder.site
      guard let captured = output.captured[site] else { throw SiteError.neverReached(site: site) }
      try measure(captured.reshape([window.ids.count, -1]).slice(rows), autoencoder, i, document)
      guard model.configuration.hasHead else { continue }
      tallies[i].spliced[document, default: 0] +=
        try loss(at: site) { autoencoder.splice($0, keeping: keep) }
      // One site's zeros serve all of its autoencoders.
      let zeros =
        try zeroed[site]
        ?? loss(at: site) { $0 * keep.reshape([-1] + $0.shape.dropFirst().map { _ in 1 }) }
      zeroed[site] = zeros
      tallies[i].zeroed[document, default: 0] += zeros
    }
  }

  /// Σ −log p of all tokens but the first.
  private func loss(_ output: LanguageModel.Output, _ window: Corpus.Window) throws -> Double {
    let rows = output.finalNorm.slice(0..<window.ids.count - 1)
    return Double(
      try model.crossEntropy(rows, targets: Array(window.ids.dropFirst()), differentiable: false)
        .sum().scalar())
  }

  private mutating func measure(
    _ x: Tensor, _ autoencoder: SparseAutoencoder, _ i: Int, _ document: Int
  ) throws {
    let features = autoencoder.encode(x)
    let error = (x - autoencoder.decode(features)).square().sum()
    let isSeen = Tensor(0).less(features).astype(.float32).sum(axes: [0])
    // From a point among them: a variance does not care, and rounding does.
    let centre = tallies[i].centre ?? x.mean(axes: [0])
    tallies[i].centre = centre
    let near = x - centre
    let (sum, squares) = (near.sum(axes: [0]), near.square().sum())
    try Tensor.evaluate([error, isSeen, sum, squares, centre])
    let seen = try isSeen.floats().map(Double.init)
    tallies[i].error[document, default: 0] += Double(try error.scalar())
    tallies[i].squares[document, default: 0] += Double(try squares.scalar())
    tallies[i].active[document, default: 0] += seen.reduce(0, +)
    let own = try sum.floats().map(Double.init)
    tallies[i].sums[document] =
      tallies[i].sums[document].map { zip($0, own).map(+) } ?? own
    for j in seen.indices { tallies[i].fired[j] += seen[j] }
  }

  func finding(unit: String) throws -> AutoencoderEvaluationCell.Finding {
    let documents = counts.keys.sorted()
    let tokens = counts.values.reduce(0, +)
    return AutoencoderEvaluationCell.Finding(
      readings: try tallies.indices.map { try reading($0, documents, tokens) },
      loss: losses.isEmpty
        ? nil
        : try clusteredRatio(
          documents.map { losses[$0]?.sum ?? 0 },
          over: documents.map { Double(losses[$0]?.count ?? 0) }, count: tokens, unit: "token",
          level: config.level),
      tokens: tokens, documents: documents.count, unit: unit)
  }

  private func reading(
    _ i: Int, _ documents: [Int], _ tokens: Int
  ) throws -> AutoencoderEvaluationCell.Reading {
    let (tally, autoencoder) = (tallies[i], autoencoders[i])
    let sizes = documents.map { Double(counts[$0] ?? 0) }
    func ratio(_ above: [Double], over below: [Double]) throws -> Estimate {
      try clusteredRatio(above, over: below, count: tokens, unit: "token", level: config.level)
    }
    let variances = variances(tally, documents, sizes)
    let own = documents.map { losses[$0]?.sum ?? 0 }
    let added = zip(documents.map { tally.spliced[$0] ?? 0 }, own).map { $0 - $1 }
    let zeroed = zip(documents.map { tally.zeroed[$0] ?? 0 }, own).map { $0 - $1 }
    return AutoencoderEvaluationCell.Reading(
      name: config.autoencoders[i], site: "\(autoencoder.site)",
      architecture: autoencoder.architecture, features: autoencoder.featureCount,
      explained: try ratio(
        zip(variances, documents).map { $0 - (tally.error[$1] ?? 0) }, over: variances),
      l0: try ratio(documents.map { tally.active[$0] ?? 0 }, over: sizes),
      dead: tally.fired.count { $0 == 0 },
      addedLoss: losses.isEmpty ? nil : try ratio(added, over: sizes),
      // Where zeros cost nothing there is nothing to recover.
      recovered: losses.isEmpty || zeroed.reduce(0, +) <= 0
        ? nil : try ratio(zip(zeroed, added).map { $0 - $1 }, over: zeroed),
      frequencies: frequencies(tally.fired, tokens))
  }

  /// Σ ‖x − x̄‖² of each document, about the mean of all.
  private func variances(_ tally: Tally, _ documents: [Int], _ sizes: [Double]) -> [Double] {
    let n = sizes.reduce(0, +)
    let width = documents.first.flatMap { tally.sums[$0]?.count } ?? 0
    let mean = (0..<width).map { j in
      documents.reduce(0.0) { $0 + (tally.sums[$1]?[j] ?? 0) } / n
    }
    let length = mean.reduce(0) { $0 + $1 * $1 }
    return zip(documents, sizes).map { document, size in
      let product = zip(tally.sums[document] ?? [], mean).reduce(0) { $0 + $1.0 * $1.1 }
      return (tally.squares[document] ?? 0) - 2 * product + size * length
    }
  }

  private func frequencies(_ fired: [Double], _ tokens: Int) -> [Int] {
    var bins = [Int](repeating: 0, count: 6)
    for count in fired where count > 0 {
      let power = -log10(count / Double(tokens))
      bins[min(bins.count - 1, max(0, Int(power.rounded(.up)) - 1))] += 1
    }
    return bins
  }
}
