import Foundation
import Lab
import Testing

@Suite struct SealingTests {
  private let arms = ["amber": "secret", "birch": "honest"]
  private let detectors = ["asking", "probe"]

  @Test func `arms stay sealed until every declared detector has answered`() async throws {
    try await withTemporaryFolder { folder in
      let run = try openRun(folder)
      try run.seal(arms, lineUp: "trio", detectors: detectors)
      #expect(throws: LabError.scoresMissing(lineUp: "trio", detectors: detectors)) {
        try run.unseal([String: String].self, lineUp: "trio")
      }
      let scores = try await run.perform(Squaring(), .init(number: 1))
      try run.commitScores(scores, detector: "asking", lineUp: "trio")
      #expect(throws: LabError.scoresMissing(lineUp: "trio", detectors: ["probe"])) {
        try run.unseal([String: String].self, lineUp: "trio")
      }
      #expect(try !text(of: folder.appending(path: "ledger.jsonl")).contains("amber"))
      try run.withdraw(detector: "probe", lineUp: "trio", because: "out of memory")
      #expect(try run.unseal([String: String].self, lineUp: "trio") == arms)
      #expect(try Ledger.verify(folder).openedLineUps == 1)
    }
  }

  @Test func `a monitor that training touched is refused, under any name`() async throws {
    try await withTemporaryFolder { folder in
      let run = try openRun(folder)
      let (probe, other) = (["direction": [0.5, -1]], ["direction": [0.5, 1]])
      try run.requireHeldOut(probe)
      try run.seal(arms, lineUp: "trio", detectors: detectors)
      let scores = try await run.perform(Squaring(), .init(number: 1))
      try run.revoke(probe, name: "probe", touch: .training, because: "a penalty of 0.1")
      try run.revoke(probe, name: "probe", touch: .training, because: "a penalty of 0.1")
      let refused = LabError.revoked(
        monitor: "probe", touch: "training", reason: "a penalty of 0.1")
      #expect(throws: refused) { try run.requireHeldOut(probe) }
      #expect(throws: refused) {
        try run.commitScores(scores, detector: "probe", lineUp: "trio")
      }
      try run.requireHeldOut(other)
      try run.commitScores(scores, detector: "asking", lineUp: "trio")
      #expect(try Ledger.entries(in: folder).count { $0.type == .monitorRevoked } == 1)
      #expect(try Ledger.verify(folder).isSound)
    }
    // Who takes the run up again knows it too.
    try await withTemporaryFolder { folder in
      let probe = ["direction": [2.0]]
      do {
        let run = try openRun(folder)
        try run.revoke(probe, name: "chosen", touch: .selection, because: "the best of ten")
      }
      let again = try openRun(folder)
      #expect(throws: LabError.self) { try again.requireHeldOut(probe) }
    }
  }

  @Test func `no scores are taken before sealing or after opening`() async throws {
    try await withTemporaryFolder { folder in
      let run = try openRun(folder)
      let early = try await run.perform(Squaring(), .init(number: 1))
      #expect(throws: LabError.self) {
        try run.commitScores(early, detector: "asking", lineUp: "trio")
      }
      try run.seal(arms, lineUp: "trio", detectors: ["asking"])
      let before = #expect(throws: LabError.self) {
        try run.commitScores(early, detector: "asking", lineUp: "trio")
      }
      #expect("\(String(describing: before))".contains("before the arms were sealed"))
      let scores = try await run.perform(Squaring(), .init(number: 2))
      #expect(throws: LabError.self) {
        try run.commitScores(scores, detector: "stranger", lineUp: "trio")
      }
      try run.commitScores(scores, detector: "asking", lineUp: "trio")
      let second = try await run.perform(Squaring(), .init(number: 3))
      #expect(throws: LabError.self) {
        try run.commitScores(second, detector: "asking", lineUp: "trio")
      }
      _ = try run.unseal([String: String].self, lineUp: "trio")
      #expect(throws: LabError.self) {
        try run.withdraw(detector: "asking", lineUp: "trio", because: "regret")
      }
      // None of the refused attempts reached the ledger.
      #expect(try Ledger.verify(folder).isSound)
      #expect(try Ledger.entries(in: folder).filter { $0.type == .scoresCommitted }.count == 1)
    }
  }

  @Test func `a resumed run seals, commits and opens the same again without new records`()
    async throws
  {
    try await withTemporaryFolder { folder in
      var draws = 0
      for _ in 1...3 {
        let run = try openRun(folder)
        let kept = try run.seal(lineUp: "trio", detectors: ["asking"]) {
          draws += 1
          return arms
        }
        #expect(kept == arms)
        let scores = try await run.perform(Squaring(), .init(number: 2))
        try run.commitScores(scores, detector: "asking", lineUp: "trio")
        #expect(try run.unseal([String: String].self, lineUp: "trio") == arms)
      }
      #expect(draws == 1)
      let types = try Ledger.entries(in: folder).map(\.type)
      for type in [EntryType.sealed, .scoresCommitted, .unsealed] {
        #expect(types.filter { $0 == type }.count == 1)
      }
      // Reading the arms back is allowed to their keeper, and leaves a trace each time.
      #expect(types.filter { $0 == .sealReread }.count == 2)
      #expect(throws: LabError.self) {
        try openRun(folder).seal(["amber": "honest"], lineUp: "trio", detectors: ["asking"])
      }
      #expect(throws: LabError.self) {
        try openRun(folder).seal(arms, lineUp: "trio", detectors: ["probe"])
      }
    }
  }

  @Test func `the sealed file is for its owner, and changing it is detected`() async throws {
    try await withTemporaryFolder { folder in
      let run = try openRun(folder)
      try run.seal(arms, lineUp: "trio", detectors: ["asking"])
      let file = folder.appending(path: "sealed/trio.json")
      let mode = try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions]
      #expect(mode as? Int == 0o600)
      let swapped = try text(of: file)
        .replacingOccurrences(of: "\"secret\"", with: "\"honest\"")
      try Data(swapped.utf8).write(to: file)
      #expect(try Ledger.verify(folder).problems.map(\.file) == [file.path])
      try run.withdraw(detector: "asking", lineUp: "trio", because: "test")
      #expect(throws: LabError.self) { try run.unseal([String: String].self, lineUp: "trio") }
      #expect(try !Ledger.entries(in: folder).contains { $0.type == .unsealed })
      try FileManager.default.removeItem(at: file)
      #expect(throws: LabError.self) { try run.unseal([String: String].self, lineUp: "trio") }
    }
  }

  @Test func `equal arms have different commitments`() async throws {
    try await withTemporaryFolder { folder in
      let run = try openRun(folder)
      try run.seal(arms, lineUp: "one", detectors: ["asking"])
      try run.seal(arms, lineUp: "two", detectors: ["asking"])
      let commitments = try Ledger.entries(in: folder)
        .compactMap { $0.payload["commitment"]?.string }
      #expect(Set(commitments).count == 2)
    }
  }

  @Test(arguments: ["", "../escape", "a b", String(repeating: "x", count: 65)])
  func `a line-up's name is plain, for it becomes a file's`(name: String) async throws {
    try await withTemporaryFolder { folder in
      #expect(throws: LabError.self) {
        try openRun(folder).seal(arms, lineUp: name, detectors: ["asking"])
      }
    }
  }
}
