package import LanguageModels
package import Tensors

/// A conversation as tokens, with the positions whose tokens the model is trained to say.
package struct TrainingSequence: Encodable, Sendable, Equatable {
  package var ids: [Int]
  /// Positions of target tokens, all at least 1: each is predicted from the one before.
  package var targets: [Int]

  package init(ids: [Int], targets: [Int]) {
    precondition(
      targets.allSatisfy { $0 > 0 && $0 < ids.count }, "TrainingSequence: a target out of range")
    (self.ids, self.targets) = (ids, targets)
  }
}

extension LanguageModel {
  /// The mean negative log-likelihood in nats of all target tokens of `sequences`.
  package func supervisedLoss(
    _ sequences: [TrainingSequence], adapter: AdapterWeights?, differentiable: Bool = true
  ) throws -> Tensor {
    try targetLosses(sequences, adapter: adapter, differentiable: differentiable).mean()
  }

  /// The negative log-likelihood in nats of every target token, sequence by sequence.
  package func targetLosses(
    _ sequences: [TrainingSequence], adapter: AdapterWeights?, differentiable: Bool
  ) throws -> Tensor {
    let batch = TokenBatch(sequences.map(\.ids))
    var rows: [Int32] = []
    var targets: [Int] = []
    for (index, sequence) in sequences.enumerated() {
      for position in sequence.targets {
        rows.append(Int32(batch.row(sequence: index, position: position - 1)))
        targets.append(sequence.ids[position])
      }
    }
    let output = try forward(batch, logits: .none, adapter: adapter)
    return try crossEntropy(
      output.finalNorm.take(Tensor(rows)), targets: targets,
      differentiable: differentiable)
  }
}
