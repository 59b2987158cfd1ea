internal import Foundation
package import Lab
package import LanguageModels
internal import Statistics
internal import Tensors
internal import Training

/// Trains a sparse autoencoder for each of some sites, all from the same passes of the model over text, as
/// artifacts `<site>/cfg.json` and `<site>/sae_weights.safetensors`.
///
/// Activations never lie on disk: a chunk of text is run, its tokens are shuffled, and the trainings take
/// their steps from these. First tokens of windows are left out, whose activations are like no others'.
///
/// Inputs: `base`, the model's file; `text0`, `text1`, …; `adapter`, where the model has one.
package struct AutoencoderTrainCell: CellKind {
  package struct Config: Codable, Sendable, Equatable {
    package var training: AutoencoderTraining
    package var sites: [String]
    package var sequenceLength: Int
    /// Tokens of text to train on in each epoch; nil for all.
    package var tokens: Int?
    /// Tokens of other documents that the autoencoders are judged on after each chunk.
    package var heldOutTokens: Int
    /// Tokens whose activations lie in memory, and are shuffled, together.
    package var chunkTokens: Int
    package var seed: UInt64
    package var precision: Precision
    package var textFiles: Int

    package init(
      training: AutoencoderTraining, sites: [String], sequenceLength: Int = 512, tokens: Int? = nil,
      heldOutTokens: Int = 4096, chunkTokens: Int = 32768, seed: UInt64 = 1, precision: Precision,
      textFiles: Int
    ) {
      (self.training, self.sites, self.sequenceLength) = (training, sites, sequenceLength)
      (self.tokens, self.heldOutTokens, self.seed) = (tokens, heldOutTokens, seed)
      (self.chunkTokens, self.precision, self.textFiles) = (chunkTokens, precision, textFiles)
    }
  }

  /// One site's autoencoder on held-out tokens.
  package struct Look: Codable, Sendable {
    /// Tokens trained on by then.
    package var tokens: Int
    /// Explained share of the variance.
    package var explained: Float
    /// Features a token.
    package var l0: Float
    /// Features that had long not been seen in training.
    package var dead: Int
  }

  package struct Finding: Codable, Sendable {
    package var sites: [String]
    package var features: [Int]
    package var steps: Int
    /// Tokens over all epochs.
    package var trainingTokens: Int
    package var heldOutTokens: Int
    /// `[site][chunk]`.
    package var looks: [[Look]]
  }

  package static let kind = "sae-train"
  package static let version = 1
  private let model: LanguageModel

  package init(model: LanguageModel) { self.model = model }

  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    try await run(config, in: context, stopAfter: .max) {}
  }

  /// The same, but that `stop` is called after so many chunks: where tests throw.
  package func run(
    _ config: Config, in context: CellContext, stopAfter: Int,
    stop: @escaping @Sendable () throws -> Void
  ) async throws -> Finding {
    let model = model
    let files = try (0..<config.textFiles).map { try context.input(named: "text\($0)").path }
    let corpus = try Corpus(files: files)
    return try await TensorActor.run { () throws -> Finding in
      var run = try AutoencoderTrainingRun(
        config, model: model, adapter: model.adapter(of: context),
        text: corpus.split(
          model.tokenizer, length: config.sequenceLength, tokens: config.tokens,
          heldOut: config.heldOutTokens, seed: config.seed), context)
      try run.run { if $0 >= stopAfter { try stop() } }
      for trainer in run.trainers {
        let folder = context.artifacts.appending(path: "\(trainer.site)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try trainer.autoencoder.write(to: folder.path, for: model)
      }
      return run.finding
    }
  }
}

