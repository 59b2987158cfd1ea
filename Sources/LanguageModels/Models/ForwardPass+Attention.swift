package import Tensors

extension ForwardPass {
  /// Attention of block `i` from what it reads to what its last projection writes,
  /// `[token, dModel]` → `[token, dModel]`.
  func attention(_ i: Int, _ x: Tensor, _ runner: inout HookRunner) throws -> Tensor {
    let view = views[i]
    let weights = model.weights.blocks[i]
    let (queries, keys, values) = try projections(i, x)
    let q = try runner.at(.block(i, .q), queries)
    let k = try runner.at(.block(i, .k), keys)
    let v = try runner.at(.block(i, .v), values)
    let rotQ = try runner.at(.block(i, .rotQ), turned(q, weights.qNorm, view))
    let rotK = try runner.at(.block(i, .rotK), turned(k, weights.kNorm, view))
    let (allK, allV) = cache?.append(rotK, v, layer: i) ?? (rotK, v)
    let z: Tensor
    if runner.hooks.mentions(.block(i, .pattern)) {
      z = try explicitAttention(i, rotQ, allK, allV, &runner)
    } else {
      z = Fused.attention(
        rotQ, allK, allV, visible: view.ranges, scale: c.attentionScale(i),
        softCap: c.attentionSoftCap, inParts: model.precision.isPacked)
    }
    let mixed = try runner.at(.block(i, .z), z)
    return try linear(i, .o, mixed.reshape([mixed.shape[0], c.nHeads * c.dHead]))
  }

  /// Queries `[token, nHeads, dHead]`, keys and values `[token, nKVHeads, dHead]`.
  private func projections(_ i: Int, _ x: Tensor) throws -> (q: Tensor, k: Tensor, v: Tensor) {
    let tokens = x.shape[0]
    switch Family.named(c.family)?.fusedQKV {
    case nil:
      return (
        try linear(i, .q, x).reshape([tokens, c.nHeads, c.dHead]),
        try linear(i, .k, x).reshape([tokens, c.nKVHeads, c.dHead]),
        try linear(i, .v, x).reshape([tokens, c.nKVHeads, c.dHead])
      )
    case .inTurn?:
      let all = try linear(i, .qkv, x).reshape([tokens, 3, c.nHeads, c.dHead])
      func part(_ j: Int) -> Tensor { all.slice(j..<j + 1, axis: 1).squeeze(1) }
      return (part(0), part(1), part(2))
    case .byHead?:
      let all = try linear(i, .qkv, x).reshape([tokens, c.nHeads, 3, c.dHead])
      func part(_ j: Int) -> Tensor { all.slice(j..<j + 1, axis: 2).squeeze(2) }
      return (part(0), part(1), part(2))
    }
  }

  private func turned(_ x: Tensor, _ norm: NormWeights?, _ view: AttentionView) throws -> Tensor {
    let normed = try norm.map { try $0(x, epsilon: c.normEpsilon) } ?? x
    guard let rope = view.rope else { return normed }
    return Fused.rope(normed, cosine: rope.cosine, sine: rope.sine)
  }

  /// Attention with the pattern written out, `[nHeads, query, key]`, for hooks that want it.
  private func explicitAttention(
    _ i: Int, _ q: Tensor, _ k: Tensor, _ v: Tensor, _ runner: inout HookRunner
  ) throws -> Tensor {
    let keyCount = views[i].keyCount
    let group = c.nHeads / c.nKVHeads
    func perHead(_ x: Tensor) -> Tensor {
      let rows = x.slice(0..<keyCount)
      return rows.expandDims(2).broadcast(to: [keyCount, c.nKVHeads, group, c.dHead])
        .reshape([keyCount, c.nHeads, c.dHead]).transpose([1, 0, 2])
    }
    var scores =
      q.transpose([1, 0, 2]).matmul(perHead(k).transpose([0, 2, 1])) * c.attentionScale(i)
    if let cap = c.attentionSoftCap { scores = (scores / cap).tanh() * cap }
    let masked = (scores + views[i].mask).softmax()
    let pattern = try runner.at(.block(i, .pattern), masked)
    return pattern.matmul(perHead(v)).transpose([1, 0, 2])
  }
}

/// Keys (after rotation) and values of past tokens, one row a token: in the order they were computed, or,
/// behind the prompts, where a ``DecodePlan`` was told to write them.
@TensorActor
package final class KeyValueCache {
  private var keys: [Tensor]
  private var values: [Tensor]
  /// Rows filled in order so far.
  package private(set) var count = 0
  /// Rows there is room for.
  package private(set) var capacity: Int

  /// An empty cache for at most `capacity` tokens, counted over all sequences that use it.
  package init(_ c: ModelConfiguration, capacity: Int) {
    self.capacity = capacity
    let empty = { Tensor.zeros([capacity, c.nKVHeads, c.dHead]) }
    keys = (0..<c.nLayers).map { _ in empty() }
    values = (0..<c.nLayers).map { _ in empty() }
  }

  func append(_ k: Tensor, _ v: Tensor, layer: Int) -> (Tensor, Tensor) {
    precondition(
      count + k.shape[0] <= capacity, "KeyValueCache: room for \(capacity) tokens is used up")
    // The old tensor must have no other owner when this is evaluated, so that MLX writes in place.
    keys[layer] = keys[layer].replacing(rowsFrom: count, with: k)
    values[layer] = values[layer].replacing(rowsFrom: count, with: v)
    return (keys[layer], values[layer])
  }

  func advance(by tokens: Int) { count += tokens }

  /// Lets `body(keys, values)` write rows in place, any of them; ``count`` does not change.
  func write<R>(_ body: ([Tensor], [Tensor]) throws -> R) throws -> R {
    try evaluate()
    return try body(keys, values)
  }

  /// Makes room for as many rows as a ``DecodePlan`` needs, which also takes them `inHalf` the bytes, in
  /// half precision; nothing can be appended to these.
  func grow(to capacity: Int, inHalf: Bool) throws {
    func grown(_ x: Tensor) -> Tensor {
      let rows = inHalf ? Self.half(x) : x
      return Tensor.zeros([capacity] + x.shape.dropFirst(), dtype: inHalf ? .float16 : .float32)
        .replacing(rowsFrom: 0, with: rows)
    }
    for i in keys.indices {
      (keys[i], values[i]) = (grown(keys[i]), grown(values[i]))
      try Tensor.evaluate([keys[i], values[i]])
    }
    self.capacity = capacity
  }

  /// Numbers too large for half precision become its largest.
  private static func half(_ x: Tensor) -> Tensor {
    Tensor.maximum(Tensor.minimum(x, Tensor(65504)), Tensor(-65504)).astype(.float16)
  }

  /// Computes what the cache holds, so that nothing else keeps its past alive.
  func evaluate() throws { try Tensor.evaluate(keys + values) }
}
