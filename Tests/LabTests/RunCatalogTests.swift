import Foundation
import Lab
import Testing

@Suite struct RunCatalogTests {
  /// Three runs: one with a failed and a finished cell, one with two cells, one without any.
  private func makeRuns(_ folder: URL) async throws {
    let run = try openRun(folder.appending(path: "trial-quick-0123abcd"))
    let kind = Squaring()
    _ = try await run.perform(kind, .init(number: 2))
    kind.failures = 1
    await #expect(throws: PlannedFailure.self) { try await run.perform(kind, .init(number: 3)) }
    let other = try openRun(folder.appending(path: "audit-m1-89abcdef"))
    for number in [4.0, 5] { _ = try await other.perform(kind, .init(number: number)) }
    _ = try openRun(folder.appending(path: "by-hand"))
  }

  private func copyRun(_ name: String, to copy: String, in folder: URL) throws {
    try FileManager.default.copyItem(
      at: folder.appending(path: name), to: folder.appending(path: copy))
  }

  /// All that a catalog can be asked, for comparisons.
  private struct Contents: Equatable {
    var runs: [RunSummary]
    var cells: [[CellSummary]]
    var findings: [JSONValue?]
  }

  private func contents(of folder: URL, ledgersRead: Int? = nil) throws -> Contents {
    try RunCatalog.query(in: folder) { catalog in
      if let ledgersRead { #expect(catalog.ledgersRead == ledgersRead) }
      let runs = try catalog.runs()
      let cells = try runs.map { try catalog.cells(of: $0.name) }
      let findings = try zip(runs, cells).flatMap { run, cells in
        try cells.map { try catalog.finding(of: $0.id, in: run.name, as: JSONValue.self) }
      }
      return Contents(runs: runs, cells: cells, findings: findings)
    }
  }

  private func index(in folder: URL) -> URL { folder.appending(path: ".plumbline.sqlite") }

  @Test func `the catalog says what the run folders say`() async throws {
    try await withTemporaryFolder { folder in
      try await makeRuns(folder)
      try Data("no run".utf8).write(to: folder.appending(path: "notes.txt"))
      let found = try contents(of: folder, ledgersRead: 3)
      #expect(
        Set(found.runs.map(\.name)) == ["trial-quick-0123abcd", "audit-m1-89abcdef", "by-hand"])
      for (run, cells) in zip(found.runs, found.cells) {
        let url = folder.appending(path: run.name)
        let entries = try Ledger.entries(in: url)
        #expect(try cells == Ledger.cells(in: url))
        #expect(run.entries == entries.count && run.hash == entries.last?.hash)
        #expect(run.created == entries.first?.time && run.latest == entries.last?.time)
        #expect(run.cells.all == cells.count && run.problem == nil)
        #expect(run.cells.finished == cells.count { $0.state == .finished })
        #expect(run.cells.failed == cells.count { $0.state == .failed })
        #expect(run.cost.tokens == cells.map(\.cost.tokens).reduce(0, +))
        #expect(abs(run.cost.seconds - cells.map(\.cost.seconds).reduce(0, +)) < 1e-9)
      }
      #expect(found.findings.compactMap { $0?["square"] }.count == 3)
      #expect(found.findings.contains { $0?["square"] == .number("25") })
      #expect(found.runs.map(\.latest) == found.runs.map { $0.latest ?? "" }.sorted(by: >))
      let kinds = found.runs.map(\.kind).sorted()
      #expect(kinds == ["audit-m1", "by-hand", "trial-quick"])
      try RunCatalog.query(in: folder) { catalog in
        let trials = try catalog.runs(kind: "trial")
        #expect(trials.map(\.name) == ["trial-quick-0123abcd"])
        #expect(try catalog.runs(kind: "tri").isEmpty)
        #expect(try catalog.cells(of: "audit-m1-89abcdef", kind: "squaring").count == 2)
        #expect(try catalog.cells(of: "audit-m1-89abcdef", kind: "other").isEmpty)
        #expect(throws: LabError.noSuchRun("audit", folder: folder.path)) {
          try catalog.cells(of: "audit")
        }
      }
    }
  }

  @Test func `a missing, damaged or foreign index is built anew without a word`() async throws {
    try await withTemporaryFolder { folder in
      try await makeRuns(folder)
      let expected = try contents(of: folder, ledgersRead: 3)
      let whole = try Data(contentsOf: index(in: folder))
      // SQLite keeps the number of a layout in bytes 60 to 63.
      var otherLayout = whole
      otherLayout[63] = 99
      var scribbled = whole
      for position in stride(from: 4096, to: whole.count, by: 3) { scribbled[position] ^= 0x5A }
      let damages: [Data?] = [
        nil, Data(), Data("no database at all".utf8), whole.prefix(5000), otherLayout, scribbled,
      ]
      for (number, damage) in damages.enumerated() {
        try FileManager.default.removeItem(at: index(in: folder))
        try damage?.write(to: index(in: folder))
        #expect(try contents(of: folder, ledgersRead: 3) == expected, "damage \(number)")
        #expect(try contents(of: folder, ledgersRead: 0) == expected, "damage \(number)")
      }
      try RunCatalog.query(in: folder, rebuilding: true) { #expect($0.ledgersRead == 3) }
      let mode = try FileManager.default.attributesOfItem(atPath: index(in: folder).path)
      #expect(mode[.posixPermissions] as? Int == 0o600)
    }
  }

  @Test func `thousands of cells are answered without reading a ledger`() async throws {
    try await withTemporaryFolder { folder in
      let first = folder.appending(path: "trial-00000000")
      let cell = Scripted { _ in "found" }
      do {
        let run = try openRun(first)
        for number in 0..<100 { _ = try await run.perform(cell, .init(name: "\(number)")) }
      }
      for number in 1..<40 {
        try copyRun("trial-00000000", to: "trial-\(10_000_000 + number)", in: folder)
      }
      let found = try contents(of: folder, ledgersRead: 40)
      #expect(found.cells.map(\.count) == Array(repeating: 100, count: 40))
      #expect(found.findings.allSatisfy { $0?["text"] == .string("found") })
      let again = try contents(of: folder, ledgersRead: 0)
      #expect(again == found)
      _ = try await openRun(first).perform(cell, .init(name: "one more"))
      let grown = try contents(of: folder, ledgersRead: 1)
      #expect(grown.runs.first?.name == "trial-00000000" && grown.cells.first?.count == 101)
      #expect(grown.runs.dropFirst().allSatisfy { $0.cells.all == 100 })
    }
  }

  @Test func `a growing run is brought up to date and not counted twice`() async throws {
    try await withTemporaryFolder { folder in
      let run = try openRun(folder.appending(path: "zoo-0123abcd"))
      let kind = Squaring()
      kind.failures = 1
      await #expect(throws: PlannedFailure.self) { try await run.perform(kind, .init(number: 1)) }
      #expect(try contents(of: folder, ledgersRead: 1).cells[0].map(\.state) == [.failed])
      for number in 1...3 {
        _ = try await run.perform(kind, .init(number: Double(number)))
        let found = try contents(of: folder, ledgersRead: 1)
        #expect(try found.cells[0] == Ledger.cells(in: run.folder.url))
        #expect(found.cells[0].count == number && found.cells[0][0].attempts == 2)
        #expect(found.runs[0].cells.failed == 0 && found.runs[0].cells.finished == number)
      }
      withExtendedLifetime(run) {}
    }
  }

  @Test func `a damaged ledger is listed with its problem and spoils no other`() async throws {
    try await withTemporaryFolder { folder in
      try await makeRuns(folder)
      try damageAndMend("audit-m1-89abcdef", in: folder)
    }
  }

  private func damageAndMend(_ name: String, in folder: URL) throws {
    func found(ledgersRead: Int) throws -> (run: RunSummary?, others: [RunSummary]) {
      let runs = try contents(of: folder, ledgersRead: ledgersRead).runs
      return (runs.first { $0.name == name }, runs.filter { $0.name != name })
    }
    let whole = try found(ledgersRead: 3)
    let ledger = folder.appending(path: "\(name)/ledger.jsonl")
    let bytes = try Data(contentsOf: ledger)
    let lastLine = try #require(bytes.dropLast().lastIndex(of: 10)) + 1
    try flip(ledger, at: lastLine + 30)
    let damaged = try found(ledgersRead: 1)
    #expect(damaged.run?.state == .damaged)
    #expect(damaged.run?.entries == 4 && damaged.run?.cells.finished == 1)
    #expect(damaged.run?.problem?.contains("line 5") == true, "\(damaged.run?.problem ?? "")")
    #expect(damaged.others == whole.others && damaged.others.count == 2)
    // What is known to be damaged need not be read again; mended, it is.
    #expect(try found(ledgersRead: 0) == damaged)
    try bytes.write(to: ledger)
    #expect(try found(ledgersRead: 1) == whole)
    // Damage where everything was read already.
    try flip(ledger, at: 40)
    let start = try found(ledgersRead: 1).run
    #expect(start?.problem?.contains("line 1") == true && start?.cells.all == 0)
    try FileManager.default.removeItem(at: ledger)
    let lost = try found(ledgersRead: 1).run
    #expect(lost?.problem?.contains("missing") == true && lost?.state == .damaged)
  }

  @Test func `a rewritten ledger replaces what was known of it`() async throws {
    try await withTemporaryFolder { folder in
      try await makeRuns(folder)
      _ = try contents(of: folder)
      let name = "audit-m1-89abcdef"
      let ledger = folder.appending(path: "\(name)/ledger.jsonl")
      let lines = try text(of: ledger).split(separator: "\n")
      #expect(lines.count == 5)
      try Data(lines.prefix(3).map { $0 + "\n" }.joined().utf8).write(to: ledger)
      func cells(ledgersRead: Int) throws -> [CellSummary] {
        try RunCatalog.query(in: folder) {
          #expect($0.ledgersRead == ledgersRead)
          return try $0.cells(of: name)
        }
      }
      #expect(try cells(ledgersRead: 1).map(\.state) == [.finished])
      // Another run in its place, with more entries.
      try FileManager.default.removeItem(at: folder.appending(path: name))
      let kind = Squaring()
      var run: Run? = try openRun(folder.appending(path: name))
      for number in 6...8 { _ = try await run?.perform(kind, .init(number: Double(number))) }
      run = nil
      #expect(try cells(ledgersRead: 1) == Ledger.cells(in: folder.appending(path: name)))
      #expect(try cells(ledgersRead: 0).count == 3)
    }
  }

  @Test func `a removed run disappears with its cells and findings`() async throws {
    try await withTemporaryFolder { folder in
      try await makeRuns(folder)
      let cell = try #require(
        try Ledger.cells(in: folder.appending(path: "audit-m1-89abcdef")).first)
      _ = try contents(of: folder)
      try FileManager.default.removeItem(at: folder.appending(path: "audit-m1-89abcdef"))
      let left = try contents(of: folder, ledgersRead: 0)
      #expect(Set(left.runs.map(\.name)) == ["trial-quick-0123abcd", "by-hand"])
      try RunCatalog.query(in: folder) { catalog in
        #expect(try catalog.finding(of: cell.id, in: cell.kind, as: JSONValue.self) == nil)
        let latest = try catalog.latest(kind: "squaring")
        #expect(latest?.run == "trial-quick-0123abcd")
      }
    }
  }

  @Test func `a folder in which no index can be kept answers all the same`() async throws {
    try await withTemporaryFolder { folder in
      try await makeRuns(folder)
      let expected = try contents(of: folder)
      // Even root cannot write to a folder as if it were a file.
      let lock = folder.appending(path: ".plumbline.lock")
      try FileManager.default.removeItem(at: lock)
      try FileManager.default.createDirectory(at: lock, withIntermediateDirectories: false)
      #expect(try contents(of: folder, ledgersRead: 3) == expected)
      #expect(try contents(of: folder, ledgersRead: 3) == expected)
      try FileManager.default.removeItem(at: lock)
      try FileManager.default.removeItem(at: index(in: folder))
      let inner = index(in: folder).appending(path: "kept")
      try FileManager.default.createDirectory(at: inner, withIntermediateDirectories: true)
      #expect(try contents(of: folder, ledgersRead: 3) == expected)
      #expect(FileManager.default.fileExists(atPath: inner.path))
    }
  }

  @Test func `states tell what a process holds, was killed in, and came to its end`() async throws {
    try await withTemporaryFolder { folder in
      func state(_ name: String, ending: String? = nil) throws -> RunSummary.State {
        try RunCatalog.query(in: folder, endings: ending.map { ["trial": $0] } ?? [:]) {
          try $0.run(named: name).state
        }
      }
      try await makeRuns(folder)
      #expect(try state("by-hand") == .interrupted)
      #expect(try state("audit-m1-89abcdef") == .done)
      #expect(try state("trial-quick-0123abcd") == .failed)
      #expect(try state("trial-quick-0123abcd", ending: "squaring") == .done)
      #expect(try state("audit-m1-89abcdef", ending: "squaring") == .done)
      let run = try openRun(folder.appending(path: "trial-00000001"))
      _ = try await run.perform(Squaring(), .init(number: 1))
      #expect(try state("trial-00000001") == .running)
      // What a kill in the middle of a cell leaves: its first entry and no end.
      let ledger = folder.appending(path: "trial-00000001/ledger.jsonl")
      try copyRun("trial-00000001", to: "trial-00000002", in: folder)
      #expect(try state("trial-00000002") == .done)
      #expect(try state("trial-00000002", ending: "scripted") == .interrupted)
      let lines = try text(of: ledger).split(separator: "\n")
      try Data(lines.prefix(2).map { $0 + "\n" }.joined().utf8)
        .write(to: folder.appending(path: "trial-00000002/ledger.jsonl"))
      #expect(try state("trial-00000002") == .interrupted)
      withExtendedLifetime(run) {}
    }
  }

  @Test func `the latest finding is told, and a large one is read from its file`() async throws {
    try await withTemporaryFolder { folder in
      let name = "trial-00000001"
      let long = String(repeating: "long ", count: 80_000)
      var run: Run? = try openRun(folder.appending(path: name))
      _ = try await run?.perform(Scripted { _ in "short" }, .init(name: "a"))
      let last = try #require(try await run?.perform(Scripted { _ in long }, .init(name: "b")))
      run = nil
      func read() throws -> Scripted.Finding? {
        try RunCatalog.query(in: folder) { catalog in
          let latest = try #require(try catalog.latest(kind: "scripted"))
          #expect(latest.run == name && latest.cell == last.id)
          #expect(try catalog.latest(kind: "scripted", in: "other") == nil)
          #expect(try catalog.latest(kind: "squaring") == nil)
          return try catalog.finding(of: latest.cell, in: latest.run)
        }
      }
      #expect(try read()?.text == long)
      let size = try Data(contentsOf: index(in: folder)).count
      #expect(size < 200_000)
      let file = last.artifacts.deletingLastPathComponent().appending(path: "finding.json")
      try Data("{}".utf8).write(to: file)
      #expect(throws: LabError.damagedCell(last.id, file: file.path, found: "other contents")) {
        try read()
      }
    }
  }

  @Test func `several who ask at once get the same answer`() async throws {
    try await withTemporaryFolder { folder in
      try await makeRuns(folder)
      try Data("no database at all".utf8).write(to: index(in: folder))
      let answers = try await withThrowingTaskGroup(of: [RunSummary].self) { group in
        for _ in 0..<6 {
          group.addTask { try RunCatalog.query(in: folder) { try $0.runs() } }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(Set(answers.map { $0.map(\.name) }).count == 1)
      #expect(answers.allSatisfy { $0 == answers[0] && $0.count == 3 })
      _ = try contents(of: folder, ledgersRead: 0)
    }
  }

  @Test func `a folder that is not there is said to be`() async throws {
    try await withTemporaryFolder { folder in
      let nowhere = folder.appending(path: "nowhere")
      #expect(throws: LabError.noRuns(folder: nowhere.path)) {
        try RunCatalog.query(in: nowhere) { try $0.runs() }
      }
      let empty = try contents(of: folder)
      #expect(empty.runs.isEmpty)
    }
  }
}
