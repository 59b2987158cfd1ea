import Lab
import Statistics
import Studio
import Testing

@Suite struct NumberTests {
  @Test(arguments: [
    (56, 60, 0.838, 0.982, "93 % (84–98)"),
    (10, 1000, 0.0048, 0.0183, "1.0 % (0.5–1.8)"),
    (1, 300, 0.0001, 0.0184, "0.3 % (0.0–1.8)"),
    (59, 60, 0.911, 0.9996, "98.3 % (91.1–100.0)"),
    (1, 2, 0.0126, 0.9874, "50 % (1–99)"),
  ])
  func `rate carries its interval and as many digits as that supports`(
    _ k: Int, _ n: Int, _ lower: Double, _ upper: Double, _ expected: String
  ) {
    #expect(NumberFormat.rate(Double(k) / Double(n), interval: interval(lower, upper)) == expected)
  }

  @Test func `none of n is an upper bound and never 0 %`() {
    for (n, upper, expected) in [
      (2, 0.8419, "at most 84 %"), (24, 0.1425, "at most 14 %"), (300, 0.0122, "at most 1.2 %"),
      (100_000, 0.0000369, "at most 0.004 %"),
    ] {
      #expect(NumberFormat.rate(0, interval: interval(0, upper)) == expected, "0 of \(n)")
    }
    #expect(NumberFormat.rate(0, interval: nil) == "none")
    #expect(NumberFormat.rate(1e-9, interval: nil) != "0.0 %")
  }

  @Test func `all of n is a lower bound and never 100 %`() {
    #expect(NumberFormat.rate(1, interval: interval(0.9404, 1)) == "at least 94 %")
    #expect(NumberFormat.rate(1, interval: nil) == "all")
  }

  @Test func `no small or large rate is rounded into none or all`() {
    for exponent in 1...7 {
      let tiny = 3 * pow(exponent)
      let text = NumberFormat.rate(tiny, interval: nil)
      let mirrored = NumberFormat.rate(1 - tiny, interval: nil)
      #expect(Double(text.dropLast(2)) ?? 1 > 0 || text.hasPrefix("below"), "\(tiny): \(text)")
      #expect(
        Double(mirrored.dropLast(2)) ?? 1 < 100 || mirrored.hasPrefix("above"),
        "\(1 - tiny): \(mirrored)")
    }
  }

  private func pow(_ exponent: Int) -> Double { (0..<exponent).reduce(1) { x, _ in x / 10 } }

  @Test(arguments: [
    (0.91, 0.86, 0.95, "0.91 (0.86–0.95)"), (0.984, 0.968, 0.994, "0.984 (0.968–0.994)"),
    (-0.008, -0.031, 0.0152, "−0.008 (−0.031 to 0.015)"), (12.31, 10.12, 14.08, "12.3 (10.1–14.1)"),
    (1, 1, 1, "1.000 (1.000–1.000)"),
  ])
  func `plain number shows two digits of its interval's width`(
    _ value: Double, _ lower: Double, _ upper: Double, _ expected: String
  ) {
    #expect(NumberFormat.plain(value, interval: interval(lower, upper)) == expected)
  }

  @Test func `interval of another level says so`() {
    let text = NumberFormat.rate(0.5, interval: interval(0.3, 0.7, level: 0.9))
    #expect(text == "50 % (30–70), 90 % interval")
  }

  @Test func `undefined numbers are a word`() {
    for value in [Double.nan, .infinity, -.infinity] {
      #expect(NumberFormat.fixed(value, places: 2) == "undefined")
      #expect(NumberFormat.significant(value) == "undefined")
      #expect(NumberFormat.duration(seconds: value) == "undefined")
      #expect(NumberFormat.rate(value, interval: interval(0, 1)) == "undefined")
      #expect(NumberFormat.plain(value, interval: nil) == "undefined")
    }
  }

  @Test func `integers, durations and short numbers`() {
    #expect(
      [0, 999, 1000, 54_120, -1_234_567].map(NumberFormat.grouped)
        == ["0", "999", "1,000", "54,120", "−1,234,567"])
    #expect(
      [0.42, 9.94, 9.96, 41.4, 60, 133, 3599.6, 3900].map { NumberFormat.duration(seconds: $0) }
        == ["0.4 s", "9.9 s", "10 s", "41 s", "1 min", "2 min 13 s", "1 h 00 min", "1 h 05 min"])
    #expect(
      [0, 0.5, 1.31, 0.98, 1, 1234.5, -0.02].map(NumberFormat.trimmed)
        == ["0", "0.5", "1.31", "0.98", "1", "1,235", "−0.02"])
    #expect(NumberFormat.fixed(-0.0001, places: 2) == "0.00")
    #expect(NumberFormat.significant(9.996) == "10.0")
  }

  @Test func `number takes value, interval, tally and cell from what a run cited`() async throws {
    let samples = try await Samples.all()
    let none = CitedNumber(
      samples.results[3].cite(\.[try Proportion(successes: 0, trials: 2)]), "honest models")
    #expect(none.text == "at most 84 %")
    #expect(none.tallyText == "0 of 2 honest models")
    #expect(none.cells == [samples.cell(3)])
    let undefined = CitedNumber(
      samples.results[3].cite(\.[try Proportion(successes: 0, trials: 0)]), "models")
    #expect(undefined.text == "undefined")
    #expect(CitedNumber(samples.results[0].cite(\.[54_120]), "tokens").text == "54,120 tokens")
    let clustered = samples.rate(56, of: 60, "responses", interval(0.8, 0.98), cell: 2)
    #expect(clustered.text == "93 % (80–98)")
    #expect(clustered.tallyText == "56 of 60 responses")
    #expect(clustered.cells == [samples.cell(2)])
    #expect(samples.number(0.984, interval(0.968, 0.994)).text == "0.984 (0.968–0.994)")
  }

  @Test func `cell of the ledger becomes a row of the appendix`() async throws {
    let samples = try await Samples.all()
    let record = CellRecord(samples.summaries[5], label: "l", wasCached: true)
    #expect(record.id == samples.cell(5))
    #expect(record.kind == "sample" && record.tokens == 105 && record.origin == .cached)
    #expect(CellRecord(samples.summaries[5]).origin == .run)
  }
}
