package import Foundation

/// A run as its folder tells it, for reports: reads only, needs no lock, runs nothing.
package struct RunRecord: Sendable {
  /// Where the run lies.
  package let folder: RunFolder
  /// The study, as it was asked for.
  package let study: JSONValue
  /// All entries, oldest first.
  package let entries: [LedgerEntry]
  /// All cells that were ever started, in that order.
  package let cells: [CellSummary]

  private let state: LedgerState

  /// Reads a run; it may be in progress.
  /// - Throws: `LabError.notARun`; `LabError.damagedLedger`.
  package init(folder url: URL) throws {
    folder = RunFolder(url)
    entries = try Ledger.entries(in: url)
    cells = try LedgerIndex.read(folder, entries: entries).cells()
    study = try JSONValue(parsing: contents(of: folder.manifest))["study"] ?? .null
    var state = LedgerState()
    for entry in entries { try state.apply(entry) }
    self.state = state
  }

  /// Seconds between the first and the last entry of each process that held the run, up to the first
  /// entry of `type`. Pauses do not count, nor what an interrupted process did after its last entry.
  package func seconds(until type: EntryType) -> Double {
    var (total, start, last): (Double, Date?, Date?) = (0, nil, nil)
    let format = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
    let end = entries.firstIndex { $0.type == type }.map { $0 + 1 } ?? entries.endIndex
    for entry in entries[..<end] {
      let time = try? Date(entry.time, strategy: format)
      if entry.type == .runCreated || entry.type == .runResumed {
        if let start, let last { total += last.timeIntervalSince(start) }
        start = time
      }
      last = time
    }
    if let start, let last { total += last.timeIntervalSince(start) }
    return total
  }

  /// A finished cell's result, checked against the ledger; nil if the cell is not finished.
  /// - Throws: `LabError.damagedCell`; `LabError.notCodable` if the finding is of another type.
  package func result<Finding: Decodable & Sendable>(
    of id: CellID, as type: Finding.Type = Finding.self
  ) throws -> CellResult<Finding>? {
    guard let finished = state.finished[id] else { return nil }
    return try CellFolder(url: folder.finishedCell(id)).result(finished.record, wasCached: true)
  }

  /// What a finished cell was: its configuration, inputs and environment; nil if it is not finished.
  /// - Throws: `LabError.damagedCell`.
  package func description(of id: CellID) throws -> CellDescription? {
    guard let finished = state.finished[id] else { return nil }
    let folder = CellFolder(url: folder.finishedCell(id))
    _ = try folder.check(finished.record)
    return try JSONValue(parsing: contents(of: folder.description)).decode()
  }
}
