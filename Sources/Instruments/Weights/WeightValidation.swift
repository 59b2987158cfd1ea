internal import Foundation
internal import Lab
internal import LanguageModels
internal import Statistics
internal import Tensors

/// The experiment of ``WeightValidationCell``.
@TensorActor
struct WeightValidation {
  private let config: WeightValidationCell.Config
  private let model: LanguageModel
  private let adapter: AdapterWeights?
  private let lens: Lens
  private let backward: Lens?
  private let context: CellContext
  private let fitWindows: [[Int]], windows: [[Int]], inputWindows: [[Int]]
  private let neurons: [Neuron]
  private let statistics: NeuronStatistics
  private let progress: Progress
  private var scores: [WeightScore] = []
  private var generator: SeededGenerator

  private final class Progress {
    var done = 0
    let total: Int
    let context: CellContext

    init(total: Int, context: CellContext) { (self.total, self.context) = (total, context) }

    func step(_ note: String) {
      done = min(done + 1, total)
      context.report(
        progress: CellProgress(done: done, total: total, unit: "passes", note: note))
    }
  }

  init(
    _ config: WeightValidationCell.Config, model: LanguageModel, adapter: AdapterWeights?,
    lens: Lens, backward: Lens?, text: Corpus, fit: Corpus, context: CellContext
  ) throws {
    try model.requireReadableWeights()
    (self.config, self.model, self.adapter, self.lens) = (config, model, adapter, lens)
    (self.backward, self.context) = (backward, context)
    func take(_ corpus: Corpus, _ tokens: Int) throws -> [[Int]] {
      try corpus.windows(
        model.tokenizer, length: config.sequenceLength, tokens: tokens, seed: config.seed
      ).map(\.ids)
    }
    fitWindows = try take(fit, config.fitTokens)
    windows = Array(
      try take(text, config.windows * config.sequenceLength).filter { $0.count >= 16 }
        .prefix(config.windows))
    inputWindows = try take(text, config.inputTokens)
    generator = SeededGenerator(seed: config.seed, stream: "weights")
    statistics = try NeuronStatistics(
      config.blocks, model: model, adapter: adapter,
      windows: Array(fitWindows.prefix(max(2, 4096 / config.sequenceLength))))
    var drawn: [Neuron] = []
    for block in config.blocks {
      drawn += statistics.draw(config.neuronsPerBlock, block: block, &generator)
    }
    neurons = drawn
    let routes = Self.routes(config, model)
    progress = Progress(
      total: TransportFit.passes(windows: fitWindows.count, jacobianSamples: config.jacobianSamples)
        + Set(routes.flatMap(\.targets)).count + routes.count + windows.count + inputWindows.count
        / 16,
      context: context)
  }

  // MARK: - Where to where

  private static func landing(_ block: Int) -> Site { .block(block + 1, .residPre) }
  private static let embedding = Site.block(0, .residPre)

  /// From where each block's neurons write to the readers and the end, and to itself as a control; and from
  /// the embedding to what each block's neurons read.
  private static func routes(
    _ config: WeightValidationCell.Config, _ model: LanguageModel
  ) -> [TransportFit.Routes] {
    let last = Site.block(model.configuration.nLayers - 1, .residPost)
    return [.init(source: embedding, targets: config.blocks.map(model.mlpReads))]
      + config.blocks.map { block in
        .init(
          source: landing(block),
          targets: readers(of: block, config, model).map(model.mlpReads) + [
            last, landing(block),
          ])
      }
  }

  private static func readers(
    of block: Int, _ config: WeightValidationCell.Config, _ model: LanguageModel
  ) -> [Int] {
    config.gaps.map { block + $0 }.filter { $0 < model.configuration.nLayers }
  }

  private var nLayers: Int { model.configuration.nLayers }

  // MARK: - The experiment

