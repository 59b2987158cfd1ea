package import LanguageModels
internal import Statistics
internal import Tensors

/// A neuron of an MLP: `12.345` is number 345 of block 12, both from 0.
package struct Neuron: Codable, Hashable, Sendable, CustomStringConvertible {
  package var block: Int
  package var index: Int

  package init(block: Int, index: Int) { (self.block, self.index) = (block, index) }

  /// Reads a name such as `12.345`.
  ///
  /// - Throws: ``WeightError/noSuchNeuron(name:blocks:width:)``.
  package init(_ name: String, in c: ModelConfiguration) throws(WeightError) {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 2, let block = parts[0], let index = parts[1],
      (0..<c.nLayers).contains(block), (0..<c.dMLP).contains(index)
    else { throw .noSuchNeuron(name: name, blocks: c.nLayers, width: c.dMLP) }
    (self.block, self.index) = (block, index)
  }

  package var description: String { "\(block).\(index)" }
}

/// Why weights cannot be read.
package enum WeightError: Error, Equatable, CustomStringConvertible {
  case noSuchNeuron(name: String, blocks: Int, width: Int)
  case tooShallow(blocks: Int)

  package var description: String {
    switch self {
    case .noSuchNeuron(let name, let blocks, let width):
      "Expected a neuron as block.number, from 0.0 to \(blocks - 1).\(width - 1), found "
        + "`\(name.prefix(40))`: name one of these"
    case .tooShallow(let blocks):
      "Expected a model of at least 2 blocks, found \(blocks): there is no drift to correct"
    }
  }
}

/// What neurons do on average, by text: where their activations lie and along which directions the stream
/// varies.
@TensorActor
struct NeuronStatistics {
  /// Of one block's neurons.
  struct Block {
    var mean: [Float]
    var deviation: [Float]
    /// The residual stream's variance along what each writes, where it lands.
    var variance: [Float]
  }

  private(set) var blocks: [Int: Block] = [:]

  init(
    _ blocks: [Int], model: LanguageModel, adapter: AdapterWeights?, windows: [[Int]]
  ) throws {
    let batch = TokenBatch(windows, sharingPrefix: false)
    let sites = blocks.flatMap { [Site.block($0, .post), .block($0, .residPost)] }
    let output = try model.forward(
      batch, logits: .none, adapter: adapter, hooks: Hooks(captures: Set(sites)))
    let rows = Tensor(batch.spans.flatMap { $0.dropFirst().map(Int32.init) })
    for block in blocks {
      let post = output.captured[.block(block, .post)].unwrapped.take(rows)
      let stream = output.captured[.block(block, .residPost)].unwrapped.take(rows)
      let written = try model.neuronOutputs(block: block, adapter: adapter)
      let lengths = written.square().sum(axes: [1], keepDims: true).sqrt()
      let along = stream.matmul((written / Tensor.maximum(lengths, Tensor(1e-12))).transpose())
      self.blocks[block] = Block(
        mean: try post.mean(axes: [0]).floats(),
        deviation: try post.variance(axes: [0]).sqrt().floats(),
        variance: try along.variance(axes: [0]).floats())
    }
  }

  /// So many of a block's neurons, as many from each quarter by ``Block/variance``; dead ones are left
  /// out.
  func draw(_ count: Int, block: Int, _ generator: inout SeededGenerator) -> [Neuron] {
    let own = blocks[block].unwrapped
    let alive = own.deviation.indices.filter { own.deviation[$0] > 0 }
      .sorted { own.variance[$0] < own.variance[$1] }
    let strata = min(4, count)
    let drawn = (0..<strata).flatMap { stratum -> [Int] in
      let part = alive[stratum * alive.count / strata..<(stratum + 1) * alive.count / strata]
      let share = (stratum + 1) * count / strata - stratum * count / strata
      return generator.sample(min(share, part.count), of: part)
    }
    return drawn.sorted().map { Neuron(block: block, index: $0) }
  }
}

