import Foundation
import Lab
import Testing

@Suite struct RunTests {
  @Test func `a finished cell is read back and not run again`() async throws {
    try await withTemporaryFolder { folder in
      let kind = Squaring()
      let first = try await openRun(folder).perform(kind, .init(number: 1.5))
      let second = try await openRun(folder).perform(kind, .init(number: 1.5))
      #expect(kind.runs == 1)
      #expect(!first.wasCached && second.wasCached)
      #expect(first.finding == second.finding)
      #expect(first.finding.square == 2.25)
      #expect(second.cost.tokens == 7 && second.cost == first.cost)
      let artifact = second.artifacts.appending(path: "nested/number.txt")
      #expect(try text(of: artifact) == "1.5")
      _ = try await openRun(folder).perform(kind, .init(number: 2))
      #expect(kind.runs == 2)
    }
  }

  @Test func `the same cell leaves the same bytes in two runs`() async throws {
    try await withTemporaryFolder { folder in
      var bytes: [Data] = []
      for name in ["a", "b"] {
        let result = try await openRun(folder.appending(path: name))
          .perform(Squaring(), .init(number: 0.1))
        let cell = result.artifacts.deletingLastPathComponent()
        bytes.append(try Data(contentsOf: cell.appending(path: "finding.json")))
        bytes.append(try Data(contentsOf: cell.appending(path: "cell.json")))
      }
      #expect(bytes[0] == bytes[2])
      #expect(bytes[1] == bytes[3])
    }
  }