  mutating func run() throws -> WeightValidationCell.Finding {
    let progress = progress
    var fit = TransportFit(
      Self.routes(config, model), model: model, adapter: adapter, lens: lens, backward: backward,
      windows: fitWindows, jacobianSamples: config.jacobianSamples, seed: config.seed,
      report: { progress.step($0) })
    let transports = try fit.fit()
    context.spend(tokens: fitWindows.reduce(0) { $0 + $1.count })
    let places = windows.map { ids in ids.count / 4 + generator.below(ids.count - ids.count / 4) }
    var effects = NeuronEffects(
      neurons,
      readers: Dictionary(
        uniqueKeysWithValues: config.blocks.map { ($0, Self.readers(of: $0, config, model)) }),
      model: model, adapter: adapter, statistics: statistics)
    for (ids, place) in zip(windows, places) {
      try effects.add(ids, at: place)
      context.spend(tokens: ids.count + 3 * neurons.count)
      progress.step("measuring effects")
    }
    for block in config.blocks {
      try scoreEffects(of: block, effects, transports[Self.landing(block)].unwrapped)
    }
    let counted = try scoreInputs(transports[Self.embedding].unwrapped)
    let controls = WeightValidationCell.Controls(
      direct: try directControls(places), coincidence: try coincidence(transports))
    try write()
    return WeightValidationCell.Finding(
      readings: try readings(), controls: controls, neurons: neurons.count, windows: windows.count,
      fitTokens: fitWindows.reduce(0) { $0 + $1.count }, countedTokens: counted)
  }

  private func neurons(of block: Int) -> [Neuron] { neurons.filter { $0.block == block } }

  private func written(by block: Int) throws -> Tensor {
    try model.neuronOutputs(block: block, neurons(of: block).map(\.index), adapter: adapter)
  }

  /// What all neurons of a block read, gates first, `[reading, dModel]`.
  private func read(by block: Int, _ neurons: [Int]? = nil) throws -> Tensor {
    Tensor.concatenate(
      try model.neuronInputs.map {
        try model.neuronInputs(block: block, $0, neurons, adapter: adapter)
      }, axis: 0)
  }

  /// In one order, always: a cell's artifacts are the same bytes each time.
  private func ordered(
    _ kinds: [TransportKind: Tensor]
  ) -> [(kind: TransportKind, matrix: Tensor)] {
    TransportKind.allCases.compactMap { kind in kinds[kind].map { (kind, $0) } }
  }

  private mutating func scoreEffects(
    of block: Int, _ effects: NeuronEffects, _ transports: [Site: [TransportKind: Tensor]]
  ) throws {
    let rows = try written(by: block)
    let last = Site.block(nLayers - 1, .residPost)
    for truth in [NeuronEffects.Truth.slope, .ablation] {
      for (kind, matrix) in ordered(transports[last].unwrapped) {
        try score(
          try model.logits(alongDirections: rows.matmul(matrix)), .output, truth, kind,
          gap: nLayers - block, effects, block, .logits)
      }
      for reader in Self.readers(of: block, config, model) {
        let inputs = try read(by: reader)
        for (kind, matrix) in ordered(transports[model.mlpReads(reader)].unwrapped) {
          try score(
            rows.matmul(matrix).matmul(inputs.transpose()), .virtual, truth, kind,
            gap: reader - block, effects, block, .neurons(block: reader))
        }
      }
    }
  }

  private mutating func score(
    _ predicted: Tensor, _ reading: WeightValidationCell.ReadingKind,
    _ truth: NeuronEffects.Truth, _ kind: TransportKind, gap: Int, _ effects: NeuronEffects,
    _ block: Int, _ place: NeuronEffects.Place
  ) throws {
    let (halves, whole) = effects.effects(block: block, place, truth)
    let repeats = try WeightMetrics.correlation(halves[0], halves[1]).floats()
    let metrics = try WeightMetrics.rows(predicted, whole, bySize: reading == .virtual)
    for (neuron, (own, again)) in zip(neurons(of: block), zip(metrics, repeats)) {
      scores.append(
        WeightScore(
          reading: reading, truth: truth == .slope ? .slope : .ablation, gap: gap, neuron: neuron,
          kind: kind, metrics: own, ceiling: Self.ceiling(Double(again))))
    }
  }

  /// The correlation of a perfect prediction with the mean of both halves (Spearman 1910, Brown 1910).
  private static func ceiling(_ r: Double) -> Double {
    r > 0 ? (2 * r / (1 + r)).squareRoot() : 0
  }

  // MARK: - Inputs by token

