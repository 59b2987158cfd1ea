internal import Foundation
internal import Lab
internal import LanguageModels
internal import Statistics
internal import Tensors

/// An evaluation of lenses in progress.
@TensorActor
struct LensEvaluation {
  private let config: LensEvaluationCell.Config
  private let model: LanguageModel
  private let adapter: AdapterWeights?
  private let windows: [Corpus.Window]
  private var tallies: [LensTally]
  private var own = (crossEntropy: [Double](), entropy: [Double](), documents: [Int]())

  init(
    _ config: LensEvaluationCell.Config, model: LanguageModel, adapter: AdapterWeights?,
    lenses: [Lens], windows: [Corpus.Window]
  ) {
    (self.config, self.model, self.adapter, self.windows) = (config, model, adapter, windows)
    tallies = zip(["logit"] + config.lenses, lenses).map { LensTally(name: $0, lens: $1) }
  }

  mutating func run(in context: CellContext) throws {
    let total = windows.reduce(0) { $0 + $1.ids.count }
    let sites = Set(tallies.flatMap(\.lens.sites))
    var done = 0
    for part in LensTrainer.parts(of: windows.map(\.ids)[...], tokens: 1024) {
      let batch = TokenBatch(windows[part].map(\.ids), sharingPrefix: false)
      let output = try model.forward(
        batch, logits: .none, adapter: adapter, hooks: Hooks(captures: sites))
      let documents = zip(part, batch.spans).flatMap { index, span in
        span.map { _ in windows[index].document }
      }
      try add(batch, output, documents, isWhole: done < config.wholeTokens)
      if done < config.transferTokens {
        for i in tallies.indices { try tallies[i].addTransfers(batch, output, model) }
      }
      done += batch.tokens.count
      context.spend(tokens: batch.tokens.count)
      context.report(progress: CellProgress(done: done, total: total, unit: "tokens"))
    }
  }

  private mutating func add(
    _ batch: TokenBatch, _ output: LanguageModel.Output, _ documents: [Int], isWhole: Bool
  ) throws {
    let rows = batch.readRows(stepsBack: nil)
    let index = Tensor(rows.map { Int32($0.row) })
    let final = try model.predictions(from: output.finalNorm.take(index))
    let losses = try model.crossEntropy(of: final, targets: rows.map(\.token))
    try Tensor.evaluate(final.tensors + [losses])
    own.crossEntropy += try losses.floats().map(Double.init)
    own.entropy += try final.entropy.floats().map(Double.init)
    own.documents += rows.map { documents[$0.row] }
    for i in tallies.indices {
      try tallies[i].add(
        batch, output, final: final, documents: documents, model: model, isWhole: isWhole)
    }
  }

  func finding(unit: String) throws -> LensEvaluationCell.Finding {
    let known = Set(own.documents).count
    let mean = { (values: [Double], documents: [Int]) throws -> Estimate in
      try clusteredMean(values, clusters: documents, unit: "token", level: config.level)
    }
    let bytes = windows.reduce(0) { $0 + $1.bytes }
    let readings = try tallies.enumerated().map { i, tally in
      let first = tallies[..<i].first { $0.lens.kind == tally.lens.kind }
      return try tally.reading(mean, level: config.level, besides: first)
    }
    return LensEvaluationCell.Finding(
      lenses: readings,
      modelCrossEntropy: try mean(own.crossEntropy, own.documents),
      modelEntropy: try mean(own.entropy, own.documents),
      documents: known, unit: unit,
      bitsPerByte: Double(own.documents.count) / Double(max(bytes, 1)) / log(2),
      crossings: LensEvaluationCell.Finding.crossings(readings))
  }
}

/// A mean over tokens, of so many values from so many documents.
private typealias Mean = (_ values: [Double], _ documents: [Int]) throws -> Estimate

