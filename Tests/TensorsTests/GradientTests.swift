import Tensors
import Testing

@Suite struct GradientTests {
  @Test @TensorActor
  func `the gradient of a polynomial is its derivative, for every parameter by its path`() throws {
    let parameters = ParameterTree([
      ("x", Tensor([1.0, 2, 3])), ("block.y", Tensor([4.0, 5, 6])), ("unused", Tensor([7.0])),
    ])
    let (value, gradients) = try valueAndGrad(parameters) {
      ($0["x"].square() * $0["block.y"]).sum()
    }
    #expect(try value.scalar() == 4 + 20 + 54)
    #expect(gradients.paths == ["x", "block.y", "unused"])
    #expect(try gradients["x"].floats() == [8, 20, 36])
    #expect(try gradients["block.y"].floats() == [1, 4, 9])
    #expect(try gradients["unused"].floats() == [0])
  }

  @Test @TensorActor
  func `stopGradient makes a constant`() throws {
    let (_, gradients) = try valueAndGrad(ParameterTree([("x", Tensor([3.0]))])) {
      ($0["x"] * $0["x"].stopGradient()).sum()
    }
    #expect(try gradients["x"].floats() == [3])
  }

  private struct Refusal: Error, Equatable {
    let step: Int
  }

  @Test @TensorActor
  func `what the loss throws comes out as it was, and nothing is left behind`() throws {
    let parameters = ParameterTree([("x", Tensor([3.0]))])
    for step in 0..<20 {
      #expect(throws: Refusal(step: step)) {
        try valueAndGrad(parameters) { _ in throw Refusal(step: step) }
      }
    }
    let (value, gradients) = try valueAndGrad(parameters) { $0["x"].square() }
    #expect(try value.scalar() == 9)
    #expect(try gradients["x"].floats() == [6])
  }

  @Test @TensorActor
  func `gradients through a chain of fused operations agree with finite differences`() throws {
    var key = RandomKey(seed: 21)
    let (weight, norm) = (key.normal([12, 6]) * 0.4, key.uniform([6]))
    let down = key.normal([6, 6]) * 0.4
    let parameters = ParameterTree([
      ("x", key.normal([5, 6])), ("a", key.normal([2, 6])), ("b", key.normal([12, 2])),
    ])
    try expectSameFunction("block", at: parameters, tolerance: 5e-6) {
      let y = Fused.rmsNorm($0["x"], norm, epsilon: 1e-2)
      let z = Fused.linear(y, weight, adapter: LowRank(a: $0["a"], b: $0["b"], scale: 0.5))
      let post = Fused.gated(.silu, gate: z.slice(0..<6, axis: 1), up: z.slice(6..<12, axis: 1))
      return $0["x"] + Fused.linear(post, down)
    } plain: {
      let mean = $0["x"].square().mean(axes: [-1], keepDims: true)
      let y = $0["x"] * (mean + 1e-2).rsqrt() * norm
      let low = y.matmul($0["a"].transpose()).matmul($0["b"].transpose())
      let z = y.matmul(weight.transpose()) + low * 0.5
      let gate = z.slice(0..<6, axis: 1)
      let post = gate * gate.sigmoid() * z.slice(6..<12, axis: 1)
      return $0["x"] + post.matmul(down.transpose())
    }
  }
}
