import Foundation
import LanguageModels
import Tensors
import TestSupport
import Testing
import Training

/// A small adapter, so that these tests cost seconds.
private let lora = LoRAConfiguration(rank: 2, alpha: 4, modules: [.q, .down])

@TensorActor private func trainer(
  _ sequences: [TrainingSequence], batchSize: Int = 4, accumulation: Int = 1,
  schedule: Schedule = .linear, epochs: Int = 1, adapter: AdapterWeights? = nil,
  penalty: ActivationPenalty? = nil
) throws -> SupervisedTrainer {
  let model = try DefaultModel.model()
  let configuration = SupervisedConfiguration(
    lora: lora, optimizer: AdamW.Configuration(learningRate: 1e-3), schedule: schedule,
    batchSize: batchSize, accumulation: accumulation, epochs: epochs)
  let adapter = adapter ?? drawnAdapter(lora, for: model.configuration, seed: 3)
  return SupervisedTrainer(
    configuration, model: model, sequences: sequences, adapter: adapter,
    optimizer: AdamW(configuration.optimizer, parameters: adapter.parameters), penalty: penalty)
}

private func marked(_ count: Int) throws -> [TrainingSequence] {
  try LoRAFixture.read().sequences.prefix(count).enumerated().map { place, sequence in
    TrainingSequence(ids: sequence.ids, targets: sequence.targets, isMarked: place != 1)
  }
}

