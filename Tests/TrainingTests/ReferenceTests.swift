import Foundation
import LanguageModels
import Tensors
import TestSupport
import Testing
import Training

/// Against `lora.json` and `lora.safetensors`, which PEFT and PyTorch computed.
@Suite struct `LoRA training against PEFT` {
  @Test(.enabled(if: hasModel, "run `make bootstrap`"))
  @TensorActor func `twenty steps give PEFT's losses, gradients and products`() throws {
    let fixture = try LoRAFixture.read()
    let file = try SafetensorsFile(path: TrainingTests.fixture("lora.safetensors"))
    let model = try DefaultModel.model()
    let (start, sha256) = fixture.start(for: model.configuration)
    #expect(sha256 == fixture.startSha256)
    let configuration = fixture.configuration
    var trainer = SupervisedTrainer(
      configuration, model: model, sequences: fixture.sequences, adapter: start,
      optimizer: AdamW(configuration.optimizer, parameters: start.parameters))
    #expect(trainer.totalSteps == fixture.losses.count)

    var losses: [Float] = []
    while !trainer.isFinished {
      let step = losses.count
      if step < 2 { try expectGradients(of: trainer, step: step, fixture, file) }
      losses.append(try trainer.step())
    }
    let lossError = zip(losses, fixture.losses).map { abs(Double($0) - $1) }.max() ?? .nan
    print("largest difference of a loss:", lossError)
    expectClose(losses, fixture.losses, atol: 1e-4)
    try expectProducts(trainer.adapter, fixture, file)
  }

  /// At step 2 the parameters already differ: in the first step AdamW moves elements whose gradient
  /// is rounding noise by the full rate, either way.
  @TensorActor private func expectGradients(
    of trainer: SupervisedTrainer, step: Int, _ fixture: LoRAFixture, _ file: SafetensorsFile
  ) throws {
    let (_, gradients) = try trainer.lossAndGradients(of: trainer.batch(at: step))
    for name in fixture.recorded {
      for factor in ["A", "B"] {
        let found = try gradients["\(name).lora_\(factor)"].floats()
        if step == 0, factor == "A" {
          #expect(found.allSatisfy { $0 == 0 }, "B is zero, so A has no gradient: \(name)")
          continue
        }
        let recorded = try file.tensor("step\(step + 1).\(name).lora_\(factor).grad").floats()
        let distance = relativeDistance(found, recorded)
        print("gradient at step \(step + 1) of \(name).lora_\(factor):", distance)
        #expect(distance < (step == 0 ? 1e-4 : 1e-2), "\(name).lora_\(factor)")
      }
    }
  }

  @TensorActor private func expectProducts(
    _ adapter: AdapterWeights, _ fixture: LoRAFixture, _ file: SafetensorsFile
  ) throws {
    func product(_ name: String, _ factor: (String) throws -> Tensor) throws -> [Float] {
      try
        (factor("\(name).lora_B").matmul(factor("\(name).lora_A"))
        * adapter.configuration.scale).floats()
    }
    for name in fixture.recorded {
      let recorded = try product(name) { path in
        let entry = try file.tensor(path + ".weight")
        return Tensor(try entry.floats(), shape: entry.shape)
      }
      let distance = relativeDistance(try product(name) { adapter.parameters[$0] }, recorded)
      print("B A of \(name):", distance)
      #expect(distance < 1e-2, "\(name)")
    }
    var worst = 0.0
    for module in fixture.modules {
      let change = try product(module.name) { adapter.parameters[$0] }
      let norm = change.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      worst = max(worst, abs(norm - module.norm) / module.norm)
      #expect(abs(norm - module.norm) < 1e-2 * module.norm, "\(module.name)")
    }
    print("largest relative difference of a norm:", worst)
  }
}
