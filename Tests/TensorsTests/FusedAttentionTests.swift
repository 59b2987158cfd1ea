import Tensors
import Testing

/// Shapes of one attention call and the rows that each query sees.
struct AttentionCase: CustomTestStringConvertible, Sendable {
  let testDescription: String
  let heads: Int
  let kvHeads: Int
  let dHead: Int
  let keys: Int
  let visible: [[KeyRanges.Rows]]

  static let all = [
    AttentionCase(
      testDescription: "causal", heads: 9, kvHeads: 3, dHead: 64, keys: 17,
      visible: (0..<17).map { [.init(0, $0 + 1)] }),
    AttentionCase(
      testDescription: "one key", heads: 1, kvHeads: 1, dHead: 1, keys: 1, visible: [[.init(0, 1)]]),
    AttentionCase(
      testDescription: "odd head width, shared by five heads", heads: 5, kvHeads: 1, dHead: 7,
      keys: 11, visible: (0..<11).map { [.init(0, $0 + 1)] }),
    // Prefix rows 0 to 3, then sequences of 5 and 2 tokens of their own.
    AttentionCase(
      testDescription: "two sequences after a prefix", heads: 4, kvHeads: 2, dHead: 18, keys: 11,
      visible: (0..<4).map { [.init(0, $0 + 1)] } + (4..<9).map { [.init(0, 4), .init(4, $0 + 1)] }
        + (9..<11).map { [.init(0, 4), .init(9, $0 + 1)] }),
    // Decoding three sequences: steps lie three rows apart; the last range ends beyond its last row.
    AttentionCase(
      testDescription: "strided rows of a cache with room left", heads: 6, kvHeads: 6, dHead: 10,
      keys: 20,
      visible: [
        [.init(0, 3), .init(5, 12, stride: 3)], [.init(3, 4), .init(6, 16, stride: 3)],
        [.init(4, 5), .init(7, 8), .init(19, 25, stride: 7)],
      ]),
    AttentionCase(
      testDescription: "more queries than a thread takes, few keys", heads: 3, kvHeads: 3,
      dHead: 33, keys: 2, visible: (0..<70).map { [.init($0 % 2, $0 % 2 + 1)] }),
    AttentionCase(
      testDescription: "a window over several blocks of queries", heads: 2, kvHeads: 1, dHead: 40,
      keys: 300, visible: (0..<300).map { [.init(max(0, $0 - 69), $0 + 1)] }),
    AttentionCase(
      testDescription: "sequences that share blocks of queries", heads: 2, kvHeads: 2, dHead: 16,
      keys: 190,
      visible: (0..<190).map {
        [.init(0, min(50, $0 + 1)), .init(50 + ($0 - 50) / 60 * 60, $0 + 1)]
      }),
    // Encoded side by side: together they see too little of each other's keys, 32 queries of one do not.
    AttentionCase(
      testDescription: "two sequences without a mask", heads: 2, kvHeads: 1, dHead: 24, keys: 128,
      visible: (0..<128).map { [$0 < 60 ? .init(0, 60) : .init(60, 128)] }),
    AttentionCase(
      testDescription: "a window, and few queries in the last block", heads: 4, kvHeads: 2,
      dHead: 16, keys: 131, visible: (0..<131).map { [.init(max(0, $0 - 99), $0 + 1)] }),
    AttentionCase(
      testDescription: "three queries", heads: 7, kvHeads: 1, dHead: 20, keys: 40,
      visible: (37..<40).map { [.init(0, $0 + 1)] }),
  ]
}

@Suite struct FusedAttentionTests {
  @Test(arguments: AttentionCase.all, [false, true]) @TensorActor
  func `attention is a softmax over the visible keys`(_ c: AttentionCase, inParts: Bool) throws {
    try check(c, inParts: inParts, softCap: nil)
  }

  @Test(arguments: AttentionCase.all, [false, true]) @TensorActor
  func `scores are capped smoothly`(_ c: AttentionCase, inParts: Bool) throws {
    try check(c, inParts: inParts, softCap: 0.7)
  }

  @TensorActor
  private func check(_ c: AttentionCase, inParts: Bool, softCap: Float?) throws {
    var key = RandomKey(seed: 8)
    let parameters = ParameterTree([
      ("q", key.normal([c.visible.count, c.heads, c.dHead])),
      ("k", key.normal([c.keys, c.kvHeads, c.dHead])),
      ("v", key.normal([c.keys, c.kvHeads, c.dHead])),
    ])
    let scale = 1 / Float(c.dHead).squareRoot()
    let ranges = KeyRanges(c.visible, keyCount: c.keys)
    // A number in two parts is off by at most 2⁻¹⁷ of itself; the gradient is fp32's.
    try expectSameFunction(
      "attention \(c.testDescription)", at: parameters, tolerance: inParts ? 0x1p-16 : 2e-6,
      ofGradients: 4e-6
    ) {
      Fused.attention(
        $0["q"], $0["k"], $0["v"], visible: ranges, scale: scale, softCap: softCap,
        inParts: inParts)
    } plain: {
      plainAttention($0["q"], $0["k"], $0["v"], c, scale: scale, softCap: softCap)
    }
  }

  private func plainAttention(
    _ q: Tensor, _ k: Tensor, _ v: Tensor, _ c: AttentionCase, scale: Float, softCap: Float?
  ) -> Tensor {
    func perHead(_ x: Tensor) -> Tensor {
      let group = [c.keys, c.kvHeads, c.heads / c.kvHeads, c.dHead]
      return x.expandDims(2).broadcast(to: group).reshape([c.keys, c.heads, c.dHead])
        .transpose([1, 0, 2])
    }
    var scores = q.transpose([1, 0, 2]).matmul(perHead(k).transpose([0, 2, 1])) * scale
    if let softCap { scores = (scores / softCap).tanh() * softCap }
    return (scores + mask(c)).softmax().matmul(perHead(v)).transpose([1, 0, 2])
  }

  private func mask(_ c: AttentionCase) -> Tensor {
    var values = [Float](repeating: -.infinity, count: c.visible.count * c.keys)
    for (query, ranges) in c.visible.enumerated() {
      for rows in ranges {
        for key in stride(from: rows.begin, to: rows.end, by: rows.stride) {
          values[query * c.keys + key] = 0
        }
      }
    }
    return Tensor(values, shape: [c.visible.count, c.keys])
  }

  @Test(arguments: [2, 9, 40], [false, true]) @TensorActor
  func `rows that no query sees do not matter, not even NaN`(queries: Int, inParts: Bool) throws {
    var key = RandomKey(seed: 9)
    let (q, k) = (key.normal([queries, 2, 8]), key.normal([queries + 1, 1, 8]))
    let foreign = Tensor.concatenate([k, Tensor.full([2, 1, 8], .nan)], axis: 0)
    let visible = (0..<queries).map { [KeyRanges.Rows(0, $0 + 2)] }
    func attention(_ k: Tensor) -> Tensor {
      Fused.attention(
        q, k, k, visible: KeyRanges(visible, keyCount: k.shape[0]), scale: 0.3, inParts: inParts)
    }
    #expect(try attention(k).floats() == attention(foreign).floats())
  }
}
