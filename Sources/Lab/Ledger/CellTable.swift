import GRDB

/// The table of cells, as the index of one run and the catalog of all runs keep it.
struct CellTable {
  /// The run whose cells are meant, in a table that holds those of many.
  var run: Int64?

  /// What both tables have; the catalog's begins with `run`.
  static let columns = """
    id TEXT NOT NULL, kind TEXT NOT NULL, version INTEGER NOT NULL, state TEXT NOT NULL,
      attempts INTEGER NOT NULL, seconds REAL NOT NULL, tokens INTEGER NOT NULL, reason TEXT
    """

  private var condition: String { run.map { "run = \($0)" } ?? "TRUE" }

  /// Takes the next entry of the run's ledger; most types change no cell.
  /// - Throws: `LabError.notCodable` for an entry that is not what its type says.
  func update(_ database: Database, _ entry: LedgerEntry) throws {
    switch entry.type {
    case .cellStarted: try start(database, try entry.payload.decode())
    case .cellFinished:
      let finish = try entry.payload.decode(as: CellFinish.self)
      try end(database, finish.cell, .finished, finish.cost, reason: nil)
    case .cellFailed:
      let failure = try entry.payload.decode(as: CellFailure.self)
      try end(database, failure.cell, .failed, failure.cost, reason: failure.reason)
    default: break
    }
  }

  private func start(_ database: Database, _ start: CellStart) throws {
    try database.execute(
      sql: """
        INSERT INTO cells (
          \(run == nil ? "" : "run, ")id, kind, version, state, attempts, seconds, tokens)
        VALUES (\(run.map { "\($0), " } ?? "")?, ?, ?, 'started', 1, 0, 0)
        ON CONFLICT DO UPDATE SET state = 'started', attempts = attempts + 1, reason = NULL
        """,
      arguments: [start.cell.hex, start.kind, start.version])
  }

  private func end(
    _ database: Database, _ cell: CellID, _ state: CellSummary.State, _ cost: Cost, reason: String?
  ) throws {
    try database.execute(
      sql: """
        UPDATE cells SET state = ?, seconds = ?, tokens = ?, reason = ? WHERE id = ? AND \(condition)
        """,
      arguments: [state.rawValue, cost.seconds, cost.tokens, reason, cell.hex])
  }

  /// All cells that were ever started, in that order.
  func cells(_ database: Database) throws -> [CellSummary] {
    try Row.fetchAll(database, sql: "SELECT * FROM cells WHERE \(condition) ORDER BY rowid")
      .compactMap { row in
        guard let id = CellID(hex: row["id"]) else { return nil }
        return CellSummary(
          id: id, kind: row["kind"], version: row["version"],
          state: CellSummary.State(rawValue: row["state"]) ?? .started,
          attempts: row["attempts"], cost: Cost(seconds: row["seconds"], tokens: row["tokens"]),
          reason: row["reason"])
      }
  }
}

extension DatabaseQueue {
  /// Makes the tables of a new index.
  /// - Throws: `DatabaseError` for one of another layout, which is to be built anew.
  func prepare(layout: Int, schema: String) throws {
    try write { database in
      let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
      guard version != layout else { return }
      if version != 0 { throw DatabaseError(message: "another layout") }
      try database.execute(sql: schema + "PRAGMA user_version = \(layout);")
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
