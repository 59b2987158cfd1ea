import Foundation
import TestSupport
import Testing

/// As small as an audit can be.
private let study: String = {
  let package = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  let file = package.appending(path: "Examples/small-study.yaml")
  return (try? String(contentsOf: file, encoding: .utf8)) ?? ""
}()

private struct Summary: Decodable {
  let run: String
  let report: String
  let outcome: String
  let limits: [String]
}

private struct Verdict: Decodable {
  let sound: Bool
}

@Suite(.serialized) struct AuditCommandTests {
  private func withStudy(_ text: String, _ body: (URL, URL) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let file = folder.appending(path: "study.yaml")
      try Data(text.utf8).write(to: file)
      try body(file, folder)
    }
  }

  @Test func `a study with an unknown key is refused in one sentence`() throws {
    try withStudy(study + "\ncolour: red\n") { file, folder in
      let runs = folder.appending(path: "runs").path
      try Command("audit", "--study", file.path, "--runs", runs).expectFailure(65, "colour")
      #expect(!FileManager.default.fileExists(atPath: runs))
    }
    try Command("audit", "--study", "/nowhere.yaml").expectFailure(66, "/nowhere.yaml")
  }

  @Test func `the default study is printed as it can be read`() throws {
    let text = try Command("audit", "--print-study").text
    #expect(text.contains("threshold_fpr: 0.01"))
  }

  @Test(.enabled(if: hasModel, noModel))
  func `killed while planting, the same command goes on and examines the suspect`() throws {
    // The base itself, which has no secret: a suspect that is a model and no adapter.
    let suspect = try #require(defaultModelPath())
    try withStudy(study) { file, folder in
      let runs = folder.appending(path: "runs")
      let arguments = [
        "audit", "--study", file.path, "--suspect", suspect, "--runs", runs.path, "--json",
      ]
      let run = try killWhilePlanting(arguments, runs: runs)
      let unfinished = try started(run)
      let result = try Command(arguments, input: Data())
      #expect(result.status == 0, "\(result.errors)")
      let summary = try JSONDecoder().decode(Summary.self, from: result.output)
      #expect(summary.outcome == "invalid")
      #expect(summary.limits.contains { $0.contains("hold for that only") })
      let page = String(
        decoding: try Data(contentsOf: URL(filePath: summary.report)), as: UTF8.self)
      #expect(page.contains("suspect") && page.contains("reference A"))
      let verdict: Verdict = try Command("ledger", "verify", summary.run, "--json").decoded()
      #expect(verdict.sound)
      // The base's answers were there, so they were not generated again; what was being planted
      // was begun once more.
      let begun = unfinished.count { $0 == "plant" }
      #expect(begun >= 1)
      #expect(unfinished.count { $0 == "base-answers" } == 4)
      #expect(try started(run).count { $0 == "base-answers" } == 4)
      #expect(try started(run).count { $0 == "plant" } == 4 + begun)
      try expectForeignAdapterRefused(run, folder)
    }
  }

  @Test(.enabled(if: hasModel, noModel))
  func `workers that are killed end the audit at once, in one sentence`() throws {
    try withStudy(study) { file, folder in
      let runs = folder.appending(path: "runs")
      let arguments = ["audit", "--study", file.path, "--runs", runs.path, "--workers", "2"]
      var victims: [Int32] = []
      let errors = Pipe()
      let process = Process()
      process.executableURL = URL(filePath: CommandLine.arguments[0])
        .deletingLastPathComponent().appending(path: "plumbline")
      (process.arguments, process.standardError) = (arguments, errors)
      process.standardOutput = FileHandle.nullDevice
      try process.run()
      for _ in 0..<6000 where victims.isEmpty && process.isRunning {
        usleep(20_000)
        let workers = children(of: process.processIdentifier)
        guard workers.count == 2, let run = names(in: runs).first,
          let kinds = try? started(runs.appending(path: run)), kinds.contains("plant")
        else { continue }
        victims = workers
      }
      #expect(victims.count == 2)
      // One that is between two cells is replaced without a word, and now and then both are.
      for _ in 0..<50 where process.isRunning {
        for victim in children(of: process.processIdentifier) { kill(victim, SIGKILL) }
        usleep(200_000)
      }
      let said = String(
        decoding: try errors.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
      process.waitUntilExit()
      #expect(process.terminationStatus == 70)
      let last = said.split(separator: "\n").last ?? ""
      #expect(last.contains("signal 9") && last.contains("--workers"), "\(last)")
      // Nothing was begun after that.
      let run = runs.appending(path: try #require(names(in: runs).first))
      #expect(try started(run).count { $0 == "plant" } < 5)
      let verdict: Verdict = try Command("ledger", "verify", run.path, "--json").decoded()
      #expect(verdict.sound)
    }
  }

  private func names(in folder: URL) -> [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
  }

  /// Kills the command with SIGKILL once an arm is being trained, and returns the run's folder.
  private func killWhilePlanting(_ arguments: [String], runs: URL) throws -> URL {
    let process = Process()
    process.executableURL = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
      .appending(path: "plumbline")
    process.arguments = arguments
    process.standardError = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    defer {
      let workers = children(of: process.processIdentifier)
      #expect(!workers.isEmpty)
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
      expectGone(workers)
    }
    for _ in 0..<6000 {
      usleep(20_000)
      let names = (try? FileManager.default.contentsOfDirectory(atPath: runs.path)) ?? []
      guard let name = names.first else { continue }
      let run = runs.appending(path: name)
      if let kinds = try? started(run), kinds.contains("plant") { return run }
      try #require(process.isRunning)
    }
    throw CocoaError(.fileReadUnknown)
  }

  private func children(of parent: Int32) -> [Int32] {
    // A child is listed under the thread that started it.
    let tasks = URL(filePath: "/proc/\(parent)/task")
    return names(in: tasks).flatMap { task in
      let list = tasks.appending(path: "\(task)/children").path
      let text = (try? String(contentsOfFile: list, encoding: .utf8)) ?? ""
      return text.split(separator: " ").compactMap { Int32($0.filter(\.isNumber)) }
    }
  }

  /// Workers whose audit was killed end by themselves, and soon.
  private func expectGone(_ workers: [Int32]) {
    for _ in 0..<200 {
      if workers.allSatisfy({ kill($0, 0) != 0 }) { return }
      usleep(10_000)
    }
    Issue.record("workers live on: \(workers)")
  }

  /// The kinds of cells that were started, in order, from the ledger's whole lines.
  private func started(_ run: URL) throws -> [String] {
    let text = String(
      decoding: try Data(contentsOf: run.appending(path: "ledger.jsonl")), as: UTF8.self)
    return text.split(separator: "\n").compactMap { line in
      guard line.contains("\"cell-started\"") else { return nil }
      return line.firstMatch(of: /"kind":"([a-z-]+)"/).map { String($0.1) }
    }
  }

  private func expectForeignAdapterRefused(_ run: URL, _ folder: URL) throws {
    let cells = run.appending(path: "cells")
    let adapter = try #require(
      try FileManager.default.contentsOfDirectory(atPath: cells.path)
        .map { cells.appending(path: "\($0)/artifacts/adapter") }
        .first { FileManager.default.fileExists(atPath: $0.path) })
    let foreign = folder.appending(path: "foreign")
    try FileManager.default.copyItem(at: adapter, to: foreign)
    let card = foreign.appending(path: "plumbline.json")
    let text = String(decoding: try Data(contentsOf: card), as: UTF8.self)
    let hash = try #require(text.firstMatch(of: /"sha256" ?: ?"([0-9a-f]{64})"/)).1
    try Data(text.replacing(hash, with: String(repeating: "0", count: 64)).utf8).write(to: card)
    try Command("audit", "--suspect", foreign.path, "--runs", folder.path)
      .expectFailure(65, "adapter for the base")
  }
}