extension LanguageModel {
  /// Activations at `sites` of all tokens of `sequences` but each one's first, `[token, width]` each; `report`
  /// is called now and then.
  func activations(
    of sequences: [[Int]], at sites: [Site], adapter: AdapterWeights?, report: () -> Void
  ) throws -> [Tensor] {
    var parts = sites.map { _ in [Tensor]() }
    for part in LensTrainer.parts(of: sequences[...], tokens: LensTrainer.tokensPerPass) {
      let batch = TokenBatch(Array(sequences[part]), sharingPrefix: false)
      let output = try forward(
        batch, logits: .none, adapter: adapter, hooks: Hooks(captures: Set(sites)))
      let rows = Tensor(batch.spans.flatMap { $0.dropFirst().map(Int32.init) })
      for (i, site) in sites.enumerated() {
        guard let captured = output.captured[site] else { throw SiteError.neverReached(site: site) }
        parts[i].append(captured.reshape([batch.tokens.count, -1]).take(rows))
      }
      try Tensor.evaluate(parts.compactMap(\.last))
      report()
    }
    return parts.map { $0.count == 1 ? $0[0] : Tensor.concatenate($0, axis: 0) }
  }
}

/// All sites' trainings, which can be taken up again where they were killed.
@TensorActor
private struct AutoencoderTrainingRun {
  private let config: AutoencoderTrainCell.Config
  private let context: CellContext
  private let model: LanguageModel
  private let adapter: AdapterWeights?
  private let text: (train: [[Int]], heldOut: [[Int]])
  private let sites: [Site]
  private let chunks: [Range<Int>]
  private(set) var trainers: [AutoencoderTrainer] = []
  private var looks: [[AutoencoderTrainCell.Look]]
  private var chunksDone = 0
  private var trained = 0

  init(
    _ config: AutoencoderTrainCell.Config, model: LanguageModel, adapter: AdapterWeights?,
    text: (train: [[Int]], heldOut: [[Int]]), _ context: CellContext
  ) throws {
    (self.context, self.model, self.adapter, self.text) = (context, model, adapter, text)
    var config = config
    config.training.deadAfter = config.training.deadAfter(
      tokens: config.training.epochs * text.train.reduce(0) { $0 + $1.count })
    self.config = config
    sites = try config.sites.map { try Site($0, nLayers: model.configuration.nLayers) }
    chunks = LensTrainer.parts(of: text.train[...], tokens: config.chunkTokens)
    looks = sites.map { _ in [] }
  }

  var finding: AutoencoderTrainCell.Finding {
    AutoencoderTrainCell.Finding(
      sites: sites.map(\.description), features: trainers.map(\.silent.count),
      steps: trainers.first?.step ?? 0, trainingTokens: trained,
      heldOutTokens: text.heldOut.reduce(0) { $0 + $1.count - 1 }, looks: looks)
  }

  private var total: Int { config.training.epochs * chunks.count }
  /// Tokens to train on over all epochs, but for rests.
  private var expected: Int {
    config.training.epochs * text.train.reduce(0) { $0 + $1.count - 1 }
  }

  /// `afterChunk` is called with how many chunks are done, after the last was kept.
  mutating func run(afterChunk: (Int) throws -> Void) throws {
    try resume()
    // A chunk's text takes a while before the first step is taken on it.
    let heldOut = try model.activations(
      of: text.heldOut, at: sites, adapter: adapter
    ) { report("reading text") }
    while chunksDone < total {
      let sequences = Array(text.train[chunks[chunksDone % chunks.count]])
      let activations = try model.activations(
        of: sequences, at: sites, adapter: adapter
      ) { report("reading text") }
      context.spend(tokens: sequences.reduce(0) { $0 + $1.count })
      if trainers.isEmpty {
        trainers = try zip(sites, activations).map {
          try AutoencoderTrainer(config.training, site: $0, from: $1, seed: config.seed)
        }
      }
      try take(activations)
      for i in sites.indices { looks[i].append(try look(i, heldOut[i])) }
      chunksDone += 1
      try checkpoint()
      try afterChunk(chunksDone)
    }
  }

