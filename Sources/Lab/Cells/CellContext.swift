package import Foundation
import Synchronization

/// What a running cell may use.
package struct CellContext: Sendable {
  /// The cell's name.
  package let cell: CellID
  /// Files written here become visible, all at once, when the cell finishes. Empty at every start.
  package let artifacts: URL
  /// Survives kills and failures and belongs to this cell alone: the place for checkpoints.
  package let scratch: URL

  let inputs: [String: URL]
  private let spend: @Sendable (Int) -> Void
  private let progress: @Sendable (CellProgress) -> Void

  init(
    cell: CellID, artifacts: URL, scratch: URL, inputs: [String: URL],
    spend: @escaping @Sendable (Int) -> Void,
    progress: @escaping @Sendable (CellProgress) -> Void
  ) {
    self.cell = cell
    self.artifacts = artifacts
    self.scratch = scratch
    self.inputs = inputs
    self.spend = spend
    self.progress = progress
  }

  /// Where an input lies: a file, or for another cell's result the folder of its artifacts.
  /// - Throws: `LabError.noSuchInput` if the cell was not given one of this name.
  package func input(named name: String) throws(LabError) -> URL {
    guard let url = inputs[name] else {
      throw .noSuchInput(name: name, given: Array(inputs.keys))
    }
    return url
  }

  /// Tells whoever watches how far the cell is. Cheap enough to call at every step.
  package func report(progress: CellProgress) {
    self.progress(progress)
  }

  /// Counts tokens that a model read or wrote; they go into the ledger's cost, not the finding.
  package func spend(tokens: Int) {
    spend(tokens)
  }
}

/// How far a cell is.
package struct CellProgress: Codable, Equatable, Sendable {
  /// Units done.
  package var done: Int
  /// Units in all.
  package var total: Int
  /// What is counted, for example `tokens`.
  package var unit: String
  /// A few words on what happens now, for example `loss 0.41`.
  package var note: String

  /// Progress in a cell's own units.
  package init(done: Int, total: Int, unit: String, note: String = "") {
    self.done = done
    self.total = total
    self.unit = unit
    self.note = note
  }
}

/// What a cell cost, over all attempts at it.
package struct Cost: Codable, Equatable, Sendable {
  /// Wall-clock seconds.
  package var seconds: Double
  /// Tokens that models read or wrote.
  package var tokens: Int

  /// A cost from its parts.
  package init(seconds: Double = 0, tokens: Int = 0) {
    self.seconds = seconds
    self.tokens = tokens
  }

  /// The sum of two costs.
  package static func + (left: Cost, right: Cost) -> Cost {
    Cost(seconds: left.seconds + right.seconds, tokens: left.tokens + right.tokens)
  }
}

/// Counts what a cell costs, on disk at most once a second so that killed attempts count too.
final class CostMeter: Sendable {
  private struct State {
    var tokens = 0
    var lastSave: ContinuousClock.Instant
  }

  private let file: URL
  private let earlier: Cost
  private let start = ContinuousClock.now
  private let state: Mutex<State>

  init(file: URL) {
    self.file = file
    // A cost that cannot be read is lost, which is no reason to refuse the work.
    earlier = (try? JSONValue(parsing: contents(of: file)).decode()) ?? Cost()
    state = Mutex(State(lastSave: start))
  }

  var total: Cost {
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let current = Cost(seconds: seconds, tokens: state.withLock(\.tokens)) + earlier
    return Cost(seconds: (current.seconds * 1000).rounded() / 1000, tokens: current.tokens)
  }

  func spend(tokens: Int) {
    state.withLock { $0.tokens += tokens }
    save()
  }

  func save(now: Bool = false) {
    let isDue = state.withLock { state in
      let time = ContinuousClock.now
      guard now || time - state.lastSave > .seconds(1) else { return false }
      state.lastSave = time
      return true
    }
    guard isDue, let bytes = try? JSONValue(encoding: total).canonicalBytes else { return }
    // Not synced, and failure ignored: this is a count, and the work itself reports a full disk.
    try? Data(bytes).write(to: file, options: .atomic)
  }
}
