import LanguageModels
import Tensors
import TestSupport
import Testing
import Training

/// A small adapter, so that these tests cost seconds.
private let lora = LoRAConfiguration(rank: 2, alpha: 4, modules: [.q, .down])

@TensorActor private func trainer(
  _ sequences: [TrainingSequence], batchSize: Int = 4, accumulation: Int = 1,
  schedule: Schedule = .linear, epochs: Int = 1, adapter: AdapterWeights? = nil
) throws -> SupervisedTrainer {
  let model = try DefaultModel.model()
  let configuration = SupervisedConfiguration(
    lora: lora, optimizer: AdamW.Configuration(learningRate: 1e-3), schedule: schedule,
    batchSize: batchSize, accumulation: accumulation, epochs: epochs)
  let adapter = adapter ?? drawnAdapter(lora, for: model.configuration, seed: 3)
  return SupervisedTrainer(
    configuration, model: model, sequences: sequences, adapter: adapter,
    optimizer: AdamW(configuration.optimizer, parameters: adapter.parameters))
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
