package import Tensors

/// What a head makes of some rows: the distributions over the next token, known by what can be
/// asked of them.
@TensorActor
package struct Predictions {
  /// What the unembedding reads, `[token, dModel]`: a residual stream after the final norm.
  package let rows: Tensor
  /// log Σ exp of the logits in nats, `[token]`.
  package let logPartition: Tensor
  /// The first most probable token, int32 `[token]`.
  package let best: Tensor
  /// The unembedding's row to expect, `[token, dModel]`, or the logits `[token, dVocab]` of a model
  /// that caps them, whose divergences are no dot products.
  fileprivate let moments: Moments
  /// Which matrix the logits are products with.
  fileprivate let head: Head

  fileprivate enum Head { case unembedding, embedding }
  fileprivate enum Moments {
    case expected(Tensor)
    case logits(Tensor)
    case none
  }

  /// What has to be evaluated for these to be ready.
  package var tensors: [Tensor] {
    switch moments {
    case .expected(let mean): [rows, logPartition, best, mean]
    case .logits(let logits): [rows, logPartition, best, logits]
    case .none: [rows, logPartition, best]
    }
  }

  /// −Σ p log p in nats, `[token]`.
  package var entropy: Tensor { logPartition - expectedLogit(under: self) }

  /// Σ p ℓ, `[token]`, of the logits ℓ that belong to `other` under these distributions.
  fileprivate func expectedLogit(under other: Predictions) -> Tensor {
    switch (moments, other.moments) {
    case (.expected(let mean), _): return (mean * other.rows).sum(axes: [1])
    case (.logits(let own), .logits(let others)):
      return ((own - logPartition.expandDims(1)).exp() * others).sum(axes: [1])
    default: preconditionFailure("predictions were made without their moments")
    }
  }

  /// KL(self ‖ other) in nats, `[token]`; other may be differentiated.
  package func divergence(to other: Predictions) -> Tensor {
    other.logPartition - expectedLogit(under: other) - entropy
  }
}

extension LanguageModel {
  /// The residual stream `[token, dModel]` as the unembedding reads it.
  package func finalNorm(_ resid: Tensor) throws -> Tensor {
    guard let norm = weights.finalNorm else { return resid }
    return try norm(resid, epsilon: configuration.normEpsilon)
  }

  /// The head, for models that predict tokens.
  ///
  /// - Throws: ``ModelError/noHead(family:)`` for an encoder.
  private func head() throws(ModelError) -> FrozenLinear {
    guard let unembed = weights.unembed else { throw .noHead(family: configuration.family) }
    return unembed
  }

  /// A hash of the unembedding in fp32 (of the digests of its parts of 4,096 rows): what tells whether something that was fitted to a
  /// model's head belongs to this one.
  package func unembeddingHash() throws -> String { try head().sha256() }

  /// The first and last three numbers of the unembedding's first and last three rows.
  func unembeddingCorners() throws -> [[Float]] {
    let (rows, width) = (configuration.dVocab, configuration.dModel)
    let values = try head().rows([0, 1, 2, rows - 3, rows - 2, rows - 1]).floats()
    return (0..<6).map { row in
      [0, 1, 2, width - 3, width - 2, width - 1].map { values[row * width + $0] }
    }
  }

  private func cappedLogits(_ rows: Tensor, cap: Float) throws -> Tensor {
    (try head()(rows) / cap).tanh() * cap
  }

  /// What the head predicts from `rows`, as ``Output/finalNorm`` has them.
  ///
  /// - Parameters:
  ///   - rows: `[token, dModel]`.
  ///   - withMoments: Whether entropies and divergences will be asked of them, or derivatives; costs
  ///     as much again.
  /// - Returns: The predictions, one a row.
  /// - Throws: ``ModelError/noHead(family:)`` for an encoder.
  package func predictions(from rows: Tensor, withMoments: Bool = true) throws -> Predictions {
    if let cap = configuration.logitSoftCap {
      let logits = try cappedLogits(rows, cap: cap)
      return Predictions(
        rows: rows, logPartition: logits.logSumExp(axes: [1]), best: logits.argmax(axis: 1),
        moments: .logits(logits), head: .unembedding)
    }
    let softmax = try head().softmax(rows, withExpected: withMoments)
    return Predictions(
      rows: rows, logPartition: softmax.logPartition, best: softmax.best,
      moments: softmax.expected.map { .expected($0) } ?? .none, head: .unembedding)
  }

  /// Which token the embedding most resembles: softmax(rows W_Eᵀ), for rows `[token, dModel]` that
  /// are compared with embeddings.
  package func retrodictions(from rows: Tensor, withMoments: Bool = true) throws -> Predictions {
    let softmax = try weights.embedding.softmax(rows, withExpected: withMoments)
    return Predictions(
      rows: rows, logPartition: softmax.logPartition, best: softmax.best,
      moments: softmax.expected.map { .expected($0) } ?? .none, head: .embedding)
  }

  /// −log p in nats of each token under the retrodictions from `rows`.
  package func retrodictionLoss(
    _ rows: Tensor, targets: [Int], differentiable: Bool
  ) throws -> Tensor {
    try weights.embedding.crossEntropy(rows, targets: targets, differentiable: differentiable)
  }

  /// Tokens' vectors before anything is added or scaled, `[token, dModel]`.
  package func embeddings(of tokens: [Int]) throws -> Tensor { try weights.embed.rows(tokens) }

  /// −log p in nats of each target under rows of ``Output/finalNorm``, without ever holding the
  /// logits of the whole vocabulary.
  ///
  /// - Throws: ``ModelError/noHead(family:)`` for an encoder.
  package func crossEntropy(
    _ rows: Tensor, targets: [Int], differentiable: Bool
  ) throws -> Tensor {
    guard let cap = configuration.logitSoftCap else {
      return try head().crossEntropy(rows, targets: targets, differentiable: differentiable)
    }
    let logits = try cappedLogits(rows, cap: cap)
    let index = Tensor(targets.map(Int32.init), shape: [targets.count, 1])
    return logits.logSumExp(axes: [1]) - logits.takeAlongAxis(index, axis: 1).squeeze(1)
  }

  /// −log p in nats of each token under predictions or retrodictions that were made already.
  package func crossEntropy(of predictions: Predictions, targets: [Int]) throws -> Tensor {
    let own: Tensor
    if case .logits(let logits) = predictions.moments {
      let index = Tensor(targets.map(Int32.init), shape: [targets.count, 1])
      own = logits.takeAlongAxis(index, axis: 1).squeeze(1)
    } else {
      own = (predictions.rows * (try layer(of: predictions).rows(targets))).sum(axes: [1])
    }
    return predictions.logPartition - own
  }

  /// The logits behind predictions or retrodictions, `[token, dVocab]`.
  package func logits(of predictions: Predictions) throws -> Tensor {
    if case .logits(let logits) = predictions.moments { return logits }
    return try layer(of: predictions)(predictions.rows)
  }

  /// The logits that the head gives rows of ``Output/finalNorm``, `[token, dVocab]`.
  package func logits(ofRows rows: Tensor) throws -> Tensor {
    if let cap = configuration.logitSoftCap { return try cappedLogits(rows, cap: cap) }
    return try head()(rows)
  }

  /// All probabilities, `[token, dVocab]`.
  package func probabilities(of predictions: Predictions) throws -> Tensor {
    (try logits(of: predictions) - predictions.logPartition.expandDims(1)).exp()
  }

  private func layer(of predictions: Predictions) throws -> FrozenLinear {
    switch predictions.head {
    case .unembedding: try head()
    case .embedding: weights.embedding
    }
  }
}
