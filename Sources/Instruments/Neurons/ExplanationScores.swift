internal import Foundation
package import Statistics

/// How well an explanation tells what a unit says, on excerpts that it was not made from.
package struct ExplanationScore: Codable, Sendable {
  /// Of simulated with true activations over all tokens, as in Bills et al. 2023; nil where either does not
  /// vary.
  package var correlation: Estimate?
  /// The same on random excerpts alone, among which strong activations are rare.
  package var randomCorrelation: Estimate?
  /// 1 − Σ (a − â)² / Σ (a − ā)², where â is the simulation as a straight line fitted to other excerpts
  /// makes the most of it.
  package var explained: Double?
  /// 1 − JSD(model, model with the unit's simulation in its place) / JSD(model, model with its mean there);
  /// nil where it was not asked for.
  package var ablation: Estimate?
  /// Area under the curve when asked whether an excerpt is one where the unit is active: gets to half of what
  /// it gets to in the strongest.
  package var detection: Estimate?
  /// Area under the curve when asked whether the marked tokens are those where it is active.
  package var fuzzing: Estimate?
  /// Excerpts whose simulation could not be read.
  package var unread: Int

  package init(
    correlation: Estimate? = nil, randomCorrelation: Estimate? = nil, explained: Double? = nil,
    ablation: Estimate? = nil, detection: Estimate? = nil, fuzzing: Estimate? = nil, unread: Int = 0
  ) {
    (self.correlation, self.randomCorrelation) = (correlation, randomCorrelation)
    (self.explained, self.ablation, self.unread) = (explained, ablation, unread)
    (self.detection, self.fuzzing) = (detection, fuzzing)
  }

  /// Scores simulations, `[excerpt][token]`.
  ///
  /// - Parameters:
  ///   - simulated: Of the excerpts to score on, the first half of which are the strongest; nil where none
  ///     could be read.
  ///   - excerpts: These.
  ///   - topCount: How many of them are the strongest.
  ///   - calibration: Simulations of other excerpts and what they should be, for the straight line; nil
  ///     where simulations are activations already.
  ///   - seed: Draws resamples of excerpts for intervals.
  ///   - level: Of the intervals.
  package init(
    simulated: [[Double]?], excerpts: [Excerpt], topCount: Int,
    calibration: (simulated: [[Double]?], excerpts: [Excerpt])?, seed: UInt64, level: Double = 0.95
  ) {
    let pairs = Self.pairs(simulated, excerpts)
    let line = Self.line(calibration)
    self.init(
      correlation: Self.correlation(pairs, seed: seed, level: level),
      randomCorrelation: Self.correlation(
        Self.pairs(Array(simulated.dropFirst(topCount)), Array(excerpts.dropFirst(topCount))),
        seed: seed, level: level),
      explained: line.flatMap { Self.explained(pairs.flatMap { $0 }, $0) },
      unread: simulated.count { $0 == nil })
  }

  private typealias Pair = (simulated: Double, actual: Double)

  private static func pairs(_ simulated: [[Double]?], _ excerpts: [Excerpt]) -> [[Pair]] {
    zip(simulated, excerpts).compactMap { simulated, excerpt in
      simulated.map { zip($0, excerpt.activations).map { ($0, Double($1)) } }
    }
  }

  private static func correlation(_ pairs: [Pair]) -> Double? {
    pearson(pairs.map(\.simulated), pairs.map(\.actual))
  }

  /// With an interval from resampled excerpts.
  private static func correlation(_ pairs: [[Pair]], seed: UInt64, level: Double) -> Estimate? {
    guard let value = correlation(pairs.flatMap { $0 }),
      let resamples = try? ClusterResamples(clusterCount: pairs.count, replicates: 500, seed: seed),
      let distribution = try? resamples.distribution(
        clusters: Array(pairs.indices),
        statistic: { correlation($0.flatMap { pairs[$0] }) }),
      let interval = try? distribution.interval(level: level)
    else { return nil }
    return Estimate(
      value: value, interval: interval, n: pairs.reduce(0) { $0 + $1.count }, unit: "token",
      method: "percentile bootstrap over excerpts", clusters: pairs.count,
      replicates: distribution.replicates)
  }

  /// Slope and offset that make the most of a simulation; nil where none could be read.
  static func line(
    _ calibration: (simulated: [[Double]?], excerpts: [Excerpt])?
  ) -> (slope: Double, offset: Double)? {
    guard let calibration else { return (1, 0) }
    let pairs = pairs(calibration.simulated, calibration.excerpts).flatMap { $0 }
    guard !pairs.isEmpty else { return nil }
    let n = Double(pairs.count)
    let (x, y) = (
      pairs.reduce(0) { $0 + $1.simulated } / n, pairs.reduce(0) { $0 + $1.actual } / n
    )
    let square = pairs.reduce(0) { $0 + ($1.simulated - x) * ($1.simulated - x) }
    let product = pairs.reduce(0) { $0 + ($1.simulated - x) * ($1.actual - y) }
    let slope = square > 0 ? product / square : 0
    return (slope, y - slope * x)
  }

  private static func explained(_ pairs: [Pair], _ line: (slope: Double, offset: Double)) -> Double?
  {
    let mean = pairs.reduce(0) { $0 + $1.actual } / Double(max(pairs.count, 1))
    let total = pairs.reduce(0) { $0 + ($1.actual - mean) * ($1.actual - mean) }
    guard total > 0 else { return nil }
    let left = pairs.reduce(0.0) { sum, pair in
      let error = pair.actual - line.slope * pair.simulated - line.offset
      return sum + error * error
    }
    return 1 - left / total
  }

  /// Area under the curve with an interval; nil where there is only one class.
  ///
  /// Questions of one cluster are about one excerpt.
  static func area(
    _ scores: [Double], _ labels: [Bool], clusters: [Int], seed: UInt64
  ) -> Estimate? {
    guard let sample = try? LabelledScores(scores: scores, labels: labels, clusters: clusters)
    else {
      return nil
    }
    return try? clusterBootstrapAUROC(sample, unit: "question", replicates: 500, seed: seed)
  }
}