/// What happens behind a neuron when its activation changes at one token, measured in the whole model.
///
/// Each neuron gets three copies of the token: its activation half a standard deviation up, as much
/// down, and at its mean. All copies stand in one batch behind the text's own tokens, so that a window is
/// read once however many neurons are measured.
@TensorActor
struct NeuronEffects {
  /// Which effect.
  enum Truth: CaseIterable {
    /// Per unit of activation, from the two small changes.
    case slope
    /// Per unit of activation, from putting the mean in place: windows in which the activation is far
    /// from its mean count more, as least squares has it.
    case ablation
  }

  /// Effects of one block's neurons on one place, `[neuron, output]`, by halves of the windows.
  struct Sums {
    var slope: [Tensor]
    var ablated: [Tensor]
  }

  /// Where effects are read: the logits, or what a block's neurons get.
  enum Place: Hashable {
    case logits
    case neurons(block: Int)
  }

  private let model: LanguageModel
  private let adapter: AdapterWeights?
  /// By block, in ascending order.
  private let neurons: [(block: Int, neurons: [Neuron])]
  private let places: [Int: [Place]]
  private let statistics: NeuronStatistics

  private var sums: [Int: [Place: Sums]] = [:]
  private var windows = [0, 0]
  private var squares: [Int: [[Float]]] = [:]

  /// Effects of changing `neurons`, watched at `readers`: blocks by the block that is changed.
  init(
    _ neurons: [Neuron], readers: [Int: [Int]], model: LanguageModel, adapter: AdapterWeights?,
    statistics: NeuronStatistics
  ) {
    (self.model, self.adapter, self.statistics) = (model, adapter, statistics)
    self.neurons = Dictionary(grouping: neurons, by: \.block).sorted { $0.key < $1.key }
      .map { ($0.key, $0.value) }
    places = readers.mapValues { [.logits] + $0.map { .neurons(block: $0) } }
  }

  private static let step: Float = 0.5
  private static let copies = 3

  /// Measures at one position of a window.
  mutating func add(_ ids: [Int], at position: Int) throws {
    let count = neurons.reduce(0) { $0 + $1.neurons.count }
    let batch = TokenBatch(
      ids, branches: Array(repeating: position..<position + 1, count: Self.copies * count))
    let readers = Set(places.values.joined().flatMap(sites))
    let posts = neurons.map { Site.block($0.block, .post) }
    let output = try model.forward(
      batch, logits: .none, adapter: adapter,
      hooks: Hooks(captures: readers.union(posts), interventions: changes(length: ids.count)))
    var first = ids.count
    let half = windows[0] <= windows[1] ? 0 : 1
    for (block, group) in neurons {
      let rows = first..<first + Self.copies * group.count
      first = rows.upperBound
      let activations = try output.captured[.block(block, .post)].unwrapped
        .slice(position..<position + 1).floats()
      for place in places[block].unwrapped {
        try add(
          try values(place, output, Array(rows)), base: try values(place, output, [position]),
          of: group, activations, to: place, half: half)
      }
      try addSquares(group, activations, half: half)
    }
    windows[half] += 1
    try Tensor.evaluate(sums.values.flatMap { $0.values.flatMap { $0.slope + $0.ablated } })
  }

  /// Halves of the effects at a place, `[neuron, output]`, and all windows together.
  func effects(
    block: Int, _ place: Place, _ truth: Truth
  ) -> (halves: [Tensor], whole: Tensor) {
    let sums = sums[block].unwrapped[place].unwrapped
    switch truth {
    case .slope:
      let n = windows.map { Float(max($0, 1)) }
      return (
        [sums.slope[0] / n[0], sums.slope[1] / n[1]],
        (sums.slope[0] + sums.slope[1]) / (n[0] + n[1])
      )
    case .ablation:
      let squares = squares[block].unwrapped.map { Tensor($0).expandDims(1) + 1e-20 }
      return (
        [sums.ablated[0] / squares[0], sums.ablated[1] / squares[1]],
        (sums.ablated[0] + sums.ablated[1]) / (squares[0] + squares[1])
      )
    }
  }

