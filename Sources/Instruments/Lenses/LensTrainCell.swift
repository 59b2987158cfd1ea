internal import Foundation
package import Lab
package import LanguageModels
internal import Statistics
internal import Tensors
internal import Training

/// Trains a lens on text, a retrodiction from the ridge regression that it has to beat, and keeps, for each site, the translator that did best on documents that it
/// was not trained on, as artifact `lens.safetensors`.
///
/// Inputs: `base`, the model's file; `text0`, `text1`, …; `adapter`, where the model has one.
package struct LensTrainCell: CellKind {
  package struct Config: Codable, Sendable, Equatable {
    package var training: LensTraining
    /// Whether sites between attention and MLP get translators too.
    package var mid: Bool
    /// The longest window of text, in tokens.
    package var sequenceLength: Int
    /// Tokens of text to train on in each epoch; nil for all.
    package var tokens: Int?
    /// Tokens of other documents, on which training is watched.
    package var heldOutTokens: Int
    /// Steps between looks at these.
    package var checkInterval: Int
    /// Training ends once no site has gained for so many looks.
    package var patience: Int
    /// Draws documents and their order.
    package var seed: UInt64
    package var precision: Precision
    /// How many files the text lies in.
    package var textFiles: Int

    package init(
      training: LensTraining, mid: Bool = false, sequenceLength: Int = 512, tokens: Int? = nil,
      heldOutTokens: Int = 4096, checkInterval: Int = 8, patience: Int = 4, seed: UInt64 = 1,
      precision: Precision, textFiles: Int
    ) {
      (self.training, self.mid, self.sequenceLength) = (training, mid, sequenceLength)
      (self.tokens, self.heldOutTokens, self.seed) = (tokens, heldOutTokens, seed)
      (self.checkInterval, self.patience) = (checkInterval, patience)
      (self.precision, self.textFiles) = (precision, textFiles)
    }
  }

  package struct Finding: Codable, Sendable {
    /// The sites, from the input on.
    package var sites: [String]
    package var steps: Int
    /// Tokens over all epochs.
    package var trainingTokens: Int
    package var heldOutTokens: Int
    /// Held-out loss in nats a token, `[look][site]`, the first before any training: of the logit lens,
    /// or of ridge regression for retrodictions.
    package var heldOut: [[Float]]
    /// Steps taken at each look.
    package var looks: [Int]
    /// Which look's translator was kept, by site.
    package var kept: [Int]

    /// Held-out loss of the translators that were kept, by site.
    package var best: [Float] { kept.enumerated().map { heldOut[$1][$0] } }
  }

  package static let kind = "lens-train"
  package static let version = 1
  private let model: LanguageModel

  package init(model: LanguageModel) { self.model = model }

  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    try await run(config, in: context, stopAfter: .max) {}
  }

  /// The same, but that `stop` is called after so many steps: where tests throw.
  package func run(
    _ config: Config, in context: CellContext, stopAfter: Int,
    stop: @escaping @Sendable () throws -> Void
  ) async throws -> Finding {
    let model = model
    let files = try (0..<config.textFiles).map { try context.input(named: "text\($0)").path }
    let corpus = try Corpus(files: files)
    return try await TensorActor.run { () throws -> Finding in
      var training = try LensTrainingRun(
        config, model: model, adapter: model.adapter(of: context),
        text: Self.split(corpus, config, model), context)
      try training.run { if $0 >= stopAfter { try stop() } }
      try training.best.writeSafetensors(
        to: context.artifacts.appending(path: "lens.safetensors").path, for: model)
      return training.finding
    }
  }

  /// Windows to train on, and windows of other documents to watch.
  package static func split(
    _ corpus: Corpus, _ config: Config, _ model: LanguageModel
  ) throws(LensError) -> (train: [[Int]], heldOut: [[Int]]) {
    try corpus.split(
      model.tokenizer, length: config.sequenceLength, tokens: config.tokens,
      heldOut: config.heldOutTokens, seed: config.seed)
  }
}

/// A training with its looks at held-out text, which can be taken up again where it was killed.
@TensorActor
private struct LensTrainingRun {
  private let config: LensTrainCell.Config
  private let context: CellContext
  private let model: LanguageModel
  private let adapter: AdapterWeights?
  private let heldOut: [[Int]]
  private var trainer: LensTrainer
  private(set) var best: Lens
  private var losses: [[Float]] = []
  private var looks: [Int] = []
  private var kept: [Int]

  init(
    _ config: LensTrainCell.Config, model: LanguageModel, adapter: AdapterWeights?,
    text: (train: [[Int]], heldOut: [[Int]]), _ context: CellContext
  ) throws {
    (self.config, self.context, self.model, self.adapter) = (config, context, model, adapter)
    heldOut = text.heldOut
    let c = model.configuration
    let sites = Lens.sites(of: c, mid: config.mid)
    // What a checkpoint holds takes its place, so that a regression is not solved again.
    let isResumed = FileManager.default.fileExists(atPath: Self.file(context))
    best =
      config.training.kind.stepsBack == nil || isResumed
      ? Lens(config.training.kind, sites: sites, dModel: c.dModel)
      : try Lens.ridge(
        config.training.kind, sites: sites, model: model, adapter: adapter, sequences: text.train)
    trainer = LensTrainer(
      config.training, model: model, adapter: adapter, sequences: text.train, from: best)
    kept = best.sites.map { _ in 0 }
  }

