package import Tensors

/// A logit as a sum over what the components of a model wrote, with every norm's division held at what it was
/// (Elhage et al. 2021, "A mathematical framework for transformer circuits").
@TensorActor
package struct LogitParts {
  /// What the embedding brings, `[token]`.
  package let embedding: Tensor
  /// `[token, nHeads]` for each block.
  package let heads: [Tensor]
  /// `[token, dMLP]` for each block.
  package let neurons: [Tensor]
  /// What all biases add up to, the norms' among them, `[token]`.
  package let biases: Tensor
  /// The sum of all parts, `[token]`.
  package let sum: Tensor
  /// The logits themselves, `[token]`, before a cap.
  package let logits: Tensor
}

extension LanguageModel {
  /// The sites that ``logitParts(_:rows:targets:adapter:)`` reads.
  package nonisolated var decompositionSites: Set<Site> {
    let c = configuration
    let blocks = (0..<c.nLayers).flatMap { block -> [Site] in
      [.block(block, .z), .block(block, .post)]
    }
    return Set(blocks + [.embed, .block(c.nLayers - 1, .residPost)])
  }

  /// Splits one logit of each of some rows into what each component adds to it.
  ///
  /// - Parameters:
  ///   - captured: Activations at ``decompositionSites``.
  ///   - rows: Which rows of them.
  ///   - targets: A token for each row.
  ///   - adapter: What was trained into the model.
  /// - Returns: The parts, one of each for each row.
  /// - Throws: ``ModelError`` for an encoder, and where norms stand on the stream itself.
  package func logitParts(
    _ captured: [Site: Tensor], rows: [Int], targets: [Int], adapter: AdapterWeights? = nil
  ) throws -> LogitParts {
    try requireReadableWeights()
    guard let unembed = weights.unembed else {
      throw ModelError.noHead(family: configuration.family)
    }
    let (c, index) = (configuration, Tensor(rows.map(Int32.init)))
    func at(_ site: Site) -> Tensor {
      guard let value = captured[site] else { preconditionFailure("\(site) was not captured") }
      return value.take(index)
    }
    let head = try unembed.rows(targets)
    let stream = at(.block(c.nLayers - 1, .residPost))
    let final = try weights.finalNorm.map { try held($0, at: stream) }
    let direction = final.map { $0.pulled(head) } ?? head
    var biases = try final?.bias(head) ?? Tensor.zeros([rows.count])
    var (heads, neurons): ([Tensor], [Tensor]) = ([], [])
    for block in 0..<c.nLayers {
      let own = weights.blocks[block]
      let (z, post) = (at(.block(block, .z)), at(.block(block, .post)))
      let flat = z.reshape([rows.count, c.nHeads * c.dHead])
      let attention = try written(block, .o, flat, own.attentionOutNorm, direction, adapter)
      heads.append((attention.weights.reshape(z.shape) * z).sum(axes: [2]))
      let mlp = try written(block, .down, post, own.mlpOutNorm, direction, adapter)
      neurons.append(mlp.weights * post)
      biases = biases + attention.bias + mlp.bias
    }
    let embedding = (at(.embed) * direction).sum(axes: [1])
    let sum = (heads + neurons).reduce(embedding + biases) { $0 + $1.sum(axes: [1]) }
    let logits = (try finalNorm(stream) * head).sum(axes: [1])
    return LogitParts(
      embedding: embedding, heads: heads, neurons: neurons, biases: biases, sum: sum, logits: logits
    )
  }

  /// What each input of a block's last projection, and its bias, add along `direction` `[token, dModel]`.
  private func written(
    _ block: Int, _ module: LinearModule, _ x: Tensor, _ norm: NormWeights?, _ direction: Tensor,
    _ adapter: AdapterWeights?
  ) throws -> (weights: Tensor, bias: Tensor) {
    let matrix = try weight(block, module, adapter)
    let bias = try weights.blocks[block].linear[module]?.biasVector()
    guard let norm else {
      let own = bias.map { (direction * $0).sum(axes: [1]) } ?? Tensor.zeros([x.shape[0]])
      return (direction.matmul(matrix), own)
    }
    let plain = x.matmul(matrix.transpose())
    let held = try held(norm, at: bias.map { plain + $0 } ?? plain)
    let pulled = held.pulled(direction)
    var own = try held.bias(direction) ?? Tensor.zeros([x.shape[0]])
    if let bias { own = own + (pulled * bias).sum(axes: [1]) }
    return (pulled.matmul(matrix), own)
  }

  /// A norm whose division stays what it is at some rows.
  @TensorActor
  private struct HeldNorm {
    let gain: Tensor
    let shift: Tensor?
    /// One over each row's length.
    let scale: Tensor
    let centres: Bool

    /// The direction in front of the norm that gives what `direction` gives behind it.
    func pulled(_ direction: Tensor) -> Tensor {
      let scaled = direction * gain * scale
      return centres ? scaled - scaled.mean(axes: [1], keepDims: true) : scaled
    }

    func bias(_ direction: Tensor) throws -> Tensor? {
      shift.map { (direction * $0).sum(axes: [1]) }
    }
  }

  private func held(_ norm: NormWeights, at rows: Tensor) throws -> HeldNorm {
    let square =
      norm.bias == nil
      ? rows.square().mean(axes: [1], keepDims: true) : rows.variance(axes: [1], keepDims: true)
    return HeldNorm(
      gain: try norm.weight.tensor(), shift: try norm.bias?.tensor(),
      scale: (square + configuration.normEpsilon).rsqrt(), centres: norm.bias != nil)
  }
}
