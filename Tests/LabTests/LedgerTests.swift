import Foundation
import Lab
import Testing

@Suite struct LedgerTests {
  /// A small run with every part that verification looks at.
  private func makeRun(_ folder: URL) async throws -> CellID {
    let run = try openRun(folder)
    try run.seal(["a": "secret"], lineUp: "trio", detectors: ["asking"])
    let scores = try await run.perform(Squaring(), .init(number: 2))
    try run.commitScores(scores, detector: "asking", lineUp: "trio")
    _ = try run.unseal([String: String].self, lineUp: "trio")
    return scores.id
  }

  @Test func `an untouched run verifies`() async throws {
    try await withTemporaryFolder { folder in
      _ = try await makeRun(folder)
      let report = try Ledger.verify(folder)
      #expect(report.problems == [])
      #expect(report.notes == [])
      #expect(report.entries == 6)
      #expect(report.cells == 1)
      #expect(report.openedLineUps == 1)
    }
  }

  @Test func `every changed byte of a ledger is detected`() async throws {
    try await withTemporaryFolder { folder in
      _ = try await makeRun(folder)
      let file = folder.appending(path: "ledger.jsonl")
      // Without the index, which would notice some changes on its own.
      try FileManager.default.removeItem(at: folder.appending(path: "ledger.sqlite"))
      let bytes = [UInt8](try Data(contentsOf: file))
      var (line, lineStart) = (1, 0)
      for position in bytes.indices {
        var changed = bytes
        changed[position] ^= 1 << UInt8(position % 8)
        try Data(changed).write(to: file)
        let first = try Ledger.verify(folder).problems.first
        #expect(first?.line == line, "byte \(position)")
        #expect((first?.byte ?? -1) >= lineStart, "byte \(position)")
        if bytes[position] == UInt8(ascii: "\n") { (line, lineStart) = (line + 1, position + 1) }
      }
      try Data(bytes).write(to: file)
      #expect(try Ledger.verify(folder).isSound)
    }
  }

  @Test func `a damaged line stops a run, and says where`() async throws {
    try await withTemporaryFolder { folder in
      _ = try await makeRun(folder)
      let file = folder.appending(path: "ledger.jsonl")
      let secondLine = try #require(try Data(contentsOf: file).firstIndex(of: 10)) + 1
      try flip(file, at: secondLine + 20, mask: 4)
      let error = #expect(throws: LabError.self) { try openRun(folder) }
      guard case .damagedLedger(_, let line, let byte, _)? = error else {
        Issue.record("expected a damaged ledger, found \(String(describing: error))")
        return
      }
      #expect(line == 2)
      #expect(byte >= secondLine && byte <= secondLine + 20)
    }
  }

  @Test func `removing, repeating or reordering lines is detected`() async throws {
    try await withTemporaryFolder { folder in
      _ = try await makeRun(folder)
      let file = folder.appending(path: "ledger.jsonl")
      let lines = try text(of: file).split(separator: "\n")
      let edits = [
        Array(lines[1...]), lines.filter { $0 != lines[2] }, lines + [lines[3]],
        [lines[1], lines[0]] + lines[2...], [], lines.dropLast(),
      ]
      for edit in edits {
        try Data(edit.map { $0 + "\n" }.joined().utf8).write(to: file)
        #expect(try !Ledger.verify(folder).isSound)
        #expect(throws: LabError.self) { try openRun(folder) }
      }
    }
  }

  @Test func `a torn last line is set aside, noted, and the run goes on`() async throws {
    try await withTemporaryFolder { folder in
      let id = try await makeRun(folder)
      let file = folder.appending(path: "ledger.jsonl")
      let whole = try Data(contentsOf: file)
      for length in [1, 40, 200] {
        let torn = whole.prefix(length)
        try (try Data(contentsOf: file) + torn).write(to: file)
        let report = try Ledger.verify(folder)
        #expect(report.isSound)
        #expect(report.notes.count == 1)
        let kind = Squaring()
        #expect(try await openRun(folder).perform(kind, .init(number: 2)).id == id)
        #expect(kind.runs == 0)
        let entries = try Ledger.entries(in: folder)
        let note = try #require(entries.last { $0.type == .tornLine })
        #expect(note.payload["bytes"] == .number(String(length)))
        let name = try #require(note.payload["file"]?.string)
        #expect(try Data(contentsOf: folder.appending(path: name)) == torn)
        #expect(try Ledger.verify(folder).isSound)
      }
      #expect(try Ledger.entries(in: folder).filter { $0.type == .tornLine }.count == 3)
    }
  }

  @Test func `the index is rebuilt when missing, behind or damaged`() async throws {
    try await withTemporaryFolder { folder in
      _ = try await makeRun(folder)
      let index = folder.appending(path: "ledger.sqlite")
      let old = try Data(contentsOf: index)
      _ = try await openRun(folder).perform(Squaring(), .init(number: 3))
      let expected = try Ledger.cells(in: folder)
      #expect(expected.count == 2)
      let damages: [Data?] = [nil, old, Data("no database at all".utf8), old.prefix(5000)]
      for damage in damages {
        try FileManager.default.removeItem(at: index)
        try damage?.write(to: index)
        #expect(try Ledger.cells(in: folder) == expected)
        #expect(try Ledger.verify(folder).isSound)
        _ = try openRun(folder)
        #expect(try Ledger.cells(in: folder) == expected)
        #expect(try Data(contentsOf: index).starts(with: Data("SQLite format 3".utf8)))
      }
    }
  }

  @Test func `a ledger that lost entries which its index knows is refused`() async throws {
    try await withTemporaryFolder { folder in
      _ = try await makeRun(folder)
      let file = folder.appending(path: "ledger.jsonl")
      let lines = try text(of: file).split(separator: "\n")
      try Data(lines.prefix(3).map { $0 + "\n" }.joined().utf8).write(to: file)
      let error = #expect(throws: LabError.self) { try openRun(folder) }
      #expect("\(String(describing: error))".contains("6 entries there and 3 here"))
    }
  }

  @Test func `a folder that is no run says so`() async throws {
    try await withTemporaryFolder { folder in
      #expect(throws: LabError.notARun(folder: folder.path)) { try Ledger.verify(folder) }
      #expect(throws: LabError.notARun(folder: folder.path)) { try Ledger.entries(in: folder) }
    }
  }
}
