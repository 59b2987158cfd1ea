internal import Foundation
package import LanguageModels
internal import Statistics
package import Tensors
package import Training

/// How a sparse autoencoder is trained.
package struct AutoencoderTraining: Codable, Sendable, Equatable {
  package enum Method: String, Codable, Sendable, CaseIterable {
    case topK = "topk"
    case jumpReLU = "jumprelu"
  }

  package var method: Method
  /// Directions of the dictionary; nil for eight times the width.
  package var features: Int?
  /// Features of a token: exactly so many at most for TopK, so many on average as JumpReLU's aim.
  package var l0: Int
  /// Multiplies ``learningRate(features:)``.
  package var rateScale: Double
  package var schedule: Schedule
  package var tokensPerStep: Int
  package var epochs: Int
  /// Weight of what dead features are trained by, 1/32 in Gao et al. 2024 (AuxK).
  package var auxiliary: Double
  /// A feature counts as dead that was not seen in so many tokens in a row; nil for a tenth of a training's,
  /// and 100,000 at most.
  package var deadAfter: Int?
  /// JumpReLU: weight of (L0 / ``l0`` − 1)² beside a loss that is 1 where nothing is explained.
  package var sparsity: Double
  /// JumpReLU: width of the window around a threshold within which it is moved, where activations have a
  /// mean square of 1 a dimension.
  package var bandwidth: Double

  package init(
    method: Method = .topK, features: Int? = nil, l0: Int = 32, rateScale: Double = 1,
    schedule: Schedule = .linear, tokensPerStep: Int = 512, epochs: Int = 1,
    auxiliary: Double = 1.0 / 32, deadAfter: Int? = nil, sparsity: Double = 0.1,
    bandwidth: Double = 0.5
  ) {
    (self.method, self.features, self.l0, self.rateScale) = (method, features, l0, rateScale)
    (self.schedule, self.tokensPerStep, self.epochs) = (schedule, tokensPerStep, epochs)
    (self.auxiliary, self.deadAfter) = (auxiliary, deadAfter)
    (self.sparsity, self.bandwidth) = (sparsity, bandwidth)
  }

  /// ``deadAfter`` where nothing is known of the training's length.
  var deadLimit: Int { deadAfter ?? 100_000 }
  /// ``deadAfter`` for a training of so many tokens.
  func deadAfter(tokens: Int) -> Int { deadAfter ?? max(1, min(deadLimit, tokens / 10)) }

  /// 1e-3 for 16,384 features, and with the root of fewer more, as in Gao et al. 2024, section 3.1, but five
  /// times theirs: for trainings that see a thousandth of their tokens.
  package func learningRate(features: Int) -> Double {
    1e-3 * (16384 / Double(features)).squareRoot() * rateScale
  }
}

