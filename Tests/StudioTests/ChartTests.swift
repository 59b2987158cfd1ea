import Foundation
import Statistics
import Studio
import Testing

@Suite struct ChartTests {
  static let bad: [Double] = [
    .nan, .infinity, -.infinity, 1e308, -1e308, 0, .leastNonzeroMagnitude,
  ]

  /// Every kind of chart over ordinary data, none, one value, and values that are no numbers.
  static func charts(_ samples: Samples) -> [any Chart] {
    let wild = bad.map { samples.number($0) }
    let curves: [[(fpr: Double, tpr: Double)]] = [
      [], [(0, 0)], [(0, 0), (0.5, .nan), (1, 1)], [(.nan, .nan), (.infinity, 0)],
      [(0, 0), (1e308, -1e308), (1, 1)],
    ]
    let strips: [[Double]] = [[], [3], [3, 3, 3], bad, (0..<900).map { sin(Double($0)) }]
    return [
      ForestPlot(title: "none", axisLabel: "x", unit: .plain, rows: []),
      ForestPlot(
        title: "wild", axisLabel: "x", unit: .plain,
        rows: wild.map { .init("r", .estimate($0)) } + [.init("m", .missing("no memory"))],
        reference: (.nan, "nowhere")),
      ForestPlot(
        title: "one", axisLabel: "x", unit: .percent,
        rows: [
          .init("r", detail: "d", .estimate(samples.rate(0, of: 2, "models", interval(0, 0.84))))
        ]),
      ROCChart(title: "none", panels: []),
      ROCChart(
        title: "odd",
        panels: curves.map {
          .init(
            "p", curve: $0, band: $0.map { ($0.fpr, $0.tpr, .nan) }, auroc: samples.number(.nan),
            operatingPoint: .init(fpr: samples.number(.nan), tpr: samples.number(0.5)))
        } + [.init("q", missing: "one class only")]),
      StripPlot(title: "none", axisLabel: "x", groups: []),
      StripPlot(
        title: "odd", axisLabel: "x", groups: strips.map { .init("g", scores: $0, unscored: 1) },
        threshold: (.infinity, "t")),
      DumbbellPlot(title: "none", axisLabel: "x", target: nil, rows: []),
      DumbbellPlot(
        title: "odd", axisLabel: "x", target: .nan,
        rows: bad.map {
          .init("r", calibrated: samples.number($0), realised: samples.number($0, unit: .rate))
        }),
      CostBars(title: "none", cells: []),
      CostBars(
        title: "odd", cells: bad.map { CellRecord(id: "a", kind: "k", tokens: -3, seconds: $0) }),
      FlowPicture(title: "none", steps: []),
      FlowPicture(title: "one", steps: [.init("A long name <&>")], sealed: 0...7),
      FlowPicture(
        title: "many", steps: (0..<9).map { .init("step \($0)", detail: "d") }, sealed: 3...5),
    ]
  }

  @Test func `every chart is well-formed and holds finite coordinates inside a finite picture`()
    async throws
  {
    let samples = try await Samples.all()
    for chart in Self.charts(samples) {
      for width in [ChartWidth.wide, ChartWidth.narrow] {
        let markup = try chart.svg(width: width).rendered()
        let reading = XMLReading(markup)
        #expect(reading.failure == nil, "\(chart.title)")
        for value in coordinates(reading) {
          let numbers = value.split { !"0123456789.-e+infa".contains($0) }.compactMap { Double($0) }
          #expect(numbers.allSatisfy { $0.isFinite && abs($0) < 20_000 }, "\(value)")
          #expect(!value.contains("nan") && !value.contains("inf"), "\(value)")
        }
      }
    }
  }

  @Test func `chart without data says so in words`() async throws {
    let samples = try await Samples.all()
    for chart in Self.charts(samples) where chart.title == "none" {
      let absence = try #require(chart.absence)
      let markup = try chart.figure().rendered()
      #expect(markup.contains(absence))
      #expect(!markup.contains("<svg"))
    }
  }

