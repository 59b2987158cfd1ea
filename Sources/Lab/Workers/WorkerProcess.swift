package import Foundation
import Synchronization

/// A second process of a program that runs ``WorkerLoop``: started at its first cell, and started
/// again should it have died.
///
/// It ends with this process, whatever ends that: its standard input is then closed.
package final class WorkerProcess: CellWorker {
  private let program: URL
  private let arguments: [String]
  private let environment: [String: String]
  private let setup: JSONValue
  private let connection = Mutex<Connection?>(nil)

  /// A worker that is not started yet.
  ///
  /// - Parameters:
  ///   - program: What to start.
  ///   - arguments: Its arguments.
  ///   - environment: Variables beside those of this process.
  ///   - setup: The first line that it reads.
  /// - Throws: `LabError.notCodable` if the setup cannot be written as JSON.
  package init(
    program: URL, arguments: [String], environment: [String: String], setup: some Encodable
  ) throws {
    (self.program, self.arguments) = (program, arguments)
    self.environment = ProcessInfo.processInfo.environment.merging(environment) { _, own in own }
    self.setup = try JSONValue(encoding: setup)
  }

  deinit { connection.withLock { $0?.close() } }

  package func run(
    kind: String, config: JSONValue, in context: CellContext
  ) async throws -> JSONValue {
    let connection = try connection.withLock { current in
      if let current, current.isAlive { return current }
      let started = try Connection(program, arguments, environment)
      try started.send(JSONValue.line(setup))
      current = started
      return started
    }
    do {
      return try await connection.run(WorkerJob(kind: kind, config: config, in: context), context)
    } catch let failure as WorkerFailure where failure.cause == .diskFull {
      throw LabError.diskFull(path: context.scratch.path)
    }
  }
}

/// One life of the process.
private final class Connection: Sendable {
  private struct Pending {
    let context: CellContext
    var cell: CellID { context.cell }
    let continuation: CheckedContinuation<JSONValue, any Error>
  }

  private struct State {
    var pending: Pending?
    var hasEnded = false
    var wasCancelled = false
  }

  private let process = Process()
  private let input = Pipe()
  private let state = Mutex(State())

  var isAlive: Bool { state.withLock { !$0.hasEnded } }

  init(_ program: URL, _ arguments: [String], _ environment: [String: String]) throws {
    // Writing to a worker that has died is an error like others and must not end this process.
    signal(SIGPIPE, SIG_IGN)
    let output = Pipe()
    process.executableURL = program
    (process.arguments, process.environment) = (arguments, environment)
    (process.standardInput, process.standardOutput) = (input, output)
    try process.run()
    let reader = Thread { [self] in
      var lines = LineReader(output.fileHandleForReading.fileDescriptor)
      while let line = lines.next() { receive(line) }
      process.waitUntilExit()
      finish()
      withExtendedLifetime(output) {}
    }
    reader.start()
  }

  /// Ends the worker by SIGKILL, because a child may have inherited that milder signals are blocked.
  /// Its files are written atomically, so nothing is lost.
  private func kill() {
    if process.isRunning { _ = Foundation.kill(process.processIdentifier, SIGKILL) }
  }

  /// Ends the worker once it has nothing to do.
  func close() { try? input.fileHandleForWriting.close() }

  func send(_ line: Data) throws { try input.fileHandleForWriting.write(contentsOf: line) }

  func run(_ job: WorkerJob, _ context: CellContext) async throws -> JSONValue {
    let line = try JSONValue.line(job)
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let hasEnded = state.withLock { state in
          if !state.hasEnded {
            state.pending = Pending(context: context, continuation: continuation)
          }
          return state.hasEnded
        }
        if hasEnded { return continuation.resume(throwing: endError) }
        // The reader notices the end of a worker, and then resumes.
        do { try send(line) } catch { kill() }
      }
    } onCancel: {
      state.withLock { $0.wasCancelled = true }
      kill()
    }
  }

  private func receive(_ line: [UInt8]) {
    guard let reply: WorkerReply = try? JSONValue(parsing: line).decode(),
      let pending = state.withLock(\.pending), pending.cell == reply.cell
    else {
      // Whatever it is doing, its answers cannot be told apart any more.
      return kill()
    }
    switch reply.content {
    case .progress(let progress): pending.context.report(progress: progress)
    case .spent(let tokens): pending.context.spend(tokens: tokens)
    case .finished(let finding): end { $0.resume(returning: finding) }
    case .failed(let failure): end { $0.resume(throwing: failure) }
    }
  }

  private func finish() {
    state.withLock { $0.hasEnded = true }
    let error = endError
    end { $0.resume(throwing: error) }
  }

  private func end(_ resume: (CheckedContinuation<JSONValue, any Error>) -> Void) {
    let pending = state.withLock { state in
      defer { state.pending = nil }
      return state.pending
    }
    if let pending { resume(pending.continuation) }
  }

  private var endError: any Error {
    if state.withLock(\.wasCancelled) { return CancellationError() }
    let signal = process.terminationReason == .uncaughtSignal
    let how = (signal ? "signal" : "status") + " \(process.terminationStatus)"
    return WorkerFailure(
      reason: "Expected a worker process to finish its cell, found it ended with \(how): "
        + "run the same command again, with fewer --workers if memory is short", cause: .other)
  }
}
