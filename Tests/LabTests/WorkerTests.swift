import Foundation
import Lab
import Synchronization
import Testing

/// Computed by `CrashingRun work`.
private protocol Remote: CellKind where Config == Number, Finding == Answer {}

private struct Number: Codable, Equatable, Sendable {
  var number: Double
}

private struct Answer: Codable, Equatable, Sendable {
  var square: Double
  var process: Double
}

extension Remote {
  static var version: Int { 1 }
  func run(_ config: Number, in context: CellContext) async throws -> Answer {
    throw PlannedFailure()
  }
}

private struct RemoteSquare: Remote {
  static let kind = "squaring"
}

private struct Dying: Remote {
  static let kind = "dying"
}

private struct Chattering: Remote {
  static let kind = "chattering"
}

private struct Sleeping: Remote {
  static let kind = "sleeping"
}

@Suite(.serialized) struct WorkerTests {
  private func worker(_ setup: [String: Int] = [:]) throws -> WorkerProcess {
    let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
      .appending(path: "CrashingRun")
    return try WorkerProcess(
      program: program, arguments: ["work", "subject"], environment: [:], setup: setup)
  }

  @Test func `a cell computed elsewhere has its name, its cost and its progress here`() async throws
  {
    try await withTemporaryFolder { folder in
      let progress = Mutex([CellProgress]())
      let run = try openRun(folder.appending(path: "run")) { event in
        if case .progress(_, _, let done) = event { progress.withLock { $0.append(done) } }
      }
      let kind = DelegatedCell<RemoteSquare>(to: try worker())
      let first = try await run.perform(kind, Number(number: 3))
      #expect(first.finding.square == 9 && Int32(first.finding.process) != getpid())
      #expect(first.cost.tokens == 7)
      let shown = progress.withLock { $0 }
      #expect(shown == [CellProgress(done: 1, total: 1, unit: "numbers")])
      #expect(
        first.id == (try RemoteSquare.id(Number(number: 3), environment: testEnvironment)))
      #expect(try await run.perform(kind, Number(number: 3)).wasCached)
      // One process for all of its cells.
      let second = try await run.perform(kind, Number(number: 4))
      #expect(second.finding == Answer(square: 16, process: first.finding.process))
    }
  }

  @Test func `a worker that dies fails its cell, and is started again for the next`() async throws {
    try await withTemporaryFolder { folder in
      let run = try openRun(folder.appending(path: "run"))
      let worker = try worker()
      let error = await #expect(throws: WorkerFailure.self) {
        try await run.perform(DelegatedCell<Dying>(to: worker), Number(number: 1))
      }
      #expect(error?.reason.contains("signal 9") == true && error?.cause == .other)
      let chat = try await run.perform(DelegatedCell<Chattering>(to: worker), Number(number: 1))
      #expect(chat.finding.square == 1)
      let next = try await run.perform(DelegatedCell<RemoteSquare>(to: worker), Number(number: 5))
      #expect(next.finding.square == 25)
      #expect(try Ledger.verify(run.folder.url).isSound)
    }
  }

  @Test func `a subject's error, a full disk and any other are told apart`() async throws {
    try await withTemporaryFolder { folder in
      let run = try openRun(folder.appending(path: "run"))
      let kind = DelegatedCell<RemoteSquare>(to: try worker())
      for (number, cause) in [(13.0, WorkerFailure.Cause.subject), (14, .other)] {
        let error = await #expect(throws: WorkerFailure.self) {
          try await run.perform(kind, Number(number: number))
        }
        #expect(error?.cause == cause && error?.reason.contains("bad") == true)
      }
      let full = await #expect(throws: LabError.self) {
        try await run.perform(kind, Number(number: 15))
      }
      guard case .diskFull = try #require(full) else {
        Issue.record("\(String(describing: full))")
        return
      }
      let unready = DelegatedCell<RemoteSquare>(to: try worker(["fails": 1]))
      let error = await #expect(throws: WorkerFailure.self) {
        try await run.perform(unready, Number(number: 6))
      }
      #expect(error?.reason == "no model there")
    }
  }

  /// A shell that answers every job with the same finding, under the name of the cell or another's.
  @Test(arguments: [true, false])
  func `an answer counts for the cell that it names, and for no other`(own: Bool) async throws {
    let other = String(repeating: "0", count: 64)
    let script = """
      read setup; read job
      cell=$(echo "$job" | sed 's/.*"cell":"\\([0-9a-f]*\\)".*/\\1/')
      finding='{"process":1,"square":2}'
      echo "{\\"cell\\":\\"\(own ? "$cell" : other)\\",\\"content\\":{\\"finished\\":{\\"_0\\":$finding}}}"
      read next
      """
    let shell = try WorkerProcess(
      program: URL(filePath: "/bin/sh"), arguments: ["-c", script], environment: [:], setup: [0])
    try await withTemporaryFolder { folder in
      let run = try openRun(folder.appending(path: "run"))
      let kind = DelegatedCell<RemoteSquare>(to: shell)
      if own {
        let found = try await run.perform(kind, Number(number: 1)).finding
        #expect(found == Answer(square: 2, process: 1))
      } else {
        let error = await #expect(throws: WorkerFailure.self) {
          try await run.perform(kind, Number(number: 1))
        }
        #expect(error?.reason.contains("signal 9") == true)
      }
    }
  }

  @Test func `a cancelled cell ends its worker`() async throws {
    try await withTemporaryFolder { folder in
      let began = AsyncStream<Void>.makeStream()
      let run = try openRun(folder.appending(path: "run")) { event in
        if case .started = event { began.continuation.yield() }
      }
      let worker = try worker()
      let cell = Task {
        _ = try await run.perform(DelegatedCell<Sleeping>(to: worker), Number(number: 1))
      }
      for await _ in began.stream { break }
      cell.cancel()
      await #expect(throws: CancellationError.self) { try await cell.value }
    }
  }

  @Test func `a pool lends each worker to one at a time, first come first served`() async throws {
    struct Counting: CellWorker {
      let number: Int
      func run(kind: String, config: JSONValue, in context: CellContext) async throws -> JSONValue {
        .null
      }
    }
    let pool = WorkerPool([Counting(number: 0), Counting(number: 1)])
    final class Loans: Sendable {
      let numbers = Mutex(Set<Int>())
    }
    let busy = Loans()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<50 {
        group.addTask {
          try await pool.withWorker { worker in
            let number = (worker as? Counting)?.number ?? -1
            let isFree = busy.numbers.withLock { $0.insert(number).inserted }
            #expect(isFree)
            try await Task.sleep(for: .milliseconds(1))
            _ = busy.numbers.withLock { $0.remove(number) }
          }
        }
      }
      try await group.waitForAll()
    }
    let left = busy.numbers.withLock { $0 }
    #expect(left.isEmpty)
  }
}
