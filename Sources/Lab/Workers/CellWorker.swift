import Synchronization

/// Computes cells for a run: here, or in another process.
package protocol CellWorker: Sendable {
  /// Runs the cell of a kind that is known by name.
  ///
  /// - Returns: the finding as JSON.
  /// - Throws: The kind's own error, or where that was in another process ``WorkerFailure``.
  func run(kind: String, config: JSONValue, in context: CellContext) async throws -> JSONValue
}

/// A cell of kind `Kind` that a worker computes: the same name and the same bytes.
package struct DelegatedCell<Kind: CellKind>: CellKind {
  package typealias Config = Kind.Config
  package typealias Finding = Kind.Finding

  package static var kind: String { Kind.kind }
  package static var version: Int { Kind.version }
  private let worker: any CellWorker

  package init(_ kind: Kind.Type = Kind.self, to worker: any CellWorker) { self.worker = worker }

  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    try await worker.run(kind: Kind.kind, config: JSONValue(encoding: config), in: context)
      .decode()
  }
}

/// Workers that compute one cell each at a time, lent to whoever asked first.
package final class WorkerPool: Sendable {
  private struct State {
    var idle: [any CellWorker]
    var waiting: [CheckedContinuation<any CellWorker, Never>] = []
  }

  private let state: Mutex<State>

  /// A pool of at least one worker.
  package init(_ workers: [any CellWorker]) {
    precondition(!workers.isEmpty, "WorkerPool: no workers")
    state = Mutex(State(idle: workers.reversed()))
  }

  /// Calls `body` with a worker that nobody else uses meanwhile.
  ///
  /// - Throws: What `body` throws, or `CancellationError` instead of calling it.
  package func withWorker<Result>(
    _ body: (any CellWorker) async throws -> Result
  ) async throws -> Result {
    let worker = await take()
    defer { giveBack(worker) }
    try Task.checkCancellation()
    return try await body(worker)
  }

  private func take() async -> any CellWorker {
    await withCheckedContinuation { continuation in
      let idle = state.withLock { state in
        let worker = state.idle.popLast()
        if worker == nil { state.waiting.append(continuation) }
        return worker
      }
      if let idle { continuation.resume(returning: idle) }
    }
  }

  private func giveBack(_ worker: any CellWorker) {
    let next = state.withLock { state in
      if state.waiting.isEmpty {
        state.idle.append(worker)
        return nil as CheckedContinuation<any CellWorker, Never>?
      }
      return state.waiting.removeFirst()
    }
    next?.resume(returning: worker)
  }
}
