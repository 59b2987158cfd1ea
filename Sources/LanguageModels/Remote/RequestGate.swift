internal import Synchronization

/// Lets a number of tasks through at a time, the others in the order in which they came.
final class RequestGate: Sendable {
  private struct State {
    var free: Int
    var next = 0
    var waiting: [(ticket: Int, continuation: CheckedContinuation<Bool, Never>)] = []
    /// Those that were cancelled between drawing a ticket and waiting.
    var cancelled: Set<Int> = []
  }

  private let state: Mutex<State>

  init(limit: Int) {
    precondition(limit >= 1, "Expected a limit of at least 1, found \(limit)")
    state = Mutex(State(free: limit))
  }

  /// Runs `body` once there is room.
  ///
  /// - Throws: `CancellationError` if the task is cancelled while it waits, or what `body` throws.
  func pass<Result>(_ body: () async throws -> Result) async throws -> Result {
    guard await enter() else { throw CancellationError() }
    defer { leave() }
    try Task.checkCancellation()
    return try await body()
  }

  /// Whether a place was taken; false if the task was cancelled.
  private func enter() async -> Bool {
    let ticket = state.withLock { state in
      state.next += 1
      return state.next
    }
    // A task cancelled just after it was let through leaves a note that nobody reads.
    defer { state.withLock { _ = $0.cancelled.remove(ticket) } }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let answer: Bool? = state.withLock { state in
          if state.cancelled.remove(ticket) != nil { return false }
          if state.free > 0 {
            state.free -= 1
            return true
          }
          state.waiting.append((ticket, continuation))
          return nil
        }
        if let answer { continuation.resume(returning: answer) }
      }
    } onCancel: {
      cancel(ticket)
    }
  }

  private func cancel(_ ticket: Int) {
    let waiting: CheckedContinuation<Bool, Never>? = state.withLock { state in
      guard let index = state.waiting.firstIndex(where: { $0.ticket == ticket }) else {
        state.cancelled.insert(ticket)
        return nil
      }
      return state.waiting.remove(at: index).continuation
    }
    waiting?.resume(returning: false)
  }

  private func leave() {
    let next: CheckedContinuation<Bool, Never>? = state.withLock { state in
      guard state.waiting.isEmpty else { return state.waiting.removeFirst().continuation }
      state.free += 1
      return nil
    }
    next?.resume(returning: true)
  }
}
