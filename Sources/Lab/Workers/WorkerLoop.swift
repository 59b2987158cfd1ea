import Foundation
import Synchronization

/// What a worker process does: reads jobs from standard input, computes them one after the other,
/// and answers on standard output.
package struct WorkerLoop: Sendable {
  private let prepare: @Sendable (JSONValue) async throws -> any CellWorker
  private let isSubject: @Sendable (any Error) -> Bool
  private let output = Output()

  /// - Parameters:
  ///   - prepare: Makes ready what computes, from the first line.
  ///   - isSubject: Which errors are of what a cell examines: ``WorkerFailure/Cause/subject``.
  package init(
    prepare: @escaping @Sendable (JSONValue) async throws -> any CellWorker,
    isSubject: @escaping @Sendable (any Error) -> Bool
  ) {
    (self.prepare, self.isSubject) = (prepare, isSubject)
  }

  /// Works until the process that asks is gone.
  package func run() async throws {
    var lines = Self.lines().makeAsyncIterator()
    guard let first = await lines.next() else { return }
    let setup = try JSONValue(parsing: first)
    var worker: (any CellWorker)?
    while let line = await lines.next() {
      let job: WorkerJob = try JSONValue(parsing: line).decode()
      do {
        // Prepared with the first job, so that what goes wrong has somebody to be told to.
        let ready = if let worker { worker } else { try await prepare(setup) }
        worker = ready
        let finding = try await ready.run(
          kind: job.kind, config: job.config, in: context(of: job))
        output.send(.finished(finding))
      } catch {
        output.send(.failed(WorkerFailure(error, isSubject: isSubject)))
      }
    }
  }

  private func context(of job: WorkerJob) -> CellContext {
    CellContext(
      cell: job.cell, artifacts: URL(fileURLWithPath: job.artifacts),
      scratch: URL(fileURLWithPath: job.scratch),
      inputs: job.inputs.mapValues { URL(fileURLWithPath: $0) },
      spend: { [output] in output.send(.spent(tokens: $0)) },
      progress: { [output] in output.send(.progress($0)) })
  }

  /// Lines of standard input. At its end nobody waits for an answer, so the process ends at once,
  /// whatever it is computing.
  private static func lines() -> AsyncStream<[UInt8]> {
    AsyncStream { continuation in
      let reader = Thread {
        var lines = LineReader(STDIN_FILENO)
        while let line = lines.next() { continuation.yield(line) }
        _exit(0)
      }
      reader.start()
    }
  }

  /// Standard output, a whole line at a time.
  private final class Output: Sendable {
    private let lock = Mutex(())

    func send(_ reply: WorkerReply) {
      lock.withLock { _ in
        guard let line = try? JSONValue.line(reply),
          (try? FileHandle.standardOutput.write(contentsOf: line)) != nil
        else { _exit(1) }
      }
    }
  }
}
