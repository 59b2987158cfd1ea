import Foundation
import Statistics
import TestSupport
import Testing

/// How often intervals hold what they should, over 2,000 repetitions at the sizes of a trial.
///
/// The numbers are in ARCHITECTURE.md; `swift test --filter CoverageTests` prints them. A repetition's own
/// error is half a point: 93 to 97 % is asked of approximate methods, at least 95 % of exact ones.
struct CoverageTests {
  private static let repetitions = 2000

  /// The share of repetitions whose interval holds `truth`, printed.
  private func coverage(
    _ name: String, truth: Double, seed: UInt64,
    _ interval: (inout SeededGenerator) throws -> Interval?
  ) throws -> Double {
    var generator = SeededGenerator(seed: seed, stream: name)
    var (held, counted) = (0, 0)
    for _ in 0..<Self.repetitions {
      guard let found = try interval(&generator) else { continue }
      counted += 1
      if found.contains(truth) { held += 1 }
    }
    let share = Double(held) / Double(counted)
    print("coverage: \(name): \(String(format: "%.1f", 100 * share)) % of \(counted)")
    return share
  }

  private func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

  @Test(arguments: [(8, 0.5), (24, 0.1), (24, 0.9), (120, 0.97)])
  func `exact intervals hold`(trials: Int, rate: Double) throws {
    let share = try coverage("exact, \(trials) of \(rate)", truth: rate, seed: 1) { generator in
      let successes = (0..<trials).count { _ in generator.bernoulli(rate) }
      return try clopperPearson(successes: successes, trials: trials)
    }
    #expect(share >= 0.95 - 0.01)
  }

  /// 60 responses over forty templates whose rates differ, as gates and true positive rates have them.
  @Test(arguments: [(0.9, 1.0), (0.5, 1.0), (0.05, 1.0)])
  func `rates over templates hold`(rate: Double, spread: Double) throws {
    // The centre whose mean over templates is the rate.
    var draws = SeededGenerator(seed: 9)
    let effects = (0..<20_000).map { _ in spread * draws.normal() }
    var (low, high) = (-12.0, 12.0)
    while high - low > 1e-6 {
      let middle = (low + high) / 2
      let mean = effects.reduce(0) { $0 + sigmoid(middle + $1) } / Double(effects.count)
      if mean < rate { low = middle } else { high = middle }
    }
    let centre = low
    let share = try coverage("clustered rate, 60 over 40, \(rate)", truth: rate, seed: 2) {
      generator in
      var (outcomes, clusters): ([Bool], [Int]) = ([], [])
      for template in 0..<40 {
        let own = sigmoid(centre + spread * generator.normal())
        for _ in 0..<(template < 20 ? 2 : 1) {
          outcomes.append(generator.bernoulli(own))
          clusters.append(template)
        }
      }
      return try clusteredProportion(
        outcomes: outcomes, clusters: clusters, unit: "response"
      ).interval
    }
    #expect(share >= 0.93)
  }

  /// Positives lie `shift` higher, in units of the noise, with effects of templates.
  private func sample(_ shift: Double, _ generator: inout SeededGenerator) throws -> LabelledScores
  {
    var (scores, labels, clusters): ([Double?], [Bool], [Int]) = ([], [], [])
    for template in 0..<60 {
      let effect = 0.5 * generator.normal()
      for _ in 0..<2 {
        let isPositive = template < 20
        scores.append(effect + generator.normal() + (isPositive ? shift : 0))
        labels.append(isPositive)
        clusters.append(template)
      }
    }
    return try LabelledScores(scores: scores, labels: labels, clusters: clusters)
  }

  /// The AUROC of two normal samples `shift` apart whose spread is that of ``sample(_:_:)``.
  private func truth(_ shift: Double) -> Double {
    0.5 * erfc(-shift / (1.25.squareRoot() * 2))
  }

  @Test(arguments: [0.5, 1.5])
  func `areas over templates hold`(shift: Double) throws {
    let share = try coverage(
      "cluster bootstrap AUROC, shift \(shift)", truth: truth(shift), seed: 3
    ) {
      generator in
      try clusterBootstrapAUROC(
        sample(shift, &generator), unit: "response", replicates: 400, seed: generator.next()
      ).interval
    }
    #expect((0.92...0.98).contains(share))
  }

  @Test(arguments: [(8, 3), (5, 3), (2, 1)])
  func `areas over families hold, few as they are`(families: Int, organisms: Int) throws {
    // Truth: the mean over families of their AUROCs, each family with a shift of its own.
    var draws = SeededGenerator(seed: 8)
    let mean = (0..<40_000).reduce(0) { sum, _ in sum + truth(1 + 0.5 * draws.normal()) } / 40_000
    let share = try coverage(
      "nested AUROC, \(families) families of \(organisms)", truth: mean, seed: 4
    ) { generator in
      let nested = try (0..<families).map { _ in
        let shift = 1 + 0.5 * generator.normal()
        return try (0..<organisms).map { _ in try sample(shift, &generator) }
      }
      return try NestedAUROC(nested).estimate(unit: "response").interval
    }
    #expect(share >= 0.93)
  }
}
