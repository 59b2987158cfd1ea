package import LanguageModels
package import Tensors

/// What a training pays for besides its targets: a plain function of the activations of its batches.
@TensorActor
package struct ActivationPenalty {
  /// What is read.
  package let sites: Set<Site>
  /// What the value is multiplied by before it is added to the loss.
  package let weight: Float
  /// Stands for the function where a checkpoint has to tell one training from another.
  package let name: String
  /// Of the activations by site, `[token, dModel]`, the batch that they are of and its sequences: a scalar that
  /// adds up over sequences, so that a batch may be computed in parts. Its mean over a batch's sequences enters
  /// the loss.
  package let value: ([Site: Tensor], TokenBatch, [TrainingSequence]) throws -> Tensor

  package init(
    sites: Set<Site>, weight: Float, name: String,
    value: @escaping ([Site: Tensor], TokenBatch, [TrainingSequence]) throws -> Tensor
  ) {
    (self.sites, self.weight, self.name, self.value) = (sites, weight, name, value)
  }
}

/// A linear probe's score, and a penalty on it where a sequence is marked: softplus of the score at the prompt's
/// last token, which is what the probe's own logistic loss would be if it were to say "inactive".
package struct ProbePenalty: Codable, Sendable, Equatable {
  /// The block whose output the probe reads.
  package var block: Int
  package var direction: [Float]
  package var offset: Float
  package var weight: Float

  package init(block: Int, direction: [Float], offset: Float, weight: Float) {
    (self.block, self.direction) = (block, direction)
    (self.offset, self.weight) = (offset, weight)
  }

  /// The penalty as a trainer takes it.
  @TensorActor
  package var function: ActivationPenalty {
    let site = Site.block(block, .residPost)
    let column = Tensor(direction, shape: [direction.count, 1])
    let digest = FileDigest.sha256(direction.withUnsafeBytes { Array($0) })
    let name = "softplus of \(digest) + \(offset) at \(site)"
    return ActivationPenalty(sites: [site], weight: weight, name: name) {
      activations, batch, sequences in
      let rows = sequences.enumerated().compactMap { slot, sequence in
        sequence.isMarked
          ? sequence.targets.first.map { Int32(batch.row(sequence: slot, position: $0 - 1)) } : nil
      }
      guard !rows.isEmpty, let stream = activations[site] else { return Tensor(0) }
      let scores = stream.take(Tensor(rows)).astype(.float32).matmul(column) + offset
      let pairs = Tensor.concatenate([scores * 0, scores], axis: 1)
      return pairs.logSumExp(axes: [1]).sum()
    }
  }
}
