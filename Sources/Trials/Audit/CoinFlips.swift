internal import Statistics

/// What detectors would come to that accuse each specimen by the flip of a coin.
///
/// Flips are independent; detectors that were calibrated on one pair and judge the same specimens
/// are not, and agree by chance more often than this says.
package struct CoinFlips: Sendable {
  /// Detectors that can accuse.
  package let detectors: Int
  /// The chance that one of them accuses exactly those that it should.
  package let exact: Double

  /// `detectors` of which each judges `specimens`.
  package init(detectors: Int, specimens: Int) {
    precondition((0..<63).contains(specimens), "Expected 0 to 62 specimens, found \(specimens).")
    (self.detectors, exact) = (detectors, 1 / Double(1 << specimens))
  }

  /// P(X >= `right`) of a binomial X, as the integral of a beta density (Abramowitz & Stegun
  /// 26.5.24): the one-sided exact p-value of `right` detectors that accused exactly.
  package func atLeast(_ right: Int) -> Double {
    guard right > 0 else { return 1 }
    guard right <= detectors else { return 0 }
    return BetaDistribution(a: Double(right), b: Double(detectors - right + 1)).cdf(exact)
  }
}
