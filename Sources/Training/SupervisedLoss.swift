package import LanguageModels
package import Tensors

/// A conversation as tokens, with the positions whose tokens the model is trained to say.
package struct TrainingSequence: Encodable, Sendable, Equatable {
  package var ids: [Int]
  /// Positions of target tokens, all at least 1: each is predicted from the one before.
  package var targets: [Int]
  /// Whether a penalty on activations is taken here.
  package var isMarked: Bool

  package init(ids: [Int], targets: [Int], isMarked: Bool = false) {
    precondition(
      targets.allSatisfy { $0 > 0 && $0 < ids.count }, "TrainingSequence: a target out of range")
    (self.ids, self.targets, self.isMarked) = (ids, targets, isMarked)
  }
}

extension LanguageModel {
  /// The mean negative log-likelihood in nats of all target tokens of `sequences`.
  package func supervisedLoss(
    _ sequences: [TrainingSequence], adapter: AdapterWeights?, differentiable: Bool = true
  ) throws -> Tensor {
    try targetLosses(sequences, adapter: adapter, differentiable: differentiable).losses.mean()
  }

  /// The negative log-likelihood in nats of every target token, sequence by sequence, and the penalty's value
  /// over all of them, without its weight.
  package func targetLosses(
    _ sequences: [TrainingSequence], adapter: AdapterWeights?, differentiable: Bool,
    penalty: ActivationPenalty? = nil
  ) throws -> (losses: Tensor, penalty: Tensor?) {
    let batch = TokenBatch(sequences.map(\.ids))
    var rows: [Int32] = []
    var targets: [Int] = []
    for (index, sequence) in sequences.enumerated() {
      for position in sequence.targets {
        rows.append(Int32(batch.row(sequence: index, position: position - 1)))
        targets.append(sequence.ids[position])
      }
    }
    let output = try forward(
      batch, logits: .none, adapter: adapter, hooks: Hooks(captures: penalty?.sites ?? []))
    let losses = try crossEntropy(
      output.finalNorm.take(Tensor(rows)), targets: targets,
      differentiable: differentiable)
    return (losses, try penalty?.value(output.captured, batch, sequences))
  }
}
