internal import Foundation

/// The one thread on which tensors live.
///
/// MLX's streams and default state belong to a thread, so an ordinary actor, which hops between the
/// threads of a pool, loses them in the middle of a computation. Everything that touches a
/// ``Tensor`` is isolated to this actor; evaluated numbers cross its border, tensors do not.
@globalActor
package actor TensorActor {
  package static let shared = TensorActor()

  private let executor = TensorExecutor()
  package nonisolated var unownedExecutor: UnownedSerialExecutor {
    executor.asUnownedSerialExecutor()
  }

  /// Runs `body` on the tensors' thread.
  package static func run<Result: Sendable>(
    _ body: @TensorActor () throws -> Result
  ) async rethrows -> Result {
    try await body()
  }
}

/// Runs jobs in order on a thread with a stack deep enough for MLX's recursive graph walks.
///
/// `@unchecked` because the queue is guarded by the condition's lock.
private final class TensorExecutor: SerialExecutor, @unchecked Sendable {
  private let condition = NSCondition()
  private var jobs: [UnownedJob] = []

  init() {
    let thread = Thread { [unowned self] in
      while true { next().runSynchronously(on: asUnownedSerialExecutor()) }
    }
    thread.stackSize = 512 << 20
    thread.name = "tensors"
    thread.start()
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    condition.withLock {
      jobs.append(job)
      condition.signal()
    }
  }

  private func next() -> UnownedJob {
    condition.withLock {
      while jobs.isEmpty { condition.wait() }
      return jobs.removeFirst()
    }
  }
}
