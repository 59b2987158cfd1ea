import Tensors
import TestSupport
import Testing
import Training

@Suite struct `The AdamW optimiser` {
  /// With one gradient g throughout, both bias-corrected moments are exact (g and g²), so every
  /// step is θ ← ρ θ − lr g / (|g| + ε) with ρ = 1 − lr wd, a geometric sum.
  @Test @TensorActor func `a constant gradient gives the closed form`() throws {
    let (rate, decay, epsilon) = (0.05, 0.4, 1e-8)
    let start: [Float] = [1, -2, 0.5, 0]
    let gradient: [Float] = [0.3, -2, 1e-8, 0]
    var parameters = ParameterTree([("x", Tensor(start))])
    var optimizer = AdamW(
      AdamW.Configuration(learningRate: rate, weightDecay: decay), parameters: parameters)
    let steps = 12
    for _ in 0..<steps {
      parameters = try optimizer.update(
        parameters, gradients: ParameterTree([("x", Tensor(gradient))]))
    }
    #expect(optimizer.step == steps)
    let shrink = 1 - rate * decay
    var power = 1.0
    for _ in 0..<steps { power *= shrink }
    let expected = zip(start, gradient).map { start, gradient in
      let g = Double(gradient)
      return power * Double(start)
        - rate * g / (abs(g) + epsilon) * (1 - power) / (1 - shrink)
    }
    expectClose(try parameters["x"].floats(), expected, rtol: 1e-5, atol: 1e-6)
  }

  @Test @TensorActor func `changing gradients and rates follow the formula in fp64`() throws {
    let gradients: [Double] = [0.5, -0.25, 2, 0.001]
    let factors: [Double] = [1, 0.5, 0.25, 2]
    var parameters = ParameterTree([("x", Tensor([Float(0.7)]))])
    var optimizer = AdamW(AdamW.Configuration(learningRate: 0.1), parameters: parameters)
    var (theta, m, v) = (Double(Float(0.7)), 0.0, 0.0)
    var (power1, power2) = (1.0, 1.0)
    for (g, factor) in zip(gradients, factors) {
      parameters = try optimizer.update(
        parameters, gradients: ParameterTree([("x", Tensor([Float(g)]))]), rateFactor: factor)
      m = 0.9 * m + 0.1 * g
      v = 0.999 * v + 0.001 * g * g
      (power1, power2) = (power1 * 0.9, power2 * 0.999)
      theta *= 1 - 0.1 * factor * 0.01
      theta -= 0.1 * factor * (m / (1 - power1)) / ((v / (1 - power2)).squareRoot() + 1e-8)
      expectClose(try parameters["x"].scalar(), Float(theta), rtol: 1e-5)
      expectClose(try optimizer.moments.first["x"].scalar(), Float(m), rtol: 1e-5)
      expectClose(try optimizer.moments.second["x"].scalar(), Float(v), rtol: 1e-5)
    }
  }
}
