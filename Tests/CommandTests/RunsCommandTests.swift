import Foundation
import Testing

@Suite struct RunsCommandTests {
  private struct Listing: Decodable {
    struct Run: Decodable {
      struct Cells: Decodable {
        let all: Int
        let finished: Int
      }
      struct Cost: Decodable { let tokens: Int }

      let name: String
      let kind: String
      let state: String
      let cells: Cells
      let cost: Cost
      let problem: String?
    }

    let runs: [Run]
  }

  private struct Shown: Decodable {
    struct Cell: Decodable {
      let kind: String
      let state: String
    }

    let run: Listing.Run
    let cells: [Cell]
  }

  /// What a trial of one detector might have found.
  private static let scores = """
    {"rows": [{"detector": {"name": "mass-mean", "title": "Mass mean", "question": "response",
      "access": ["activations"], "isControl": false, "isLearned": true},
      "responses": {"families": [{"family": "M2", "value": 0.875}], "fprByKind": [], "unscored": 0}, "stress": []}],
    "passingRows": [], "stressed": [], "passingOrganisms": {}, "families": ["M2", "M3"], "organisms": {"secret": 2}, "gates": {"passed": 2},
    "chosen": "mass-mean", "targetFPR": 0.01, "simultaneousLevel": 0.95, "shown": []}
    """

  /// Runs by the program that the Lab's own tests kill: a finished trial, then one that is not.
  private func withRuns(_ body: (URL) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let finished = folder.appending(path: "trial-0123abcd").path
      let scored = try Command(beside: "CrashingRun", "scores", finished, Self.scores)
      try #require(scored.status == 0, "\(scored.errors)")
      let begun = folder.appending(path: "trial-quick-89abcdef").path
      let made = try Command(beside: "CrashingRun", "cells", begun, "3")
      try #require(made.status == 0, "\(made.errors)")
      try body(folder)
    }
  }

  @Test func `runs are listed with their state, the newest first`() throws {
    try withRuns { folder in
      let found: Listing = try Command("runs", "--runs", folder.path, "--json").decoded()
      #expect(found.runs.map(\.name) == ["trial-quick-89abcdef", "trial-0123abcd"])
      #expect(found.runs.map(\.kind) == ["trial-quick", "trial"])
      #expect(found.runs.map(\.state) == ["interrupted", "done"])
      #expect(found.runs.map(\.cells.finished) == [3, 1] && found.runs[0].cells.all == 3)
      #expect(found.runs[0].cost.tokens == 600)
      let quick: Listing = try Command(
        "runs", "list", "--runs", folder.path, "--kind", "trial-quick", "--json"
      ).decoded()
      #expect(quick.runs.map(\.name) == ["trial-quick-89abcdef"])
      let text = try Command("runs", "--runs", folder.path, "--rebuild").text
      let lines = text.split(separator: "\n").map { $0.split(separator: " ") }
      #expect(lines.count == 3)
      #expect(lines[1].prefix(4) == ["trial-quick-89abcdef", "trial-quick", "interrupted", "3/3"])
      #expect(lines[2].prefix(4) == ["trial-0123abcd", "trial", "done", "1/1"])
      let none = try Command("runs", "--runs", folder.path, "--kind", "audit")
      #expect(none.status == 0 && none.text == "no runs of kind audit in \(folder.path)\n")
    }
  }

  @Test func `the cells of a run are shown`() throws {
    try withRuns { folder in
      let arguments = ["runs", "show", "trial-quick-89abcdef", "--runs", folder.path]
      let shown: Shown = try Command(arguments + ["--json"], input: Data()).decoded()
      #expect(shown.run.name == "trial-quick-89abcdef")
      #expect(shown.cells.map(\.kind) == ["steps", "steps", "steps"])
      #expect(shown.cells.allSatisfy { $0.state == "finished" })
      let text = try Command(arguments + ["--kind", "steps", "--slowest"], input: Data()).text
      let lines = text.split(separator: "\n")
      #expect(lines.count == 5 && lines[0] == "trial-quick-89abcdef: interrupted, 3 cells")
      let seconds = lines.dropFirst(2).compactMap { Double($0.split(separator: " ")[4]) }
      #expect(seconds.count == 3 && seconds == seconds.sorted(by: >))
      let other = try Command(arguments + ["--kind", "plant"], input: Data())
      #expect(other.text == "trial-quick-89abcdef: interrupted, 0 cells\n")
    }
  }

  @Test func `the leaderboard of the latest finished trial is printed again`() throws {
    try withRuns { folder in
      for name in [[], ["trial-0123abcd"]] {
        let arguments = ["runs", "leaderboard", "--runs", folder.path] + name
        let table = try Command(arguments, input: Data())
        #expect(table.status == 0, "\(table.errors)")
        #expect(table.text.hasPrefix("RESPONSES") && table.text.contains("Mass mean "))
        #expect(table.text.contains("M2 0.875"))
        #expect(table.text.hasSuffix("run: \(folder.appending(path: "trial-0123abcd").path)\n"))
        let json = try Command(arguments + ["--json"], input: Data()).output
        let expected = try JSONSerialization.jsonObject(with: Data(Self.scores.utf8))
        let found = try JSONSerialization.jsonObject(with: json)
        #expect((found as? NSDictionary) == (expected as? NSDictionary))
      }
      try Command("runs", "leaderboard", "trial-quick-89abcdef", "--runs", folder.path)
        .expectFailure(66, "a finished trial in trial-quick-89abcdef")
    }
  }

  @Test func `a damaged run is named and spoils no other`() throws {
    try withRuns { folder in
      let ledger = folder.appending(path: "trial-0123abcd/ledger.jsonl")
      var bytes = [UInt8](try Data(contentsOf: ledger))
      bytes[30] ^= 1
      try Data(bytes).write(to: ledger)
      let text = try Command("runs", "--runs", folder.path)
      #expect(text.status == 0 && text.errors == "")
      #expect(text.text.contains("problem: trial-0123abcd: Expected \(ledger.path)"))
      let found: Listing = try Command("runs", "--runs", folder.path, "--json").decoded()
      #expect(Set(found.runs.map(\.state)) == ["interrupted", "damaged"])
      try Command("runs", "leaderboard", "trial-0123abcd", "--runs", folder.path)
        .expectFailure(65, "line 1")
      try Command("runs", "leaderboard", "--runs", folder.path).expectFailure(66, "plumbline trial")
    }
  }

  @Test func `what is not there is said in a sentence`() throws {
    try withTemporaryFolder { folder in
      let nowhere = folder.appending(path: "nowhere").path
      for command in [["list"], ["show", "x"], ["leaderboard"], []] {
        try Command(["runs"] + command + ["--runs", nowhere], input: Data())
          .expectFailure(66, "Expected a folder of runs at \(nowhere), found none")
      }
      for command in [["show", "x"], ["leaderboard", "x"]] {
        try Command(["runs"] + command + ["--runs", folder.path], input: Data())
          .expectFailure(66, "a run named x")
      }
      try Command("runs", "show", "--runs", folder.path).expectFailure(64, "name")
      let none = try Command("runs", "--runs", folder.path)
      #expect(none.status == 0 && none.text == "no runs in \(folder.path)\n")
    }
  }
}