  // MARK: - One window

  private func sites(_ place: Place) -> [Site] {
    switch place {
    case .logits: []
    case .neurons(let block):
      model.neuronInputs.map { .block(block, $0 == .gate ? .gate : .up) }
    }
  }

  /// What is read at a place in some rows, `[row, output]`.
  private func values(
    _ place: Place, _ output: LanguageModel.Output, _ rows: [Int]
  ) throws -> Tensor {
    let index = Tensor(rows.map(Int32.init))
    guard place != .logits else {
      return try model.logits(ofRows: output.finalNorm.take(index))
    }
    return Tensor.concatenate(
      sites(place).map { output.captured[$0].unwrapped.take(index) }, axis: 1)
  }

  /// For every block with neurons to change, what happens to its activations in the copies: each
  /// neuron's rows are up, down and at its mean.
  private func changes(length: Int) -> [(site: Site, change: Hooks.Intervention)] {
    let width = model.configuration.dMLP
    let total = length + Self.copies * neurons.reduce(0) { $0 + $1.neurons.count }
    var first = length
    return neurons.map { block, group in
      let own = statistics.blocks[block].unwrapped
      var (added, kept) = (
        [Float](repeating: 0, count: total * width), [Float](repeating: 1, count: total * width)
      )
      for (place, neuron) in group.enumerated() {
        let row = first + Self.copies * place
        added[row * width + neuron.index] = Self.step * own.deviation[neuron.index]
        added[(row + 1) * width + neuron.index] = -Self.step * own.deviation[neuron.index]
        added[(row + 2) * width + neuron.index] = own.mean[neuron.index]
        kept[(row + 2) * width + neuron.index] = 0
      }
      first += Self.copies * group.count
      let (a, k) = (Tensor(added, shape: [total, width]), Tensor(kept, shape: [total, width]))
      return (.block(block, .post), .transform { $0 * k + a })
    }
  }

  private mutating func add(
    _ changed: Tensor, base: Tensor, of group: [Neuron], _ activations: [Float],
    to place: Place, half: Int
  ) throws {
    guard let block = group.first?.block else { return }
    let own = statistics.blocks[block].unwrapped
    let rows = changed.reshape([group.count, Self.copies, changed.shape[1]])
    func copy(_ i: Int) -> Tensor { rows.slice(i..<i + 1, axis: 1).squeeze(1) }
    let steps = Tensor(group.map { 2 * Self.step * own.deviation[$0.index] }).expandDims(1)
    let away = Tensor(group.map { activations[$0.index] - own.mean[$0.index] }).expandDims(1)
    var sums =
      self.sums[block]?[place]
      ?? Sums(
        slope: [0, 1].map { _ in Tensor.zeros([group.count, changed.shape[1]]) },
        ablated: [0, 1].map { _ in Tensor.zeros([group.count, changed.shape[1]]) })
    sums.slope[half] = sums.slope[half] + (copy(0) - copy(1)) / steps
    sums.ablated[half] = sums.ablated[half] + away * (base - copy(2))
    self.sums[block, default: [:]][place] = sums
  }

  private mutating func addSquares(
    _ group: [Neuron], _ activations: [Float], half: Int
  ) throws {
    guard let block = group.first?.block else { return }
    let own = statistics.blocks[block].unwrapped
    var known = squares[block] ?? [0, 1].map { _ in [Float](repeating: 0, count: group.count) }
    for (place, neuron) in group.enumerated() {
      let away = activations[neuron.index] - own.mean[neuron.index]
      known[half][place] += away * away
    }
    squares[block] = known
  }
}
