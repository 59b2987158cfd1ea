import Statistics
import TestSupport
import Testing

struct NestedTests {
  /// Items of organisms whose positives lie `shift` higher, with effects of families, organisms and templates.
  private func families(
    _ count: Int, organisms: Int, shift: Double, spread: Double, _ generator: inout SeededGenerator
  ) throws -> [[LabelledScores]] {
    try (0..<count).map { _ in
      let family = shift + spread * generator.normal()
      return try (0..<organisms).map { _ in
        let own = family + spread / 3 * generator.normal()
        var (scores, labels, clusters): ([Double?], [Bool], [Int]) = ([], [], [])
        for template in 0..<20 {
          let effect = 0.3 * generator.normal()
          for item in 0..<6 {
            let isPositive = item.isMultiple(of: 2)
            scores.append(effect + generator.normal() + (isPositive ? own : 0))
            labels.append(isPositive)
            clusters.append(template)
          }
        }
        return try LabelledScores(scores: scores, labels: labels, clusters: clusters)
      }
    }
  }

  @Test func `the mean is of families, not of items`() throws {
    let perfect = try LabelledScores(
      scores: [1, 2, 3, 4, 5, 6, 7, 8],
      labels: [false, false, false, false, true, true, true, true],
      clusters: [0, 0, 1, 1, 2, 2, 3, 3])
    let useless = try LabelledScores(
      scores: [1, 1, 1, 1], labels: [true, true, false, false], clusters: [0, 1, 2, 3])
    let nested = try NestedAUROC([[perfect, perfect, perfect], [useless]])
    #expect(nested.byFamily == [1, 0.5])
    let estimate = try nested.estimate(unit: "response")
    expectClose(estimate.value, 0.75, atol: 1e-12)
    // Two families say next to nothing about others.
    #expect(estimate.interval.lower == 0 && estimate.interval.upper == 1)
    #expect(estimate.clusters == 2 && estimate.n == 28)
    // All alike is no certainty.
    let certain = try NestedAUROC([[perfect], [perfect]]).estimate(unit: "response")
    #expect(certain.value == 1 && certain.interval.lower < 0.6)
    #expect(throws: StatisticsError.self) { try NestedAUROC([[]]) }
  }

  @Test func `a difference is of families, to itself nothing`() throws {
    var generator = SeededGenerator(seed: 4)
    let sample = try families(3, organisms: 2, shift: 1, spread: 0.2, &generator)
    #expect(try NestedAUROC(sample, less: sample).byFamily == [0, 0, 0])
    let other = try families(3, organisms: 2, shift: 0, spread: 0, &generator)
    let lead = try NestedAUROC(sample, less: other).estimate(unit: "response")
    #expect(lead.interval.lower > 0 && lead.clusters == 3 && lead.n == 720)
    // Student's t with two degrees of freedom over three differences, by hand.
    let means = try NestedAUROC(sample, less: other).byFamily
    let mean = means.reduce(0, +) / 3
    let deviation = (means.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 2).squareRoot()
    expectClose(
      lead.interval.upper, min(1, mean + 4.302_652_73 * deviation / 3.0.squareRoot()), atol: 1e-6)
  }

  @Test func `signs are flipped in every way`() throws {
    // Of eight sums ±1 ±2 ±3, two are as far from zero as 6.
    #expect(try signFlipPValue([1, 2, 3]) == 0.25)
    #expect(try signFlipPValue([1, -1]) == 1)
    #expect(try signFlipPValue([0, 0, 0]) == 1)
    #expect(throws: StatisticsError.self) { try signFlipPValue([]) }
    var generator = SeededGenerator(seed: 3)
    let many = (0..<30).map { _ in generator.normal() + 1.5 }
    #expect(try signFlipPValue(many) < 1e-3)
    let centred = (0..<12).map { _ in generator.normal() }
    let exact = try signFlipPValue(centred)
    #expect((0...1).contains(exact) && exact > 1.0 / 4096)
  }
}
