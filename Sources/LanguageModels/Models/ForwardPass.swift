package import Tensors

/// One pass through all blocks, with everything that stays the same from block to block.
@TensorActor
struct ForwardPass {
  let model: LanguageModel
  let adapter: AdapterWeights?
  let cache: KeyValueCache?
  let rope: RotaryAngles
  let visible: [[KeyRanges.Rows]]
  let ranges: KeyRanges
  let keyCount: Int

  private var c: LlamaConfiguration { model.configuration }

  init(
    model: LanguageModel, adapter: AdapterWeights?, cache: KeyValueCache?, rope: RotaryAngles,
    visible: [[KeyRanges.Rows]], keyCount: Int
  ) {
    (self.model, self.adapter, self.cache) = (model, adapter, cache)
    (self.rope, self.visible, self.keyCount) = (rope, visible, keyCount)
    ranges = KeyRanges(visible, keyCount: keyCount)
  }

  func run(tokens: [Int], rows: LanguageModel.LogitRows, hooks: Hooks) throws
    -> LanguageModel.Output
  {
    var runner = HookRunner(hooks)
    let ids = Tensor(tokens.map(Int32.init))
    var resid = try runner.at(.embed, model.weights.embed.take(ids))
    for i in 0..<c.nLayers { resid = try block(i, resid, &runner) }
    cache?.advance(by: tokens.count)
    let normed = try runner.at(
      .finalNorm, Fused.rmsNorm(resid, model.weights.finalNorm, epsilon: c.normEpsilon))
    let logits = try self.logits(normed, rows, &runner)
    return LanguageModel.Output(
      finalNorm: normed, logits: logits, captured: try runner.finish())
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
    return try runner.at(.logits, model.weights.unembed(chosen))
  }

  private func block(_ i: Int, _ input: Tensor, _ runner: inout HookRunner) throws -> Tensor {
    let weights = model.weights.blocks[i]
    func linear(_ module: LinearModule, _ x: Tensor) throws -> Tensor {
      guard let layer = weights.linear[module] else {
        preconditionFailure("block \(i) has no \(module.rawValue)")
      }
      return layer(x, adapter: adapter?.lowRank(block: i, module))
    }
    let residPre = try runner.at(.block(i, .residPre), input)
    let x = Fused.rmsNorm(residPre, weights.attentionNorm, epsilon: c.normEpsilon)
    let z = try attention(
      i, q: linear(.q, x), k: linear(.k, x), v: linear(.v, x), &runner)
    let attnOut = try runner.at(
      .block(i, .attnOut), linear(.o, z.reshape([z.shape[0], c.nHeads * c.dHead])))
    let residMid = try runner.at(.block(i, .residMid), residPre + attnOut)

    let y = Fused.rmsNorm(residMid, weights.mlpNorm, epsilon: c.normEpsilon)
    let gate = try runner.at(.block(i, .gate), linear(.gate, y))
    let up = try runner.at(.block(i, .up), linear(.up, y))
    let post = try runner.at(.block(i, .post), Fused.swiGLU(gate: gate, up: up))
    let mlpOut = try runner.at(.block(i, .mlpOut), linear(.down, post))
    return try runner.at(.block(i, .residPost), residMid + mlpOut)
  }

  private func attention(
    _ i: Int, q: Tensor, k: Tensor, v: Tensor, _ runner: inout HookRunner
  ) throws -> Tensor {
    let tokens = q.shape[0]
    let q = try runner.at(.block(i, .q), q.reshape([tokens, c.nHeads, c.dHead]))
    let k = try runner.at(.block(i, .k), k.reshape([tokens, c.nKVHeads, c.dHead]))
    let v = try runner.at(.block(i, .v), v.reshape([tokens, c.nKVHeads, c.dHead]))
    let rotQ = try runner.at(
      .block(i, .rotQ), Fused.rope(q, cosine: rope.cosine, sine: rope.sine))
    let rotK = try runner.at(
      .block(i, .rotK), Fused.rope(k, cosine: rope.cosine, sine: rope.sine))
    let (keys, values) = cache?.append(rotK, v, layer: i) ?? (rotK, v)
    let scale = 1 / Float(c.dHead).squareRoot()
    let z: Tensor
    if runner.hooks.mentions(.block(i, .pattern)) {
      z = try explicitAttention(i, rotQ, keys, values, scale: scale, &runner)
    } else {
      z = Fused.attention(rotQ, keys, values, visible: ranges, scale: scale)
    }
    return try runner.at(.block(i, .z), z)
  }

  /// Attention with the pattern written out, `[nHeads, query, key]`, for hooks that want it.
  private func explicitAttention(
    _ i: Int, _ q: Tensor, _ k: Tensor, _ v: Tensor, scale: Float, _ runner: inout HookRunner
  ) throws -> Tensor {
    let group = c.nHeads / c.nKVHeads
    func perHead(_ x: Tensor) -> Tensor {
      let rows = x.slice(0..<keyCount)
      return rows.expandDims(2).broadcast(to: [keyCount, c.nKVHeads, group, c.dHead])
        .reshape([keyCount, c.nHeads, c.dHead]).transpose([1, 0, 2])
    }
    let scores = q.transpose([1, 0, 2]).matmul(perHead(k).transpose([0, 2, 1])) * scale
    let pattern = try runner.at(.block(i, .pattern), (scores + mask).softmax())
    return pattern.matmul(perHead(v)).transpose([1, 0, 2])
  }

  /// 0 where a query sees a key, −∞ elsewhere, `[query, key]`.
  private var mask: Tensor {
    var values = [Float](repeating: -.infinity, count: visible.count * keyCount)
    for (query, ranges) in visible.enumerated() {
      for rows in ranges {
        for key in stride(from: rows.begin, to: rows.end, by: rows.stride) {
          values[query * keyCount + key] = 0
        }
      }
    }
    return Tensor(values, shape: [visible.count, keyCount])
  }
}

/// Keys (after rotation) and values of past tokens, one row a token in the order they were computed.
@TensorActor
package final class KeyValueCache {
  private var keys: [Tensor]
  private var values: [Tensor]
  /// Rows filled so far.
  package private(set) var count = 0
  /// Rows there is room for.
  package let capacity: Int

  /// An empty cache for at most `capacity` tokens, counted over all sequences that use it.
  package init(_ c: LlamaConfiguration, capacity: Int) {
    self.capacity = capacity
    let empty = { Tensor.zeros([capacity, c.nKVHeads, c.dHead]) }
    keys = (0..<c.nLayers).map { _ in empty() }
    values = (0..<c.nLayers).map { _ in empty() }
  }

  fileprivate func append(_ k: Tensor, _ v: Tensor, layer: Int) -> (Tensor, Tensor) {
    precondition(
      count + k.shape[0] <= capacity, "KeyValueCache: room for \(capacity) tokens is used up")
    // The old tensor must have no other owner when this is evaluated, so that MLX writes in place.
    keys[layer] = keys[layer].replacing(rowsFrom: count, with: k)
    values[layer] = values[layer].replacing(rowsFrom: count, with: v)
    return (keys[layer], values[layer])
  }

  fileprivate func advance(by tokens: Int) { count += tokens }

  /// Computes what the cache holds, so that nothing else keeps its past alive.
  func evaluate() throws { try Tensor.evaluate(keys + values) }
}
