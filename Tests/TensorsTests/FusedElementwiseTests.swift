import Foundation
import Tensors
import Testing

@Suite struct FusedElementwiseTests {
  /// 129 × 257 elements are enough for a second thread.
  @Test(arguments: [[1], [5, 7], [3, 2, 33], [129, 257]]) @TensorActor
  func `gated and plain activations are what their names say`(shape: [Int]) throws {
    var key = RandomKey(seed: 3)
    let parameters = ParameterTree([("gate", key.normal(shape) * 3), ("up", key.normal(shape))])
    for activation in Fused.Activation.allCases {
      try expectSameFunction("gated \(activation) \(shape)", at: parameters) {
        Fused.gated(activation, gate: $0["gate"], up: $0["up"])
      } plain: {
        plain(activation, $0["gate"]) * $0["up"]
      }
      let gate = ParameterTree([("gate", parameters["gate"])])
      try expectSameFunction("\(activation) \(shape)", at: gate) {
        Fused.activation(activation, $0["gate"])
      } plain: {
        plain(activation, $0["gate"])
      }
    }
  }

  private func plain(_ activation: Fused.Activation, _ x: Tensor) -> Tensor {
    switch activation {
    case .silu: x * x.sigmoid()
    case .gelu: x * ((x * Float(0.5.squareRoot())).erf() + 1) * 0.5
    case .geluTanh:
      x * (((x + x * x.square() * 0.044715) * Float((2 / Double.pi).squareRoot())).tanh() + 1) * 0.5
    }
  }

  /// The result takes the gate's memory where nobody else holds it.
  @Test @TensorActor
  func `a gate that somebody holds stays what it was`() throws {
    var key = RandomKey(seed: 4)
    let (x, up) = (key.normal([64, 40]), key.normal([64, 40]))
    let held = x * 2
    let gated = Fused.gated(.silu, gate: held, up: up)
    let passed = Fused.gated(.silu, gate: x * 2, up: up)
    try Tensor.evaluate([gated, passed, held])
    #expect(try held.floats() == x.floats().map { $0 * 2 })
    #expect(try gated.floats() == passed.floats())
  }

  @Test @TensorActor
  func `swiGLU of huge gates neither overflows nor makes NaN`() throws {
    let gate = Tensor([-1e4, -200, -89, 89, 200, 1e4])
    let actual = try Fused.gated(.silu, gate: gate, up: Tensor.full([6], 2)).floats()
    expectError(
      relativeError(Array(actual[3...]), [178, 400, 2e4]), within: 1e-6, "swiGLU of large gates")
    #expect(actual[..<3].allSatisfy { abs($0) < 1e-30 })
  }

  @Test(arguments: [[1, 1], [5, 7], [3, 2, 33], [65, 576]]) @TensorActor
  func `rmsNorm divides by the root of the mean square`(shape: [Int]) throws {
    var key = RandomKey(seed: 4)
    let width = shape[shape.count - 1]
    let parameters = ParameterTree([("x", key.normal(shape)), ("weight", key.normal([width]))])
    try expectSameFunction("rmsNorm \(shape)", at: parameters) {
      Fused.rmsNorm($0["x"], $0["weight"], epsilon: 0.1)
    } plain: {
      let mean = $0["x"].square().mean(axes: [-1], keepDims: true)
      return $0["x"] * (mean + 0.1).rsqrt() * $0["weight"]
    }
  }

  @Test(arguments: [[1, 2], [5, 7], [3, 2, 33], [65, 576]]) @TensorActor
  func `layerNorm takes the mean out and divides by the deviation`(shape: [Int]) throws {
    var key = RandomKey(seed: 6)
    let width = shape[shape.count - 1]
    let parameters = ParameterTree([
      ("x", key.normal(shape) + 2), ("weight", key.normal([width])), ("bias", key.normal([width])),
    ])
    try expectSameFunction("layerNorm \(shape)", at: parameters) {
      Fused.layerNorm($0["x"], $0["weight"], $0["bias"], epsilon: 0.1)
    } plain: {
      let centred = $0["x"] - $0["x"].mean(axes: [-1], keepDims: true)
      let variance = centred.square().mean(axes: [-1], keepDims: true)
      return centred * (variance + 0.1).rsqrt() * $0["weight"] + $0["bias"]
    }
  }