extension TokenBatch {
  /// Rows that a lens is judged on, with the token that it should name there: the next one, or the one
  /// so many steps back.
  func readRows(stepsBack: Int?) -> [(row: Int, token: Int)] {
    spans.flatMap { span -> [(row: Int, token: Int)] in
      guard let back = stepsBack else { return span.dropLast().map { ($0, tokens[$0 + 1]) } }
      return span.dropFirst(back).map { ($0, tokens[$0 - back]) }
    }
  }
}

/// What is known of one lens so far.
@TensorActor
private struct LensTally {
  let name: String
  let lens: Lens
  private var readings: [SiteTally]
  private var documents: [Int] = []
  /// Σ over tokens of the model's predictions, or of the tokens themselves: what marginals should be.
  private var expected: Tensor?
  private var transfers: [[(divergence: Double, crossEntropy: Double)]]
  private var transferred = 0

  init(name: String, lens: Lens) {
    (self.name, self.lens) = (name, lens)
    readings = lens.sites.map { _ in SiteTally() }
    transfers = lens.sites.map { _ in lens.sites.map { _ in (0, 0) } }
  }

  mutating func add(
    _ batch: TokenBatch, _ output: LanguageModel.Output, final: Predictions, documents: [Int],
    model: LanguageModel, isWhole: Bool
  ) throws {
    let isForward = lens.kind.stepsBack == nil
    let rows = batch.readRows(stepsBack: lens.kind.stepsBack)
    let (index, targets) = (Tensor(rows.map { Int32($0.row) }), rows.map(\.token))
    self.documents += rows.map { documents[$0.row] }
    if isWhole {
      let sum =
        isForward
        ? try model.probabilities(of: final).sum(axes: [0])
        : Tensor.counts(of: targets, outOf: model.configuration.dVocab)
      let total = expected.map { $0 + sum } ?? sum
      try Tensor.evaluate([total])
      expected = total
    }
    for (i, site) in lens.sites.enumerated() {
      guard let stream = output.captured[site]?.take(index) else { continue }
      let reading = try model.read(stream, at: site, through: lens)
      try readings[i].add(
        reading, final: isForward ? final : nil, targets: targets,
        losses: model.crossEntropy(of: reading, targets: targets))
      if isWhole { try readings[i].addWhole(model.logits(of: reading), reading, targets) }
    }
  }

  /// What every translator makes of every site.
  mutating func addTransfers(
    _ batch: TokenBatch, _ output: LanguageModel.Output, _ model: LanguageModel
  ) throws {
    guard lens.kind == .tuned else { return }
    let rows = batch.readRows(stepsBack: nil)
    let (index, targets) = (Tensor(rows.map { Int32($0.row) }), rows.map(\.token))
    for (j, site) in lens.sites.enumerated() {
      guard let stream = output.captured[site]?.take(index) else { continue }
      let own = try model.read(stream, at: site, through: lens)
      try Tensor.evaluate(own.tensors)
      for (i, translator) in lens.sites.enumerated() {
        let other = try model.read(stream, at: translator, through: lens, withMoments: false)
        let losses = try model.crossEntropy(of: other, targets: targets)
        transfers[i][j].divergence += Double(try own.divergence(to: other).sum().scalar())
        transfers[i][j].crossEntropy += Double(try losses.sum().scalar())
      }
    }
    transferred += rows.count
  }

  func reading(
    _ mean: Mean, level: Double, besides first: LensTally?
  ) throws -> LensEvaluationCell.LensReading {
    let marginal = try expected?.floats()
    let sites = try zip(lens.sites, readings).map { site, tally in
      let place = first?.lens.sites.firstIndex(of: site)
      return try tally.reading(
        "\(site)", documents, mean, level: level, expected: marginal,
        besides: place.flatMap { first?.readings[$0] })
    }
    let n = Double(transferred)
    let transfer: LensEvaluationCell.Transfer? =
      transferred == 0
      ? nil
      : .init(
        divergence: transfers.map { $0.map { $0.divergence / n } },
        crossEntropy: transfers.map { $0.map { $0.crossEntropy / n } })
    return .init(
      name: name, kind: lens.kind, sites: sites, transfer: transfer, tokens: documents.count,
      comparedWith: first?.name)
  }
}

