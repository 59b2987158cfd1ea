package import Tensors

/// What turns gradients into new parameters.
@TensorActor
package protocol Optimizer {
  /// Steps taken.
  var step: Int { get }
  /// What it remembers, each under the parameters' paths; all that a checkpoint needs beside ``step``.
  var state: [ParameterTree] { get }

  /// The parameters one step on, at `rateFactor` times the configured learning rate. Evaluates them
  /// and ``state``.
  ///
  /// - Throws: ``TensorError`` when the computation behind the gradients fails; nothing is then
  ///   changed.
  mutating func update(
    _ parameters: ParameterTree, gradients: ParameterTree, rateFactor: Double
  ) throws -> ParameterTree
}

extension AdamW: Optimizer {
  package var state: [ParameterTree] { [moments.first, moments.second] }
}

/// Stochastic gradient descent with Nesterov's momentum and coupled weight decay, with PyTorch's
/// order of operations: b ← βb + g + λp, p ← p − η(g + λp + βb).
@TensorActor
package struct NesterovSGD: Optimizer {
  package struct Configuration: Codable, Sendable, Equatable {
    package var learningRate: Double
    package var momentum = 0.9
    package var weightDecay = 1e-3

    package init(learningRate: Double, weightDecay: Double = 1e-3) {
      (self.learningRate, self.weightDecay) = (learningRate, weightDecay)
    }
  }

  package let configuration: Configuration
  package private(set) var step: Int
  private var momentum: ParameterTree

  package var state: [ParameterTree] { [momentum] }

  /// Momentum as a checkpoint left it, or none yet.
  package init(
    _ configuration: Configuration, parameters: ParameterTree, step: Int = 0,
    state: [ParameterTree]? = nil
  ) {
    (self.configuration, self.step) = (configuration, step)
    momentum = state?[0] ?? parameters.mapValues { Tensor.zeros($0.shape) }
  }

  package mutating func update(
    _ parameters: ParameterTree, gradients: ParameterTree, rateFactor: Double
  ) throws -> ParameterTree {
    let (beta, decay) = (Float(configuration.momentum), Float(configuration.weightDecay))
    let rate = Float(configuration.learningRate * rateFactor)
    var (updated, moved): ([Tensor], [Tensor]) = ([], [])
    for (i, parameter) in parameters.tensors.enumerated() {
      let gradient = gradients.tensors[i] + parameter * decay
      let buffer = momentum.tensors[i] * beta + gradient
      moved.append(buffer)
      updated.append(parameter - (gradient + buffer * beta) * rate)
    }
    try Tensor.evaluate(updated + moved)
    step += 1
    momentum = parameters.replacing(moved)
    return parameters.replacing(updated)
  }
}

/// Momentum whose matrices are orthogonalised by five Newton–Schulz iterations (Jordan et al. 2024,
/// "Muon: an optimizer for hidden layers in neural networks"), scaled to Adam's update size as in Liu
/// et al. 2025, arXiv 2502.16982, eq. 4; vectors are left to AdamW.
@TensorActor
package struct Muon: Optimizer {
  package struct Configuration: Codable, Sendable, Equatable {
    package var learningRate: Double
    package var momentum = 0.95
    package var weightDecay = 1e-3

    package init(learningRate: Double, weightDecay: Double = 1e-3) {
      (self.learningRate, self.weightDecay) = (learningRate, weightDecay)
    }
  }

  package let configuration: Configuration
  package private(set) var step: Int
  /// Momentum of matrices; first moments of vectors.
  private var first: ParameterTree
  /// Second moments of vectors; zeros for matrices.
  private var second: ParameterTree

  package var state: [ParameterTree] { [first, second] }

  /// Moments as a checkpoint left them, or none yet.
  package init(
    _ configuration: Configuration, parameters: ParameterTree, step: Int = 0,
    state: [ParameterTree]? = nil
  ) {
    (self.configuration, self.step) = (configuration, step)
    first = state?[0] ?? parameters.mapValues { Tensor.zeros($0.shape) }
    second =
      state?[1] ?? parameters.mapValues { Tensor.zeros($0.rank == 2 ? [1] : $0.shape) }
  }

  package mutating func update(
    _ parameters: ParameterTree, gradients: ParameterTree, rateFactor: Double
  ) throws -> ParameterTree {
    let rate = configuration.learningRate * rateFactor
    let keep = Float(1 - rate * configuration.weightDecay)
    var (updated, firsts, seconds): ([Tensor], [Tensor], [Tensor]) = ([], [], [])
    for (i, parameter) in parameters.tensors.enumerated() {
      let gradient = gradients.tensors[i]
      if parameter.rank == 2 {
        let beta = Float(configuration.momentum)
        let buffer = first.tensors[i] * beta + gradient * (1 - beta)
        let direction = Self.orthogonalised(gradient * (1 - beta) + buffer * beta)
        let size = 0.2 * Double(parameter.shape.max() ?? 1).squareRoot()
        updated.append(parameter * keep - direction * Float(rate * size))
        (firsts, seconds) = (firsts + [buffer], seconds + [second.tensors[i]])
      } else {
        let next = Fused.adamW(
          Self.step(step + 1, rate: rate, keep: keep), parameter: parameter, gradient: gradient,
          first: first.tensors[i], second: second.tensors[i])
        updated.append(next.parameter)
        (firsts, seconds) = (firsts + [next.first], seconds + [next.second])
      }
      // One matrix's iterations at a time: together they would fill the memory with factors.
      try Tensor.evaluate([updated[i], firsts[i], seconds[i]])
    }
    step += 1
    (first, second) = (parameters.replacing(firsts), parameters.replacing(seconds))
    return parameters.replacing(updated)
  }

  private static func step(_ step: Int, rate: Double, keep: Float) -> Fused.AdamWStep {
    func corrected(_ beta: Double) -> Double {
      1 - (0..<step).reduce(1.0) { product, _ in product * beta }
    }
    return Fused.AdamWStep(
      beta1: 0.9, beta2: 0.999, epsilon: 1e-8, keep: keep, rate: Float(rate / corrected(0.9)),
      correction: Float(corrected(0.999).squareRoot()))
  }

  /// About U Vᵀ of the matrix's singular value decomposition: singular values end up in 0.7 … 1.2.
  static func orthogonalised(_ matrix: Tensor) -> Tensor {
    let (a, b, c): (Float, Float, Float) = (3.4445, -4.7750, 2.0315)
    let isTall = matrix.shape[0] > matrix.shape[1]
    var x = isTall ? matrix.transpose() : matrix
    x = x / (x.square().sum().sqrt() + 1e-7)
    for _ in 0..<5 {
      let square = x.matmul(x.transpose())
      x = x * a + (square * b + square.matmul(square) * c).matmul(x)
    }
    return isTall ? x.transpose() : x
  }
}
