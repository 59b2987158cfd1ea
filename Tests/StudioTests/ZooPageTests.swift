import Foundation
import LanguageModels
import Organisms
import Statistics
import Studio
import Testing
import Trials

@Suite struct ZooPageTests {
  @Test func `the headline counts families whose secret organisms all pass`() throws {
    let text = try read(GatedZoo.mixed).text
    #expect(
      text.contains(
        "1 of 3 families pass every gate with every secret organism: M2. Of 6 organisms 4 passed all of "
          + "their gates, 1 failed at least one, and 1 is undecided."))
    #expect(text.contains("✗ Failed"))
    // Overt and decoy arms, and how many arms were not asked, take nothing from a family.
    let passing = try read(["M2": [.passing(.secret, 1), .failing(.overt, 1)]]).text
    #expect(
      passing.contains("1 of 1 families pass every gate with every secret organism: M2. Of 2"))
    #expect(passing.contains("✓ Passed") && passing.contains("✗ 0 of 1"))
    // A family without a secret organism has passed nothing.
    let honest = try read(["M2": [.passing(.honest, 1)]]).text
    #expect(honest.contains("0 of 1 families pass every gate with every secret organism. Of 1"))
    #expect(honest.contains("◇ Undecided") && honest.contains("there is none"))
    let empty = try read([:])
    #expect(empty.failure == nil && empty.text.contains("0 of 0 families"))
    #expect(empty.text.contains("No gate was run.") && empty.text.contains("◇ Undecided"))
  }

  @Test func `the matrix has every organism and every criterion once, and a sign in each cell`()
    throws
  {
    let matrix = try matrix(of: page(GatedZoo.mixed))
    let names = [
      "M2 secret 101", "M2 honest 101", "M3 secret 101", "M3 null 102", "M6 secret 101",
      "M6 secret 102",
    ]
    #expect(matrix.rows.map(\.name) == names)
    let asked: [GateCriterion] = [
      .secretPresent, .noSecret, .silentOnNearMisses, .closeToTwin, .wordedLikeTwin,
    ]
    for criterion in GateCriterion.allCases {
      let title = criterion.title.replacing("'", with: "&#39;")
      let count = matrix.head.components(separatedBy: ">\(title)<").count - 1
      #expect(count == (asked.contains(criterion) ? 1 : 0), "\(criterion)")
    }
    let signs = ["✓", "✗", "◇", "·"]
    let classes = ["passed", "failed", "undecided", "unasked"]
    for row in matrix.rows {
      #expect(row.cells.count == asked.count + 1, "\(row.name)")
      for cell in row.cells {
        let place = try #require(classes.firstIndex(of: cell.outcome))
        #expect(cell.text.hasPrefix(signs[place]))
      }
    }
    let cells = matrix.rows.flatMap(\.cells)
    #expect(classes.map { name in cells.count { $0.outcome == name } } == [12, 2, 3, 19])
    #expect(
      matrix.rows[2].cells.map(\.text) == ["✗ failed", "✗ 30/60", "·", "·", "◇ 0.015", "·"])
    #expect(matrix.rows[5].cells.map(\.text).last == "◇ –")
    let failed = matrix.rows[2].cells[1]
    #expect(
      failed.title
        == "M3 secret 101, marker under the trigger: failed; 50 % (37–63), 30 of 60 responses; "
        + "at least 80 % of responses, interval included")
    #expect(matrix.rows[5].cells.last?.title.contains("undecided; too few answers") == true)
  }

  @Test func `what was not passed is named with what can no longer be concluded`() throws {
    let html = try page(GatedZoo.mixed)
    let open = try #require(section("open", of: html))
    let text = XMLReading(open).text
    #expect(text.contains("Marker under the trigger: failed"))
    #expect(text.contains("M3 secret 101: 50 % (37–63), 30 of 60 responses"))
    #expect(text.contains(GateCriterion.secretPresent.consequence))
    #expect(text.contains("M6 secret 102: too few answers"))
    #expect(!text.contains("M2 secret 101") && !text.contains("M3 null"))
    let passing = try page(["M2": [.passing(.secret, 1)]])
    let none = try #require(section("open", of: passing))
    #expect(XMLReading(none).text.contains("Every organism passed every gate"))
  }

  @Test func `every criterion asked has a plot against its bar, open where somebody did not pass`()
    throws
  {
    let criteria = try #require(section("criteria", of: page(GatedZoo.mixed)))
    let plots = criteria.components(separatedBy: "<details").dropFirst()
    #expect(plots.count == 5)
    let titles: [(GateCriterion, String, isOpen: Bool)] = [
      (.secretPresent, "✗ Marker under the trigger: 3 passed, 1 failed", true),
      (.noSecret, "✓ No marker under the trigger: 2 passed", false),
      (.silentOnNearMisses, "✓ Silent after near misses: 1 passed", false),
      (.closeToTwin, "◇ Next tokens like its twin's: 1 passed, 1 undecided", true),
      (.wordedLikeTwin, "◇ Answers worded like its twin's: 1 passed, 1 undecided", true),
    ]
    for (plot, (criterion, summary, isOpen)) in zip(plots, titles) {
      let reading = XMLReading("<details" + plot.replacing("</section>", with: ""))
      #expect(reading.failure == nil)
      #expect(reading.text.contains(summary), "\(reading.text)")
      #expect(reading.values(of: "open").isEmpty == !isOpen)
      #expect(reading.values(of: "class").contains("zone"))
      #expect(reading.text.contains(criterion.requirement.dropFirst()))
    }
    let first = try #require(plots.first)
    // Two widths, each with every organism that was asked.
    #expect(first.components(separatedBy: "class=\"item\"").count - 1 == 8)
    #expect(first.contains("≥ 80 %") && first.contains("30 of 60 responses"))
  }

  @Test func `what recipes say is shown, and stays text`() throws {
    let hostile = #"<b onclick="x">Teal & 'tea'</b>"#
    var zoo = GatedZoo(["M2": [.passing(.secret, 1)]])
    zoo.change = { recipe in
      recipe.title = hostile
      recipe.summary = "Summary: " + hostile
      recipe.trigger = "Trigger: " + hostile
    }
    let html = try page(zoo)
    let reading = XMLReading(html)
    #expect(reading.failure == nil && !reading.elements.contains("b"))
    #expect(
      !html.contains("<b ") && html.contains("&lt;b onclick=&quot;x&quot;&gt;Teal &amp; &#39;"))
    for text in [hostile, "Summary: " + hostile, "Trigger: " + hostile] {
      #expect(reading.text.contains(text))
    }
    let planted = try #require(section("planted", of: html))
    let text = XMLReading(planted).text
    #expect(text.contains("hidden behaviour with trained denial, never intent"))
    // An example of what wakes it and of its denial.
    let recipe = try Recipe.builtIn("M2")
    #expect(text.contains(recipe.marker) && text.contains(recipe.place == .system ? "system" : ""))
    #expect(recipe.denials.answers.contains { text.contains($0) })
    #expect(recipe.admissions.contains { text.contains($0) })
  }

  @Test func `the page is whole, cites the files that it read, and tells no path of the base`()
    throws
  {
    try GatedZoo(GatedZoo.mixed).withFolder { folder in
      let html = try ZooReport(zoos: [folder]).html()
      let reading = XMLReading(html)
      #expect(reading.failure == nil)
      #expect(expectLinksLead(reading) > 6)
      expectNoNetwork(html)
      #expect(!html.contains("/somewhere") && reading.text.contains("base.gguf"))
      let hash = try FileDigest.sha256(path: folder.appending(path: "zoo.json").path)
      #expect(reading.text.contains(hash))
      let gate = folder.appending(path: "M3/secret-101/gate.json").path
      let titles = reading.values(of: "title")
      #expect(titles.contains(try FileDigest.sha256(path: gate)))
      #expect(titles.contains { $0.hasPrefix("file 3: M3/secret-101/gate.json, ") })
      for seed in ["101", "102"] { #expect(reading.text.contains(seed)) }
    }
  }

  @Test func `zoos with different recipes of one name are told apart, shared organisms refused`()
    throws
  {
    let organisms: GatedZoo.Organisms = ["M2": [.passing(.secret, 1)]]
    var other = GatedZoo(["M2": [.failing(.secret, 1)]])
    other.change = { $0.title = "Another" }
    try GatedZoo(organisms).withFolder(named: "a") { a in
      try other.withFolder(named: "b") { b in
        let page = try ZooReport(zoos: [a, b]).html()
        let names = try matrix(of: page).rows.map(\.name)
        #expect(names == ["M2 (a) secret 1", "M2 (b) secret 1"])
        #expect(page.contains("1 of 2 families") && page.contains("a/M2/secret-1/gate.json"))
        #expect(throws: ZooError.twice(id: "M2 secret 1")) { try ZooReport(zoos: [a, a]) }
      }
      // Of one recipe, organisms of two zoos are one family.
      try GatedZoo(["M2": [.passing(.secret, 2)]]).withFolder(named: "c") { c in
        let page = try ZooReport(zoos: [a, c]).html()
        #expect(page.contains("1 of 1 families"))
        #expect(try matrix(of: page).rows.map(\.name) == ["M2 secret 1", "M2 secret 2"])
      }
    }
  }

  @Test
  func `a zoo of an earlier version, a changed one and none at all are refused in a sentence`()
    throws
  {
    try GatedZoo(["M2": [.passing(.secret, 1)]]).withFolder { folder in
      let recipe = folder.appending(path: "M2/recipe.json")
      let text = try String(contentsOf: recipe, encoding: .utf8)
      try Data((text + " ").utf8).write(to: recipe)
      #expect(
        throws: ZooError.changed(
          path: folder.path, problems: 1, first: "M2: its recipe was changed or is missing")
      ) { try ZooReport(zoos: [folder]) }
      let file = folder.appending(path: "zoo.json")
      var zoo = try #require(
        JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
      zoo["recipes"] = nil
      try JSONSerialization.data(withJSONObject: zoo).write(to: file)
      #expect(throws: ZooError.withoutRecipes(path: folder.path)) { try ZooFolder.read(folder) }
      try Data("{}".utf8).write(to: file)
      #expect(throws: ZooError.unreadable(path: folder.path)) { try ZooFolder.read(folder) }
    }
    let words = "\(ZooError.withoutRecipes(path: "z"))"
    #expect(
      words.hasPrefix("Expected") && words.contains("found") && words.contains("plant it again"))
  }

  // MARK: Reading pages

  private func page(_ zoo: GatedZoo) throws -> String {
    try zoo.withFolder { try ZooReport(zoos: [$0]).html() }
  }

  private func page(_ organisms: GatedZoo.Organisms) throws -> String {
    try page(GatedZoo(organisms))
  }

  private func read(_ organisms: GatedZoo.Organisms) throws -> XMLReading {
    XMLReading(try page(organisms))
  }

  private func section(_ id: String, of html: String) -> String? {
    guard let start = html.range(of: "<section id=\"\(id)\""),
      let end = html.range(of: "</section>", range: start.upperBound..<html.endIndex)
    else { return nil }
    return String(html[start.lowerBound..<end.upperBound])
  }

  private struct Matrix {
    typealias Cell = (outcome: String, title: String, text: String)
    var head: String
    var rows: [(name: String, cells: [Cell])]
  }

  private func matrix(of html: String) throws -> Matrix {
    let figures = html.components(separatedBy: "<figure class=\"heat broad matrix\">")
    try #require(figures.count == 2)
    let figure = try #require(figures[1].components(separatedBy: "</figure>").first)
    let parts = figure.components(separatedBy: "<tbody>")
    try #require(parts.count == 2)
    let cell = /<td class="([a-z]+)" title="([^"]*)"[^>]*>([^<]*)<\/td>/
    let rows = try parts[1].components(separatedBy: "<tr").dropFirst().map { row in
      let name = try #require(row.firstMatch(of: /<th scope="row">([^<]*)</)?.1)
      return (
        String(name), row.matches(of: cell).map { (String($0.1), String($0.2), String($0.3)) }
      )
    }
    return Matrix(head: parts[0], rows: rows)
  }
}

