import Foundation
import Lab
import Studio
import Testing

@Suite struct InstrumentPageTests {
  private let cell = CellID(hex: String(repeating: "ab", count: 32))

  private func page(_ node: Node) throws -> String {
    let cell = try #require(cell)
    return try Page(
      title: "t", sections: [Section(id: "s", title: "S") { node }],
      cells: [CellRecord(id: cell.hex, kind: "lens-eval")]
    ).html()
  }

  @Test func `a shaded table is a table, whose cells say what they hold`() throws {
    let cells = [
      HeatTable.Cell(" Par<is>\n", strength: 0.5, detail: "block 3: Paris 50 %"),
      HeatTable.Cell("-", strength: -2, detail: "below"),
      HeatTable.Cell("?", strength: .nan, detail: "none"),
    ]
    let html = try page(
      HeatTable(
        title: "T", legend: "L", axes: (row: "block", column: "token"), columns: ["a", "b", "c"],
        rows: [(name: "3", cells: cells), (name: "2", cells: cells)], cell: #require(cell)
      ).node)
    #expect(XMLReading(html).failure == nil)
    #expect(html.contains("\u{2423}Par&lt;is&gt;↵") && html.contains("aria-label=\"block 3: Paris"))
    // One cell takes part in tabbing; -2 is shown as -1, and NaN not at all.
    #expect(html.components(separatedBy: "tabindex=\"0\" ").count <= 2)
    #expect(html.contains("--p:30%") && html.contains("--p:60%") && html.contains("--p:0%"))
  }

  @Test func `curves keep to their scale and leave out what is no number`() throws {
    let chart = LineChart(
      title: "KL", xLabel: "block", yLabel: "nats",
      curves: [
        .init(
          "a", series: .blue,
          points: [
            .init(x: 0, y: 100, interval: 90...110), .init(x: 1, y: 4), .init(x: 2, y: .nan),
            .init(x: 3, y: 2, interval: 1...3),
          ])
      ], reference: (value: 1, label: "the model"), ceiling: 5)
    let html = try page(chart.figure())
    #expect(XMLReading(html).failure == nil)
    #expect(!html.contains("nan") && html.contains("a, block 3: 2"))
    // The axis begins at 0: nothing is below.
    #expect(!html.contains(">−") && chart.absence == nil)
  }
}
