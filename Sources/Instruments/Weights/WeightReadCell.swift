internal import Foundation
package import Lab
package import LanguageModels
internal import Statistics
internal import Tensors

/// What neurons read and write, told in tokens and in other neurons, raw and corrected for the drift of the
/// residual stream's basis.
///
/// Inputs: `base`; `lens`, `backward`, `adapter` and `text0` … where there are such. Outputs are corrected
/// where there is a lens, inputs and partners where there is text as well, on which the way back is fitted.
package struct WeightReadCell: CellKind {
  package struct Config: Codable, Sendable, Equatable {
    package var neurons: [Neuron]
    /// Tokens and neurons of each reading that are kept.
    package var topCount: Int
    package var hasLens: Bool
    package var hasBackward: Bool
    package var sequenceLength: Int
    package var tokens: Int
    package var seed: UInt64
    package var precision: Precision
    package var textFiles: Int

    package init(
      neurons: [Neuron], topCount: Int = 8, hasLens: Bool, hasBackward: Bool,
      sequenceLength: Int = 128, tokens: Int = 8192, seed: UInt64 = 1, precision: Precision,
      textFiles: Int
    ) {
      (self.neurons, self.topCount, self.hasLens) = (neurons, topCount, hasLens)
      (self.hasBackward, self.sequenceLength) = (hasBackward, sequenceLength)
      (self.tokens, self.seed, self.precision) = (tokens, seed, precision)
      self.textFiles = textFiles
    }
  }

  /// A token or a neuron, and how strongly it is meant.
  package struct Meant: Codable, Sendable, Equatable {
    package var name: String
    /// The token's id, or the neuron's number in its block.
    package var id: Int
    package var value: Double
  }

  /// One reading through one transport.
  package struct View: Codable, Sendable {
    package var transport: TransportKind
    /// The strongest first.
    package var highest: [Meant]
    /// The most negative first.
    package var lowest: [Meant]
  }

  package struct Reading: Codable, Sendable {
    package var neuron: Neuron
    /// Tokens that it promotes and suppresses where its activation is positive.
    package var output: [View]
    /// Tokens that excite and inhibit each of its projections, by name.
    package var inputs: [String: [View]]
    /// Projections of later blocks' neurons that it excites and inhibits.
    package var partners: [View]
    /// What its output and its input have in common: the cosine of their readings over tokens, by
    /// projection, raw.
    package var writesWhatItReads: [String: Double]
  }

  package struct Finding: Codable, Sendable {
    package var readings: [Reading]
  }

  package static let kind = "weights-read"
  package static let version = 1
  private let model: LanguageModel

  package init(model: LanguageModel) { self.model = model }

  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    let model = model
    func lens(_ name: String, _ isThere: Bool) throws -> String? {
      isThere ? try context.input(named: name).path : nil
    }
    let (path, backward) = (
      try lens("lens", config.hasLens), try lens("backward", config.hasBackward)
    )
    let files = try (0..<config.textFiles).map { try context.input(named: "text\($0)").path }
    let corpus = files.isEmpty ? nil : try Corpus(files: files)
    return try await TensorActor.run { () throws -> Finding in
      let windows = try corpus?.windows(
        model.tokenizer, length: config.sequenceLength, tokens: config.tokens, seed: config.seed
      ).map(\.ids)
      let reader = WeightReader(
        config, model: model, adapter: try model.adapter(of: context),
        lens: try path.map { try Lens.read($0, for: model) },
        backward: try backward.map { try Lens.read($0, for: model) }, windows: windows ?? [])
      var readings: [Reading] = []
      for (done, neuron) in config.neurons.enumerated() {
        readings.append(try reader.read(neuron))
        context.spend(tokens: config.textFiles == 0 ? 0 : config.tokens)
        context.report(
          progress: CellProgress(done: done + 1, total: config.neurons.count, unit: "neurons"))
      }
      return Finding(readings: readings)
    }
  }
}

@TensorActor
private struct WeightReader {
  private let config: WeightReadCell.Config
  private let model: LanguageModel
  private let adapter: AdapterWeights?
  private let lens: Lens?
  private let backward: Lens?
  private let windows: [[Int]]

  init(
    _ config: WeightReadCell.Config, model: LanguageModel, adapter: AdapterWeights?, lens: Lens?,
    backward: Lens?, windows: [[Int]]
  ) {
    (self.config, self.model, self.adapter, self.lens) = (config, model, adapter, lens)
    (self.backward, self.windows) = (backward, windows)
  }

  private var nLayers: Int { model.configuration.nLayers }

  func read(_ neuron: Neuron) throws -> WeightReadCell.Reading {
    let written = try model.neuronOutputs(
      block: neuron.block, [neuron.index], adapter: adapter)
    let reads = try Dictionary(
      uniqueKeysWithValues: model.neuronInputs.map { part in
        (
          part,
          try model.neuronInputs(block: neuron.block, part, [neuron.index], adapter: adapter)
        )
      })
    let transports = try transports(of: neuron.block)
    var inputs: [String: [WeightReadCell.View]] = [:]
    var common: [String: Double] = [:]
    let raw = try model.logits(alongDirections: written)
    for (part, direction) in reads {
      let kinds = transports[.block(0, .residPre)]?[model.mlpReads(neuron.block)]
      inputs[part.rawValue] = try views(kinds, preferring: [.retrodiction, .ridge]) { matrix in
        try tokens(
          model.embeddings(
            alongDirections: matrix.map { direction.matmul($0.transpose()) } ?? direction))
      }
      common[part.rawValue] = Double(
        try WeightMetrics.correlation(raw, model.embeddings(alongDirections: direction)).scalar())
    }
    return WeightReadCell.Reading(
      neuron: neuron,
      output: try model.outputViews(
        of: written, after: neuron.block, lens: lens, count: config.topCount), inputs: inputs,
      partners: try partners(written, neuron.block, transports), writesWhatItReads: common)
  }

