import LanguageModels
import Tensors

/// A model and its base, which share a vocabulary, and how far their next tokens' distributions lie
/// apart.
@TensorActor
struct ModelPair {
  typealias Adapted = (model: LanguageModel, adapter: AdapterWeights?)

  let own: Adapted
  let base: Adapted
  let meter: TokenMeter

  /// KL(own ‖ base) in nats of the token after each prompt.
  func divergences(after prompts: [[Int]]) throws -> [Double] {
    var result: [Double] = []
    try own.model.forEachPack(of: prompts, meter: meter) { items, batch in
      let rows = items.enumerated().map { slot, item in
        batch.row(sequence: slot, position: prompts[item].count - 1)
      }
      let values = try divergence(
        logProbabilities(own, batch, rows), logProbabilities(base, batch, rows))
      result += try values.floats().map(Double.init)
      meter.tokens += batch.tokens.count
    }
    for (item, value) in result.enumerated() where !value.isFinite {
      throw DetectorError.notFinite(what: "divergence", item: item)
    }
    return result
  }

  /// The derivative of the mean divergence by the one-hot entries of some positions.
  ///
  /// - Parameters:
  ///   - prompts: Token ids; all the same up to the end of `positions`, and longer.
  ///   - positions: Where tokens may be exchanged.
  /// - Returns: `[position][token]`; exchanging a for b changes the divergence by entry b less
  /// entry
  ///   a, to first order (Ebrahimi et al. 2018, arXiv 1712.06751).
  /// - Throws: ``DetectorError/notFinite(what:item:)`` or what the passes throw.
  func divergenceGradient(
    after prompts: [[Int]], at positions: Range<Int>
  ) throws -> [[Float]] {
    let shared = prompts.first?.prefix(positions.upperBound)
    precondition(
      prompts.allSatisfy {
        $0.prefix(positions.upperBound) == shared && $0.count > shared?.count ?? 0
      },
      "ModelPair: prompts that differ where tokens are exchanged")
    // What they share is computed once, so that one row stands for a position in all of them.
    let batch = TokenBatch(prompts)
    let rows = prompts.enumerated().map { slot, prompt in
      batch.row(sequence: slot, position: prompt.count - 1)
    }
    func zeros(_ model: LanguageModel) -> Tensor {
      Tensor.zeros([positions.count, model.configuration.dModel])
    }
    let still = ParameterTree([("own", zeros(own.model)), ("base", zeros(base.model))])
    let gradients = try valueAndGrad(still) { moved in
      try divergence(
        logProbabilities(own, batch, rows, adding: moved["own"], at: positions),
        logProbabilities(base, batch, rows, adding: moved["base"], at: positions)
      ).mean()
    }.gradients
    meter.tokens += 2 * batch.tokens.count
    let entries = try byToken(gradients["own"], own.model) + byToken(gradients["base"], base.model)
    let (values, width) = (try entries.floats(), own.model.configuration.dVocab)
    guard values.allSatisfy(\.isFinite) else {
      throw DetectorError.notFinite(what: "gradient of the divergence", item: 0)
    }
    return positions.indices.map { place in
      let start = (place - positions.lowerBound) * width
      return Array(values[start..<start + width])
    }
  }

  /// Σ p (log p − log q), `[prompt]`.
  private func divergence(_ p: Tensor, _ q: Tensor) -> Tensor {
    (p.exp() * (p - q)).sum(axes: [1])
  }

  /// `[row, dVocab]`, with something added to the vectors that stand for tokens at some positions.
  private func logProbabilities(
    _ adapted: Adapted, _ batch: TokenBatch, _ rows: [Int], adding moved: Tensor? = nil,
    at positions: Range<Int> = 0..<0
  ) throws -> Tensor {
    var hooks = Hooks()
    if let moved {
      let width = moved.shape[1]
      let around = [positions.lowerBound, batch.tokens.count - positions.upperBound].map { count in
        count > 0 ? [Tensor.zeros([count, width])] : []
      }
      let added = Tensor.concatenate(around[0] + [moved] + around[1], axis: 0)
      hooks = Hooks(interventions: [(.embed, .add(added))])
    }
    let output = try adapted.model.forward(
      batch, logits: .rows(rows), adapter: adapted.adapter, hooks: hooks)
    guard let logits = output.logits else {
      throw ModelError.noHead(family: adapted.model.configuration.family)
    }
    return logits - logits.logSumExp(axes: [1], keepDims: true)
  }

  /// g · E of every token's vector E as it enters the first block, `[position, dVocab]`.
  private func byToken(_ gradient: Tensor, _ model: LanguageModel) throws -> Tensor {
    try model.logits(of: model.retrodictions(from: gradient, withMoments: false))
      * model.configuration.embeddingScale
  }
}