  /// Steps over a chunk's tokens in random order; a rest of less than half a step is left out.
  private mutating func take(_ activations: [Tensor]) throws {
    let count = activations[0].shape[0]
    var generator = SeededGenerator(seed: config.seed, stream: "sae-chunk-\(chunksDone)")
    let order = generator.shuffled(0..<count)
    let size = min(config.training.tokensPerStep, count)
    let steps = max(1, Int((Double(count) / Double(size)).rounded()))
    for step in 0..<steps {
      let rows = order[step * size..<min((step + 1) * size, count)]
      let index = Tensor(rows.map(Int32.init))
      // Chunks take about equally many steps: the rate ends where the last one does.
      let done = (Double(chunksDone) + Double(step) / Double(steps)) / Double(total)
      let factor = config.training.schedule.factor(step: Int(done * 1e6), of: 1_000_000)
      var note = ""
      for i in trainers.indices {
        let seen = try trainers[i].takeStep(activations[i].take(index), rateFactor: factor)
        note += " \((100 * seen.explained).rounded()) %"
      }
      trained += rows.count
      report("explained\(note)")
    }
  }

  private func report(_ note: String) {
    context.report(
      progress: CellProgress(
        done: trained, total: max(trained, expected), unit: "tokens", note: note))
  }

  private func look(_ i: Int, _ x: Tensor) throws -> AutoencoderTrainCell.Look {
    let autoencoder = trainers[i].autoencoder
    let features = autoencoder.encode(x)
    let error = (x - autoencoder.decode(features)).square().sum()
    let variance = (x - x.mean(axes: [0])).square().sum()
    let l0 = Tensor(0).less(features).astype(.float32).sum(axes: [1]).mean()
    try Tensor.evaluate([error, variance, l0])
    return AutoencoderTrainCell.Look(
      tokens: trained, explained: try 1 - error.scalar() / max(variance.scalar(), 1e-30),
      l0: try l0.scalar(),
      dead: trainers[i].silent.count { $0 > config.training.deadLimit })
  }

  // MARK: - Checkpoints

  private struct Record: Codable {
    var chunksDone: Int
    var trained: Int
    var steps: [Int]
    var scales: [Float]
    var silent: [[Int]]
    var looks: [[AutoencoderTrainCell.Look]]
  }

  private var file: String { context.scratch.appending(path: "checkpoint.safetensors").path }

  /// Everything that the next chunk depends on, in one file.
  private func checkpoint() throws {
    let record = Record(
      chunksDone: chunksDone, trained: trained, steps: trainers.map(\.step),
      scales: trainers.map(\.scale), silent: trainers.map(\.silent), looks: looks)
    let entries = try trainers.enumerated().flatMap { i, trainer in
      try [
        ("now", trainer.parameters), ("first", trainer.optimizer.moments.first),
        ("second", trainer.optimizer.moments.second),
      ].flatMap { name, tree in
        try zip(tree.paths, tree.tensors).map {
          SafetensorsEntry(name: "\(i).\(name).\($0)", shape: $1.shape, values: try $1.floats())
        }
      }
    }
    let json = String(decoding: try JSONEncoder().encode(record), as: UTF8.self)
    try SafetensorsFile.write(entries, metadata: ["record": json], to: file)
  }

  /// The scratch folder is this cell's alone, so whatever lies there was written by it.
  private mutating func resume() throws {
    guard FileManager.default.fileExists(atPath: file) else { return }
    let stored = try SafetensorsFile(path: file)
    guard let json = stored.metadata["record"] else {
      throw TrainingError.badCheckpoint(path: file, reason: "another kind of file")
    }
    let record = try JSONDecoder().decode(Record.self, from: Data(json.utf8))
    let names = ["W_enc", "b_enc", "W_dec", "b_dec"]
    let paths = config.training.method == .jumpReLU ? names + ["tau"] : names
    func tree(_ name: String) throws -> ParameterTree {
      ParameterTree(
        try paths.map { path in
          let entry = try stored.tensor("\(name).\(path)")
          return (path, Tensor(try entry.floats(), shape: entry.shape))
        })
    }
    trainers = try sites.enumerated().map { i, site in
      AutoencoderTrainer(
        config.training, site: site, scale: record.scales[i], parameters: try tree("\(i).now"),
        first: try tree("\(i).first"), second: try tree("\(i).second"), step: record.steps[i],
        silent: record.silent[i])
    }
    (chunksDone, trained, looks) = (record.chunksDone, record.trained, record.looks)
  }
}
