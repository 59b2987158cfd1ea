import Lab
import Studio
import Testing

@Suite struct MarkupTests {
  @Test func `text and attributes are escaped`() throws {
    let hostile = #"<script>alert("1") & 'x'</script>"#
    let node = Tag.p(.set(.title, hostile)) { hostile }
    let markup = try node.rendered()
    let escaped =
      "&lt;script&gt;alert(&quot;1&quot;) &amp; &#39;x&#39;&lt;/script&gt;"
    #expect(markup == "\n<p title=\"\(escaped)\">\(escaped)</p>")
    let reading = XMLReading(markup)
    #expect(reading.elements == ["p"])
    #expect(reading.text.contains(hostile))
    #expect(reading.values(of: "title") == [hostile])
  }

  @Test func `characters that XML forbids do not reach the page`() throws {
    let scalars =
      (0...0x9F).compactMap(Unicode.Scalar.init) + ["\u{FFFE}", "\u{FFFF}", "\u{1F511}"]
    var text = ""
    for scalar in scalars { text.unicodeScalars.append(scalar) }
    let markup = try Tag.p(.set(.title, text)) { text }.rendered()
    #expect(XMLReading(markup).failure == nil)
    #expect(markup.contains("\u{1F511}"))
    #expect(!markup.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" && $0 != "\t" })
  }

  @Test func `transcript cannot become markup or reorder its neighbours`() async throws {
    let samples = try await Samples.all()
    let strip = TokenStrip(
      label: "sample", tokens: [.init("</div>", score: 1), .init("\u{202E}abc\n", score: .nan)],
      cell: samples.results[1].id)
    let html = try page(samples, content: strip.node, cells: [1]).html()
    let reading = XMLReading(html)
    #expect(reading.failure == nil)
    #expect(reading.elements.count { $0 == "bdi" } == 2)
    #expect(html.contains("1 of 2 tokens unscored"))
    #expect(reading.values(of: "title").contains("no score"))
  }

  @Test func `unknown cell is refused and named`() async throws {
    let samples = try await Samples.all()
    let id = samples.cell(7)
    let page = page(samples, content: samples.number(0.5, cell: 7).node, cells: [1])
    #expect(throws: StudioError.unknownCell(id: id, listed: 1)) { try page.html() }
    #expect("\(StudioError.unknownCell(id: id, listed: 1))".contains(id.prefix(12)))
  }

  @Test func `cell listed twice is refused`() async throws {
    let samples = try await Samples.all()
    #expect(throws: StudioError.repeatedCell(id: samples.cell(1))) {
      try page(samples, content: "x", cells: [1, 1]).html()
    }
  }

  @Test func `number links to its row in the appendix`() async throws {
    let samples = try await Samples.all()
    let html = try page(samples, content: samples.number(0.5, cell: 2).node, cells: [1, 2]).html()
    let reading = XMLReading(html)
    #expect(reading.values(of: "href").contains("#cell-" + samples.cell(2)))
    #expect(reading.values(of: "id").contains("cell-" + samples.cell(2)))
    #expect(html.contains("0.5<sup class=\"cite\"><a href=\"#cell-"))
    #expect(html.contains(">2</a></sup>"))
  }

  private func page(_ samples: Samples, content: Node, cells: [Int]) -> Page {
    Page(
      title: "t", verdict: Verdict(.inconclusive, answer: "a", limit: "l"),
      sections: [Section(id: "s", title: "S") { content }],
      cells: cells.map { CellRecord(id: samples.cell($0), kind: "score") })
  }
}
