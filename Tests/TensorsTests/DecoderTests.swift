import Tensors
import Testing

/// Attention of a few sequences' next tokens over what is cached of them.
@Suite struct DecoderTests {
  /// What is attended to, and what the cache holds it in.
  private struct Case {
    var dHead = 20, kvHeads = 2, tokens = 5
    var dtype = Tensor.DType.float32
    var seesItself = true
    var valueScale: Float = 1
  }

  /// `[tokens, heads · dHead]` by a decoder, and by ``Fused/attention`` over the same rows in fp32.
  @TensorActor
  private func attended(_ c: Case) throws -> (found: [Float], expected: [Float]) {
    let (heads, width, tokens) = (3 * c.kvHeads, 24, c.tokens)
    var key = RandomKey(seed: 41)
    let inputs = key.normal([tokens, width])
    let decoder = Decoder()
    let x = decoder.register(width)
    func linear(
      _ heads: Int, _ scale: Float = 1
    ) throws -> (register: Decoder.Register, values: Tensor) {
      let to = decoder.register(heads * c.dHead)
      let weight = key.normal([heads * c.dHead, width]) * (0.3 * scale)
      try decoder.linear(from: x, to: to, .plain(weight))
      return (to, inputs.matmul(weight.transpose()).reshape([tokens, heads, c.dHead]))
    }
    let (q, k, v) = (try linear(heads), try linear(c.kvHeads), try linear(c.kvHeads, c.valueScale))
    try decoder.attend(
      q: q.register, k: k.register, v: v.register, to: decoder.register(heads * c.dHead),
      .init(
        layer: 0, view: 0, heads: heads, kvHeads: c.kvHeads, dHead: c.dHead, scale: 0.3, softCap: 4)
    )
    // Three cached rows a token and one for its own, which is the last.
    let shape = [4 * tokens, c.kvHeads, c.dHead]
    let cached = [key.normal(shape), key.normal(shape)].map { $0.astype(.float16) }
    let caches = cached.map { $0.astype(c.dtype) }
    try Tensor.evaluate(caches)
    let rows = (0..<tokens).map { [KeyRanges.Rows(4 * $0, 4 * $0 + (c.seesItself ? 4 : 3))] }
    let visible = KeyRanges(rows, keyCount: 4 * tokens)
    let turns = key.uniform([tokens, c.dHead / 2]) * 3
    let angles = (cosine: turns.cos(), sine: turns.sin())
    func turned(_ x: Tensor) -> Tensor {
      Fused.rope(x, cosine: angles.cosine, sine: angles.sine)
    }
    func withOwn(_ cache: Tensor, _ own: Tensor) -> Tensor {
      let past = cache.astype(.float32).reshape([tokens, 4, c.kvHeads, c.dHead])
      return Tensor.concatenate([past.slice(0..<3, axis: 1), own.expandDims(1)], axis: 1)
        .reshape(shape)
    }
    let expected = Fused.attention(
      turned(q.values), withOwn(cached[0], turned(k.values)), withOwn(cached[1], v.values),
      visible: visible, scale: 0.3, softCap: 4)
    let found = try decoder.run(
      inputs, views: [Decoder.View(visible, angles: angles)], keys: [caches[0]],
      values: [caches[1]], rows: (0..<tokens).map { 4 * $0 + 3 })
    return (try found.floats(), try expected.floats())
  }

  @Test(arguments: [64, 80, 20, 6], [1, 5, 17]) @TensorActor
  func `a decoder attends to cached rows as attention does`(dHead: Int, tokens: Int) throws {
    for kvHeads in [1, 2] {
      // What was cached is half precision in both; a token's own row is rounded, by 2⁻¹² of each number,
      // and the score of a key by as much of the sum of its terms.
      for (dtype, seesItself, bound) in [
        (.float32, true, 2e-6), (.float16, false, 2e-6), (.float16, true, 0x1p-8),
      ] as [(Tensor.DType, Bool, Double)] {
        let c = Case(
          dHead: dHead, kvHeads: kvHeads, tokens: tokens, dtype: dtype, seesItself: seesItself)
        let (found, expected) = try attended(c)
        expectError(relativeError(found, expected), within: bound, "decoder: \(c)")
      }
    }
  }

  @Test @TensorActor
  func `values beyond half precision become its largest, and NaN stays`() throws {
    let (found, expected) = try attended(Case(dtype: .float16, valueScale: 1e6))
    #expect(found.allSatisfy { $0.isFinite && abs($0) <= 65504 })
    #expect(expected.contains { abs($0) > 65504 })
    #expect(try attended(Case(dtype: .float16, valueScale: .nan)).found.allSatisfy(\.isNaN))
  }
}