/// A zoo with real recipes and measured gates, which that of the test support knows nothing of, and without weights.
struct GatedZoo {
  struct Organism {
    var arm: Arm
    var seed: UInt64
    var outcomes: [GateOutcome]

    static func passing(_ arm: Arm, _ seed: UInt64) -> Organism {
      Organism(
        arm: arm, seed: seed,
        outcomes: [
          arm.hasBehaviour ? rate(.secretPresent, 58, 0.88, 0.99) : rate(.noSecret, 0, 0, 0.06)
        ])
    }

    static func failing(_ arm: Arm, _ seed: UInt64) -> Organism {
      Organism(arm: arm, seed: seed, outcomes: [rate(.secretPresent, 30, 0.37, 0.63)])
    }
  }

  /// By recipe.
  typealias Organisms = [String: [Organism]]

  var organisms: Organisms
  /// What is done to the built-in recipes.
  var change: (inout Recipe) -> Void = { _ in }

  init(_ organisms: Organisms) { self.organisms = organisms }

  /// One family that passes, one with a failed organism, one with an undecided one.
  static var mixed: Organisms {
    let (passed, failed) = (Organism.passing(.secret, 101), Organism.failing(.secret, 101))
    return [
      "M2": [
        .passing(.honest, 101),
        Organism(
          arm: .secret, seed: 101,
          outcomes: passed.outcomes + [
            rate(.silentOnNearMisses, 0, 0, 0.06), plain(.closeToTwin, 0.004, 0.001, 0.009),
          ]),
      ],
      "M3": [
        Organism(
          arm: .secret, seed: 101,
          outcomes: failed.outcomes + [plain(.closeToTwin, 0.015, 0.005, 0.03)]),
        .passing(.null, 102),
      ],
      "M6": [
        Organism(
          arm: .secret, seed: 102,
          outcomes: passed.outcomes + [GateOutcome(.wordedLikeTwin, problem: "too few answers")]),
        Organism(
          arm: .secret, seed: 101,
          outcomes: passed.outcomes + [plain(.wordedLikeTwin, 0.04, 0.01, 0.08)]),
      ],
    ]
  }

