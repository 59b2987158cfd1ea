import Foundation
import LanguageModels
import Tensors
import TestSupport
import Testing
import Training

@Suite struct OptimizerTests {
  /// torch orthogonalises in bf16, so the comparison is no finer than that: 0.021 was measured, and
  /// without Nesterov's look ahead 0.3.
  @Test @TensorActor func `Muon takes the steps of torch.optim.Muon`() throws {
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("InstrumentsTests/Fixtures").path
    let file = try SafetensorsFile(path: "\(path)/muon.safetensors")
    func tensor(_ name: String) throws -> Tensor {
      let stored = try file.tensor(name)
      return Tensor(try stored.floats(), shape: stored.shape)
    }
    var parameters = ParameterTree([("w", try tensor("start"))])
    var muon = Muon(.init(learningRate: 0.01, weightDecay: 0.1), parameters: parameters)
    for step in 0..<2 {
      let before = parameters["w"]
      parameters = try muon.update(
        parameters, gradients: ParameterTree([("w", try tensor("gradient\(step)"))]),
        rateFactor: 1)
      let moved = try (parameters["w"] - before).square().sum().sqrt().scalar()
      let apart = try (parameters["w"] - tensor("weight\(step)")).square().sum().sqrt().scalar()
      #expect(apart < 0.04 * moved, "step \(step): \(apart) of \(moved)")
      #expect(moved > 0.01)
    }
    #expect(muon.step == 2)
  }

  @Test @TensorActor func `vectors beside Muon's matrices take AdamW's steps`() throws {
    var key = RandomKey(seed: 2)
    let start = ParameterTree([("w", key.normal([4, 6])), ("b", key.normal([6]))])
    var muon = Muon(.init(learningRate: 0.01, weightDecay: 0.1), parameters: start)
    var adam = AdamW(.init(learningRate: 0.01, weightDecay: 0.1), parameters: start)
    var (a, b) = (start, start)
    for _ in 0..<3 {
      let gradients = start.mapValues { key.normal($0.shape) }
      a = try muon.update(a, gradients: gradients, rateFactor: 0.5)
      b = try adam.update(b, gradients: gradients, rateFactor: 0.5)
    }
    #expect(try a["b"].floats() == b["b"].floats())
    #expect(try a["w"].floats() != b["w"].floats())
  }

  /// Rosenbrock's valley in ten dimensions: its only minimum is at ones.
  @Test func `L-BFGS finds the bottom of Rosenbrock's valley`() throws {
    var search = LBFGS()
    search.iterations = 400
    (search.valueTolerance, search.gradientTolerance) = (0, 1e-9)
    let found = try search.minimise([Double](repeating: -1.2, count: 10)) { x in
      var (value, gradient) = (0.0, [Double](repeating: 0, count: x.count))
      for i in 0..<x.count - 1 {
        let (a, b) = (x[i + 1] - x[i] * x[i], 1 - x[i])
        value += 100 * a * a + b * b
        gradient[i] -= 400 * a * x[i] + 2 * b
        gradient[i + 1] += 200 * a
      }
      return (value, gradient)
    }
    #expect(found.value < 1e-12)
    #expect(found.x.allSatisfy { abs($0 - 1) < 1e-5 })
  }
}
