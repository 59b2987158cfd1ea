import Foundation
import LanguageModels
import Tensors
import Testing
import Training

@TensorActor private func trainer(
  seed: UInt64 = 11, learningRate: Double = 1e-3, skipping: Int = 0
) throws -> SupervisedTrainer {
  let sequences = try LoRAFixture.read().sequences.dropFirst(skipping).prefix(6)
  let configuration = SupervisedConfiguration(
    lora: LoRAConfiguration(rank: 2, alpha: 4, modules: [.v, .up]),
    optimizer: AdamW.Configuration(learningRate: learningRate), batchSize: 2, epochs: 2)
  return SupervisedTrainer(
    configuration, model: try DefaultModel.model(), sequences: Array(sequences), seed: seed)
}

@TensorActor private func state(_ trainer: SupervisedTrainer) throws -> [[[UInt32]]] {
  let moments = trainer.optimizer.moments
  return try [trainer.adapter.parameters, moments.first, moments.second].map { try bits($0) }
}

/// Lends a checkpoint after one step, and the trainer that wrote it.
@TensorActor private func withCheckpoint(
  _ body: (String, SupervisedTrainer) throws -> Void
) throws {
  try inFolder { folder in
    var trainer = try trainer()
    _ = try trainer.step()
    try trainer.checkpoint(to: folder + "/checkpoint")
    try body(folder + "/checkpoint", trainer)
  }
}

@Suite(.enabled(if: hasModel, "run `make bootstrap`")) struct `Training checkpoints` {
  @Test @TensorActor func `three steps, a new process' state and three more equal six`() throws {
    var straight = try trainer()
    #expect(straight.totalSteps == 6)
    var losses: [Float] = []
    while !straight.isFinished { losses.append(try straight.step()) }

    try inFolder { folder in
      let path = folder + "/checkpoint"
      var first = try trainer()
      try first.checkpoint(to: path)
      for loss in losses[..<3] { #expect(try first.step() == loss) }
      try first.checkpoint(to: path)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["checkpoint"])

      var second = try trainer()
      try second.resume(from: path)
      #expect(second.optimizer.step == 3)
      #expect(try state(second) == state(first))
      for loss in losses[3...] { #expect(try second.step() == loss) }
      #expect(second.isFinished)
      #expect(try state(second) == state(straight))
      #expect(try state(second) != state(first))
    }
  }

  @Test @TensorActor func `another training's checkpoint is refused`() throws {
    try withCheckpoint { path, _ in
      let others = [
        try trainer(seed: 12), try trainer(learningRate: 2e-3), try trainer(skipping: 1),
      ]
      for var other in others {
        let before = try state(other)
        let text = message { try other.resume(from: path) }
        #expect(
          text == "Expected a checkpoint of this training at \(path), found one of another base, "
            + "configuration, seed or set of sequences: delete it to start over")
        #expect(try state(other) == before && other.optimizer.step == 0)
      }
    }
  }

  @Test @TensorActor func `a training from a given adapter knows its start`() throws {
    let model = try DefaultModel.model()
    let template = try trainer()
    let (configuration, sequences) = (
      template.configuration, Array(try LoRAFixture.read().sequences.prefix(6))
    )
    func given(_ seed: UInt64) -> SupervisedTrainer {
      let adapter = drawnAdapter(configuration.lora, for: model.configuration, seed: seed)
      return SupervisedTrainer(
        configuration, model: model, sequences: sequences, adapter: adapter,
        optimizer: AdamW(configuration.optimizer, parameters: adapter.parameters))
    }
    try inFolder { folder in
      var (trainer, same, other) = (given(1), given(1), given(2))
      _ = try trainer.step()
      try trainer.checkpoint(to: folder + "/checkpoint")
      try same.resume(from: folder + "/checkpoint")
      #expect(try state(same) == state(trainer))
      #expect(throws: TrainingError.self) { try other.resume(from: folder + "/checkpoint") }
    }
  }

  @Test @TensorActor func `damaged checkpoints are refused and change nothing`() throws {
    try withCheckpoint { path, _ in
      let before = try state(try trainer())
      @TensorActor func refusal(
        metadata: [String: String] = [:], _ change: (inout [SafetensorsEntry]) -> Void = { _ in }
      ) throws -> String {
        var other = try trainer()
        let file = try SafetensorsFile(path: path)
        var entries = try file.tensors.map {
          SafetensorsEntry(name: $0.name, shape: $0.shape, values: try $0.floats())
        }
        change(&entries)
        let damaged = path + "-damaged"
        try SafetensorsFile.write(
          entries, metadata: file.metadata.merging(metadata) { $1 }, to: damaged)
        let refusal = message { try other.resume(from: damaged) }
        #expect(try state(other) == before && other.optimizer.step == 0)
        return try #require(refusal)
      }
      #expect(try refusal(metadata: ["format": "pt"]).contains("another kind of file"))
      #expect(try refusal(metadata: ["step": "7"]).contains("step 7 of 6"))
      #expect(try refusal(metadata: ["step": "-1"]).contains("step -1 of 6"))
      #expect(try refusal { $0.removeLast() }.contains("359 tensors"))
      #expect(try refusal { $0[0].name = "x" }.contains("tensor called"))
      #expect(try refusal { $0[0].shape = [1] + $0[0].shape }.contains("found F32 [1,"))
      #expect(try refusal { $0[0].values[0] = .infinity }.contains("impossible numbers"))
      #expect(
        try refusal { entries in
          for index in entries.indices where entries[index].name.hasPrefix("second.") {
            entries[index].values[0] = -1
          }
        }.contains("impossible numbers in second."))

      let whole = try Data(contentsOf: URL(fileURLWithPath: path))
      for count in [0, 100, whole.count / 2, whole.count - 1] {
        try whole.prefix(count).write(to: URL(fileURLWithPath: path))
        var other = try trainer()
        #expect(throws: ModelFileError.self) { try other.resume(from: path) }
        #expect(try state(other) == before && other.optimizer.step == 0)
      }
    }
  }
}