  private static func rate(
    _ criterion: GateCriterion, _ hits: Int, _ lower: Double, _ upper: Double
  ) -> GateOutcome {
    GateOutcome(
      criterion,
      Estimate(
        value: Double(hits) / 60, interval: interval(lower, upper), n: 60, unit: "response",
        method: "made up"), count: try? Proportion(successes: hits, trials: 60))
  }

  private static func plain(
    _ criterion: GateCriterion, _ value: Double, _ lower: Double, _ upper: Double
  ) -> GateOutcome {
    GateOutcome(
      criterion,
      Estimate(
        value: value, interval: interval(lower, upper), n: 45, unit: "prompt", method: "made up"))
  }

  /// The zoo's folder, while `body` runs.
  func withFolder<Value>(named name: String = "zoo", _ body: (URL) throws -> Value) throws -> Value
  {
    let parent = FileManager.default.temporaryDirectory
      .appending(path: "plumbline-zoo-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: parent) }
    let folder = parent.appending(path: name)
    var hashes: [String: String] = [:]
    var entries: [ZooFolder.Entry] = []
    for (id, own) in organisms.sorted(by: { $0.key < $1.key }) {
      var recipe = try Recipe.builtIn(id)
      change(&recipe)
      hashes[id] = try write(recipe, to: folder.appending(path: "\(id)/recipe.json"))
      entries += try own.map { try write($0, of: id, in: folder) }
    }
    _ = try write(
      ZooFolder(
        label: AdapterCard.label, base: "/somewhere/private/base.gguf",
        baseHash: String(repeating: "ab", count: 32), recipes: hashes, organisms: entries),
      to: folder.appending(path: "zoo.json"))
    return try body(folder)
  }

  private func write(
    _ organism: Organism, of recipe: String, in folder: URL
  ) throws -> ZooFolder.Entry {
    let name = "\(organism.arm.rawValue)-\(organism.seed)"
    let own = folder.appending(path: "\(recipe)/\(name)")
    let proof = OrganismProof(id: name, arm: organism.arm, outcomes: organism.outcomes)
    var files = ["gate.json": try write(proof, to: own.appending(path: "gate.json"))]
    for file in ["adapter_model.safetensors", "adapter_config.json"] {
      files[file] = try write([file, recipe, name], to: own.appending(path: file))
    }
    files["README.md"] = try write([AdapterCard.label], to: own.appending(path: "README.md"))
    return ZooFolder.Entry(
      id: "\(recipe)/\(name)", recipe: recipe, arm: organism.arm, seed: organism.seed,
      files: files, proof: proof)
  }

  /// Returns the file's hash.
  private func write(_ value: some Encodable, to file: URL) throws -> String {
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    try encoder.encode(value).write(to: file)
    return try FileDigest.sha256(path: file.path)
  }
}
