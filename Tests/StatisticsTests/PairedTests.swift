import Statistics
import TestSupport
import Testing

@Suite struct PairedTests {
  private func outcomes(_ row: [Double]) throws -> PairedOutcomes {
    try PairedOutcomes(
      both: Int(row[0]), onlyFirst: Int(row[1]), onlySecond: Int(row[2]), neither: Int(row[3]))
  }

  @Test func `exact McNemar agrees with statsmodels`() throws {
    let rows = try Fixtures.load().paired.mcnemar
    #expect(rows.count == 8)
    for row in rows {
      expectClose(try outcomes(row).mcNemarPValue, row[4], rtol: 1e-12, "\(row)")
    }
  }

  @Test func `outcomes are counted pair by pair`() throws {
    let counted = try PairedOutcomes(
      first: [true, true, false, false, true], second: [true, false, true, false, false])
    #expect(counted == (try PairedOutcomes(both: 1, onlyFirst: 2, onlySecond: 1, neither: 1)))
    #expect(counted.difference == 0.2)
    #expect(throws: StatisticsError.self) { try PairedOutcomes(first: [true], second: []) }
    #expect(throws: StatisticsError.self) { try PairedOutcomes(first: [], second: []) }
    #expect(throws: StatisticsError.self) {
      try PairedOutcomes(both: 1, onlyFirst: -1, onlySecond: 0, neither: 0)
    }
  }

  @Test func `Tango's score agrees with a numeric maximum of the likelihood`() throws {
    let rows = try Fixtures.load().paired.tango
    #expect(rows.count == 12)
    for row in rows {
      let delta = row[4]
      let test = try outcomes(row).equivalence(
        margin: min(delta, 0.9)...max(delta, 0.9))
      expectClose(test.lower.statistic, row[5], rtol: 1e-10, "\(row)")
    }
  }

  @Test func `the score interval holds the differences that its tests do not reject`() throws {
    let pairs = try PairedOutcomes(both: 1, onlyFirst: 1, onlySecond: 7, neither: 12)
    let interval = try pairs.differenceInterval()
    // Tango's interval for these counts as published by Fagerland, Lydersen & Laake (2014).
    expectClose([interval.lower, interval.upper], [-0.517, -0.026], atol: 5e-4)
    let test = try pairs.equivalence(margin: interval.lower...interval.upper, alpha: 0.025)
    expectClose([test.lower.pValue, test.upper.pValue], [0.025, 0.025], rtol: 1e-10)
    let swapped = try PairedOutcomes(both: 1, onlyFirst: 7, onlySecond: 1, neither: 12)
    let mirrored = try swapped.differenceInterval()
    expectClose([mirrored.lower, mirrored.upper], [-interval.upper, -interval.lower], rtol: 1e-12)
  }

  @Test func `no discordant pair still leaves a width that shrinks with n`() throws {
    let z = NormalDistribution.quantile(0.95)
    for n in [2, 20, 200] {
      let pairs = try PairedOutcomes(both: 0, onlyFirst: 0, onlySecond: 0, neither: n)
      let interval = try pairs.differenceInterval(level: 0.9)
      // The score equation solved by hand: n δ² = z² δ (1 - δ).
      let half = z * z / (Double(n) + z * z)
      expectClose([interval.lower, interval.upper], [-half, half], rtol: 1e-12)
      let test = try pairs.equivalence(margin: -0.05...0.05)
      #expect(test.isEquivalent == (n == 200))
    }
    #expect(throws: StatisticsError.self) {
      try PairedOutcomes(first: [true], second: [true]).equivalence(margin: -1...0.1)
    }
  }

  @Test func `paired TOST agrees with statsmodels`() throws {
    let rows = try Fixtures.load().paired.tost
    #expect(rows.count == 3)
    for row in rows {
      let test = try pairedTOST(
        row.first, row.second, margin: row.margin[0]...row.margin[1])
      expectClose(
        [
          test.pValue, test.lower.statistic, test.lower.pValue, test.upper.statistic,
          test.upper.pValue, test.interval.lower, test.interval.upper,
        ], row.pT1P1T2P2LowHigh, rtol: 1e-10)
      #expect(test.n == row.first.count)
      let within =
        test.interval.lower > row.margin[0] && test.interval.upper < row.margin[1]
      #expect(test.isEquivalent == within)
    }
  }

  @Test func `paired TOST without variation, pairs or sense is an error`() {
    #expect(throws: StatisticsError.self) { try pairedTOST([1, 2], [0, 1], margin: -1...1) }
    #expect(throws: StatisticsError.self) { try pairedTOST([1], [0], margin: -1...1) }
    #expect(throws: StatisticsError.self) { try pairedTOST([1, 2], [0], margin: -1...1) }
    #expect(throws: StatisticsError.self) { try pairedTOST([1, .nan], [0, 3], margin: -1...1) }
    #expect(throws: StatisticsError.self) {
      try pairedTOST([1, 2], [0, 3], margin: -1...1, alpha: 0.5)
    }
  }

  @Test func `Holm agrees with statsmodels`() throws {
    let families = try Fixtures.load().paired.holm
    #expect(families.count == 6)
    for family in families {
      expectClose(try holm(family.p), family.adjusted, rtol: 1e-14)
    }
    #expect(throws: StatisticsError.self) { try holm([0.1, .nan]) }
    #expect(throws: StatisticsError.self) { try holm([1.1]) }
  }

  @Test func `Benjamini and Hochberg's p-values agree with hand-computed ones`() throws {
    // Sorted 0.005, 0.01, 0.03, 0.04 times 4/1, 4/2, 4/3, 4/4.
    expectClose(
      try benjaminiHochberg([0.01, 0.04, 0.03, 0.005]), [0.02, 0.04, 0.04, 0.02], rtol: 1e-14)
    // The second carries the first along: min(0.06, 0.0315).
    expectClose(
      try benjaminiHochberg([0.02, 0.5, 0.021]), [0.0315, 0.5, 0.0315], rtol: 1e-14)
    #expect(try benjaminiHochberg([1, 1]) == [1, 1] && benjaminiHochberg([]).isEmpty)
    // Their example of 1995, section 4.2: the first four of fifteen are rejected at 0.05.
    let infarction = [
      0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
      0.5719, 0.6528, 0.7590, 1.0,
    ]
    #expect(try benjaminiHochberg(infarction).count { $0 <= 0.05 } == 4)
    #expect(throws: StatisticsError.self) { try benjaminiHochberg([0.1, .nan]) }
    #expect(throws: StatisticsError.self) { try benjaminiHochberg([-0.1]) }
  }
}
