import Tensors
import Testing

/// x, and frozen W with an adapter's A and B, of odd sizes.
private func layer(
  tokens: Int, input: Int, output: Int, rank: Int
) -> (x: Tensor, weight: Tensor, a: Tensor, b: Tensor) {
  var key = RandomKey(seed: 11)
  return (
    key.normal([tokens, input]), key.normal([output, input]), key.normal([rank, input]),
    key.normal([output, rank])
  )
}

@Suite struct FusedLinearTests {
  @Test(arguments: [(1, 1, 1), (7, 13, 5), (33, 65, 31), (5, 576, 4099)]) @TensorActor
  func `linear is x times the transposed weight`(tokens: Int, input: Int, output: Int) throws {
    let l = layer(tokens: tokens, input: input, output: output, rank: 1)
    try expectSameFunction("linear \(tokens)x\(input)x\(output)", at: ParameterTree([("x", l.x)])) {
      Fused.linear($0["x"], l.weight)
    } plain: {
      $0["x"].matmul(l.weight.transpose())
    }
  }

  /// From 64 of each on, products take a way of their own (with 600 rows shared out too), and MLX's `matmul` with them: no reference here.
  @Test(arguments: [(64, 64, 64), (65, 97, 130), (71, 1536, 99), (600, 65, 70)]) @TensorActor
  func `a product of many rows and its gradient are those in doubles`(
    tokens: Int, input: Int, output: Int
  ) throws {
    let l = layer(tokens: tokens, input: input, output: output, rank: 1)
    var key = RandomKey(seed: 16)
    let upstream = key.normal([tokens, output])
    let (x, w, u) = (try l.x.floats(), try l.weight.floats(), try upstream.floats())
    var (y, dx) = ([Double](repeating: 0, count: u.count), [Double](repeating: 0, count: x.count))
    for t in 0..<tokens {
      for o in 0..<output {
        for i in 0..<input {
          let weight = Double(w[o * input + i])
          y[t * output + o] += Double(x[t * input + i]) * weight
          dx[t * input + i] += Double(u[t * output + o]) * weight
        }
      }
    }
    let name = "\(tokens)x\(input)x\(output)"
    expectError(
      relativeError(try Fused.linear(l.x, l.weight).floats(), y.map { Float($0) }), within: 1e-6,
      "many rows \(name)")
    let (_, gradients) = try valueAndGrad(ParameterTree([("x", l.x)])) {
      (Fused.linear($0["x"], l.weight) * upstream).sum()
    }
    expectError(
      relativeError(try gradients["x"].floats(), dx.map { Float($0) }), within: 1e-6,
      "many rows' gradient \(name)")
  }

  @Test(.enabled(if: Processor.packsBFloat16)) @TensorActor
  func `what is no number stays none in bf16`() throws {
    let l = layer(tokens: 3, input: 40, output: 33, rank: 1)
    var x = try l.x.floats()
    // Every bit of its fraction is set: rounded up, it would become a zero.
    x[47] = Float(bitPattern: 0x7fff_ffff)
    let packed = try PackedWeight(l.weight)
    let y = try Fused.linear(Tensor(x, shape: [3, 40]), nil, packed: packed).floats()
    #expect(y.enumerated().filter { $1.isNaN }.map(\.offset) == Array(33..<66))
  }

  @Test(arguments: [(7, 13, 5, 3), (33, 65, 31, 16), (1, 9, 2, 1)]) @TensorActor
  func `an adapter adds scale times x A transposed B transposed`(
    tokens: Int, input: Int, output: Int, rank: Int
  ) throws {
    let l = layer(tokens: tokens, input: input, output: output, rank: rank)
    let parameters = ParameterTree([("x", l.x), ("a", l.a), ("b", l.b)])
    try expectSameFunction("adapter \(tokens)x\(input)x\(output) rank \(rank)", at: parameters) {
      Fused.linear($0["x"], l.weight, adapter: LowRank(a: $0["a"], b: $0["b"], scale: 0.75))
    } plain: {
      $0["x"].matmul(l.weight.transpose())
        + $0["x"].matmul($0["a"].transpose()).matmul($0["b"].transpose()) * 0.75
    }
  }