  private func partners(
    _ written: Tensor, _ block: Int, _ transports: [Site: [Site: [TransportKind: Tensor]]]
  ) throws -> [WeightReadCell.View] {
    guard block + 1 < nLayers else { return [] }
    let own = transports[.block(block + 1, .residPre)] ?? [:]
    func values(_ isRaw: Bool) throws -> WeightReadCell.View {
      var all: [WeightReadCell.Meant] = []
      for reader in block + 1..<nLayers {
        let matrix = isRaw ? nil : own[model.mlpReads(reader)]?[.tuned]
        let carried = matrix.map { written.matmul($0) } ?? written
        for part in model.neuronInputs {
          let inputs = try model.neuronInputs(block: reader, part, adapter: adapter)
          let weights = try carried.matmul(inputs.transpose()).floats()
          let name = model.neuronInputs.count > 1 ? " \(part.rawValue)" : ""
          all += weights.enumerated().map {
            .init(name: "\(reader).\($0)\(name)", id: $0, value: Double($1))
          }
        }
      }
      all.sort { $0.value > $1.value }
      return WeightReadCell.View(
        transport: isRaw ? .identity : .tuned, highest: Array(all.prefix(config.topCount)),
        lowest: Array(all.suffix(config.topCount).reversed()))
    }
    return [try values(true)] + (own.isEmpty ? [] : [try values(false)])
  }

  /// The ways from the embedding to the block's neurons, and from what they write to later ones.
  private func transports(of block: Int) throws -> [Site: [Site: [TransportKind: Tensor]]] {
    guard !windows.isEmpty, let lens = lens ?? backward else { return [:] }
    var routes = [
      TransportFit.Routes(source: .block(0, .residPre), targets: [model.mlpReads(block)])
    ]
    if self.lens != nil, block + 1 < nLayers {
      routes.append(
        .init(
          source: .block(block + 1, .residPre),
          targets: (block + 1..<nLayers).map(model.mlpReads)))
    }
    var fit = TransportFit(
      routes, model: model, adapter: adapter, lens: lens, backward: backward, windows: windows,
      jacobianSamples: 0, seed: config.seed, report: { _ in })
    return try fit.fit()
  }

  private func views(
    _ kinds: [TransportKind: Tensor]?, preferring order: [TransportKind],
    _ read: (Tensor?) throws -> WeightReadCell.Extremes
  ) throws -> [WeightReadCell.View] {
    try WeightReadCell.views(kinds, preferring: order, read)
  }

  private func tokens(_ row: Tensor) throws -> WeightReadCell.Extremes {
    try model.extremeTokens(of: row, count: config.topCount)
  }
}

extension WeightReadCell {
  fileprivate typealias Extremes = (highest: [Meant], lowest: [Meant])

  /// A reading as it is, and through the first of some transports that there is.
  @TensorActor
  fileprivate static func views(
    _ kinds: [TransportKind: Tensor]?, preferring order: [TransportKind],
    _ read: (Tensor?) throws -> Extremes
  ) throws -> [View] {
    let raw = try read(nil)
    var views = [View(transport: .identity, highest: raw.highest, lowest: raw.lowest)]
    if let kind = order.first(where: { kinds?[$0] != nil }), let matrix = kinds?[kind] {
      let corrected = try read(matrix)
      views.append(.init(transport: kind, highest: corrected.highest, lowest: corrected.lowest))
    }
    return views
  }
}

extension LanguageModel {
  /// The tokens that a direction `[1, dModel]` promotes and suppresses: raw, and corrected by the translator
  /// of where it lands, where there is a lens.
  func outputViews(
    of written: Tensor, after block: Int, lens: Lens?, count: Int
  ) throws -> [WeightReadCell.View] {
    var kinds: [TransportKind: Tensor] = [:]
    if let lens, block + 1 < configuration.nLayers {
      kinds[.tuned] = lens.matrix(at: .block(block + 1, .residPre), configuration.dModel)
    }
    return try WeightReadCell.views(kinds, preferring: [.tuned]) { matrix in
      try extremeTokens(
        of: logits(alongDirections: matrix.map { written.matmul($0) } ?? written), count: count)
    }
  }

  /// The tokens of the largest and the least of one row of numbers, in units of its standard deviation
  /// from its mean, since softmax takes no notice of the mean and a norm sets the scale.
  fileprivate func extremeTokens(
    of row: Tensor, count: Int
  ) throws -> WeightReadCell.Extremes {
    let deviation = Tensor.maximum(row.variance().sqrt(), Tensor(1e-30))
    let values = try ((row - row.mean()) / deviation).floats()
    let order = values.indices.sorted { values[$0] > values[$1] }
    func meant(_ ids: some Sequence<Int>) -> [WeightReadCell.Meant] {
      ids.map { .init(name: tokenizer.decode([$0]), id: $0, value: Double(values[$0])) }
    }
    return (meant(order.prefix(count)), meant(order.suffix(count).reversed()))
  }
}
