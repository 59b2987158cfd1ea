internal import Foundation

/// Student's t distribution.
package struct StudentT: Sendable, Hashable {
  package let degreesOfFreedom: Double

  /// The distribution with a positive, finite number of degrees of freedom.
  package init(degreesOfFreedom: Double) {
    precondition(
      degreesOfFreedom > 0 && degreesOfFreedom.isFinite,
      "Expected positive, finite degrees of freedom, found \(degreesOfFreedom).")
    self.degreesOfFreedom = degreesOfFreedom
  }

  /// P(T <= t), accurate in both tails.
  package func cdf(_ t: Double) -> Double {
    guard !t.isNaN else { return .nan }
    guard t.isFinite else { return t < 0 ? 0 : 1 }
    let v = degreesOfFreedom
    // v / (v + t²), written so that t² does not overflow.
    let x = 1 / (1 + (t / v) * t)
    let y = abs(t) <= v.squareRoot() ? (t / v) * t * x : 1 / (1 + v / t / t)
    let tail = 0.5 * BetaDistribution(a: v / 2, b: 0.5).cdf(x, complement: y)
    return t < 0 ? tail : 1 - tail
  }

  /// P(T > t), accurate where `1 - cdf(t)` would round to 0.
  package func survival(_ t: Double) -> Double { cdf(-t) }

  /// The t with P(T <= t) = `probability`; ±infinity at 1 and 0, NaN outside [0, 1].
  package func quantile(_ probability: Double) -> Double {
    guard probability > 0, probability < 1 else {
      if probability == 0 { return -.infinity }
      return probability == 1 ? .infinity : .nan
    }
    guard probability != 0.5 else { return 0 }
    let tail = min(probability, 1 - probability)
    let (x, y) = BetaDistribution(a: degreesOfFreedom / 2, b: 0.5).quantileAndComplement(2 * tail)
    let t = (degreesOfFreedom * y / x).squareRoot()
    return probability < 0.5 ? -t : t
  }
}
