import Foundation
import GRDB

/// An index over a run's ledger, for questions that should not read the whole file.
///
/// It holds nothing that the ledger does not: it is brought up to date when a run is opened and
/// built anew when it is missing or damaged. So it is not synced, and nothing trusts it except for
/// noticing that the ledger has since lost or changed entries that it knows.
package final class LedgerIndex: Sendable {
  private let database: DatabaseQueue

  private init(_ database: DatabaseQueue) {
    self.database = database
  }

  /// Opens the index for a run that this process has locked.
  /// - Throws: `LabError.indexDisagrees` if the ledger no longer holds what the index knows.
  static func open(_ file: URL, entries: [LedgerEntry]) throws -> LedgerIndex {
    do {
      return try LedgerIndex(file, entries: entries)
    } catch is DatabaseError {
      // Damaged, or of an older layout.
      for suffix in ["", "-journal", "-wal", "-shm"] {
        try remove(URL(filePath: file.path + suffix))
      }
      return try LedgerIndex(file, entries: entries)
    }
  }

  private convenience init(_ file: URL, entries: [LedgerEntry]) throws {
    var configuration = Configuration()
    configuration.busyMode = .timeout(5)
    configuration.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = OFF") }
    self.init(try DatabaseQueue(path: file.path, configuration: configuration))
    try prepare()
    let known = try agreement(with: entries, ledger: file.deletingLastPathComponent())
    try append(Array(entries[known...]))
  }

  /// Reads a run's cells without its lock: from the index if it is up to date, else from the ledger.
  static func read(_ folder: RunFolder, entries: [LedgerEntry]) throws -> LedgerIndex {
    var configuration = Configuration()
    configuration.readonly = true
    configuration.busyMode = .timeout(5)
    if exists(folder.index),
      let database = try? DatabaseQueue(path: folder.index.path, configuration: configuration),
      let known = try? LedgerIndex(database).last(), known.seq == entries.count,
      known.hash == entries.last?.hash.hex
    {
      return LedgerIndex(database)
    }
    let index = LedgerIndex(try DatabaseQueue())
    try index.prepare()
    try index.append(entries)
    return index
  }

  /// What is wrong between a ledger and the index on disk beside it, or nil. A missing, outdated or
  /// unreadable index is nothing wrong.
  static func disagreement(_ folder: RunFolder, entries: [LedgerEntry]) -> LabError? {
    guard exists(folder.index) else { return nil }
    var configuration = Configuration()
    configuration.readonly = true
    configuration.busyMode = .timeout(5)
    do {
      let database = try DatabaseQueue(path: folder.index.path, configuration: configuration)
      _ = try LedgerIndex(database).agreement(with: entries, ledger: folder.url)
      return nil
    } catch {
      return error as? LabError
    }
  }

  private func prepare() throws {
    try database.write { database in
      let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
      guard version != Self.layout else { return }
      if version != 0 { throw DatabaseError(message: "another layout") }
      try database.execute(sql: Self.schema)
    }
  }

  private static let layout = 1
  private static let schema = """
    CREATE TABLE entries (
      seq INTEGER PRIMARY KEY, time TEXT NOT NULL, type TEXT NOT NULL, hash TEXT NOT NULL,
      cell TEXT, payload TEXT NOT NULL);
    CREATE INDEX entries_by_cell ON entries (cell);
    CREATE INDEX entries_by_type ON entries (type);
    CREATE TABLE cells (
      id TEXT PRIMARY KEY, kind TEXT NOT NULL, version INTEGER NOT NULL, state TEXT NOT NULL,
      attempts INTEGER NOT NULL, seconds DOUBLE NOT NULL, tokens INTEGER NOT NULL, reason TEXT);
    PRAGMA user_version = \(layout);
    """

  private func last() throws -> (seq: Int, hash: String)? {
    try database.read { database in
      try Row.fetchOne(database, sql: "SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1")
        .map { ($0["seq"], $0["hash"]) }
    }
  }

  /// How many entries the index has, all of which the ledger has too.
  private func agreement(with entries: [LedgerEntry], ledger: URL) throws -> Int {
    guard let last = try last() else { return 0 }
    if last.seq > entries.count {
      throw LabError.indexDisagrees(
        folder: ledger.path, problem: "\(last.seq) entries there and \(entries.count) here")
    }
    if entries[last.seq - 1].hash.hex != last.hash {
      throw LabError.indexDisagrees(
        folder: ledger.path, problem: "another entry \(last.seq) there than here")
    }
    return last.seq
  }

  /// Adds entries, in order.
  func append(_ entries: [LedgerEntry]) throws {
    guard !entries.isEmpty else { return }
    try database.write { database in
      for entry in entries {
        try database.execute(
          sql: "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)",
          arguments: [
            entry.seq, entry.time, entry.type.rawValue, entry.hash.hex,
            entry.payload["cell"]?.string, entry.payload.canonicalText,
          ])
        try Self.updateCell(database, entry)
      }
    }
  }

  private static func updateCell(_ database: Database, _ entry: LedgerEntry) throws {
    switch entry.type {
    case .cellStarted:
      let start = try entry.payload.decode(as: CellStart.self)
      try database.execute(
        sql: """
          INSERT INTO cells VALUES (?, ?, ?, 'started', 1, 0, 0, NULL)
          ON CONFLICT (id) DO UPDATE SET state = 'started', attempts = attempts + 1, reason = NULL
          """,
        arguments: [start.cell.hex, start.kind, start.version])
    case .cellFinished:
      let finish = try entry.payload.decode(as: CellFinish.self)
      try database.execute(
        sql: "UPDATE cells SET state = 'finished', seconds = ?, tokens = ? WHERE id = ?",
        arguments: [finish.cost.seconds, finish.cost.tokens, finish.cell.hex])
    case .cellFailed:
      let failure = try entry.payload.decode(as: CellFailure.self)
      try database.execute(
        sql: """
          UPDATE cells SET state = 'failed', seconds = ?, tokens = ?, reason = ? WHERE id = ?
          """,
        arguments: [failure.cost.seconds, failure.cost.tokens, failure.reason, failure.cell.hex])
    default: break
    }
  }

  /// All cells that were ever started, in that order.
  func cells() throws -> [CellSummary] {
    try database.read { database in
      try Row.fetchAll(database, sql: "SELECT * FROM cells ORDER BY rowid").compactMap { row in
        guard let id = CellID(hex: row["id"]) else { return nil }
        return CellSummary(
          id: id, kind: row["kind"], version: row["version"],
          state: CellSummary.State(rawValue: row["state"]) ?? .started,
          attempts: row["attempts"], cost: Cost(seconds: row["seconds"], tokens: row["tokens"]),
          reason: row["reason"])
      }
    }
  }
}

/// One line on a cell, for lists.
package struct CellSummary: Codable, Equatable, Sendable {
  /// Where a cell stands.
  package enum State: String, Codable, Sendable {
    /// Running, or killed and not taken up again yet.
    case started
    /// Done; its finding and artifacts are on disk.
    case finished
    /// Threw an error the last time.
    case failed
  }

  /// The cell's name.
  package let id: CellID
  /// The kind's name.
  package let kind: String
  /// The kind's version.
  package let version: Int
  /// Where it stands.
  package let state: State
  /// How often it was started.
  package let attempts: Int
  /// What it cost, over all attempts.
  package let cost: Cost
  /// Why it failed, if it did.
  package let reason: String?
}
