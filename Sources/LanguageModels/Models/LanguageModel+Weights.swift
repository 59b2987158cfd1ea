package import Tensors

/// Weights as directions of the residual stream, for models whose norms stand before what reads it.
///
/// A norm's mean and gain belong to what is read through it; its division by a length does not, since it
/// depends on the token: a reading is a direction and not an effect's size.
extension LanguageModel {
  /// Which of a gated MLP's two projections; without a gate there is only `up`.
  package enum NeuronInput: String, Codable, Sendable, CaseIterable {
    case gate, up
  }

  /// The projections that an MLP has.
  package nonisolated var neuronInputs: [NeuronInput] {
    configuration.isGated ? [.gate, .up] : [.up]
  }

  /// Where a block's MLP reads the residual stream.
  package nonisolated func mlpReads(_ block: Int) -> Site {
    .block(block, configuration.isParallel ? .residPre : .residMid)
  }

  /// Checks that weights read and write the residual stream itself.
  ///
  /// - Throws: ``ModelError/normsAfter(family:)`` for a model such as BERT.
  package nonisolated func requireReadableWeights() throws(ModelError) {
    guard configuration.normPlacement != .after else {
      throw .normsAfter(family: configuration.family)
    }
  }

  /// What each neuron of a block writes, `[neuron, dModel]`; of all its neurons where none are named.
  ///
  /// Where what an MLP writes is normalised (Gemma), the gain counts and the division does not.
  package func neuronOutputs(
    block: Int, _ neurons: [Int]? = nil, adapter: AdapterWeights? = nil
  ) throws -> Tensor {
    try requireReadableWeights()
    var rows = try weight(block, .down, adapter).transpose()
    if let neurons { rows = rows.take(Tensor(neurons.map(Int32.init))) }
    guard let norm = weights.blocks[block].mlpOutNorm else { return rows }
    return centred(rows) * (try norm.weight.tensor())
  }

  /// What each neuron of a block reads, `[neuron, dModel]`: its activation is the dot product with the
  /// residual stream over that one's length, plus a constant.
  package func neuronInputs(
    block: Int, _ part: NeuronInput, _ neurons: [Int]? = nil, adapter: AdapterWeights? = nil
  ) throws -> Tensor {
    try requireReadableWeights()
    var rows = try weight(block, part == .gate ? .gate : .up, adapter)
    if let neurons { rows = rows.take(Tensor(neurons.map(Int32.init))) }
    return centred(rows * (try weights.blocks[block].mlpNorm.weight.tensor()))
  }

  /// What directions `[direction, dModel]` of the last residual stream add to each token's logit, up to
  /// that stream's length, `[direction, dVocab]`; capped logits before their cap.
  package func logits(alongDirections directions: Tensor) throws -> Tensor {
    guard let unembed = weights.unembed else {
      throw ModelError.noHead(family: configuration.family)
    }
    guard let norm = weights.finalNorm else { return try unembed(directions) }
    return try unembed(centred(directions) * (try norm.weight.tensor()))
  }

  /// Dot products of directions `[direction, dModel]` with every token's embedding, `[direction, dVocab]`.
  package func embeddings(alongDirections directions: Tensor) throws -> Tensor {
    try weights.embedding(directions) * configuration.embeddingScale
  }

  /// What a block's neurons get from residual streams `[token, dModel]` where its MLP reads, `[token, dMLP]`
  /// for each projection.
  package func neuronInputs(
    block: Int, from resid: Tensor, adapter: AdapterWeights? = nil
  ) throws -> [NeuronInput: Tensor] {
    let own = weights.blocks[block]
    let x = try own.mlpNorm(resid, epsilon: configuration.normEpsilon)
    let modules: [(NeuronInput, LinearModule)] =
      configuration.isGated ? [(.gate, .gate), (.up, .up)] : [(.up, .up)]
    var inputs: [NeuronInput: Tensor] = [:]
    for (part, module) in modules {
      inputs[part] = try own.linear[module]?(
        x, adapter: adapter?.lowRank(block: block, module, of: configuration.family))
    }
    return inputs
  }

  /// A layer's weight `[out, in]` with what an adapter adds to it.
  func weight(
    _ block: Int, _ module: LinearModule, _ adapter: AdapterWeights?
  ) throws -> Tensor {
    guard let layer = weights.blocks[block].linear[module] else {
      preconditionFailure("block \(block) has no \(module.rawValue)")
    }
    let weight = try layer.rows(Array(0..<module.shape(in: configuration)[0]))
    guard let low = adapter?.lowRank(block: block, module, of: configuration.family) else {
      return weight
    }
    return weight + low.b.matmul(low.a) * low.scale
  }

  /// What a LayerNorm leaves of rows before it divides; an RMSNorm leaves them as they are.
  private func centred(_ rows: Tensor) -> Tensor {
    configuration.norm == .layer ? rows - rows.mean(axes: [1], keepDims: true) : rows
  }
}
