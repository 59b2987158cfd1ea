package import LanguageModels
package import Tensors
package import Training

/// How a lens is trained.
package struct LensTraining: Codable, Sendable, Equatable {
  package enum Method: String, Codable, Sendable, CaseIterable {
    /// Nesterov's momentum, learning rate 0.1: as published for the tuned lens.
    case sgd
    /// AdamW.
    case adam
    case muon
  }

  /// What gradients are scaled down by, where their norm exceeds 1.
  package enum Clipping: String, Codable, Sendable, CaseIterable {
    /// Each site's own norm: sites stay independent of each other.
    case perSite = "per-site"
    /// The norm of all together, as the reference does: one site's gradient slows the others down.
    case together
    case none
  }

  package var kind: Lens.Kind
  package var method: Method
  /// Multiplies the method's own learning rate.
  package var rateScale: Double
  package var weightDecay: Double
  package var clipping: Clipping
  package var schedule: Schedule
  package var tokensPerStep: Int
  package var epochs: Int
  /// The first tokens of each sequence are read but not learned from: what all begin with would outweigh the rest.
  package var skipped = 0

  package init(
    kind: Lens.Kind = .tuned, method: Method = .muon, rateScale: Double = 1,
    weightDecay: Double = 1e-3, clipping: Clipping = .perSite, schedule: Schedule = .linear,
    tokensPerStep: Int = 2048, epochs: Int = 1
  ) {
    (self.kind, self.method, self.rateScale) = (kind, method, rateScale)
    (self.weightDecay, self.clipping, self.schedule) = (weightDecay, clipping, schedule)
    (self.tokensPerStep, self.epochs) = (tokensPerStep, epochs)
  }

  /// The method's learning rate: those published, though the reference's Adam is amsgrad with coupled
  /// decay, and ours AdamW. Retrodictions begin with a regression, which Muon's steps for translators
  /// that begin with the identity would undo (measured: losses of 3.9 nats became 15).
  package var learningRate: Double {
    switch method {
    case .sgd: 0.1 * rateScale
    case .adam: 1e-3 * rateScale
    case .muon: (kind.stepsBack == nil ? 3e-2 : 6e-4) * rateScale
    }
  }

  @TensorActor
  func optimizer(
    _ parameters: ParameterTree, step: Int = 0, state: [ParameterTree]? = nil
  ) -> any Optimizer {
    switch method {
    case .sgd:
      return NesterovSGD(
        .init(learningRate: learningRate, weightDecay: weightDecay), parameters: parameters,
        step: step, state: state)
    case .adam:
      let configuration = AdamW.Configuration(
        learningRate: learningRate, weightDecay: weightDecay)
      return state.map { AdamW(configuration, step: step, first: $0[0], second: $0[1]) }
        ?? AdamW(configuration, parameters: parameters)
    case .muon:
      return Muon(
        .init(learningRate: learningRate, weightDecay: weightDecay), parameters: parameters,
        step: step, state: state)
    }
  }
}

