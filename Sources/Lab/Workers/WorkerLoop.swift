import Foundation
import Synchronization

/// What a worker process does: reads jobs from standard input, computes them one after the other,
/// and answers on standard output.
package struct WorkerLoop: Sendable {
  private let prepare: @Sendable (JSONValue) async throws -> any CellWorker
  private let classify: @Sendable (any Error) -> WorkerFailure.Cause
  private let output = Output()

  /// - Parameters:
  ///   - prepare: Makes ready what computes, from the first line.
  ///   - classify: What has to be told apart of errors.
  package init(
    prepare: @escaping @Sendable (JSONValue) async throws -> any CellWorker,
    classify: @escaping @Sendable (any Error) -> WorkerFailure.Cause
  ) {
    (self.prepare, self.classify) = (prepare, classify)
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
        output.send(job.cell, .finished(finding))
      } catch {
        output.send(job.cell, .failed(WorkerFailure(error, classify: classify)))
      }
    }
  }

  private func context(of job: WorkerJob) -> CellContext {
    CellContext(
      cell: job.cell, artifacts: URL(fileURLWithPath: job.artifacts),
      scratch: URL(fileURLWithPath: job.scratch),
      inputs: job.inputs.mapValues { URL(fileURLWithPath: $0) },
      spend: { [output] in output.send(job.cell, .spent(tokens: $0)) },
      progress: { [output] in output.send(job.cell, .progress($0)) })
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

  /// Where standard output led, a whole line at a time. What a library prints there by itself goes
  /// to standard error instead, where it spoils nothing.
  private final class Output: Sendable {
    private let file: Mutex<FileHandle>

    init() {
      file = Mutex(FileHandle(fileDescriptor: dup(STDOUT_FILENO)))
      dup2(STDERR_FILENO, STDOUT_FILENO)
    }

    func send(_ cell: CellID, _ content: WorkerReply.Content) {
      file.withLock { file in
        guard let line = try? JSONValue.line(WorkerReply(cell: cell, content: content)),
          (try? file.write(contentsOf: line)) != nil
        else { _exit(1) }
      }
    }
  }
}
