import Tensors
import Testing

/// Attention of a few sequences' next tokens over what is cached of them.
@Suite struct DecoderTests {
  private static let tokens = 5

  /// `[tokens, heads · dHead]`, with the cached rows in fp32 or in half precision.
  @TensorActor
  private func attended(
    dHead: Int, dtype: Tensor.DType, seesItself: Bool, valueScale: Float = 1
  ) throws -> [Float] {
    let (heads, kvHeads, width, tokens) = (5, 1, 24, Self.tokens)
    var key = RandomKey(seed: 41)
    let decoder = Decoder()
    func linear(
      _ from: Decoder.Register, _ out: Int, _ scale: Float = 1
    ) throws -> Decoder.Register {
      let to = decoder.register(out)
      let weight = key.normal([out, width]) * (0.3 * scale)
      #expect(try decoder.linear(from: from, to: to, .plain(weight)))
      return to
    }
    let x = decoder.register(width)
    let (q, k) = (try linear(x, heads * dHead), try linear(x, kvHeads * dHead))
    let v = try linear(x, kvHeads * dHead, valueScale)
    try decoder.attend(
      q: q, k: k, v: v, to: decoder.register(heads * dHead),
      .init(
        layer: 0, view: 0, heads: heads, kvHeads: kvHeads, dHead: dHead, scale: 0.3, softCap: 4))
    // Three cached rows a token and one for its own, which is the last.
    let cached = [4 * tokens, kvHeads, dHead]
    let keys = key.normal(cached).astype(.float16).astype(dtype)
    let values = key.normal(cached).astype(.float16).astype(dtype)
    try Tensor.evaluate([keys, values])
    let visible = (0..<tokens).map { [KeyRanges.Rows(4 * $0, 4 * $0 + (seesItself ? 4 : 3))] }
    let view = Decoder.View(KeyRanges(visible, keyCount: 4 * tokens), angles: nil)
    return try decoder.run(
      key.normal([tokens, width]), views: [view], keys: [keys], values: [values],
      rows: (0..<tokens).map { 4 * $0 + 3 }
    ).floats()
  }

  @Test(arguments: [64, 80, 20, 7]) @TensorActor
  func `rows in half precision are attended to as the numbers that they are`(dHead: Int) throws {
    // What was cached is the same in both; a token's own row is rounded, by 2⁻¹² of each number, and the
    // score of a key by as much of the sum of its terms.
    for (seesItself, bound) in [(false, 2e-6), (true, 0x1p-8)] {
      func attended(_ dtype: Tensor.DType) throws -> [Float] {
        try self.attended(dHead: dHead, dtype: dtype, seesItself: seesItself)
      }
      expectError(
        relativeError(try attended(.float16), try attended(.float32)), within: bound,
        "half-precision rows of \(dHead), own \(seesItself)")
    }
  }

  @Test @TensorActor
  func `values beyond half precision become its largest and not infinite`() throws {
    func attended(_ dtype: Tensor.DType) throws -> [Float] {
      try self.attended(dHead: 20, dtype: dtype, seesItself: true, valueScale: 1e6)
    }
    #expect(try attended(.float16).allSatisfy { $0.isFinite && abs($0) <= 65504 })
    #expect(try attended(.float32).contains { abs($0) > 65504 })
  }
}
