package import Foundation
import Synchronization

/// A study being carried out in a folder: performs cells, each of them once.
///
/// The folder is all that a run is. Killed at any point, it is opened again with the same manifest
/// and goes on; finished cells are read back. One process at a time may hold a run, until its `Run`
/// is released.
package final class Run: Sendable {
  /// Where the run lies.
  package let folder: RunFolder
  /// Part of the identity of every cell performed here.
  package let environment: Environment

  private struct Session: Sendable {
    var file: LedgerFile
    var state: LedgerState
    var index: LedgerIndex?
    var running: Set<CellID> = []
  }

  private let lock: RunLock
  private let session: Mutex<Session>
  let watch: @Sendable (RunEvent) -> Void

  /// The layout of the folder that this code reads and writes.
  static let format = 1

  /// Creates a run, or takes up one that was interrupted.
  ///
  /// - Parameters:
  ///   - url: the folder where the run lies or shall lie; created if missing.
  ///   - manifest: the study as it was asked for. Opening a run with another one is an error.
  ///   - environment: what the cells' bytes depend on; may differ from the last time, and then
  ///     the cells are others.
  ///   - watch: called for everything that happens, on whatever thread it happens.
  /// - Returns: the run, held by this process.
  /// - Throws: `LabError`: another process holds the run, the folder belongs to another study or to
  ///   no run at all, the ledger is damaged, the disk is full.
  package static func open(
    folder url: URL, manifest: some Encodable, environment: Environment,
    watch: @escaping @Sendable (RunEvent) -> Void = { _ in }
  ) throws -> Run {
    let folder = RunFolder(url)
    try checkUsable(folder)
    try createFolder(url)
    let lock = try RunLock(folder)
    let manifest = try claim(folder, study: JSONValue(encoding: manifest))
    let (file, state) = try openLedger(folder, manifest: manifest, environment: environment)
    for id in state.finished.keys { try settle(id, in: folder) }
    let entries = LedgerScan(of: try contents(of: folder.ledger)).entries
    let index = try LedgerIndex.open(folder.index, entries: entries)
    let session = Session(file: file, state: state, index: index)
    return Run(folder, environment, lock, session, watch)
  }

  private init(
    _ folder: RunFolder, _ environment: Environment, _ lock: RunLock, _ session: Session,
    _ watch: @escaping @Sendable (RunEvent) -> Void
  ) {
    self.folder = folder
    self.environment = environment
    self.lock = lock
    self.session = Mutex(session)
    self.watch = watch
  }

  /// A name for the run folder of a study: its own name and the first digits of its hash, so that
  /// the same command finds the run that it began.
  /// - Throws: `LabError.notCodable` if the manifest cannot be written as JSON.
  package static func name(for study: String, manifest: some Encodable) throws -> String {
    "\(study)-\(ContentHash(of: try JSONValue(encoding: manifest)).hex.prefix(8))"
  }

  /// What kind of study a folder's name tells: the name that `name(for:manifest:)` was given, or all
  /// of a name that does not come from there.
  static func kind(ofName name: String) -> String {
    let parts = name.split(separator: "-", omittingEmptySubsequences: false)
    guard let last = parts.last, parts.count > 1, last.utf8.count == 8,
      last.allSatisfy({ $0.isHexDigit && !$0.isUppercase })
    else { return name }
    return parts.dropLast().joined(separator: "-")
  }

  /// What the ledger says so far.
  var state: LedgerState { session.withLock(\.state) }

  /// Writes an entry, and is back when it is on the disk.
  /// - Throws: `LabError`, and nothing is written, if the entry may not come here.
  @discardableResult
  func append(_ type: EntryType, _ record: some Encodable) throws -> LedgerEntry {
    let payload = try JSONValue(encoding: record)
    return try session.withLock { session in
      let entry = session.file.next(type, payload)
      // Applied to a copy first: what the state refuses must not reach the file.
      var state = session.state
      try state.apply(entry)
      try session.file.append(entry)
      session.state = state
      do {
        try session.index?.append([entry])
      } catch {
        // The ledger has the entry, which is what counts. The index is brought up to date at the
        // next opening; adding later entries now would leave a gap in it.
        session.index = nil
      }
      return entry
    }
  }

  /// Records something that a layer above Lab wants in the ledger, such as a prediction.
  /// - Throws: `LabError.outOfOrder` for a type that only Lab may write.
  @discardableResult
  package func record(_ type: EntryType, _ payload: some Encodable) throws -> LedgerEntry {
    if EntryType.reserved.contains(type) {
      throw LabError.outOfOrder(
        "Expected an entry type of your own, found \"\(type.rawValue)\", which Lab writes itself.")
    }
    return try append(type, payload)
  }

  /// A seed drawn at random the first time and read from the ledger ever after.
  ///
  /// The ledger shows it at once: what decides about sealed arms is drawn inside `seal`.
  package func drawSeed(_ name: String) throws -> UInt64 {
    if let seed = state.draws[name] { return seed }
    let seed = UInt64.random(in: .min ... .max)
    try append(.drawn, DrawRecord(name: name, seed: seed))
    return seed
  }

  /// Marks a cell as running in this process.
  func claim(_ id: CellID) throws {
    let isNew = session.withLock { $0.running.insert(id).inserted }
    if !isNew { throw LabError.cellIsRunning(id) }
  }

  func release(_ id: CellID) {
    session.withLock { _ = $0.running.remove(id) }
  }
}