  var finding: LensTrainCell.Finding {
    LensTrainCell.Finding(
      sites: best.sites.map(\.description), steps: trainer.step,
      trainingTokens: (0..<trainer.step).reduce(0) { $0 + trainer.tokens(ofStep: $1) },
      heldOutTokens: heldOut.reduce(0) { $0 + $1.count }, heldOut: losses, looks: looks, kept: kept)
  }

  /// Sites whose last gain lies less than ``LensTrainCell/Config/patience`` looks back.
  private var isLearning: Bool {
    kept.contains { looks.count - 1 - $0 < config.patience }
  }

  /// `afterStep` is called with how many steps were taken, before anything is kept of the last.
  mutating func run(afterStep: (Int) throws -> Void) throws {
    try resume()
    if looks.isEmpty { try look() }
    while !trainer.isFinished, isLearning {
      let tokens = trainer.tokens(ofStep: trainer.step)
      let losses = try trainer.takeStep()
      context.spend(tokens: tokens)
      try afterStep(trainer.step)
      let mean = losses.reduce(0, +) / Float(max(losses.count, 1))
      context.report(
        progress: CellProgress(
          done: trainer.step, total: trainer.totalSteps, unit: "steps",
          note: "loss \((mean * 1000).rounded() / 1000)"))
      if trainer.step % config.checkInterval == 0 || trainer.isFinished {
        try look()
        if !trainer.isFinished { try checkpoint() }
      }
    }
  }

  /// Measures all sites on held-out text, and keeps those that did better than ever.
  private mutating func look() throws {
    let now = try trainer.lens.losses(on: heldOut, model: model, adapter: adapter)
    context.spend(tokens: heldOut.reduce(0) { $0 + $1.count })
    guard now.allSatisfy(\.isFinite) else { throw TrainingError.notFinite(step: trainer.step) }
    looks.append(trainer.step)
    losses.append(now)
    var tensors = best.parameters.tensors
    for site in now.indices where looks.count == 1 || now[site] < losses[kept[site]][site] {
      kept[site] = looks.count - 1
      for part in 2 * site..<2 * site + 2 { tensors[part] = trainer.lens.parameters.tensors[part] }
    }
    best = best.replacing(best.parameters.replacing(tensors))
  }

  // MARK: - Checkpoints

  private struct Record: Codable {
    var losses: [[Float]]
    var looks: [Int]
    var kept: [Int]
  }

  private var file: String { Self.file(context) }

  private static func file(_ context: CellContext) -> String {
    context.scratch.appending(path: "checkpoint.safetensors").path
  }

  /// Everything that the next step depends on, in one file.
  private func checkpoint() throws {
    let record = try JSONEncoder().encode(Record(losses: losses, looks: looks, kept: kept))
    let trees =
      [("best", best.parameters), ("now", trainer.lens.parameters)]
      + trainer.optimizer.state.enumerated().map { ("state\($0)", $1) }
    let entries = try trees.flatMap { name, tree in
      try zip(tree.paths, tree.tensors).map {
        SafetensorsEntry(name: "\(name).\($0)", shape: $1.shape, values: try $1.floats())
      }
    }
    try SafetensorsFile.write(
      entries,
      metadata: ["step": "\(trainer.step)", "record": String(decoding: record, as: UTF8.self)],
      to: file)
  }

  /// The scratch folder is this cell's alone, so whatever lies there was written by it.
  private mutating func resume() throws {
    guard FileManager.default.fileExists(atPath: file) else { return }
    let stored = try SafetensorsFile(path: file)
    guard let step = stored.metadata["step"].flatMap(Int.init),
      let record = stored.metadata["record"].map({ Data($0.utf8) })
    else {
      throw TrainingError.badCheckpoint(path: file, reason: "another kind of file")
    }
    let parameters = best.parameters
    func tree(_ name: String) throws -> ParameterTree {
      parameters.replacing(
        try parameters.paths.map { path in
          let entry = try stored.tensor("\(name).\(path)")
          return Tensor(try entry.floats(), shape: entry.shape)
        })
    }
    let known = try JSONDecoder().decode(Record.self, from: record)
    (losses, looks, kept) = (known.losses, known.looks, known.kept)
    best = best.replacing(try tree("best"))
    trainer.replaceState(
      parameters: try tree("now"), step: step,
      state: try trainer.optimizer.state.indices.map { try tree("state\($0)") })
  }
}

extension Lens {
  /// The mean loss at each site over all tokens of `sequences` but the first of each, in nats.
  package func losses(
    on sequences: [[Int]], model: LanguageModel, adapter: AdapterWeights?, skipped: Int = 0
  ) throws -> [Float] {
    var sums = [Double](repeating: 0, count: sites.count)
    var count = 0
    for part in LensTrainer.parts(of: sequences[...], tokens: LensTrainer.tokensPerPass) {
      let pass = try LensPass(
        model, adapter: adapter, Array(sequences[part]), sites: sites, kind: kind,
        skipped: skipped)
      count += pass.count
      for (i, site) in sites.enumerated() {
        sums[i] += Double(try pass.losses(at: site, through: self).sum().scalar())
      }
    }
    return sums.map { Float($0 / Double(count)) }
  }
}
