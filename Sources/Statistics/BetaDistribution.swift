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
    if x <= (a + 1) / (a + b + 2) { return min(1, power(x, y) / continuedFraction(x, y)) }
    return 1 - min(1, power(x, y) / mirrored.continuedFraction(y, x))
  }

  /// The quantile and 1 minus it, each to full relative accuracy.
  func quantileAndComplement(_ probability: Double) -> (x: Double, complement: Double) {
    guard probability > 0, probability < 1 else {
      if probability == 0 { return (0, 1) }
      return probability == 1 ? (1, 0) : (.nan, .nan)
    }
    // Solved for the coordinate below a half, so that neither loses digits to a subtraction.
    if probability <= cdf(0.5, complement: 0.5) {
      let x = quantileBelowHalf(lower: probability, upper: 1 - probability)
      return (x, 1 - x)
    }
    let y = mirrored.quantileBelowHalf(lower: 1 - probability, upper: probability)
    return (1 - y, y)
  }

  /// The quantile known to be at most a half, by safeguarded Newton steps of log tail in log x.
  ///
  /// In the far tail I behaves like x^a, so the logarithms are nearly proportional and the steps
  /// converge there too, where steps in x itself would crawl. The smaller tail is matched.
  private func quantileBelowHalf(lower: Double, upper: Double) -> Double {
    let matchesLower = lower <= upper
    let target = log(min(lower, upper))
    var (low, high) = (-Double.greatestFiniteMagnitude, 0.0)
    var u = log(min(0.5, a / (a + b)))
    for _ in 0..<200 {
      let (x, y) = (exp(u), -expm1(u))
      let tail = matchesLower ? cdf(x, complement: y) : mirrored.cdf(y, complement: x)
      let slope = power(x, y) / y / tail * (matchesLower ? 1 : -1)
      let step = (log(tail) - target) / slope
      // Written with the tail, as a tail of 0 leaves the step undefined.
      if (log(tail) > target) == matchesLower { high = u } else { low = u }
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

  /// x^a y^b / B(a, b) over I_x (DiDonato & Morris 1992, TOMS 18:360, equation 9), by Lentz.
  ///
  /// The textbook fraction (Abramowitz & Stegun 26.5.8) has terms near -1 that lose seven digits
  /// at shapes of 1e7; of this one only small terms cancel. `lambda` is a - (a + b) x.
  private func continuedFraction(_ x: Double, _ y: Double) -> Double {
    let lambda = a * y - b * x
    var (result, c, d) = (a / (a + 1) * (lambda + 1), a / (a + 1) * (lambda + 1), 0.0)
    // About the square root of the larger shape many terms; this covers 1e9 trials.
    for step in 1...1_000_000 {
      let n = Double(step)
      let s = a + 2 * n - 1
      let numerator = (a + n - 1) / s * ((a + b + n - 1) / s) * n * (b - n) * x * x
      let term =
        n + n * (b - n) * x / s + (a + n) / (a + 2 * n + 1) * (lambda + 1 + n * (1 + y))
      d = 1 / (term + numerator * d)
      c = term + numerator / c
      result *= c * d
      if abs(c * d - 1) <= 1e-16 { break }
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
