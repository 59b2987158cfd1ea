import Foundation
import Testing

@Suite struct LedgerCommandTests {
  private struct Verdict: Decodable {
    struct Problem: Decodable {
      let file: String
      let line: Int?
      let byte: Int?
      let message: String
    }

    let sound: Bool
    let entries: Int
    let cells: Int
    let problems: [Problem]
  }

  private struct Contents: Decodable {
    struct Entry: Decodable {
      let seq: Int
      let type: String
      let prev: String
      let hash: String
    }

    struct Cell: Decodable {
      let id: String
      let state: String
    }

    let entries: [Entry]
    let cells: [Cell]
  }

  /// A run of three cells, made by the program that the Lab's own tests kill.
  private func withRun(_ body: (URL) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let run = folder.appending(path: "run")
      let made = try Command(beside: "CrashingRun", "cells", run.path, "3")
      try #require(made.status == 0, "\(made.errors)")
      try body(run)
    }
  }

  @Test func `an untouched run verifies`() throws {
    try withRun { run in
      let verdict: Verdict = try Command("ledger", "verify", run.path, "--json").decoded()
      #expect(verdict.sound && verdict.problems.isEmpty)
      #expect(verdict.cells == 3 && verdict.entries == 7)
      let plain = try Command("ledger", "verify", run.path)
      #expect(plain.text.hasPrefix("7 entries, 3 finished cells") && plain.status == 0)
    }
  }

  @Test func `a tampered byte is found, named, and ends with 65`() throws {
    try withRun { run in
      let file = run.appending(path: "ledger.jsonl")
      var bytes = [UInt8](try Data(contentsOf: file))
      let second = try #require(bytes.firstIndex(of: 10)) + 1
      bytes[second + 30] ^= 1
      try Data(bytes).write(to: file)
      let found = try Command("ledger", "verify", run.path, "--json")
      #expect(found.status == 65)
      let verdict = try JSONDecoder().decode(Verdict.self, from: found.output)
      #expect(!verdict.sound && verdict.entries == 1)
      let problem = try #require(verdict.problems.first)
      #expect(problem.line == 2 && problem.file == file.path)
      #expect(found.errors.hasPrefix("plumbline: error: Expected the run in \(run.path)"))
      let plain = try Command("ledger", "verify", run.path)
      #expect(plain.status == 65 && plain.text.contains("problem: \(file.path):2:"))
      try Command("ledger", "show", run.path).expectFailure(65, "line 2")
    }
  }

  @Test func `a changed artifact is found although the ledger is whole`() throws {
    try withRun { run in
      let cells = run.appending(path: "cells")
      let names = try FileManager.default.contentsOfDirectory(atPath: cells.path)
      let finding = cells.appending(path: try #require(names.first)).appending(path: "finding.json")
      try Data("{}".utf8).write(to: finding)
      let found = try Command("ledger", "verify", run.path)
      #expect(found.status == 65 && found.text.contains(finding.path))
      #expect(try Command("ledger", "show", run.path).status == 0)
    }
  }

  @Test func `show prints the chain and the cells`() throws {
    try withRun { run in
      let contents: Contents = try Command("ledger", "show", run.path, "--json").decoded()
      #expect(contents.entries.map(\.seq) == Array(1...7))
      #expect(contents.entries.first?.type == "run-created")
      for (entry, next) in zip(contents.entries, contents.entries.dropFirst()) {
        #expect(next.prev == entry.hash)
      }
      #expect(contents.cells.count == 3 && contents.cells.allSatisfy { $0.state == "finished" })
      let lines = try Command("ledger", "show", run.path).text.split(separator: "\n")
      #expect(lines.count == 7 && lines[0].hasPrefix("1\t"))
    }
  }

  @Test func `a folder that is no run is refused`() throws {
    try withTemporaryFolder { folder in
      for command in ["verify", "show"] {
        try Command("ledger", command, folder.path).expectFailure(66, folder.path)
        try Command("ledger", command, "/nowhere").expectFailure(66, "/nowhere")
        try Command("ledger", command).expectFailure(64, "run")
      }
    }
  }
}