@Suite(.enabled(if: hasModel, "run `make bootstrap`")) struct `Supervised trainer` {
  @Test @TensorActor func `accumulated gradients are those of the whole batch`() throws {
    let batch = Array(try LoRAFixture.read().sequences.prefix(4))
    // A mean of means would show: the sequences have different numbers of targets.
    #expect(Set(batch.map(\.targets.count)).count > 1)
    let (loss, whole) = try trainer(batch).lossAndGradients(of: batch)
    for accumulation in [2, 3, 4, 9] {
      let parts = try trainer(batch, accumulation: accumulation).lossAndGradients(of: batch)
      expectClose(parts.0, loss, rtol: 1e-5)
      for (path, (part, all)) in zip(whole.paths, zip(parts.1.tensors, whole.tensors)) {
        let distance = relativeDistance(try part.floats(), try all.floats())
        #expect(distance < 1e-4, "\(path) in \(accumulation) parts")
      }
    }
  }

  @Test @TensorActor func `the loss counts the assistant's tokens and nothing else`() throws {
    let sequences = Array(try LoRAFixture.read().sequences.prefix(2))
    let trainer = try trainer(sequences)
    let model = try DefaultModel.model()
    var terms: [Float] = []
    for sequence in sequences {
      let output = try model.forward(TokenBatch([sequence.ids]), adapter: trainer.adapter)
      let logprobs = try #require(output.logits).logSoftmax().floats()
      let width = model.configuration.dVocab
      for position in sequence.targets {
        terms.append(-logprobs[(position - 1) * width + sequence.ids[position]])
      }
    }
    let loss = try trainer.lossAndGradients(of: sequences).0
    // Measured 3.3e-5: packed rows are multiplied in other blocks than those of one sequence.
    expectClose(loss, terms.reduce(0, +) / Float(terms.count), rtol: 1e-4)

    // The last token is no target and nothing follows it, so it is without influence.
    var changed = sequences
    for index in changed.indices {
      let last = changed[index].ids.count - 1
      #expect(!changed[index].targets.contains(last))
      changed[index].ids[last] = 500
    }
    expectClose(try trainer.lossAndGradients(of: changed).0, loss, rtol: 1e-6)
  }

  /// The penalty, computed from activations that were read apart, is what the loss grows by; its gradient is
  /// the difference that a small step makes; parts add up to the whole.
  @Test @TensorActor func `a penalty on activations enters loss and gradient`() throws {
    let batch = try marked(3)
    let model = try DefaultModel.model()
    let width = model.configuration.dModel
    let direction = (0..<width).map { Float(($0 * 37) % 11 - 5) / 20 }
    let site = Site.block(9, .residPost)
    let start = try trainer(batch)
    let raw = try batch.map { sequence in
      let output = try model.forward(
        TokenBatch([sequence.ids]), logits: .none, adapter: start.adapter,
        hooks: Hooks(captures: [site]))
      let stream = try #require(output.captured[site]).floats()
      let row = try #require(sequence.targets.first) - 1
      return zip(stream[row * width..<(row + 1) * width], direction).reduce(Float(0)) {
        $0 + $1.0 * $1.1
      }
    }
    // Where softplus is neither flat nor straight.
    let offset = -(raw[0] + raw[2]) / 2
    func penalty(_ weight: Float) -> ActivationPenalty {
      ProbePenalty(block: 9, direction: direction, offset: offset, weight: weight).function
    }
    let (plain, free) = try trainer(batch).lossAndGradients(of: batch)
    let (zero, _) = try trainer(batch, penalty: penalty(0)).lossAndGradients(of: batch)
    expectClose(zero, plain, rtol: 1e-5)
    let own = try trainer(batch, penalty: penalty(0.5))
    let (loss, gradients) = try own.lossAndGradients(of: batch)
    // The second sequence is not marked.
    let expected = [raw[0], raw[2]].reduce(Float(0)) {
      let score = $1 + offset
      return $0 + max(score, 0) + log1p(exp(-abs(score)))
    }
    #expect(expected > 0.05)
    expectClose(loss - plain, 0.5 * expected / 3, rtol: 1e-2, atol: 1e-4)

    let parts = try trainer(batch, accumulation: 3, penalty: penalty(0.5)).lossAndGradients(
      of: batch)
    expectClose(parts.0, loss, rtol: 1e-5)
    for (part, whole) in zip(parts.1.tensors, gradients.tensors) {
      #expect(relativeDistance(try part.floats(), try whole.floats()) < 1e-3)
    }
    // Along the penalty's own gradient: what it adds to the loss falls by the square of its norm a step.
    let added = zip(gradients.tensors, free.tensors).map { $0 - $1 }
    let norm = try added.reduce(Float(0)) { try $0 + $1.square().sum().scalar() }
    let step = 1e-3 / norm.squareRoot()
    func paid(_ sign: Float) throws -> Float {
      let moved = zip(own.adapter.parameters.tensors, added).map { $0 + $1 * (sign * step) }
      let adapter = own.adapter.replacing(own.adapter.parameters.replacing(moved))
      let with = try trainer(batch, adapter: adapter, penalty: penalty(0.5))
      return try with.lossAndGradients(of: batch).0
        - trainer(batch, adapter: adapter).lossAndGradients(of: batch).0
    }
    expectClose(try (paid(1) - paid(-1)) / (2 * step), norm, rtol: 0.05)
  }

  @Test @TensorActor func `sequences without targets change nothing`() throws {
    let sequences = Array(try LoRAFixture.read().sequences.prefix(2))
    let silent = TrainingSequence(ids: sequences[0].ids, targets: [])
    let trainer = try trainer(sequences, accumulation: 3)
    let alone = try trainer.lossAndGradients(of: [sequences[0], sequences[1]])
    let beside = try trainer.lossAndGradients(of: [sequences[0], silent, sequences[1]])
    expectClose(beside.0, alone.0, rtol: 1e-5)
    #expect(throws: TrainingError.emptyBatch) { try trainer.lossAndGradients(of: [silent]) }
    #expect(throws: TrainingError.emptyBatch) { try trainer.lossAndGradients(of: []) }
  }

  /// Two epochs over three sequences in batches of two: four steps, the second and fourth of one
  /// sequence, at rates of 1, 3/4, 2/4 and 1/4.
  @Test @TensorActor func `batches come in order and the linear rate falls by equal parts`() throws
  {
    let sequences = Array(try LoRAFixture.read().sequences.prefix(3))
    var trainer = try trainer(sequences, batchSize: 2, epochs: 2)
    var optimizer = trainer.optimizer
    var parameters = trainer.adapter.parameters
    #expect(trainer.totalSteps == 4)
    let batches = [[0, 1], [2], [0, 1], [2]].map { $0.map { sequences[$0] } }
    for (batch, factor) in zip(batches, [1, 0.75, 0.5, 0.25]) {
      let (loss, gradients) = try trainer.lossAndGradients(of: batch)
      parameters = try optimizer.update(parameters, gradients: gradients, rateFactor: factor)
      #expect(!trainer.isFinished)
      #expect(try trainer.step() == loss)
      #expect(try bits(trainer.adapter.parameters) == bits(parameters))
    }
    #expect(trainer.isFinished)
  }

  @Test @TensorActor func `a loss that is no number stops the training unchanged`() throws {
    let model = try DefaultModel.model()
    let start = drawnAdapter(lora, for: model.configuration, seed: 3)
    var tensors = start.parameters.tensors
    tensors[0] = Tensor.full(tensors[0].shape, .nan)
    let sequences = Array(try LoRAFixture.read().sequences.prefix(1))
    var trainer = try trainer(
      sequences, adapter: start.replacing(start.parameters.replacing(tensors)))
    #expect(throws: TrainingError.notFinite(step: 0)) { try trainer.step() }
    #expect(trainer.optimizer.step == 0)
    #expect(try trainer.optimizer.moments.first.tensors[0].floats().allSatisfy { $0 == 0 })
  }
}