/// A lens in training: all that another process needs to go on to the same bits.
///
/// Every step runs the model once over its tokens and trains all sites from what that leaves. A tuned
/// lens minimises KL(model ‖ lens) at each site; a retrodiction lens the cross-entropy of the token
/// that went in.
@TensorActor
package struct LensTrainer {
  package let configuration: LensTraining
  package private(set) var lens: Lens
  private(set) var optimizer: any Optimizer
  package let model: LanguageModel
  let adapter: AdapterWeights?
  let sequences: [[Int]]
  /// Sequences of each step of an epoch.
  private let batches: [Range<Int>]

  /// Tokens whose residual streams lie in memory at once.
  static let tokensPerPass = 2048

  /// A training from `lens`, or from translators that change nothing.
  ///
  /// - Parameters:
  ///   - configuration: How to train.
  ///   - model: What is read.
  ///   - adapter: What was trained into it.
  ///   - sequences: Token ids, in the order in which they are taken each time.
  ///   - lens: What to begin with.
  package init(
    _ configuration: LensTraining, model: LanguageModel, adapter: AdapterWeights? = nil,
    sequences: [[Int]], from lens: Lens
  ) {
    precondition(configuration.kind != .logit, "a logit lens has nothing to train")
    (self.configuration, self.model, self.adapter) = (configuration, model, adapter)
    (self.sequences, self.lens) = (sequences, lens)
    optimizer = configuration.optimizer(lens.parameters)
    batches = Self.parts(of: sequences[...], tokens: configuration.tokensPerStep)
  }

  /// Takes up a training where a checkpoint left it.
  mutating func replaceState(parameters: ParameterTree, step: Int, state: [ParameterTree]) {
    lens = lens.replacing(parameters)
    optimizer = configuration.optimizer(parameters, step: step, state: state)
  }

  /// Steps taken.
  package var step: Int { optimizer.step }
  /// Steps in all.
  package var totalSteps: Int { configuration.epochs * batches.count }
  package var isFinished: Bool { step >= totalSteps }
  /// Tokens of step `step`, counted from 0.
  package func tokens(ofStep step: Int) -> Int {
    sequences[batches[step % batches.count]].reduce(0) { $0 + $1.count }
  }

  /// Takes one step.
  ///
  /// - Returns: The mean loss at each site before it, in nats a token.
  /// - Throws: ``TrainingError/notFinite(step:)`` when a loss is no number; the training is then as
  ///   it was.
  package mutating func takeStep() throws -> [Float] {
    let batch = sequences[batches[step % batches.count]]
    var (losses, gradients) = try lossesAndGradients(batch)
    guard losses.allSatisfy(\.isFinite) else { throw TrainingError.notFinite(step: step) }
    gradients = clipped(gradients)
    let factor = configuration.schedule.factor(step: step, of: totalSteps)
    lens = lens.replacing(
      try optimizer.update(lens.parameters, gradients: gradients, rateFactor: factor))
    return losses
  }

  /// The mean loss at each site over all tokens of `batch`, and its gradients.
  package func lossesAndGradients(
    _ batch: ArraySlice<[Int]>
  ) throws -> (losses: [Float], gradients: ParameterTree) {
    let total = batch.reduce(0) { $0 + count(of: $1) }
    var losses = [Float](repeating: 0, count: lens.sites.count)
    var sums = lens.parameters.mapValues { Tensor.zeros($0.shape) }.tensors
    for part in Self.parts(of: batch, tokens: Self.tokensPerPass) {
      let pass = try LensPass(
        model, adapter: adapter, Array(batch[part]), sites: lens.sites, kind: lens.kind,
        skipped: configuration.skipped)
      let share = Float(pass.count) / Float(total)
      for (i, site) in lens.sites.enumerated() {
        let own = ParameterTree(["weight", "bias"].map { ($0, lens.parameters["\(site).\($0)"]) })
        let (loss, gradients) = try valueAndGrad(own) {
          try pass.losses(at: site, weight: $0["weight"], bias: $0["bias"]).mean() * share
        }
        sums[2 * i] = sums[2 * i] + gradients["weight"]
        sums[2 * i + 1] = sums[2 * i + 1] + gradients["bias"]
        try Tensor.evaluate([loss, sums[2 * i], sums[2 * i + 1]])
        losses[i] += try loss.scalar()
      }
    }
    return (losses, lens.parameters.replacing(sums))
  }

  /// Positions of a sequence that have something to be compared with.
  private func count(of sequence: [Int]) -> Int {
    max(0, sequence.count - max(configuration.skipped, lens.kind.stepsBack ?? 0))
  }

  private func clipped(_ gradients: ParameterTree) -> ParameterTree {
    let squares = gradients.tensors.map { $0.square().sum() }
    // As PyTorch's clip_grad_norm_ does, ε included.
    func factor(_ squares: [Tensor]) -> Tensor {
      let norm = squares.dropFirst().reduce(squares[0], +).sqrt()
      return Tensor.minimum(Tensor(1), (norm + 1e-6).reciprocal())
    }
    switch configuration.clipping {
    case .none: return gradients
    case .together:
      let factor = factor(squares)
      return gradients.mapValues { $0 * factor }
    case .perSite:
      return gradients.replacing(
        gradients.tensors.enumerated().map { i, gradient in
          let first = i - i % 2
          return gradient * factor([squares[first], squares[first + 1]])
        })
    }
  }

  /// Consecutive sequences in parts of so many tokens or more, one sequence at least.
  static func parts(of sequences: ArraySlice<[Int]>, tokens: Int) -> [Range<Int>] {
    var (parts, start, count): ([Range<Int>], Int, Int) = ([], sequences.startIndex, 0)
    for index in sequences.indices {
      count += sequences[index].count
      if count >= tokens || index == sequences.endIndex - 1 {
        parts.append(start..<index + 1)
        (start, count) = (index + 1, 0)
      }
    }
    return parts
  }
}

/// One run of the model over some sequences, and what lenses are compared with there.
@TensorActor
struct LensPass {
  let model: LanguageModel
  let kind: Lens.Kind
  /// Residual streams by site, `[token, dModel]`.
  let streams: [Site: Tensor]
  /// What the model predicts in the end.
  let final: Predictions?
  /// The tokens to be named, for retrodictions.
  let targets: [Int]
  /// Rows of the streams that have something to be compared with.
  let rows: [Int]

  var count: Int { rows.count }

  init(
    _ model: LanguageModel, adapter: AdapterWeights?, _ sequences: [[Int]], sites: [Site],
    kind: Lens.Kind, skipped: Int = 0
  ) throws {
    (self.model, self.kind) = (model, kind)
    let batch = TokenBatch(sequences, sharingPrefix: false)
    let output = try model.forward(
      batch, logits: .none, adapter: adapter, hooks: Hooks(captures: Set(sites)))
    let back = kind.stepsBack ?? 0
    let first = max(back, skipped)
    rows = batch.spans.flatMap { $0.dropFirst(first) }
    targets = kind.stepsBack == nil ? [] : rows.map { batch.tokens[$0 - back] }
    let chosen = first == 0 ? nil : Tensor(rows.map(Int32.init))
    let ends = chosen.map { output.finalNorm.take($0) } ?? output.finalNorm
    final = kind.stepsBack == nil ? try model.predictions(from: ends) : nil
    streams = output.captured.mapValues { stream in chosen.map { stream.take($0) } ?? stream }
    try Tensor.evaluate(Array(streams.values) + (final?.tensors ?? []))
  }

  /// The loss of a translator at `site`, `[token]`, to be differentiated.
  func losses(at site: Site, weight: Tensor, bias: Tensor) throws -> Tensor {
    let translated = Lens.translate(stream(site), weight: weight, bias: bias)
    guard let final else {
      return try model.retrodictionLoss(translated, targets: targets, differentiable: true)
    }
    return final.divergence(to: try model.predictions(from: model.finalNorm(translated)))
  }

  /// The loss of `lens` at `site`, `[token]`.
  func losses(at site: Site, through lens: Lens) throws -> Tensor {
    let translated = lens.translate(stream(site), at: site)
    guard let final else {
      return try model.retrodictionLoss(translated, targets: targets, differentiable: false)
    }
    let rows = try model.finalNorm(translated)
    return final.divergence(to: try model.predictions(from: rows, withMoments: false))
  }

  private func stream(_ site: Site) -> Tensor {
    guard let stream = streams[site] else { preconditionFailure("\(site) was not captured") }
    return stream
  }
}
