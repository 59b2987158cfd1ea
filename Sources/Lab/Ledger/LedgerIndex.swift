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
    try database.prepare(layout: Self.layout, schema: Self.schema)
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
    try index.database.prepare(layout: layout, schema: schema)
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

  private static let layout = 1
  private static let schema = """
    CREATE TABLE entries (
      seq INTEGER PRIMARY KEY, time TEXT NOT NULL, type TEXT NOT NULL, hash TEXT NOT NULL,
      cell TEXT, payload TEXT NOT NULL);
    CREATE INDEX entries_by_cell ON entries (cell);
    CREATE INDEX entries_by_type ON entries (type);
    CREATE TABLE cells (\(CellTable.columns), PRIMARY KEY (id));
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
        try CellTable().update(database, entry)
      }
    }
  }

  /// All cells that were ever started, in that order.
  func cells() throws -> [CellSummary] {
    try database.read { try CellTable().cells($0) }
  }
}
