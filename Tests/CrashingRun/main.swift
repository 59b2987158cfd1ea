import Foundation
import Lab

// A run in a process of its own, for tests that kill it, lock it out or let its disk fill up.
//
//     CrashingRun cells FOLDER COUNT [STEPS MICROSECONDS]
//                                 performs COUNT cells of 20 steps each; kills itself that long
//                                 after having taken so many steps
//     CrashingRun hold  FOLDER    holds the run until it is killed
//     CrashingRun fill  FOLDER    performs one cell that writes 64 MB
//     CrashingRun scores FOLDER JSON   performs one cell of kind trial-scores whose finding is JSON
//     CrashingRun work  SUBJECT   is a worker process; errors of which SUBJECT is a part are a subject's
//
// It kills itself with a real SIGKILL from another thread, because a test that sleeps and then
// kills depends on how busy the machine is, and the whole run takes less than half a second.
//
// Every step that a cell really takes is appended to FOLDER/../steps, so that a test can count work
// that was done twice. Prints `ready` when the run is open; exits with 1 and one sentence on error.

struct Steps: CellKind {
  static let kind = "steps"
  static let version = 1

  struct Config: Codable, Equatable {
    var cell: Int
  }

  struct Finding: Codable {
    var sum: Int
  }

  let log: FileHandle
  let death: Death?

  /// Sums 0..<20 with a checkpoint after every step.
  func run(_ config: Config, in context: CellContext) async throws -> Finding {
    let checkpoint = context.scratch.appending(path: "checkpoint.json")
    var done = 0
    var sum = 0
    if let data = try? Data(contentsOf: checkpoint) {
      let saved = try JSONDecoder().decode([Int].self, from: data)
      (done, sum) = (saved[0], saved[1])
    }
    while done < 20 {
      sum += done
      done += 1
      try log.write(contentsOf: Data("\(config.cell) \(done)\n".utf8))
      try JSONEncoder().encode([done, sum]).write(to: checkpoint, options: .atomic)
      death?.step()
      context.spend(tokens: 10)
      context.report(progress: CellProgress(done: done, total: 20, unit: "steps"))
      try await Task.sleep(for: .milliseconds(1))
    }
    try Data(repeating: UInt8(config.cell & 255), count: 10_000)
      .write(to: context.artifacts.appending(path: "weights.bin"))
    return Finding(sum: sum)
  }
}

/// Kills the process some time after a number of steps.
final class Death {
  private var stepsLeft: Int
  private let microseconds: UInt32

  init(steps: Int, microseconds: UInt32) {
    stepsLeft = steps
    self.microseconds = microseconds
  }

  func step() {
    stepsLeft -= 1
    guard stepsLeft == 0 else { return }
    let microseconds = microseconds
    Thread.detachNewThread {
      usleep(microseconds)
      kill(getpid(), SIGKILL)
    }
  }
}

struct Filling: CellKind {
  static let kind = "filling"
  static let version = 1

  struct Config: Codable, Equatable {
    var bytes: Int
  }

  struct Finding: Codable {
    var bytes: Int
  }

  func run(_ config: Config, in context: CellContext) async throws -> Finding {
    try Data(repeating: 7, count: config.bytes)
      .write(to: context.artifacts.appending(path: "large.bin"))
    return Finding(bytes: config.bytes)
  }
}

/// A finished trial of which a test says what it found.
struct GivenScores: CellKind {
  static let kind = "trial-scores"
  static let version = 1

  func run(_ config: JSONValue, in context: CellContext) async throws -> JSONValue { config }
}

struct NamedError: Error, CustomStringConvertible {
  let description: String
}

/// What a worker process of tests computes.
struct Workbench: CellWorker {
  func run(kind: String, config: JSONValue, in context: CellContext) async throws -> JSONValue {
    switch kind {
    case "squaring":
      guard case .number(let text)? = config["number"], let number = Double(text) else {
        throw NamedError(description: "no number in \(config.canonicalText)")
      }
      if number == 13 { throw NamedError(description: "13 is a bad subject") }
      if number == 14 { throw NamedError(description: "14 is a bad machine") }
      if number == 15 { throw POSIXError(.ENOSPC) }
      context.spend(tokens: 7)
      context.report(progress: CellProgress(done: 1, total: 1, unit: "numbers"))
      return try JSONValue(encoding: ["square": number * number, "process": Double(getpid())])
    case "chattering":
      // What a library might do: it must not be taken for an answer.
      print("{}")
      fflush(nil)
      return try JSONValue(encoding: ["square": 1.0, "process": Double(getpid())])
    case "dying":
      kill(getpid(), SIGKILL)
      fallthrough
    default:
      try await Task.sleep(for: .seconds(3600))
      return .null
    }
  }
}

func work() async throws {
  let arguments = CommandLine.arguments
  if arguments.count == 3, arguments[1] == "work" {
    let subject = arguments[2]
    return try await WorkerLoop(
      prepare: { setup in
        if setup["fails"] != nil { throw NamedError(description: "no model there") }
        return Workbench()
      }, classify: { String(describing: $0).contains(subject) ? .subject : .other }
    ).run()
  }
  guard arguments.count >= 3 else {
    throw LabError.notARun(folder: "(give a mode and a folder)")
  }
  let folder = URL(filePath: arguments[2])
  let run = try Run.open(
    folder: folder, manifest: ["study": "crashing"],
    environment: Environment(build: "test", device: "cpu", instructionSet: "any"))
  print("ready")
  fflush(nil)
  switch arguments[1] {
  case "cells":
    let log = folder.deletingLastPathComponent().appending(path: "steps")
    if !FileManager.default.fileExists(atPath: log.path) {
      _ = FileManager.default.createFile(atPath: log.path, contents: nil)
    }
    let handle = try FileHandle(forUpdating: log)
    try handle.seekToEnd()
    let numbers = arguments.dropFirst(3).compactMap { Int($0) }
    let death =
      numbers.count == 3 ? Death(steps: numbers[1], microseconds: UInt32(numbers[2])) : nil
    for cell in 0..<(numbers.first ?? 0) {
      let kind = Steps(log: handle, death: death)
      let result = try await run.perform(kind, Steps.Config(cell: cell))
      print("\(cell) \(result.finding.sum) \(result.wasCached)")
    }
  case "hold":
    while true { try await Task.sleep(for: .seconds(3600)) }
  case "scores":
    let scores = try JSONValue(parsing: Array((arguments.last ?? "").utf8))
    _ = try await run.perform(GivenScores(), scores)
  default:
    _ = try await run.perform(Filling(), Filling.Config(bytes: 64_000_000))
  }
}

do {
  try await work()
} catch {
  FileHandle.standardError.write(Data("\(error)\n".utf8))
  exit(1)
}