/// What is known of one lens at one site, token by token.
@TensorActor
private struct SiteTally {
  private var crossEntropy: [Double] = []
  private var divergence: [Double] = []
  private var entropy: [Double] = []
  private var agreement: [Double] = []
  private var accuracy: [Double] = []
  private var marginal: Tensor?
  private var reciprocalRanks: [Double] = []

  init() {}

  mutating func add(
    _ reading: Predictions, final: Predictions?, targets: [Int], losses: Tensor
  ) throws {
    let divergence = final.map { $0.divergence(to: reading) }
    let entropy = reading.entropy
    try Tensor.evaluate([losses, entropy, reading.best] + [divergence].compactMap { $0 })
    crossEntropy += try losses.floats().map(Double.init)
    self.entropy += try entropy.floats().map(Double.init)
    let best = try reading.best.astype(.int32).int32s()
    accuracy += zip(best, targets).map { Int($0) == $1 ? 1 : 0 }
    guard let final, let divergence else { return }
    self.divergence += try divergence.floats().map(Double.init)
    agreement += zip(best, try final.best.astype(.int32).int32s()).map { $0 == $1 ? 1 : 0 }
  }

  mutating func addWhole(_ logits: Tensor, _ reading: Predictions, _ targets: [Int]) throws {
    let sum = (logits - reading.logPartition.expandDims(1)).exp().sum(axes: [0])
    let own = logits.takeAlongAxis(
      Tensor(targets.map(Int32.init), shape: [targets.count, 1]), axis: 1)
    let above = own.less(logits).astype(.float32).sum(axes: [1])
    let marginal = marginal.map { $0 + sum } ?? sum
    try Tensor.evaluate([marginal, above])
    self.marginal = marginal
    reciprocalRanks += try above.floats().map { 1 / (Double($0) + 1) }
  }

  func reading(
    _ site: String, _ documents: [Int], _ mean: Mean, level: Double, expected: [Float]?,
    besides first: SiteTally?
  ) throws -> LensEvaluationCell.SiteReading {
    let found = try marginal?.floats()
    let bias = expected.flatMap { p in found.map { Self.divergence(p, $0) } }
    let ranks = reciprocalRanks
    return .init(
      site: site, crossEntropy: try mean(crossEntropy, documents),
      divergence: divergence.isEmpty ? nil : try mean(divergence, documents),
      entropy: try mean(entropy, documents),
      agreement: agreement.isEmpty ? nil : try Self.rate(agreement, documents, level),
      accuracy: try Self.rate(accuracy, documents, level), marginalBias: bias,
      reciprocalRank: ranks.isEmpty ? nil : ranks.reduce(0, +) / Double(ranks.count),
      lead: try first.map { try mean(zip($0.crossEntropy, crossEntropy).map(-), documents) })
  }

  private static func rate(
    _ hits: [Double], _ documents: [Int], _ level: Double
  ) throws -> Estimate {
    try clusteredProportion(
      outcomes: hits.map { $0 == 1 }, clusters: documents, unit: "token", level: level)
  }

  /// KL of two distributions that are given as sums.
  private static func divergence(_ p: [Float], _ q: [Float]) -> Double {
    let (total, other) = (
      p.reduce(0.0) { $0 + Double($1) }, q.reduce(0.0) { $0 + Double($1) }
    )
    return zip(p, q).reduce(0) { sum, pair in
      guard pair.0 > 0 else { return sum }
      let (a, b) = (Double(pair.0) / total, Double(max(pair.1, .leastNonzeroMagnitude)) / other)
      return sum + a * log(a / b)
    }
  }
}

extension Tensor {
  /// How often each id is among `ids`, `[total]`.
  fileprivate static func counts(of ids: [Int], outOf total: Int) -> Tensor {
    var counts = [Float](repeating: 0, count: total)
    for id in ids { counts[id] += 1 }
    return Tensor(counts)
  }
}