  /// Means by token of what neurons get, against their readings of the embedding.
  private mutating func scoreInputs(
    _ transports: [Site: [TransportKind: Tensor]]
  ) throws -> Int {
    var tokens: [Int] = []
    var inputs: [Int: [Tensor]] = [:]
    for start in stride(from: 0, to: inputWindows.count, by: 16) {
      let batch = TokenBatch(
        Array(inputWindows[start..<min(start + 16, inputWindows.count)]), sharingPrefix: false)
      let rows = batch.spans.flatMap { $0.dropFirst() }
      tokens += rows.map { batch.tokens[$0] }
      let parts: [(Int, [Site])] = config.blocks.map { block in
        (block, model.neuronInputs.map { .block(block, $0 == .gate ? .gate : .up) })
      }
      let output = try model.forward(
        batch, logits: .none, adapter: adapter,
        hooks: Hooks(captures: Set(parts.flatMap(\.1))))
      for (block, sites) in parts {
        let own = Tensor(neurons(of: block).map { Int32($0.index) })
        let values = Tensor.concatenate(
          sites.map { output.captured[$0].unwrapped.take(own, axis: 1) }, axis: 1
        ).take(Tensor(rows.map(Int32.init)))
        try Tensor.evaluate([values])
        inputs[block, default: []].append(values)
      }
      context.spend(tokens: batch.tokens.count)
      progress.step("inputs by token")
    }
    let counts = Dictionary(tokens.map { ($0, 1) }, uniquingKeysWith: +)
    let counted = counts.filter { $0.value >= config.minimumCount }.keys.sorted()
    guard counted.count >= 20 else {
      throw LensError.tooLittleText(
        needed: 20, found: counted.count, unit: "tokens that occur \(config.minimumCount) times")
    }
    let means = MeansByToken(tokens, counted)
    for block in config.blocks {
      try scoreInputs(
        of: block, means.of(Tensor.concatenate(inputs[block].unwrapped, axis: 0)), counted,
        transports[model.mlpReads(block)].unwrapped)
    }
    return counted.count
  }

  private mutating func scoreInputs(
    of block: Int, _ measured: Tensor, _ counted: [Int], _ kinds: [TransportKind: Tensor]
  ) throws {
    let own = neurons(of: block)
    let reads = try read(by: block, own.map(\.index))
    let columns = Tensor(counted.map(Int32.init))
    for (kind, matrix) in ordered(kinds) {
      let predicted = try model.embeddings(alongDirections: reads.matmul(matrix.transpose()))
        .take(columns, axis: 1)
      let metrics = try WeightMetrics.rows(predicted, measured, bySize: false)
      for (place, metrics) in metrics.enumerated() {
        scores.append(
          WeightScore(
            reading: .input, truth: .tokenMean, gap: block + 1, neuron: own[place % own.count],
            kind: kind, metrics: metrics))
      }
    }
  }

  // MARK: - Controls

  /// Raw readings against what a change does with everything between frozen: the same change of the stream
  /// where it is read, norm and all.
  private func directControls(
    _ places: [Int]
  ) throws -> [WeightValidationCell.Controls.Direct] {
    let last = Site.block(nLayers - 1, .residPost)
    var sums: [Int: [NeuronEffects.Place: Tensor]] = [:]
    for (ids, position) in zip(windows.prefix(8), places) {
      let readers = config.blocks.flatMap { Self.readers(of: $0, config, model) }
      let output = try model.forward(
        TokenBatch([ids]), logits: .none, adapter: adapter,
        hooks: Hooks(captures: Set(readers.map(model.mlpReads) + [last])))
      func stream(_ site: Site) -> Tensor {
        output.captured[site].unwrapped.slice(position..<position + 1)
      }
      for block in config.blocks {
        let own = statistics.blocks[block].unwrapped
        let steps = Tensor(neurons(of: block).map { 0.5 * own.deviation[$0.index] }).expandDims(1)
        let moved = try written(by: block) * steps
        func slope(_ site: Site, _ read: (Tensor) throws -> Tensor) rethrows -> Tensor {
          (try read(stream(site) + moved) - read(stream(site) - moved)) / (2 * steps)
        }
        var slopes: [(NeuronEffects.Place, Tensor)] = [
          (.logits, try slope(last) { try model.logits(ofRows: model.finalNorm($0)) })
        ]
        for reader in Self.readers(of: block, config, model) {
          let value = try slope(model.mlpReads(reader)) { resid in
            let inputs = try model.neuronInputs(block: reader, from: resid, adapter: adapter)
            return Tensor.concatenate(model.neuronInputs.map { inputs[$0].unwrapped }, axis: 1)
          }
          slopes.append((.neurons(block: reader), value))
        }
        for (place, value) in slopes {
          let sum = (sums[block]?[place]).map { $0 + value } ?? value
          try Tensor.evaluate([sum])
          sums[block, default: [:]][place] = sum
        }
      }
    }
    return try compareDirect(sums)
  }