  @Test @TensorActor
  func `rope leaves the elements beyond its angles alone`() throws {
    var key = RandomKey(seed: 8)
    let x = key.normal([5, 3, 10])
    let angles = key.normal([5, 2])
    try expectSameFunction("partial rope", at: ParameterTree([("x", x)])) {
      Fused.rope($0["x"], cosine: angles.cos(), sine: angles.sin())
    } plain: {
      let turned = Fused.rope(
        $0["x"].slice(0..<4, axis: 2), cosine: angles.cos(), sine: angles.sin())
      return Tensor.concatenate([turned, $0["x"].slice(4..<10, axis: 2)], axis: 2)
    }
  }

  @Test(arguments: [[1, 1, 2], [5, 3, 6], [33, 9, 64], [7, 2, 70]]) @TensorActor
  func `rope turns each pair of halves by its angle`(shape: [Int]) throws {
    var key = RandomKey(seed: 5)
    let half = shape[2] / 2
    let angles = key.normal([shape[0], half]) * 10
    let (cosine, sine) = (angles.cos(), angles.sin())
    try expectSameFunction("rope \(shape)", at: ParameterTree([("x", key.normal(shape))])) {
      Fused.rope($0["x"], cosine: cosine, sine: sine)
    } plain: {
      let first = $0["x"].slice(0..<half, axis: 2)
      let second = $0["x"].slice(half..<2 * half, axis: 2)
      let (c, s) = (cosine.expandDims(1), sine.expandDims(1))
      return Tensor.concatenate([first * c - second * s, second * c + first * s], axis: 2)
    }
  }

  @Test(arguments: [[1], [5, 7], [3, 2, 33], [129, 257]]) @TensorActor
  func `adamW is the published step`(shape: [Int]) throws {
    var key = RandomKey(seed: 7)
    let (p, g) = (key.normal(shape), key.normal(shape))
    let (m, v) = (key.normal(shape), key.normal(shape).square())
    let step = Fused.AdamWStep(
      beta1: 0.9, beta2: 0.999, epsilon: 1e-3, keep: 0.98, rate: 0.25, correction: 0.5)
    func found() -> [Tensor] {
      let found = Fused.adamW(step, parameter: p, gradient: g, first: m, second: v)
      return [found.parameter, found.first, found.second]
    }
    let first = m * 0.9 + g * 0.1
    let second = v * 0.999 + g.square() * 0.001
    let parameter = p * 0.98 - (first / (second.sqrt() / 0.5 + 1e-3)) * 0.25
    for found in [found(), Processor.withoutOwnKernels(found)] {
      for (i, (a, b)) in zip(found, [parameter, first, second]).enumerated() {
        expectError(
          relativeError(try a.floats(), try b.floats()), within: 1e-6, "adamW \(i) \(shape)")
      }
    }
  }

  @Test @TensorActor
  func `rowSummaries finds the first maximum and log sum exp of every row`() throws {
    var key = RandomKey(seed: 6)
    let logits = key.normal([5, 4099]) * 20
    let graph = try Processor.withoutOwnKernels { try Fused.rowSummaries(logits) }
    let (best, highest, sums) = try Fused.rowSummaries(logits)
    #expect(try highest == logits.max(axes: [1]).floats())
    #expect(best == (try logits.argmax().int32s()))
    #expect(graph.best == best && graph.highest == highest)
    expectError(relativeError(graph.logSumExp, sums), within: 1e-6, "rowSummaries of the graph")
    expectError(
      relativeError(sums, try logits.logSumExp(axes: [1]).floats()), within: 1e-6, "rowSummaries")
    let ties = try Fused.rowSummaries(Tensor([1, 3, 3, -.infinity, 3, 3, 3, 0], shape: [2, 4]))
    #expect(ties.best == [1, 0])
    let hundred = try Fused.rowSummaries(Tensor([1e4, 1e4], shape: [1, 2]))
    expectError(
      abs(Double(hundred.logSumExp[0]) - 10_000 - log(2)), within: 1e-3, "rowSummaries of 1e4")
  }
}
