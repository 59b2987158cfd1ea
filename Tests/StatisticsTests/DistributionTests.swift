import Statistics
import TestSupport
import Testing

/// Relative tolerances. Measured: normal cdf 1.5e-14, quantile 3.3e-16; beta cdf 8.4e-13 (at shapes
/// of 1e7, where rounding x alone costs that), quantile 2.1e-13; t cdf 1.0e-14, quantile 1.9e-14.
@Suite struct DistributionTests {
  private func rows(_ name: String) throws -> [[Double]] {
    let rows = try #require(try Fixtures.load().distributions[name])
    try #require(rows.count > 10)
    return rows
  }

  private func expectAll(
    _ name: String, column: Int, rtol: Double, _ function: ([Double]) -> Double,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let rows = try rows(name)
    // Below the smallest normal number digits run out.
    expectClose(
      rows.map(function), rows.map { $0[column] }, rtol: rtol, atol: 1e-300, name,
      sourceLocation: sourceLocation)
  }

  @Test func `the normal distribution agrees with fifty digits in both tails`() throws {
    try expectAll("normal_cdf", column: 1, rtol: 5e-14) { NormalDistribution.cdf($0[0]) }
    try expectAll("normal_cdf", column: 2, rtol: 5e-14) { NormalDistribution.survival($0[0]) }
    try expectAll("normal_quantile", column: 1, rtol: 2e-15) { NormalDistribution.quantile($0[0]) }
  }

  @Test func `the beta distribution agrees with fifty digits from shapes of 0.01 to 1e7`() throws {
    try expectAll("beta_cdf", column: 3, rtol: 3e-12) {
      BetaDistribution(a: $0[0], b: $0[1]).cdf($0[2])
    }
    try expectAll("beta_cdf", column: 4, rtol: 3e-12) {
      BetaDistribution(a: $0[0], b: $0[1]).survival($0[2])
    }
    try expectAll("beta_quantile", column: 3, rtol: 1e-12) {
      BetaDistribution(a: $0[0], b: $0[1]).quantile($0[2])
    }
  }

  @Test func `Student's t agrees with fifty digits from half a degree of freedom to 1e7`() throws {
    try expectAll("t_cdf", column: 2, rtol: 5e-14) { StudentT(degreesOfFreedom: $0[0]).cdf($0[1]) }
    try expectAll("t_cdf", column: 3, rtol: 5e-14) {
      StudentT(degreesOfFreedom: $0[0]).survival($0[1])
    }
    try expectAll("t_quantile", column: 2, rtol: 1e-13) {
      StudentT(degreesOfFreedom: $0[0]).quantile($0[1])
    }
  }

  @Test func `quantiles at the ends and outside are infinite and NaN`() {
    let t = StudentT(degreesOfFreedom: 3)
    #expect(NormalDistribution.quantile(0) == -.infinity)
    #expect(NormalDistribution.quantile(1) == .infinity)
    #expect(NormalDistribution.quantile(1.5).isNaN)
    #expect(t.quantile(0) == -.infinity)
    #expect(t.quantile(1) == .infinity)
    #expect(t.quantile(.nan).isNaN)
    #expect(t.cdf(-.infinity) == 0)
    #expect(t.cdf(.infinity) == 1)
    #expect(BetaDistribution(a: 2, b: 3).quantile(0) == 0)
    #expect(BetaDistribution(a: 2, b: 3).quantile(1) == 1)
    #expect(BetaDistribution(a: 2, b: 3).quantile(-0.1).isNaN)
    #expect(BetaDistribution(a: 2, b: 3).cdf(.nan).isNaN)
  }

  @Test func `beta with a shape of 1 has its closed form`() {
    for x in [1e-12, 0.2, 0.5, 0.999] {
      expectClose(BetaDistribution(a: 4, b: 1).cdf(x), x * x * x * x, rtol: 1e-14)
    }
    expectClose(BetaDistribution(a: 1, b: 1).quantile(0.3), 0.3, rtol: 1e-15)
    expectClose(StudentT(degreesOfFreedom: 1).quantile(0.75), 1, rtol: 1e-15)
  }
}
