/// Limited-memory BFGS with a line search for the strong Wolfe conditions (Nocedal & Wright 2006,
/// Numerical Optimization, algorithms 7.4, 7.5, 3.5 and 3.6), for smooth functions of some hundred
/// numbers.
package struct LBFGS {
  package var memory = 10
  package var iterations = 100
  /// It ends where the largest component of the gradient is below this,
  package var gradientTolerance = 1e-7
  /// or an iteration gains less than this share of the value.
  package var valueTolerance = 1e-9

  package init() {}

  /// A point, the function there and its gradient.
  package struct Point {
    package var x: [Double]
    package var value: Double
    package var gradient: [Double]
  }

  /// The function and its gradient at a point.
  package typealias Function = (_ x: [Double]) throws -> (value: Double, gradient: [Double])

  /// The lowest point that was found from `start`; never higher than it.
  package func minimise(_ start: [Double], _ function: Function) throws -> Point {
    func point(_ x: [Double]) throws -> Point {
      let (value, gradient) = try function(x)
      return Point(x: x, value: value, gradient: gradient)
    }
    var now = try point(start)
    var pairs: [(s: [Double], y: [Double], rho: Double)] = []
    for iteration in 0..<iterations {
      guard now.gradient.contains(where: { abs($0) > gradientTolerance }) else { break }
      var direction = Self.direction(now.gradient, pairs)
      if dot(direction, now.gradient) >= 0 {
        (pairs, direction) = ([], now.gradient.map(-))
      }
      // Without curvature known, the first step is of length one at most.
      let first = iteration == 0 ? min(1, 1 / dot(direction, direction).squareRoot()) : 1
      guard let next = try search(from: now, along: direction, first: first, point) else { break }
      let (s, y) = (minus(next.x, now.x), minus(next.gradient, now.gradient))
      let curvature = dot(s, y)
      if curvature > 1e-12 * dot(y, y) { pairs.append((s, y, 1 / curvature)) }
      if pairs.count > memory { pairs.removeFirst() }
      let gain = now.value - next.value
      now = next
      if gain <= valueTolerance * max(abs(now.value), 1e-12) { break }
    }
    return now
  }

  /// −H g by the two-loop recursion.
  private static func direction(
    _ gradient: [Double], _ pairs: [(s: [Double], y: [Double], rho: Double)]
  ) -> [Double] {
    var q = gradient
    var alphas: [Double] = []
    for pair in pairs.reversed() {
      let alpha = pair.rho * dot(pair.s, q)
      q = plus(q, pair.y, times: -alpha)
      alphas.append(alpha)
    }
    if let last = pairs.last {
      let scale = 1 / (last.rho * dot(last.y, last.y))
      q = q.map { $0 * scale }
    }
    for (pair, alpha) in zip(pairs, alphas.reversed()) {
      q = plus(q, pair.s, times: alpha - pair.rho * dot(pair.y, q))
    }
    return q.map(-)
  }

  /// A step for which the value falls enough and the slope flattens enough; nil where none is found.
  private func search(
    from start: Point, along direction: [Double], first: Double,
    _ point: ([Double]) throws -> Point
  ) throws -> Point? {
    let (c1, c2) = (1e-4, 0.9)
    let slope = dot(direction, start.gradient)
    func at(_ step: Double) throws -> Point { try point(plus(start.x, direction, times: step)) }
    func isLowEnough(_ p: Point, _ step: Double) -> Bool {
      p.value.isFinite && p.value <= start.value + c1 * step * slope
    }
    var (low, lowPoint) = (0.0, start)
    var high: Double?
    var step = first
    // Bracket by doubling, then bisect: simpler than cubics, and the function is what costs.
    for _ in 0..<25 {
      let trial = try at(step)
      if !isLowEnough(trial, step) || (low > 0 && trial.value >= lowPoint.value) {
        high = step
      } else {
        let now = dot(direction, trial.gradient)
        if abs(now) <= c2 * abs(slope) { return trial }
        if now > 0 { high = step } else { (low, lowPoint) = (step, trial) }
      }
      step = high.map { (low + $0) / 2 } ?? step * 2
    }
    return low > 0 ? lowPoint : nil
  }
}

private func dot(_ a: [Double], _ b: [Double]) -> Double {
  var sum = 0.0
  for i in a.indices { sum += a[i] * b[i] }
  return sum
}

private func minus(_ a: [Double], _ b: [Double]) -> [Double] { zip(a, b).map { $0 - $1 } }

private func plus(_ a: [Double], _ b: [Double], times factor: Double) -> [Double] {
  zip(a, b).map { $0 + factor * $1 }
}