  @Test func `a failed cell is recorded and tried again with its checkpoints`() async throws {
    try await withTemporaryFolder { folder in
      let run = try openRun(folder)
      await #expect(throws: PlannedFailure.self) {
        _ = try await run.perform(
          Scripted { context in
            try Data("step 3".utf8).write(to: context.scratch.appending(path: "checkpoint"))
            try Data("half".utf8).write(to: context.artifacts.appending(path: "left-over"))
            context.spend(tokens: 5)
            throw PlannedFailure()
          }, .init())
      }
      let failed = try Ledger.cells(in: folder)
      #expect(failed.map(\.state) == [.failed])
      #expect(failed[0].reason == "PlannedFailure()")
      let result = try await run.perform(
        Scripted { context in
          context.spend(tokens: 2)
          #expect(try FileManager.default.contentsOfDirectory(atPath: context.artifacts.path) == [])
          return try text(of: context.scratch.appending(path: "checkpoint"))
        }, .init())
      #expect(result.finding.text == "step 3")
      #expect(result.cost.tokens == 7)
      let cells = try Ledger.cells(in: folder)
      #expect(cells.map(\.state) == [.finished])
      #expect(cells[0].attempts == 2)
      #expect(try Ledger.verify(folder).isSound)
      let left = try FileManager.default.contentsOfDirectory(
        atPath: folder.appending(path: "work").path)
      #expect(left == [])
    }
  }

  @Test func `results and artifacts are inputs of other cells`() async throws {
    try await withTemporaryFolder { folder in
      let run = try openRun(folder)
      let first = try await run.perform(Squaring(), .init(number: 4))
      let reader = Scripted { context in
        let whole = try context.input(named: "whole").appending(path: "nested/number.txt")
        return try text(of: whole) + text(of: context.input(named: "part"))
      }
      let second = try await run.perform(
        reader, .init(),
        inputs: ["whole": .result(first), "part": .artifact("nested/number.txt", of: first)])
      #expect(second.finding.text == "4.04.0")
      await #expect(throws: LabError.noSuchInput(name: "part", given: ["whole"])) {
        _ = try await run.perform(reader, .init(), inputs: ["whole": .result(first)])
      }
      #expect(throws: LabError.self) { try CellInput.artifact("nothing", of: first) }
    }
  }

  @Test func `a run belongs to one study and one process`() async throws {
    try await withTemporaryFolder { folder in
      let run = try openRun(folder)
      #expect(throws: LabError.runIsInUse(folder: folder.path, process: getpid())) {
        try openRun(folder)
      }
      withExtendedLifetime(run) {}
    }
    try await withTemporaryFolder { folder in
      _ = try openRun(folder, manifest: "one")
      #expect(throws: LabError.otherStudy(folder: folder.path)) {
        try openRun(folder, manifest: "two")
      }
    }
    try await withTemporaryFolder { folder in
      try Data("mine".utf8).write(to: folder.appending(path: "notes.txt"))
      #expect(throws: LabError.notARun(folder: folder.path)) { try openRun(folder) }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["notes.txt"])
    }
  }

  @Test(arguments: ["finding.json", "cell.json", "artifacts/nested/number.txt"])
  func `damage to a finished cell names the file`(file: String) async throws {
    try await withTemporaryFolder { folder in
      let result = try await openRun(folder).perform(Squaring(), .init(number: 5))
      let path = result.artifacts.deletingLastPathComponent().appending(path: file)
      try flip(path, at: 0)
      let expected = LabError.damagedCell(result.id, file: path.path, found: "other contents")
      await #expect(throws: expected) {
        _ = try await openRun(folder).perform(Squaring(), .init(number: 5))
      }
      let report = try Ledger.verify(folder)
      #expect(report.problems.map(\.file) == [path.path])
      try FileManager.default.removeItem(at: path)
      await #expect(
        throws: LabError.damagedCell(result.id, file: path.path, found: "no such file")
      ) {
        _ = try await openRun(folder).perform(Squaring(), .init(number: 5))
      }
    }
  }

  @Test func `a file that the ledger does not know is found`() async throws {
    try await withTemporaryFolder { folder in
      let result = try await openRun(folder).perform(Squaring(), .init(number: 5))
      try Data("x".utf8).write(to: result.artifacts.appending(path: "planted"))
      #expect(try Ledger.verify(folder).problems.count == 1)
      try FileManager.default.removeItem(at: result.artifacts.appending(path: "planted"))
      #expect(try Ledger.verify(folder).isSound)
      let stray = folder.appending(path: "cells/\(String(repeating: "a", count: 64))")
      try FileManager.default.createDirectory(at: stray, withIntermediateDirectories: true)
      #expect(try Ledger.verify(folder).problems.map(\.file) == [stray.path])
    }
  }

  @Test func `a kill between the entry and the renaming is settled`() async throws {
    try await withTemporaryFolder { folder in
      let kind = Squaring()
      let id = try await openRun(folder).perform(kind, .init(number: 6)).id
      let work = folder.appending(path: "work/\(id.hex)")
      try FileManager.default.createDirectory(at: work, withIntermediateDirectories: true)
      try FileManager.default.moveItem(
        at: folder.appending(path: "cells/\(id.hex)"), to: work.appending(path: "staging"))
      #expect(try Ledger.verify(folder).isSound)
      let result = try await openRun(folder).perform(kind, .init(number: 6))
      #expect(result.wasCached && kind.runs == 1)
      #expect(!FileManager.default.fileExists(atPath: work.path))
    }
  }

  @Test func `a symbolic link is no artifact`() async throws {
    try await withTemporaryFolder { folder in
      let run = try openRun(folder)
      await #expect(throws: LabError.self) {
        _ = try await run.perform(
          Scripted { context in
            try FileManager.default.createSymbolicLink(
              at: context.artifacts.appending(path: "link"),
              withDestinationURL: URL(filePath: "/etc/hostname"))
            return ""
          }, .init())
      }
      #expect(try Ledger.cells(in: folder).map(\.state) == [.failed])
    }
  }

  @Test func `a drawn seed stays the same for the run`() async throws {
    try await withTemporaryFolder { folder in
      let first = try openRun(folder).drawSeed("specimen-1")
      let run = try openRun(folder)
      #expect(try run.drawSeed("specimen-1") == first)
      #expect(try run.drawSeed("specimen-2") != first)
    }
  }

  @Test func `watchers see what happens, and reports read a run in progress`() async throws {
    try await withTemporaryFolder { folder in
      let log = EventLog()
      let run = try openRun(folder) { log.add($0) }
      let kind = Squaring()
      kind.failures = 1
      await #expect(throws: PlannedFailure.self) { try await run.perform(kind, .init(number: 7)) }
      let result = try await run.perform(kind, .init(number: 7))
      _ = try await run.perform(kind, .init(number: 7))
      #expect(
        log.all == [
          "started", "failed PlannedFailure()", "started", "progress 1/1", "finished", "read back",
        ])
      try run.record(EntryType("prediction"), ["auroc": 0.9])
      #expect(throws: LabError.self) { try run.record(.unsealed, "trick") }

      let record = try RunRecord(folder: folder)
      #expect(record.study == .string("study"))
      #expect(record.entries.last?.payload.canonicalText == #"{"auroc":0.9}"#)
      let read = try record.result(of: result.id, as: Squaring.Finding.self)
      #expect(read?.finding == result.finding)
      #expect(try record.description(of: result.id)?.config["number"] == .number("7"))
      #expect(throws: LabError.self) { try record.result(of: result.id, as: [String].self) }
    }
  }
}
