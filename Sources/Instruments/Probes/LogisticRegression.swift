internal import Foundation

/// L2-penalised logistic regression by Newton's method (iteratively reweighted least squares).
///
/// Minimises Σ log(1 + e^(−y f)) + λ‖w‖² with f = Zw + b and b free. As w = Zᵀα at the optimum, the
/// steps are taken in α: an n × n system, which for some hundred responses of hundreds of features
/// is the smaller one, and the same optimum (Rasmussen & Williams 2006, §3.4, with a free bias).
struct LogisticRegression {
  let weights: [Double]
  let bias: Double
  let iterations: Int

  private static let maxIterations = 100
  /// Largest |∂J/∂f| that counts as zero; sums of hundreds of terms below 1 round at about 1e-14.
  private static let tolerance = 1e-10

  init(_ z: Matrix, labels: [Bool], penalty: Double) throws(DetectorError) {
    precondition(penalty > 0, "LogisticRegression: the penalty must be positive, found \(penalty)")
    let gram = SymmetricMatrix(gramOf: z)
    let targets = labels.map { $0 ? 1.0 : 0.0 }
    var state = State(
      alpha: [Double](repeating: 0, count: labels.count), bias: 0,
      fit: [Double](repeating: 0, count: labels.count))
    var iteration = 0
    while state.residual(targets, penalty) > Self.tolerance {
      guard iteration < Self.maxIterations else {
        throw .notConverged(what: "logistic regression", iterations: iteration)
      }
      iteration += 1
      let next = state.newton(gram, targets, penalty)
      state = state.damped(towards: next, gram, targets, penalty)
    }
    (bias, iterations) = (state.bias, iteration)
    var weights = [Double](repeating: 0, count: z.width)
    for (row, alpha) in state.alpha.enumerated() {
      for column in 0..<z.width { weights[column] += alpha * z.values[row * z.width + column] }
    }
    self.weights = weights
  }
}

/// α, b and f = Kα + b.
private struct State {
  var alpha: [Double]
  var bias: Double
  var fit: [Double]

  /// How far the optimum's conditions 2λα = t − p and Σ(t − p) = 0 are from holding.
  func residual(_ targets: [Double], _ penalty: Double) -> Double {
    let errors = zip(targets, fit).map { $0 - sigmoid($1) }
    let own = zip(alpha, errors).map { abs(2 * penalty * $0 - $1) }.max() ?? 0
    return max(own, abs(errors.reduce(0, +)) / Double(errors.count))
  }

  func objective(_ targets: [Double], _ penalty: Double) -> Double {
    let losses = zip(targets, fit).reduce(0) { $0 + softplus($1.0 > 0.5 ? -$1.1 : $1.1) }
    return losses + penalty * zip(alpha, fit).reduce(0) { $0 + $1.0 * ($1.1 - bias) }
  }

  /// The solution of (K + 2λW⁻¹) α + b = f + W⁻¹(t − p), 1ᵀα = 0, by one Cholesky factor of
  /// W^½ K W^½ + 2λ, which is well conditioned whatever the weights W = p(1 − p).
  func newton(_ gram: SymmetricMatrix, _ targets: [Double], _ penalty: Double) -> State {
    let p = fit.map(sigmoid)
    // Where a response is fitted perfectly the weight underflows; its step is then zero anyway.
    let root = p.map { max($0 * (1 - $0), 1e-12).squareRoot() }
    var system = gram.scaled(by: root)
    system.factor(addingToDiagonal: 2 * penalty)
    let right = fit.indices.map { root[$0] * fit[$0] + (targets[$0] - p[$0]) / root[$0] }
    let v = zip(system.solve(right), root).map(*)
    let u = zip(system.solve(root), root).map(*)
    let b = v.reduce(0, +) / u.reduce(0, +)
    let alpha = zip(v, u).map { $0 - b * $1 }
    return State(alpha: alpha, bias: b, fit: gram.times(alpha).map { $0 + b })
  }

  /// The longest of the full step, its half, its quarter, … that lowers the objective.
  func damped(
    towards next: State, _ gram: SymmetricMatrix, _ targets: [Double], _ penalty: Double
  ) -> State {
    let now = objective(targets, penalty)
    var step = 1.0
    while step > 1e-6 {
      let candidate = State(
        alpha: zip(alpha, next.alpha).map { $0 + step * ($1 - $0) },
        bias: bias + step * (next.bias - bias),
        fit: zip(fit, next.fit).map { $0 + step * ($1 - $0) })
      // At the optimum the last steps change the objective by its rounding only.
      if candidate.objective(targets, penalty) <= now + 1e-12 * abs(now) { return candidate }
      step /= 2
    }
    return next
  }
}

private func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

/// log(1 + eˣ) without overflow.
private func softplus(_ x: Double) -> Double { max(x, 0) + log1p(exp(-abs(x))) }
