package import Tensors

/// Adam with decoupled weight decay (Loshchilov & Hutter 2017, arXiv 1711.05101, algorithm 2), with
/// PyTorch's defaults and order of operations.
@TensorActor
package struct AdamW {
  package struct Configuration: Codable, Sendable, Equatable {
    package var learningRate: Double
    package var beta1 = 0.9
    package var beta2 = 0.999
    package var epsilon = 1e-8
    package var weightDecay = 0.01

    package init(learningRate: Double, weightDecay: Double = 0.01) {
      self.learningRate = learningRate
      self.weightDecay = weightDecay
    }
  }

  package let configuration: Configuration
  /// Steps taken.
  package private(set) var step: Int
  /// First and second moments, under the parameters' paths.
  package private(set) var moments: (first: ParameterTree, second: ParameterTree)

  /// Fresh moments for `parameters`.
  package init(_ configuration: Configuration, parameters: ParameterTree) {
    self.configuration = configuration
    step = 0
    let zeros = parameters.mapValues { Tensor.zeros($0.shape) }
    moments = (zeros, zeros)
  }

  /// Moments as a checkpoint left them.
  package init(
    _ configuration: Configuration, step: Int, first: ParameterTree, second: ParameterTree
  ) {
    (self.configuration, self.step, moments) = (configuration, step, (first, second))
  }

  /// The parameters one step on, at `rateFactor` times the configured learning rate. Evaluates them
  /// and the moments.
  ///
  /// - Throws: ``TensorError`` when the computation behind the gradients fails; nothing is then
  ///   changed.
  package mutating func update(
    _ parameters: ParameterTree, gradients: ParameterTree, rateFactor: Double = 1
  ) throws -> ParameterTree {
    let step = step + 1
    let c = configuration
    let rate = c.learningRate * rateFactor
    let scalars = Fused.AdamWStep(
      beta1: c.beta1, beta2: c.beta2, epsilon: Float(c.epsilon),
      keep: Float(1 - rate * c.weightDecay), rate: Float(rate / (1 - power(c.beta1, step))),
      correction: Float((1 - power(c.beta2, step)).squareRoot()))
    var updated: [Tensor] = []
    var first: [Tensor] = []
    var second: [Tensor] = []
    for (i, gradient) in gradients.tensors.enumerated() {
      let next = Fused.adamW(
        scalars, parameter: parameters.tensors[i], gradient: gradient,
        first: moments.first.tensors[i], second: moments.second.tensors[i])
      updated.append(next.parameter)
      first.append(next.first)
      second.append(next.second)
    }
    try Tensor.evaluate(updated + first + second)
    self.step = step
    moments = (parameters.replacing(first), parameters.replacing(second))
    return parameters.replacing(updated)
  }

  private func power(_ base: Double, _ exponent: Int) -> Double {
    (0..<exponent).reduce(1.0) { product, _ in product * base }
  }
}
