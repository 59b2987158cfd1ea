package import LanguageModels
package import Tensors

/// How learning rates move over a training.
package enum Schedule: String, Codable, Sendable {
  case constant
  /// From the full rate to zero, one equal step at a time.
  case linear

  package func factor(step: Int, of total: Int) -> Double {
    switch self {
    case .constant: 1
    case .linear: 1 - Double(step) / Double(max(total, 1))
    }
  }
}

/// Supervised fine-tuning of a LoRA adapter.
package struct SupervisedConfiguration: Codable, Sendable, Equatable {
  package var lora: LoRAConfiguration
  package var optimizer: AdamW.Configuration
  package var schedule: Schedule
  /// Sequences a step.
  package var batchSize: Int
  /// Parts that a batch is computed in; the gradient is that of the whole batch.
  package var accumulation: Int
  package var epochs: Int

  package init(
    lora: LoRAConfiguration = LoRAConfiguration(),
    optimizer: AdamW.Configuration = AdamW.Configuration(learningRate: 5e-4),
    schedule: Schedule = .linear, batchSize: Int = 8, accumulation: Int = 1, epochs: Int = 2
  ) {
    (self.lora, self.optimizer, self.schedule) = (lora, optimizer, schedule)
    (self.batchSize, self.accumulation, self.epochs) = (batchSize, accumulation, epochs)
  }

  /// Steps that training on `count` sequences takes.
  package func steps(for count: Int) -> Int { epochs * ((count + batchSize - 1) / batchSize) }
}

/// A training in progress: all that another process needs to go on to the same bits.
@TensorActor
package struct SupervisedTrainer {
  package let configuration: SupervisedConfiguration
  package private(set) var adapter: AdapterWeights
  package private(set) var optimizer: AdamW
  let model: LanguageModel
  let sequences: [TrainingSequence]
  let origin: Origin
  let penalty: ActivationPenalty?

  /// What a training began with, by which ``resume(from:)`` knows its own checkpoints.
  enum Origin {
    case seed(UInt64)
    case adapter(ParameterTree, step: Int)
  }

  /// A training from a fresh adapter.
  ///
  /// - Parameters:
  ///   - configuration: The adapter's shape, the optimiser and the schedule.
  ///   - model: The frozen base.
  ///   - sequences: In the order of one epoch; every epoch takes the same order, so that arms
  ///     trained with one seed see the same batches.
  ///   - seed: Draws the adapter's start.
  ///   - penalty: What is paid besides.
  package init(
    _ configuration: SupervisedConfiguration, model: LanguageModel,
    sequences: [TrainingSequence], seed: UInt64, penalty: ActivationPenalty? = nil
  ) {
    let adapter = AdapterWeights(configuration.lora, for: model.configuration, seed: seed)
    let optimizer = AdamW(configuration.optimizer, parameters: adapter.parameters)
    (self.configuration, self.model, self.sequences) = (configuration, model, sequences)
    (self.adapter, self.optimizer, origin) = (adapter, optimizer, .seed(seed))
    self.penalty = penalty
  }

  /// A training from a given adapter and given moments.
  package init(
    _ configuration: SupervisedConfiguration, model: LanguageModel,
    sequences: [TrainingSequence], adapter: AdapterWeights, optimizer: AdamW,
    penalty: ActivationPenalty? = nil
  ) {
    (self.configuration, self.model, self.sequences) = (configuration, model, sequences)
    (self.adapter, self.optimizer, self.penalty) = (adapter, optimizer, penalty)
    origin = .adapter(adapter.parameters, step: optimizer.step)
  }

  /// Goes on from another state of the same training.
  mutating func replaceState(adapter: AdapterWeights, optimizer: AdamW) {
    (self.adapter, self.optimizer) = (adapter, optimizer)
  }

  /// Steps in all.
  package var totalSteps: Int { configuration.steps(for: sequences.count) }
  /// Whether all steps were taken.
  package var isFinished: Bool { optimizer.step >= totalSteps }

  /// The sequences of step `step`, counted from 0.
  package func batch(at step: Int) -> [TrainingSequence] {
    let perEpoch = (sequences.count + configuration.batchSize - 1) / configuration.batchSize
    let start = step % perEpoch * configuration.batchSize
    return Array(sequences[start..<min(start + configuration.batchSize, sequences.count)])
  }

  /// Takes one step and returns its loss in nats a target token, the penalty added, before the update.
  ///
  /// - Throws: ``TrainingError/notFinite(step:)`` when the loss is no number, and
  ///   ``TrainingError/emptyBatch`` when nothing in the batch is to be learnt; the training is then
  ///   as it was.
  package mutating func step() throws -> Float {
    let step = optimizer.step
    let (loss, gradients) = try lossAndGradients(of: batch(at: step))
    guard loss.isFinite else { throw TrainingError.notFinite(step: step) }
    let rate = configuration.schedule.factor(step: step, of: totalSteps)
    adapter = adapter.replacing(
      try optimizer.update(adapter.parameters, gradients: gradients, rateFactor: rate))
    return loss
  }

  /// The mean loss over all target tokens of `batch` and its gradients, computed in
  /// ``SupervisedConfiguration/accumulation`` parts, each weighted by its number of targets; and the penalty's
  /// mean over sequences, times its weight.
  ///
  /// - Throws: ``TrainingError/emptyBatch`` when no token of the batch is a target.
  package func lossAndGradients(
    of batch: [TrainingSequence]
  ) throws -> (Float, ParameterTree) {
    let total = Float(batch.reduce(0) { $0 + $1.targets.count })
    guard total > 0 else { throw TrainingError.emptyBatch }
    let size = (batch.count + configuration.accumulation - 1) / configuration.accumulation
    var loss: Float = 0
    var sum: ParameterTree?
    for start in stride(from: 0, to: batch.count, by: size) {
      let part = batch[start..<min(start + size, batch.count)].filter { !$0.targets.isEmpty }
      if part.isEmpty { continue }
      let (value, gradients) = try valueAndGrad(adapter.parameters) { parameters in
        let (losses, paid) = try model.targetLosses(
          part, adapter: adapter.replacing(parameters), differentiable: true, penalty: penalty)
        let own = losses.sum() / total
        guard let penalty, let paid else { return own }
        return own + paid * (penalty.weight / Float(batch.count))
      }
      let merged = sum.map { sum in
        sum.replacing(zip(sum.tensors, gradients.tensors).map { $0 + $1 })
      }
      sum = merged ?? gradients
      try Tensor.evaluate([value] + (sum?.tensors ?? []))
      loss += try value.scalar()
    }
    guard let sum else { throw TrainingError.emptyBatch }
    return (loss, sum)
  }
}

/// What can go wrong in a training.
package enum TrainingError: Error, Equatable, CustomStringConvertible {
  case notFinite(step: Int)
  case emptyBatch
  case badCheckpoint(path: String, reason: String)

  package var description: String {
    switch self {
    case .notFinite(let step):
      "Expected a finite loss, found none at step \(step + 1): lower the learning rate"
    case .emptyBatch: "Expected at least one training sequence, found none: check the recipe"
    case .badCheckpoint(let path, let reason):
      "Expected a checkpoint of this training at \(path), found \(reason): delete it to start over"
    }
  }
}