  @Test @TensorActor
  func `a transposed view and an adapter over a constant input give the same`() throws {
    let l = layer(tokens: 6, input: 6, output: 4, rank: 2)
    try expectSameFunction("linear of a view", at: ParameterTree([("a", l.a), ("b", l.b)])) {
      Fused.linear(
        l.x.transpose(), l.weight, adapter: LowRank(a: $0["a"], b: $0["b"], scale: 2))
    } plain: {
      let x = l.x.transpose()
      return x.matmul(l.weight.transpose())
        + x.matmul($0["a"].transpose()).matmul($0["b"].transpose()) * 2
    }
  }

  @Test @TensorActor
  func `the frozen weight has no gradient, which is an error and not a zero`() throws {
    let l = layer(tokens: 2, input: 3, output: 4, rank: 1)
    let error = #expect(throws: TensorError.self) {
      try valueAndGrad(ParameterTree([("w", l.weight)])) { Fused.linear(l.x, $0["w"]).sum() }
    }
    #expect("\(String(describing: error))".contains("the base weight is frozen"))
  }

  @Test(
    .enabled(if: Processor.packsInParts, "without AMX there is nothing to be multiplied in parts"),
    arguments: [(1, 64, 48), (7, 13, 5), (33, 576, 4099), (129, 65, 31), (70, 1600, 96)])
  @TensorActor
  func `two parts keep sixteen bits of a product and of its gradient`(
    tokens: Int, input: Int, output: Int
  ) throws {
    let l = layer(tokens: tokens, input: input, output: output, rank: 1)
    let packed = try PackedWeight(l.weight, parts: 2)
    let name = "two parts \(tokens)x\(input)x\(output)"
    func parts(_ x: Tensor) -> Tensor { Fused.linear(x, nil, packed: packed) }
    func exact(_ x: Tensor) -> Tensor { x.matmul(l.weight.transpose()) }
    // Each operand is off by up to 2⁻¹⁷ of itself, and the left-out term is 2⁻¹⁸: of the sum of the
    // terms' sizes, which the products themselves may cancel in.
    let sizes = try l.x.abs().matmul(l.weight.abs().transpose()).floats()
    let (found, expected) = (try parts(l.x).floats(), try exact(l.x).floats())
    let worst = zip(zip(found, expected), sizes).map { abs($0.0 - $0.1) / $1 }.max() ?? 0
    expectError(Double(worst), within: 0x1p-15, "\(name), of the terms' sizes")
    let d = try gradient(of: parts, l.x)
    let reference = try gradient(of: exact, l.x)
    expectError(relativeError(d, reference), within: 0x1p-13, "\(name), gradient")
  }

  @Test(
    .enabled(if: Processor.packsBFloat16), arguments: Processor.packsInParts ? [1, 2] : [1])
  @TensorActor
  func `a row's packed product does not depend on the rows beside it`(_ parts: Int) throws {
    let l = layer(tokens: 67, input: 600, output: 130, rank: 1)
    let packed = try PackedWeight(l.weight, parts: parts)
    let all = try Fused.linear(l.x, nil, packed: packed).floats()
    for rows in [0..<1, 30..<67, 66..<67] {
      let some = try Fused.linear(l.x.slice(rows), nil, packed: packed).floats()
      #expect(some == Array(all[rows.lowerBound * 130..<rows.upperBound * 130]), "\(rows)")
    }
  }

  /// Up to 8 tokens are multiplied almost as in fp32, more of them as in bf16.
  @Test(arguments: [PackedWeight.Blocks.q40, .q41, .q80], [1, 2, 3, 7, 8, 9, 30, 33]) @TensorActor
  func `a product with quantised weights is that with the numbers that they stand for`(
    _ kind: PackedWeight.Blocks, _ tokens: Int
  ) throws {
    let (rows, columns) = (323, 96)
    let (bytes, weights) = Self.blocks(kind, rows * columns / 32)
    // Row i is row 5 i of the file: 5 and 323 have no common factor.
    let order = (0..<rows).map { Int32(5 * $0 % rows) }
    let packed = try bytes.withUnsafeBytes {
      try PackedWeight(kind, bytes: $0, shape: [rows, columns], order: order)
    }
    var key = RandomKey(seed: 12)
    let x = key.normal([tokens, columns])
    let plain = Tensor(weights, shape: [rows, columns]).take(Tensor(order))
    let beside = packed.isComplete ? nil : plain
    expectError(
      relativeError(
        try Fused.linear(x, beside, packed: packed).floats(),
        try x.matmul(plain.transpose()).floats()),
      within: tokens <= 8 || !Processor.packsBFloat16 ? 2e-6 : 4e-3, "\(kind), \(tokens) tokens")
    guard packed.isComplete else { return }
    func gradient(_ f: (Tensor) -> Tensor) throws -> [Float] {
      try valueAndGrad(ParameterTree([("x", x)])) { f($0["x"]).square().sum() }.1["x"].floats()
    }
    expectError(
      relativeError(
        try gradient { Fused.linear($0, nil, packed: packed) },
        try gradient { $0.matmul(plain.transpose()) }),
      within: 8e-3, "\(kind), gradient of \(tokens) tokens")
  }

  /// Blocks of drawn nibbles or bytes, and what they stand for by ggml's definition.
  private static func blocks(
    _ kind: PackedWeight.Blocks, _ count: Int
  ) -> (bytes: [UInt8], weights: [Float]) {
    var state: UInt32 = 12_345
    func next() -> UInt32 {
      state = state &* 1_664_525 &+ 1_013_904_223
      return state >> 16
    }
    func half() -> Float16 { Float16(Float(next() % 2_001) / 1_000 - 1) }
    var (bytes, weights): ([UInt8], [Float]) = ([], [])
    for _ in 0..<count {
      let (d, m) = (half(), half())
      for scale in kind == .q41 ? [d, m] : [d] {
        withUnsafeBytes(of: scale.bitPattern) { bytes += $0 }
      }
      let q = (0..<(kind == .q80 ? 32 : 16)).map { _ in UInt8(truncatingIfNeeded: next()) }
      bytes += q
      switch kind {
      case .q80: weights += q.map { Float(d) * Float(Int8(bitPattern: $0)) }
      case .q41:
        weights += (q.map { $0 & 15 } + q.map { $0 >> 4 }).map { Float(d) * Float($0) + Float(m) }
      default:
        weights += (q.map { $0 & 15 } + q.map { $0 >> 4 }).map { Float(d) * (Float($0) - 8) }
      }
    }
    return (bytes, weights)
  }

  /// d Σ f(x)² / dx, in which every entry of f counts differently.
  @TensorActor private func gradient(of f: (Tensor) -> Tensor, _ x: Tensor) throws -> [Float] {
    try valueAndGrad(ParameterTree([("x", x)])) { f($0["x"]).square().sum() }.1["x"].floats()
  }

  /// 4,099 rows make two packed blocks, the second of three rows.
  @Test(
    .enabled(if: Processor.packsBFloat16),
    arguments: [(1, 64, 48), (7, 13, 5), (33, 576, 4099), (129, 65, 31)])
  @TensorActor
  func `a packed product is the fp32 product of operands rounded to bf16`(
    tokens: Int, input: Int, output: Int
  ) throws {
    let l = layer(tokens: tokens, input: input, output: output, rank: 1)
    let packed = try PackedWeight(l.weight)
    let actual = try Fused.linear(l.x, l.weight, packed: packed).floats()
    let (x, w) = (rounded(l.x), rounded(l.weight))
    let name = "packed \(tokens)x\(input)x\(output)"
    let sameRounding = try Fused.linear(x, w).floats()
    expectError(relativeError(actual, sameRounding), within: 2e-6, "\(name), rounded operands")
    #expect(actual != (try Fused.linear(l.x, l.weight).floats()), "\(name): nothing was rounded")
    #expect(try Fused.linear(l.x, nil, packed: packed).floats() == actual, "\(name), alone")
    try expectWithinRounding(actual, l.x, l.weight, name)
  }

  @Test(arguments: [(1, 64, 48), (33, 576, 1099)]) @TensorActor
  func `on a GPU, packed products are MLX's own in bf16`(
    tokens: Int, input: Int, output: Int
  ) throws {
    let l = layer(tokens: tokens, input: input, output: output, rank: 1)
    try Processor.withoutOwnKernels {
      let packed = try PackedWeight(l.weight)
      #expect(packed.isComplete)
      func product(_ x: Tensor) -> Tensor { Fused.linear(x, nil, packed: packed) }
      let actual = try product(l.x).floats()
      // The product itself is rounded, too.
      let unrounded = try rounded(l.x).matmul(rounded(l.weight).transpose()).floats()
      expectError(relativeError(actual, unrounded), within: 0x1p-8, "a graph's packed product")
      let found = try gradient(of: product, l.x)
      let expected = try gradient(of: { $0.matmul(l.weight.transpose()) }, l.x)
      expectError(relativeError(found, expected), within: 0x1p-5, "a graph's packed gradient")
      #expect(throws: TensorError.self) { try PackedWeight(l.weight, parts: 2) }
    }
  }

  /// Each factor is off by at most u = 2⁻⁸ of itself, so the sum by (2u + u²) Σ |x| |w|.
  @TensorActor
  private func expectWithinRounding(
    _ actual: [Float], _ x: Tensor, _ weight: Tensor, _ name: String
  ) throws {
    let exact = try Fused.linear(x, weight).floats()
    let magnitude = try Fused.linear(x.abs(), weight.abs()).floats()
    let unit = 0x1p-8
    let worst = zip(zip(actual, exact), magnitude).map { pair, magnitude in
      Double(abs(pair.0 - pair.1)) / Double(magnitude)
    }.max()
    expectError(try #require(worst), within: 2 * unit + unit * unit, "\(name), against fp32")
  }

  @Test(.enabled(if: Processor.packsBFloat16)) @TensorActor
  func `a packed layer's gradients are those of rounded operands`() throws {
    let l = layer(tokens: 9, input: 33, output: 21, rank: 3)
    let packed = try PackedWeight(l.weight)
    var key = RandomKey(seed: 5)
    let upstream = key.normal([9, 21])
    let parameters = ParameterTree([("x", l.x), ("a", l.a), ("b", l.b)])
    let (_, gradients) = try valueAndGrad(parameters) {
      let adapter = LowRank(a: $0["a"], b: $0["b"], scale: 0.5)
      return (Fused.linear($0["x"], l.weight, packed: packed, adapter: adapter) * upstream).sum()
    }
    let base = rounded(upstream).matmul(rounded(l.weight))
    let low = upstream.matmul(l.b) * 0.5
    let name = "packed gradient"
    let dx = try (base + low.matmul(l.a)).floats()
    expectError(relativeError(try gradients["x"].floats(), dx), within: 2e-6, "\(name), x")
    let da = try low.transpose().matmul(l.x).floats()
    expectError(relativeError(try gradients["a"].floats(), da), within: 2e-6, "\(name), A")
    let db = try (upstream.transpose().matmul(l.x.matmul(l.a.transpose())) * 0.5).floats()
    expectError(relativeError(try gradients["b"].floats(), db), within: 2e-6, "\(name), B")
  }

  private func rounded(_ x: Tensor) -> Tensor { x.astype(.bfloat16).astype(.float32) }
}
