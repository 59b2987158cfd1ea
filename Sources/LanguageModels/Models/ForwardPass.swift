internal import Tensors

/// One pass through all blocks, with everything that stays the same from block to block.
@TensorActor
struct ForwardPass {
  let model: LanguageModel
  let adapter: AdapterWeights?
  let cache: KeyValueCache?
  let positions: [Int]
  /// What each block's attention sees; blocks of one kind share one.
  let views: [AttentionView]

  var c: ModelConfiguration { model.configuration }

  init(
    model: LanguageModel, adapter: AdapterWeights?, cache: KeyValueCache?, positions: [Int],
    visible: [[KeyRanges.Rows]], keyCount: Int
  ) {
    (self.model, self.adapter, self.cache, self.positions) = (model, adapter, cache, positions)
    let c = model.configuration
    var known: [Int: AttentionView] = [:]
    views = (0..<c.nLayers).map { i in
      let window = c.window(i)
      if let view = known[window ?? 0] { return view }
      let view = AttentionView(
        window.map { AttentionView.last($0, of: visible) } ?? visible, keyCount: keyCount,
        rope: c.rotary(i).map { RotaryAngles(positions, $0) })
      known[window ?? 0] = view
      return view
    }
  }

  func run(tokens: [Int], rows: LanguageModel.LogitRows, hooks: Hooks) throws
    -> LanguageModel.Output
  {
    var runner = HookRunner(hooks)
    var resid = try runner.at(.embed, embedding(tokens))
    for i in 0..<c.nLayers { resid = try block(i, resid, &runner) }
    cache?.advance(by: tokens.count)
    if let norm = model.weights.finalNorm {
      resid = try runner.at(.finalNorm, norm(resid, epsilon: c.normEpsilon))
    }
    let logits = try self.logits(resid, rows, &runner)
    return LanguageModel.Output(
      finalNorm: resid, logits: logits, captured: try runner.finish())
  }

  /// What goes into the first block: everything that depends on the tokens and their positions only.
  func embedding(_ tokens: [Int]) throws -> Tensor {
    let weights = model.weights
    var x = try weights.embed.rows(tokens)
    if c.embeddingScale != 1 { x = x * c.embeddingScale }
    if let types = weights.tokenTypes { x = x + (try types.rows([0])) }
    if let table = weights.positions { x = x + (try table.rows(positions)) }
    return try weights.embedNorm.map { try $0(x, epsilon: c.normEpsilon) } ?? x
  }

  private func logits(
    _ normed: Tensor, _ rows: LanguageModel.LogitRows, _ runner: inout HookRunner
  ) throws -> Tensor? {
    let chosen: Tensor
    switch rows {
    case .none: return nil
    case .all: chosen = normed
    case .rows(let rows): chosen = normed.take(Tensor(rows.map(Int32.init)))
    }
    guard let unembed = model.weights.unembed else { throw ModelError.noHead(family: c.family) }
    var logits = try unembed(chosen)
    if let cap = c.logitSoftCap { logits = (logits / cap).tanh() * cap }
    return try runner.at(.logits, logits)
  }

  private func block(_ i: Int, _ input: Tensor, _ runner: inout HookRunner) throws -> Tensor {
    let weights = model.weights.blocks[i]
    let residPre = try runner.at(.block(i, .residPre), input)
    let attnOut = try runner.at(
      .block(i, .attnOut),
      out(weights.attentionOutNorm, attention(i, read(weights.attentionNorm, residPre), &runner)))
    if c.isParallel {
      let mlpOut = try mlp(i, read(weights.mlpNorm, residPre), &runner)
      return try runner.at(.block(i, .residPost), mlpOut + attnOut + residPre)
    }
    let residMid = try runner.at(
      .block(i, .residMid), written(weights.attentionNorm, residPre + attnOut))
    let mlpOut = try mlp(i, read(weights.mlpNorm, residMid), &runner)
    return try runner.at(.block(i, .residPost), written(weights.mlpNorm, residMid + mlpOut))
  }

  /// What attention or MLP reads of the residual stream.
  private func read(_ norm: NormWeights, _ x: Tensor) throws -> Tensor {
    c.normPlacement == .after ? x : try norm(x, epsilon: c.normEpsilon)
  }

  /// The residual stream after an addition.
  private func written(_ norm: NormWeights, _ x: Tensor) throws -> Tensor {
    c.normPlacement == .after ? try norm(x, epsilon: c.normEpsilon) : x
  }

  private func out(_ norm: NormWeights?, _ x: Tensor) throws -> Tensor {
    try norm.map { try $0(x, epsilon: c.normEpsilon) } ?? x
  }

  private func mlp(_ i: Int, _ x: Tensor, _ runner: inout HookRunner) throws -> Tensor {
    let post: Tensor
    if c.isGated {
      let gate = try runner.at(.block(i, .gate), linear(i, .gate, x))
      let up = try runner.at(.block(i, .up), linear(i, .up, x))
      post = Fused.gated(c.activation.kernel, gate: gate, up: up)
    } else {
      let up = try runner.at(.block(i, .up), linear(i, .up, x))
      post = Fused.activation(c.activation.kernel, up)
    }
    let hidden = try runner.at(.block(i, .post), post)
    return try runner.at(
      .block(i, .mlpOut), out(model.weights.blocks[i].mlpOutNorm, linear(i, .down, hidden)))
  }

  func linear(_ i: Int, _ module: LinearModule, _ x: Tensor) throws -> Tensor {
    guard let layer = model.weights.blocks[i].linear[module] else {
      preconditionFailure("block \(i) has no \(module.rawValue)")
    }
    return try layer(
      x, adapter: adapter?.lowRank(block: i, module, of: c.family))
  }
}

extension ModelConfiguration.Activation {
  var kernel: Fused.Activation {
    switch self {
    case .silu: .silu
    case .gelu: .gelu
    case .geluTanh: .geluTanh
    }
  }
}
