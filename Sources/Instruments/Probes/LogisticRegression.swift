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

/// A dense symmetric matrix, of which a Cholesky factor takes the lower half.
struct SymmetricMatrix {
  let size: Int
  private var values: [Double]

  /// Z Zᵀ.
  init(gramOf z: Matrix) {
    size = z.rows
    values = [Double](repeating: 0, count: size * size)
    let (size, width) = (size, z.width)
    z.values.withUnsafeBufferPointer { z in
      for row in 0..<size {
        for column in 0...row {
          let product = dot(z, row * width, z, column * width, width)
          values[row * size + column] = product
          values[column * size + row] = product
        }
      }
    }
  }

  /// D A D for a diagonal D.
  func scaled(by diagonal: [Double]) -> SymmetricMatrix {
    var result = self
    for row in 0..<size {
      for column in 0..<size {
        result.values[row * size + column] *= diagonal[row] * diagonal[column]
      }
    }
    return result
  }

  func times(_ x: [Double]) -> [Double] {
    values.withUnsafeBufferPointer { a in
      x.withUnsafeBufferPointer { x in (0..<size).map { dot(a, $0 * size, x, 0, size) } }
    }
  }

  /// Replaces the lower half of A + εI, which must be positive definite, by its Cholesky factor.
  mutating func factor(addingToDiagonal shift: Double) {
    let size = size
    values.withUnsafeMutableBufferPointer { a in
      for row in 0..<size {
        a[row * size + row] += shift
        for column in 0...row {
          let known = UnsafeBufferPointer(a)
          let rest =
            a[row * size + column] - dot(known, row * size, known, column * size, column)
          a[row * size + column] =
            row == column ? rest.squareRoot() : rest / a[column * size + column]
        }
      }
    }
  }

  /// The solution for a right side, after ``factor(addingToDiagonal:)``.
  func solve(_ right: [Double]) -> [Double] {
    var x = right
    for row in 0..<size {
      for column in 0..<row { x[row] -= values[row * size + column] * x[column] }
      x[row] /= values[row * size + row]
    }
    for row in (0..<size).reversed() {
      x[row] /= values[row * size + row]
      for column in 0..<row { x[column] -= values[row * size + column] * x[row] }
    }
    return x
  }
}

/// Σ a[i + k] b[j + k] over `count` numbers, eight at a time: Swift does not reorder a plain sum.
private func dot(
  _ a: UnsafeBufferPointer<Double>, _ i: Int, _ b: UnsafeBufferPointer<Double>, _ j: Int,
  _ count: Int
) -> Double {
  guard count > 0, let a = a.baseAddress, let b = b.baseAddress else { return 0 }
  let (left, right) = (UnsafeRawPointer(a + i), UnsafeRawPointer(b + j))
  var sums = SIMD8<Double>(repeating: 0)
  let whole = count / 8 * 8
  for k in stride(from: 0, to: whole * 8, by: 64) {
    sums +=
      left.loadUnaligned(fromByteOffset: k, as: SIMD8<Double>.self)
      * right.loadUnaligned(fromByteOffset: k, as: SIMD8<Double>.self)
  }
  return (whole..<count).reduce(sums.sum()) { $0 + a[i + $1] * b[j + $1] }
}