  @Test func `scores that are all undefined are counted, not drawn`() throws {
    let plot = StripPlot(
      title: "t", axisLabel: "x", groups: [.init("g", scores: [.nan, .nan], unscored: 3)])
    #expect(plot.absence == "none of 5 responses got a score.")
  }

  @Test func `unscored responses are shown beside n`() throws {
    let plot = StripPlot(
      title: "t", axisLabel: "x", groups: [.init("g", scores: [1, 2, .nan], unscored: 1)],
      threshold: (2, "t"))
    let text = XMLReading(try plot.svg(width: ChartWidth.wide).rendered()).text
    #expect(text.contains("n = 2, 2 unscored"))
    #expect(text.contains("1 flagged"))
  }

  @Test func `missing estimate is shown with its reason and no mark`() throws {
    let plot = ForestPlot(
      title: "t", axisLabel: "x", unit: .plain, rows: [.init("probe", .missing("timed out"))],
      domain: 0...1)
    let markup = try plot.svg(width: ChartWidth.wide).rendered()
    #expect(markup.contains("timed out"))
    #expect(!markup.contains("class=\"mark"))
  }

  @Test func `forest plot shades where estimates have to lie, and says it`() throws {
    let bars: [(GatePanel.Bar, String, x: String, width: String)] = [
      (.atLeast(0.75), "≥ 0.75", "462.5", "85.5"), (.atMost(0.25), "≤ 0.25", "206", "85.5"),
      (.within(0.25...0.75), "0.25 to 0.75", "291.5", "171"),
    ]
    for (bar, words, x, width) in bars {
      #expect(bar.text(.plain) == words)
      let plot = ForestPlot(
        title: "t", axisLabel: "x", unit: .plain, rows: [.init("r", .missing("none"))],
        bar: (bar, words), domain: 0...1)
      let markup = try plot.svg(width: 720).rendered()
      // The plot runs from 206 to 548 at this width.
      #expect(markup.contains("class=\"zone\" x=\"\(x)\""), "\(markup)")
      #expect(markup.contains("width=\"\(width)\"") && XMLReading(markup).text.contains(words))
    }
    #expect(GatePanel.Bar.atMost(0.075).text(.rate) == "≤ 7.5 %")
    #expect(GatePanel.Bar.atMost(0.02).text(.measured("nats")) == "≤ 0.02 nats")
  }

  @Test func `forest plot puts a value and its interval where the axis says`() async throws {
    let samples = try await Samples.all()
    let plot = ForestPlot(
      title: "t", axisLabel: "x", unit: .plain,
      rows: [.init("r", .estimate(samples.number(0.5, interval(0.25, 0.75))))], domain: 0...1)
    let reading = XMLReading(try plot.svg(width: 720).rendered())
    // The plot runs from 206 to 548 at this width.
    let middle = try #require(reading.values(of: "cx").first)
    #expect(middle == "377")
    let caps = reading.values(of: "x1")
    #expect(caps.contains("291.5") && caps.contains("462.5"))
  }

  @Test func `beeswarm keeps order, stays within reach and does not cover dots that fit`() throws {
    let scores = (0..<60).map { Double($0 % 20) }
    let plot = StripPlot(title: "t", axisLabel: "x", groups: [.init("g", scores: scores)])
    let markup = try plot.svg(width: 720).rendered()
    let d = try #require(XMLReading(markup).values(of: "d").first { $0.contains("h.01") })
    let dots = d.split(separator: "M").map { part in
      part.replacing("h.01", with: "").split(separator: " ").compactMap { Double($0) }
    }
    #expect(dots.count == 60)
    for (index, a) in dots.enumerated() {
      for b in dots[(index + 1)...] {
        #expect(pow(a[0] - b[0], 2) + pow(a[1] - b[1], 2) > 35.5)
      }
    }
  }

