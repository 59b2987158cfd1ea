internal import Tensors

/// What ``ForwardPass`` computes, for one token each of a few sequences and with nothing captured or
/// changed on the way, as a list of operations.
@TensorActor
struct DecodePlan {
  private let model: LanguageModel
  private let decoder: Decoder
  /// Kinds of blocks that differ in what they see, by their windows.
  private let windows: [Int?]

  /// Sequences up to which fp32 weights are read once for each, where a matrix product reads them once for
  /// all, and weights in a file's blocks are multiplied as integers.
  nonisolated static let fewSequences = 8

  /// The plan of a model with an adapter for at most so many sequences, or nil where an operation is
  /// missing for it or it is the slower way.
  init?(_ model: LanguageModel, adapter: AdapterWeights?, sequences: Int) throws {
    let c = model.configuration
    guard Processor.usesOwnKernels, c.isCausal, c.hasHead,
      sequences <= Self.fewSequences || model.precision.isPacked, c.normPlacement != .after,
      !c.isParallel, Family.named(c.family)?.fusedQKV == nil
    else { return nil }
    self.model = model
    decoder = Decoder()
    var windows: [Int?] = []
    for i in 0..<c.nLayers where !windows.contains(c.window(i)) { windows.append(c.window(i)) }
    self.windows = windows
    let builder = Builder(model: model, adapter: adapter, decoder: decoder, windows: windows)
    guard try builder.build() else { return nil }
  }

  /// Logits `[token, dVocab]` of one new token a sequence, whose key and value go into its row of the
  /// cache.
  func run(
    tokens: [Int], positions: [Int], rows: [Int], visible: [[KeyRanges.Rows]],
    cache: KeyValueCache
  ) throws -> Tensor {
    let c = model.configuration
    let pass = ForwardPass(
      model: model, adapter: nil, cache: cache, positions: positions, visible: visible,
      keyCount: cache.capacity)
    let views = windows.map { window in
      let view = pass.views[(0..<c.nLayers).first { c.window($0) == window } ?? 0]
      return Decoder.View(view.ranges, angles: view.rope.map { ($0.cosine, $0.sine) })
    }
    let logits = try cache.write { keys, values in
      try decoder.run(
        try pass.embedding(tokens), views: views, keys: keys, values: values, rows: rows)
    }
    guard let cap = c.logitSoftCap else { return logits }
    return (logits / cap).tanh() * cap
  }
}

/// Writes the list of operations down.
@TensorActor
private struct Builder {
  let model: LanguageModel
  let adapter: AdapterWeights?
  let decoder: Decoder
  let windows: [Int?]

  private var c: ModelConfiguration { model.configuration }

  private struct Registers {
    let resid, normed, q, k, v, z, out, gate, up, post: Decoder.Register
  }

  /// False where an operation is missing.
  func build() throws -> Bool {
    let (heads, keys) = (c.nHeads * c.dHead, c.nKVHeads * c.dHead)
    let r = Registers(
      resid: decoder.register(c.dModel), normed: decoder.register(c.dModel),
      q: decoder.register(heads), k: decoder.register(keys), v: decoder.register(keys),
      z: decoder.register(heads), out: decoder.register(c.dModel),
      gate: decoder.register(c.dMLP), up: decoder.register(c.dMLP),
      post: decoder.register(c.dMLP))
    for i in 0..<c.nLayers {
      guard try attention(i, r), try mlp(i, r) else { return false }
    }
    if let norm = model.weights.finalNorm { try apply(norm, r.resid, r.normed) }
    guard let unembed = model.weights.unembed else { return false }
    try unembed.decode(
      decoder, from: model.weights.finalNorm == nil ? r.resid : r.normed,
      to: decoder.register(c.dVocab), adds: false, adapter: nil)
    return true
  }

  private func attention(_ i: Int, _ r: Registers) throws -> Bool {
    let weights = model.weights.blocks[i]
    try apply(weights.attentionNorm, r.resid, r.normed)
    guard try linear(i, .q, r.normed, r.q), try linear(i, .k, r.normed, r.k),
      try linear(i, .v, r.normed, r.v)
    else { return false }
    if let norm = weights.qNorm { try apply(norm, r.q, r.q) }
    if let norm = weights.kNorm { try apply(norm, r.k, r.k) }
    try decoder.attend(
      q: r.q, k: r.k, v: r.v, to: r.z,
      .init(
        layer: i, view: windows.firstIndex(of: c.window(i)) ?? 0, heads: c.nHeads,
        kvHeads: c.nKVHeads, dHead: c.dHead, scale: c.attentionScale(i),
        softCap: c.attentionSoftCap))
    return try write(i, .o, r.z, weights.attentionOutNorm, r)
  }

  private func mlp(_ i: Int, _ r: Registers) throws -> Bool {
    let weights = model.weights.blocks[i]
    try apply(weights.mlpNorm, r.resid, r.normed)
    if c.isGated {
      guard try linear(i, .gate, r.normed, r.gate) else { return false }
    }
    guard try linear(i, .up, r.normed, r.up) else { return false }
    try decoder.activate(
      c.activation.kernel, gate: c.isGated ? r.gate : r.up, up: c.isGated ? r.up : nil, to: r.post)
    return try write(i, .down, r.post, weights.mlpOutNorm, r)
  }

  /// Adds what a layer writes to the residual stream.
  private func write(
    _ i: Int, _ module: LinearModule, _ from: Decoder.Register, _ norm: NormWeights?,
    _ r: Registers
  ) throws -> Bool {
    guard let norm else { return try linear(i, module, from, r.resid, adds: true) }
    guard try linear(i, module, from, r.out) else { return false }
    try apply(norm, r.out, r.out)
    try decoder.add(r.resid, r.out, to: r.resid)
    return true
  }

  private func linear(
    _ i: Int, _ module: LinearModule, _ from: Decoder.Register, _ to: Decoder.Register,
    adds: Bool = false
  ) throws -> Bool {
    guard let layer = model.weights.blocks[i].linear[module] else { return false }
    try layer.decode(
      decoder, from: from, to: to, adds: adds,
      adapter: adapter?.lowRank(block: i, module, of: c.family))
    return true
  }

  private func apply(
    _ norm: NormWeights, _ from: Decoder.Register, _ to: Decoder.Register
  ) throws {
    try decoder.norm(
      from: from, to: to, weight: norm.weight.tensor(), bias: norm.bias?.tensor(),
      epsilon: c.normEpsilon)
  }
}