  private func compareDirect(
    _ sums: [Int: [NeuronEffects.Place: Tensor]]
  ) throws -> [WeightValidationCell.Controls.Direct] {
    var found: [WeightValidationCell.ReadingKind: [Double]] = [:]
    for (block, places) in sums {
      let rows = try written(by: block)
      for (place, direct) in places {
        let (kind, raw): (WeightValidationCell.ReadingKind, Tensor) =
          switch place {
          case .logits: (.output, try model.logits(alongDirections: rows))
          case .neurons(let reader): (.virtual, rows.matmul(try read(by: reader).transpose()))
          }
        found[kind, default: []] += try WeightMetrics.correlation(raw, direct).floats().map(
          Double.init)
      }
    }
    return [WeightValidationCell.ReadingKind.output, .virtual].compactMap { kind in
      guard let values = found[kind], let least = values.min() else { return nil }
      return WeightValidationCell.Controls.Direct(
        kind: kind, mean: values.reduce(0, +) / Double(values.count), least: least,
        neurons: neurons.count)
    }
  }

  private func coincidence(
    _ transports: [Site: [Site: [TransportKind: Tensor]]]
  ) throws -> [WeightValidationCell.Controls.Coincidence] {
    try [TransportKind.identity, .tuned, .ridge, .jacobian].map { kind in
      let misses = try config.blocks.map { block in
        let (rows, site) = (try written(by: block), Self.landing(block))
        let carried = rows.matmul((transports[site]?[site]?[kind]).unwrapped)
        let lengths = rows.square().sum(axes: [1]).sqrt()
        return try ((carried - rows).square().sum(axes: [1]).sqrt() / lengths).max().scalar()
      }
      return .init(kind: kind, largest: Double(misses.max() ?? 0))
    }
  }

  // MARK: - What is found

  private func readings() throws -> [WeightValidationCell.Reading] {
    let questions: [(WeightValidationCell.ReadingKind, WeightValidationCell.Truth)] = [
      (.output, .slope), (.output, .ablation), (.virtual, .slope), (.virtual, .ablation),
      (.input, .tokenMean),
    ]
    return try questions.map { kind, truth in
      try WeightValidationCell.Reading(
        kind, truth, scores: scores.filter { $0.reading == kind && $0.truth == truth },
        correction: kind == .input ? (backward == nil ? .ridge : .retrodiction) : .tuned,
        level: config.level, seed: config.seed)
    }
  }

  /// All scores, a line each, for whoever wants to look for themselves.
  private func write() throws {
    let text = ([WeightScore.header] + scores.map(\.line)).joined(separator: "\n") + "\n"
    try Data(text.utf8).write(to: context.artifacts.appending(path: "scores.csv"))
  }
}

/// Averages rows by the token that they stand at.
@TensorActor
private struct MeansByToken {
  /// For each row the place of its token, or none.
  private let places: [Int?]
  private let counts: [Float]

  init(_ tokens: [Int], _ counted: [Int]) {
    let index = Dictionary(uniqueKeysWithValues: counted.enumerated().map { ($1, $0) })
    places = tokens.map { index[$0] }
    var counts = [Float](repeating: 0, count: counted.count)
    for place in places { if let place { counts[place] += 1 } }
    self.counts = counts
  }

  /// Means of `[row, value]` as `[value, token]`.
  func of(_ rows: Tensor) throws -> Tensor {
    let (values, width) = (try rows.floats(), rows.shape[1])
    var sums = [Double](repeating: 0, count: counts.count * width)
    for (row, place) in places.enumerated() {
      guard let place else { continue }
      for column in 0..<width {
        sums[column * counts.count + place] += Double(values[row * width + column])
      }
    }
    let means = sums.enumerated().map { Float($1 / Double(counts[$0 % counts.count])) }
    return Tensor(means, shape: [width, counts.count])
  }
}