/// A sparse autoencoder in training: all that another process needs to go on to the same bits.
///
/// Activations are divided by what makes their mean square 1 a dimension, so that one setting fits every
/// site; what is written has that factor in its biases and thresholds.
@TensorActor
package struct AutoencoderTrainer {
  /// What one step saw.
  package struct Step: Sendable {
    /// 1 − Σ‖x − x̂‖² / Σ‖x − x̄‖² of the step's tokens, before it.
    package var explained: Float
    /// Features a token.
    package var l0: Float
    /// Features that count as dead.
    package var dead: Int
  }

  package let configuration: AutoencoderTraining
  package nonisolated let site: Site
  /// What activations are multiplied with.
  package let scale: Float
  private(set) var parameters: ParameterTree
  private(set) var optimizer: AdamW
  /// Tokens since each feature was last seen.
  private(set) var silent: [Int]

  /// Thresholds are exp(10 τ): a rate that fits weights would hardly move them in a short training.
  private static let steepness: Float = 10

  /// A training that begins with random directions, the encoder their transpose, and `b_dec` the mean.
  ///
  /// - Parameters:
  ///   - configuration: How to train.
  ///   - site: Where activations come from.
  ///   - x: The first of them, `[token, d_in]`, from which scale, mean and thresholds are taken.
  ///   - seed: Draws the directions.
  /// - Throws: ``AutoencoderError/constant(site:)``, or `TensorError` where `x` cannot be computed.
  package init(
    _ configuration: AutoencoderTraining, site: Site, from x: Tensor, seed: UInt64
  ) throws {
    let (width, centred) = (x.shape[1], x - x.mean(axes: [0]))
    let size = try centred.square().mean().scalar().squareRoot()
    guard size > 0, size.isFinite else { throw AutoencoderError.constant(site: "\(site)") }
    scale = 1 / size
    (self.configuration, self.site) = (configuration, site)
    let count = configuration.features ?? 8 * width
    var generator = SeededGenerator(seed: seed, stream: "autoencoder-\(site)")
    let random = Tensor(
      (0..<count * width).map { _ in Float(generator.normal()) }, shape: [count, width])
    let decoder = Self.unitRows(random)
    let mean = x.mean(axes: [0]) * scale
    try Tensor.evaluate([decoder, mean])
    var named = [
      ("W_enc", Tensor(try decoder.transpose().floats(), shape: [width, count])),
      ("b_enc", Tensor.zeros([count])), ("W_dec", decoder), ("b_dec", mean),
    ]
    if configuration.method == .jumpReLU {
      // Where as many features as wanted lie above it, in these tokens.
      let pre = ((x.slice(0..<min(256, x.shape[0])) * scale) - mean).matmul(decoder.transpose())
      let sorted = try pre.floats().sorted(by: >)
      let place = min(sorted.count - 1, min(256, x.shape[0]) * configuration.l0)
      let tau = log(max(sorted[place], 1e-3)) / Self.steepness
      named.append(("tau", Tensor.full([count], tau)))
    }
    parameters = ParameterTree(named)
    optimizer = AdamW(
      .init(learningRate: configuration.learningRate(features: count), weightDecay: 0),
      parameters: parameters)
    silent = [Int](repeating: 0, count: count)
  }

  /// A training where a checkpoint left it.
  init(
    _ configuration: AutoencoderTraining, site: Site, scale: Float, parameters: ParameterTree,
    first: ParameterTree, second: ParameterTree, step: Int, silent: [Int]
  ) {
    (self.configuration, self.site, self.scale) = (configuration, site, scale)
    (self.parameters, self.silent) = (parameters, silent)
    optimizer = AdamW(
      .init(learningRate: configuration.learningRate(features: silent.count), weightDecay: 0),
      step: step, first: first, second: second)
  }

  package var step: Int { optimizer.step }

  /// The autoencoder as it is now, of activations as they are.
  package var autoencoder: SparseAutoencoder {
    SparseAutoencoder(
      architecture, site: site,
      parameters: ParameterTree(
        zip(parameters.paths, parameters.tensors).map { path, tensor in
          switch path {
          case "tau": ("threshold", Self.thresholds(tensor) / scale)
          case "b_enc", "b_dec": (path, tensor / scale)
          default: (path, tensor)
          }
        }), subtractsBias: true)
  }

  private var architecture: SparseAutoencoder.Architecture {
    configuration.method == .topK ? .topK(min(configuration.l0, silent.count)) : .jumpReLU
  }

  private static func thresholds(_ tau: Tensor) -> Tensor { (tau * steepness).exp() }

  /// Takes one step on activations `[token, d_in]`.
  ///
  /// - Parameters:
  ///   - x: The activations.
  ///   - rateFactor: Multiplies the learning rate.
  /// - Returns: What was seen before it.
  /// - Throws: `TrainingError.notFinite(step:)` when the loss is no number; the training is then as it was.
  @discardableResult
  package mutating func takeStep(_ x: Tensor, rateFactor: Double) throws -> Step {
    let x = x * scale
    let dead = silent.map { $0 > configuration.deadLimit }
    let deadCount = dead.count { $0 }
    let total = (x - x.mean(axes: [0])).square().sum()
    var (counts, error) = (Tensor(0), Tensor(0))
    let mask = deadCount == 0 ? nil : Tensor(dead.map { $0 ? 0 : -Float.infinity })
    var (loss, gradients) = try valueAndGrad(parameters) { tree in
      let pass = forward(x, tree)
      let residual = x - pass.reconstruction
      (counts, error) = (pass.mask.sum(axes: [0]), residual.square().sum().stopGradient())
      var loss = residual.square().sum() / total + sparsityLoss(pass, tree)
      if let mask {
        loss = loss + auxiliaryLoss(pass.pre + mask, residual.stopGradient(), tree, deadCount)
      }
      return loss
    }
    gradients = alongSphere(gradients)
    try Tensor.evaluate([loss, counts, error, total])
    guard try loss.scalar().isFinite else { throw TrainingError.notFinite(step: step) }
    let fired = try counts.floats()
    let seen = Step(
      explained: try 1 - error.scalar() / max(total.scalar(), .leastNormalMagnitude),
      l0: fired.reduce(0, +) / Float(x.shape[0]), dead: deadCount)
    let updated = try optimizer.update(parameters, gradients: gradients, rateFactor: rateFactor)
    parameters = updated.replacing(
      zip(updated.paths, updated.tensors).map { $0 == "W_dec" ? Self.unitRows($1) : $1 })
    try Tensor.evaluate(parameters.tensors)
    for i in silent.indices { silent[i] = fired[i] > 0 ? 0 : silent[i] + x.shape[0] }
    return seen
  }

  // MARK: - The loss

  private struct Pass {
    let pre: Tensor
    /// 1 where a feature is let through.
    let mask: Tensor
    let reconstruction: Tensor
    /// JumpReLU: 1 where a feature is within reach of its threshold.
    let window: Tensor?
  }

  private func forward(_ x: Tensor, _ tree: ParameterTree) -> Pass {
    var named = zip(tree.paths, tree.tensors).filter { $0.0 != "tau" }.map { ($0, $1) }
    let thresholds = configuration.method == .jumpReLU ? Self.thresholds(tree["tau"]) : nil
    if let thresholds { named.append(("threshold", thresholds.stopGradient())) }
    let now = SparseAutoencoder(
      architecture, site: site, parameters: ParameterTree(named), subtractsBias: true)
    let pre = now.preActivations(x)
    let mask = now.mask(pre)
    guard let thresholds else {
      return Pass(pre: pre, mask: mask, reconstruction: now.decode(pre * mask), window: nil)
    }
    let width = Float(configuration.bandwidth)
    let distance = (pre - thresholds).abs().stopGradient()
    let window = distance.less(Tensor(width / 2)).astype(.float32) / width
    // Of value 0: carries the derivative −θ/ε by a threshold that Rajamanoharan et al. 2024, eq. 11, assign.
    let move = (thresholds - thresholds.stopGradient()) * thresholds.stopGradient()
    return Pass(
      pre: pre, mask: mask, reconstruction: now.decode(pre * mask - window * move), window: window)
  }

  /// (L0 / aim − 1)², with the derivative −1/ε by thresholds of their eq. 12.
  private func sparsityLoss(_ pass: Pass, _ tree: ParameterTree) -> Tensor {
    guard let window = pass.window else { return Tensor(0) }
    let thresholds = Self.thresholds(tree["tau"])
    let counted = pass.mask - window * (thresholds - thresholds.stopGradient())
    let l0 = counted.sum(axes: [1]).mean() / Float(configuration.l0)
    return (l0 - 1).square() * Float(configuration.sparsity)
  }

  /// How much of the residual the dead features that come nearest to it leave, of all of it.
  private func auxiliaryLoss(
    _ pre: Tensor, _ residual: Tensor, _ tree: ParameterTree, _ dead: Int
  ) -> Tensor {
    let usual = max(1, tree["b_dec"].count / 2)
    let k = min(usual, dead)
    let least = pre.stopGradient().largest(k, axis: 1).min(axes: [1], keepDims: true)
    let isChosen = least.lessEqual(pre.stopGradient())
    let chosen = Tensor.where(isChosen, pre, Tensor(0))
    let left = (residual - chosen.matmul(tree["W_dec"])).square().sum()
    let weight = Float(configuration.auxiliary * min(1, Double(dead) / Double(usual)))
    return left / (residual.square().sum() + 1e-12) * weight
  }

  // MARK: - Directions of length 1

  /// Without the part of a direction's gradient that would only make it longer.
  private func alongSphere(_ gradients: ParameterTree) -> ParameterTree {
    gradients.replacing(
      zip(gradients.paths, gradients.tensors).map { path, gradient in
        guard path == "W_dec" else { return gradient }
        let rows = parameters["W_dec"]
        return gradient - rows * (gradient * rows).sum(axes: [1], keepDims: true)
      })
  }

  private static func unitRows(_ rows: Tensor) -> Tensor {
    rows / (rows.square().sum(axes: [1], keepDims: true) + 1e-12).sqrt()
  }
}
