internal import Foundation

/// The beta distribution with shapes `a` and `b`; its cdf is the regularised incomplete beta I_x.
package struct BetaDistribution: Sendable, Hashable {
  package let a: Double
  package let b: Double

  /// The distribution with two positive, finite shapes.
  package init(a: Double, b: Double) {
    precondition(
      a > 0 && b > 0 && a.isFinite && b.isFinite,
      "Expected positive, finite shapes, found \(a) and \(b).")
    self.a = a
    self.b = b
  }

  /// P(X <= x) = I_x(a, b).
  package func cdf(_ x: Double) -> Double { cdf(x, complement: 1 - x) }

  /// P(X > x), accurate where `1 - cdf(x)` would round to 0.
  package func survival(_ x: Double) -> Double { mirrored.cdf(1 - x, complement: x) }

  /// The x with P(X <= x) = `probability`; NaN outside [0, 1].
  package func quantile(_ probability: Double) -> Double { quantileAndComplement(probability).x }

  /// The distribution of 1 - X.
  var mirrored: BetaDistribution { BetaDistribution(a: b, b: a) }

  /// P(X <= x), given 1 - x too, for callers who know it better than a subtraction does.
  func cdf(_ x: Double, complement y: Double) -> Double {
    guard x > 0, y > 0 else { return x.isNaN ? .nan : (x <= 0 ? 0 : 1) }
    // The continued fraction converges fast below the mean; above it the mirror image does.
    if x <= (a + 1) / (a + b + 2) {
      return min(1, power(x, y) * continuedFraction(x) / a)
    }
    return 1 - min(1, power(x, y) * mirrored.continuedFraction(y) / b)
  }

  /// The quantile and 1 minus it, each to full relative accuracy.
  func quantileAndComplement(_ probability: Double) -> (x: Double, complement: Double) {
    guard probability > 0, probability < 1 else {
      if probability == 0 { return (0, 1) }
      return probability == 1 ? (1, 0) : (.nan, .nan)
    }
    if probability <= cdf(a / (a + b), complement: b / (a + b)) {
      let x = lowerQuantile(probability)
      return (x, 1 - x)
    }
    let y = mirrored.lowerQuantile(1 - probability)
    return (1 - y, y)
  }

  /// The quantile at or below the mean, by safeguarded Newton steps of log I in log x.
  ///
  /// There I behaves like x^a, so the logarithms are nearly proportional and the steps converge in
  /// the far tail too, where steps in x itself would crawl.
  private func lowerQuantile(_ probability: Double) -> Double {
    var (low, high) = (-Double.greatestFiniteMagnitude, log(a / (a + b)))
    var u = high
    for _ in 0..<200 {
      let x = exp(u)
      let tail = cdf(x, complement: -expm1(u))
      let slope = power(x, -expm1(u)) / (-expm1(u)) / tail
      let step = (log(tail) - log(probability)) / slope
      if step > 0 { high = u } else { low = u }
      var next = u - step
      if !(next > low && next < high) {
        next = low == -.greatestFiniteMagnitude ? u - max(1, abs(u)) : (low + high) / 2
      }
      if abs(next - u) <= 2e-16 * max(1, abs(u)) { return exp(next) }
      u = next
    }
    return exp(u)
  }

  /// x^a y^b / B(a, b), the common factor of the density and the continued fraction.
  ///
  /// Through Loader's saddle-point form (2000, "Fast and accurate computation of binomial
  /// probabilities"): differences of log-gammas would lose ten digits at a million trials.
  private func power(_ x: Double, _ y: Double) -> Double {
    let n = a + b
    let exponent =
      stirlingError(n) - stirlingError(a) - stirlingError(b)
      - deviance(a, n * x) - deviance(b, n * y)
    return (a / n * b / (2 * .pi)).squareRoot() * exp(exponent)
  }

  /// The continued fraction of I_x (Abramowitz & Stegun 26.5.8), by the modified Lentz method.
  private func continuedFraction(_ x: Double) -> Double {
    let tiny = 1e-300
    var d = 1 - (a + b) * x / (a + 1)
    d = 1 / (abs(d) < tiny ? tiny : d)
    var (c, result) = (1.0, d)
    // About the square root of the larger shape many terms; this covers 1e9 trials.
    for step in 1...1_000_000 {
      let m = Double(step)
      let even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
      let odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
      var change = 1.0
      for coefficient in [even, odd] {
        d = 1 + coefficient * d
        c = 1 + coefficient / c
        d = 1 / (abs(d) < tiny ? tiny : d)
        c = abs(c) < tiny ? tiny : c
        change = c * d
        result *= change
      }
      if abs(change - 1) <= 1e-16 { break }
    }
    return result
  }
}

/// log Γ(z + 1) minus Stirling's formula, for z > 0.
private func stirlingError(_ z: Double) -> Double {
  var (z, sum) = (z, 0.0)
  while z < 15 {
    sum += (z + 0.5) * log1p(1 / z) - 1
    z += 1
  }
  let r = 1 / (z * z)
  let series =
    1.0 / 12 - r * (1.0 / 360 - r * (1.0 / 1260 - r * (1.0 / 1680 - r * (1.0 / 1188))))
  return sum + series / z
}

/// x log(x / m) + m - x without cancellation where x is near m (Loader's bd0).
private func deviance(_ x: Double, _ m: Double) -> Double {
  guard abs(x - m) < 0.1 * (x + m) else { return x * log(x / m) + m - x }
  let v = (x - m) / (x + m)
  var (sum, term) = ((x - m) * v, 2 * x * v)
  for j in 1..<1000 {
    term *= v * v
    let next = sum + term / Double(2 * j + 1)
    if next == sum { break }
    sum = next
  }
  return sum
}
