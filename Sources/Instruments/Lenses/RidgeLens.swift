internal import Foundation
package import LanguageModels
internal import Statistics
internal import Tensors

extension Lens {
  /// The retrodiction lens of ridge regression onto the embeddings of the tokens that it is to name,
  /// its outputs scaled so that their softmax predicts best: what a trained one begins with, and what
  /// it has to beat.
  ///
  /// Penalty and scale are chosen by the loss on two of the last fifth of `sequences`, which the
  /// regression does not see.
  ///
  /// - Parameters:
  ///   - kind: `retrodiction` or `previousToken`.
  ///   - sites: Where to read.
  ///   - model: The model.
  ///   - adapter: What was trained into it.
  ///   - sequences: Token ids, five at least.
  /// - Returns: The lens.
  /// - Throws: What the model throws, or `StatisticsError` where a regression has no solution.
  package static func ridge(
    _ kind: Kind, sites: [Site], model: LanguageModel, adapter: AdapterWeights?,
    sequences: [[Int]]
  ) throws -> Lens {
    let d = model.configuration.dModel
    let cut = max(1, sequences.count - max(1, sequences.count / 5))
    var sums = sites.map { _ in RidgeSums(inputs: d, outputs: d) }
    for part in LensTrainer.parts(of: sequences[..<cut], tokens: LensTrainer.tokensPerPass) {
      let pass = try LensPass(
        model, adapter: adapter, Array(sequences[part]), sites: sites, kind: kind)
      let y = try model.embeddings(of: pass.targets)
      for (i, site) in sites.enumerated() {
        guard let x = pass.streams[site] else { continue }
        try sums[i].add(x, y)
      }
    }
    let judged = Array(sequences[min(cut, sequences.count - 1)...].prefix(2))
    let pass = try LensPass(model, adapter: adapter, judged, sites: sites, kind: kind)
    var named: [(String, Tensor)] = []
    for (i, site) in sites.enumerated() {
      let best = try pass.bestFit(sums[i], at: site, width: d)
      named += [("\(site).weight", best.weight), ("\(site).bias", best.bias)]
    }
    return Lens(kind, sites: sites, parameters: ParameterTree(named))
  }
}

extension LensPass {
  /// The translator of the regression that predicts this pass's tokens best.
  fileprivate func bestFit(
    _ sums: RidgeSums, at site: Site, width: Int
  ) throws -> (weight: Tensor, bias: Tensor) {
    guard let stream = streams[site] else { preconditionFailure("\(site) was not captured") }
    var best: (loss: Float, weight: Tensor, bias: Tensor)?
    for penalty in [1e-4, 1e-2, 1] {
      let (weights, intercept) = try sums.fit(penalty: penalty)
      let map = Tensor(weights.map(Float.init), shape: [width, width])
      let bias = Tensor(intercept.map(Float.init))
      let estimate = stream.matmul(map) + bias
      let (scale, loss) = try bestScale(of: estimate)
      if let best, best.loss <= loss { continue }
      let identity = Tensor(
        (0..<width * width).map { Float($0 / width == $0 % width ? 1 : 0) }, shape: [width, width])
      best = (loss, map.transpose() * scale - identity, bias * scale)
    }
    guard let best else { preconditionFailure("at least one penalty") }
    try Tensor.evaluate([best.weight, best.bias])
    return (best.weight, best.bias)
  }

  /// What `estimate` has to be multiplied with for the least loss: a golden-section search over seven
  /// powers of two on either side.
  private func bestScale(of estimate: Tensor) throws -> (scale: Float, loss: Float) {
    func loss(_ exponent: Double) throws -> Float {
      try model.retrodictionLoss(
        estimate * Float(exp2(exponent)), targets: targets, differentiable: false
      ).mean().scalar()
    }
    let ratio = (5.0.squareRoot() - 1) / 2
    var (low, high) = (-3.0, 11.0)
    var (a, b) = (high - ratio * (high - low), low + ratio * (high - low))
    var (lossA, lossB) = (try loss(a), try loss(b))
    while high - low > 0.3 {
      if lossA < lossB {
        (high, b, lossB) = (b, a, lossA)
        a = high - ratio * (high - low)
        lossA = try loss(a)
      } else {
        (low, a, lossA) = (a, b, lossB)
        b = low + ratio * (high - low)
        lossB = try loss(b)
      }
    }
    return lossA < lossB ? (Float(exp2(a)), lossA) : (Float(exp2(b)), lossB)
  }
}