  @Test func `ticks are round, inside and few`() {
    for (low, high) in [(0.0, 1.0), (-0.2, 1.4), (1e-9, 3e-9), (0, 54_120), (7, 7)] {
      let scale = LinearScale(domain: low...high, from: 0, to: 100)
      let ticks = scale.ticks(5)
      #expect((2...8).contains(ticks.count), "\(low)...\(high): \(ticks)")
      #expect(ticks.allSatisfy { (-1e-9...100 + 1e-9).contains(scale($0)) })
    }
    #expect(LinearScale(domain: 0...1, from: 0, to: 1).ticks(5).count == 6)
  }

  @Test func `no two labels of an axis overlap`() async throws {
    let samples = try await Samples.all()
    for width in [ChartWidth.wide, ChartWidth.narrow] {
      for high in [1.0, 0.013, 1234, 0.0002] {
        let plot = ForestPlot(
          title: "t", axisLabel: "", unit: .percent,
          rows: [.init("r", .estimate(samples.number(high / 2)))], domain: 0...high)
        let reading = TickReading(try plot.svg(width: width).rendered())
        #expect(reading.ticks.count >= 2)
        for (a, b) in zip(reading.ticks, reading.ticks.dropFirst()) {
          let room = Double(a.text.count + b.text.count) / 2 * 6.3
          #expect(b.x - a.x > room, "\(a) \(b)")
        }
      }
    }
  }

  @Test func `gate's outcome has a symbol and a word, not colour alone`() throws {
    let outcomes: [GatePanel.Outcome] = [.passed, .failed, .undecided("unparsable")]
    let panel = GatePanel(
      caption: "gates",
      groups: [
        .init(
          "A",
          gates: outcomes.map {
            .init("c", requirement: "r", measured: nil, bar: .atLeast(0.8), outcome: $0)
          })
      ])
    let text = XMLReading(try panel.node.rendered()).text
    for words in ["✓ passed", "✗ failed", "◇ undecided", "unparsable"] {
      #expect(text.contains(words))
    }
  }

  @Test func `gate draws wild numbers without wild coordinates`() async throws {
    let samples = try await Samples.all()
    for value in Self.bad {
      for bar in [GatePanel.Bar.atLeast(value), .atMost(0.1), .within(-1...1)] {
        let gate = GatePanel.Gate(
          "c", requirement: "r", measured: samples.number(value), bar: bar, outcome: .failed)
        let page = Page(
          title: "t", verdict: Verdict(.invalid, answer: "a", limit: "l"),
          sections: [
            Section(id: "s", title: "S") {
              GatePanel(caption: "g", groups: [.init("A", gates: [gate])]).node
            }
          ], cells: [CellRecord(id: samples.cell(1), kind: "gate")])
        let reading = XMLReading(try page.html())
        #expect(reading.failure == nil)
        for text in coordinates(reading) {
          #expect(!text.contains("nan") && !text.contains("inf"), "\(text)")
        }
      }
    }
  }

  @Test func `accusation of an unknown model is neither caught nor a false alarm`() async throws {
    let samples = try await Samples.all()
    let table = AccusationTable(
      caption: "c",
      specimens: [
        .init("A", arm: "secret", isGuilty: true), .init("B", arm: "honest", isGuilty: false),
        .init("S", arm: nil, isGuilty: nil),
      ],
      rows: [
        .init(
          "d",
          findings: [
            .accused(samples.number(1)), .accused(samples.number(1)), .accused(samples.number(1)),
          ]),
        .init(
          "e",
          findings: [
            .cleared(samples.number(0)), .cleared(samples.number(0)), .cleared(samples.number(0)),
          ]),
        .init("f", findings: [.unscored("died")]),
      ])
    let page = Page(
      title: "t", verdict: Verdict(.inconclusive, answer: "a", limit: "l"),
      sections: [Section(id: "s", title: "S") { table.node }],
      cells: [CellRecord(id: samples.cell(1), kind: "score")])
    let text = XMLReading(try page.html()).text
    for words in [
      "✓ caught", "▲ false alarm", "▲ accused", "✗ missed", "✓ cleared", "○ not accused", "died",
      "not run",
    ] {
      #expect(text.components(separatedBy: words).count == (words == "not run" ? 3 : 2), "\(words)")
    }
  }
}
