import Foundation
import Lab
import Testing

/// Another process that works on a run, to be killed for real.
private final class OtherProcess {
  let process = Process()
  let errors = Pipe()
  let output = Pipe()

  /// The program lies beside the tests' own bundle.
  static var program: URL {
    URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
      .appending(path: "CrashingRun")
  }

  init(_ arguments: String...) throws {
    process.executableURL = Self.program
    process.arguments = arguments
    process.standardError = errors
    process.standardOutput = output
    try process.run()
  }

  /// Waits for the first line on standard output.
  func waitUntilReady() -> Bool {
    !output.fileHandleForReading.availableData.isEmpty
  }

  func kill() {
    Foundation.kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  /// Waits for its end and returns what it said about errors.
  func finish() throws -> String {
    let message = try errors.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return String(decoding: message, as: UTF8.self)
  }
}

@Suite(.serialized) struct CrashTests {
  @Test func `a run killed again and again finishes without doing work twice`() async throws {
    try await withTemporaryFolder { folder in
      let run = folder.appending(path: "run")
      var kills = 0
      var isDone = false
      // Each process takes at least seven more steps, and dies at another moment after them.
      for attempt in 0..<60 where !isDone {
        let other = try OtherProcess(
          "cells", run.path, "12", "\(7 + attempt % 14)", "\(attempt * 379 % 6000)")
        #expect(try other.finish() == "")
        isDone = other.process.terminationReason == .exit
        kills += isDone ? 0 : 1
        #expect(try Ledger.verify(run).problems == [])
      }
      #expect(isDone)
      #expect(kills > 5)
      let cells = try Ledger.cells(in: run)
      #expect(cells.count == 12)
      #expect(cells.allSatisfy { $0.state == .finished && $0.cost.seconds > 0 })
      let finished = try Ledger.entries(in: run).filter { $0.type == .cellFinished }
      #expect(finished.count == 12)
      // A kill between a step and its checkpoint repeats that one step and no other.
      let steps = try text(of: folder.appending(path: "steps")).split(separator: "\n")
      #expect(Set(steps).count == 12 * 20)
      #expect(steps.count <= 12 * 20 + kills)
    }
  }

  @Test func `a second process is told who holds the run`() async throws {
    try await withTemporaryFolder { folder in
      let run = folder.appending(path: "run")
      let holder = try OtherProcess("hold", run.path)
      #expect(holder.waitUntilReady())
      let second = try OtherProcess("cells", run.path, "0")
      let message = try second.finish()
      #expect(
        message == "The run in \(run.path) is in use by process "
          + "\(holder.process.processIdentifier): wait until it ends, or choose another run folder.\n"
      )
      #expect(second.process.terminationStatus == 1)
      #expect(try Ledger.verify(run).isSound)
      holder.kill()
      _ = try Run.open(
        folder: run, manifest: ["study": "crashing"], environment: testEnvironment)
    }
  }

  /// A file system of 8 MB needs root; elsewhere these two facts stay untested.
  private static let canMount = getuid() == 0 && mountSmall(at: nil)

  private static func mountSmall(at folder: URL?) -> Bool {
    let target =
      folder
      ?? FileManager.default.temporaryDirectory
      .appending(path: "mount-\(UUID().uuidString)")
    try? FileManager.default.createDirectory(at: target, withIntermediateDirectories: true)
    let isMounted = shell("/bin/mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", target.path)
    if folder == nil {
      if isMounted { _ = shell("/bin/umount", target.path) }
      try? FileManager.default.removeItem(at: target)
    }
    return isMounted
  }

  private static func shell(_ program: String, _ arguments: String...) -> Bool {
    let process = Process()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return false }
    process.waitUntilExit()
    return process.terminationStatus == 0
  }

  private func withSmallDisk(_ body: (URL) async throws -> Void) async throws {
    try await withTemporaryFolder { folder in
      let disk = folder.appending(path: "disk")
      #expect(Self.mountSmall(at: disk))
      do {
        try await body(disk)
      } catch {
        Issue.record(error)
      }
      #expect(Self.shell("/bin/umount", disk.path))
    }
  }

  @Test(.enabled(if: canMount, "mounting a small file system needs root"))
  func `a cell that fills the disk gives one sentence and leaves a sound run`() async throws {
    try await withSmallDisk { disk in
      let run = disk.appending(path: "run")
      let other = try OtherProcess("fill", run.path)
      let message = try other.finish()
      #expect(message.hasPrefix("The disk is full, so "))
      #expect(message.filter { $0 == "\n" }.count == 1)
      #expect(try Ledger.verify(run).problems == [])
      #expect(
        try FileManager.default.contentsOfDirectory(
          atPath: run.appending(path: "cells").path) == [])
    }
  }

  @Test(.enabled(if: canMount, "mounting a small file system needs root"))
  func `a disk full to the last byte stops the ledger between lines`() async throws {
    try await withSmallDisk { disk in
      let folder = disk.appending(path: "run")
      let kind = Squaring()
      do {
        let run = try openRun(folder)
        _ = try await run.perform(kind, .init(number: 1))
        let ballast = disk.appending(path: "ballast")
        _ = FileManager.default.createFile(atPath: ballast.path, contents: nil)
        let handle = try FileHandle(forWritingTo: ballast)
        for size in [1 << 16, 1 << 12] {
          while (try? handle.write(contentsOf: Data(count: size))) != nil {}
        }
        try handle.close()
        // The last page of the ledger still has room: fill it, then every further write fails.
        var error: (any Error)?
        for _ in 0..<200 where error == nil {
          do {
            try run.record(EntryType("note"), String(repeating: "x", count: 300))
          } catch let failure {
            error = failure
          }
        }
        #expect(error as? LabError == .diskFull(path: folder.appending(path: "ledger.jsonl").path))
        await #expect(throws: LabError.self) { try await run.perform(kind, .init(number: 2)) }
        let report = try Ledger.verify(folder)
        #expect(report.problems == [] && report.notes == [])
        try FileManager.default.removeItem(at: ballast)
      }
      let run = try openRun(folder)
      _ = try await run.perform(kind, .init(number: 1))
      #expect(kind.runs == 1)
      _ = try await run.perform(kind, .init(number: 2))
      #expect(kind.runs == 2)
      #expect(try Ledger.verify(folder).isSound)
    }
  }
}
