package import Foundation
import GRDB

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// An index over all runs in a folder: their cells and findings, for questions that should not read
/// thousands of files.
///
/// It holds nothing that the run folders do not, and is brought up to date whenever it is asked.
/// Missing, damaged or of another layout, it is built anew; where it cannot be kept beside the runs
/// (a folder that may only be read), it is built in memory.
package struct RunCatalog {
  /// The folder that the runs lie in.
  package let folder: URL
  /// How many ledgers had to be read because they were new or had changed.
  package internal(set) var ledgersRead = 0

  let database: DatabaseQueue
  /// The kind of cell that a study ends with, by the first word of the run's kind.
  private let endings: [String: String]

  static let layout = 1
  // Strict, so that the check at every opening finds values of a wrong type too.
  static let schema = """
    CREATE TABLE runs (
      id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, stamp TEXT NOT NULL,
      bytes INTEGER NOT NULL, digest TEXT NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL,
      created TEXT, latest TEXT, problem TEXT) STRICT;
    CREATE TABLE cells (
      run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, \(CellTable.columns),
      PRIMARY KEY (run, id)) STRICT;
    CREATE INDEX cells_by_kind ON cells (kind);
    CREATE TABLE findings (
      run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, cell TEXT NOT NULL,
      kind TEXT NOT NULL, hash TEXT NOT NULL, bytes INTEGER, json TEXT,
      PRIMARY KEY (run, cell)) STRICT;
    """

  /// Asks about the runs in a folder.
  ///
  /// - Parameters:
  ///   - folder: where run folders lie.
  ///   - rebuilding: whether to throw away what is known and read everything.
  ///   - endings: the kind of cell that a study ends with, by the first word of a run's kind; other
  ///     studies end with any cell.
  ///   - body: asks; called again with another index where the first turns out to be damaged.
  /// - Returns: what `body` does.
  /// - Throws: `LabError.noRuns`; `LabError.fileSystem` if the folder cannot be listed; what `body`
  ///   throws. A run that cannot be read is no error, but listed with its problem.
  package static func query<Answer>(
    in folder: URL, rebuilding: Bool = false, endings: [String: String] = [:],
    _ body: (RunCatalog) throws -> Answer
  ) throws -> Answer {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: folder.path, isDirectory: &isFolder),
      isFolder.boolValue
    else { throw LabError.noRuns(folder: folder.path) }
    func answer(_ database: DatabaseQueue) throws -> Answer {
      var catalog = RunCatalog(folder: folder, database: database, endings: endings)
      try database.prepare(layout: layout, schema: schema)
      try catalog.update()
      return try body(catalog)
    }
    if let lock = lock(in: folder) {
      defer { withExtendedLifetime(lock) {} }
      if rebuilding { removeIndex(in: folder) }
      for _ in 0..<2 {
        do { return try answer(try openIndex(in: folder)) } catch is DatabaseError {
          removeIndex(in: folder)
        }
      }
    }
    return try answer(try DatabaseQueue(configuration: configuration))
  }

  // MARK: The file

  private static func index(in folder: URL) -> URL { folder.appending(path: ".plumbline.sqlite") }

  private static var configuration: Configuration {
    var configuration = Configuration()
    configuration.busyMode = .timeout(5)
    // A power cut may damage the index, which is noticed and repaired by reading the ledgers.
    configuration.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = OFF") }
    return configuration
  }

  /// One process at a time has the index, until it has its answer: a damaged file of SQLite's must
  /// not be removed while another process reads it.
  ///
  /// - Returns: nil where nothing can be written, or another process takes too long.
  private static func lock(in folder: URL) -> Descriptor? {
    let file = folder.appending(path: ".plumbline.lock")
    let flags = O_RDWR | O_CREAT
    guard let descriptor = try? Descriptor(file, flags, mode: 0o600, for: "create"),
      descriptor.lock(waiting: .seconds(10)) == 0
    else { return nil }
    return descriptor
  }

  private static func openIndex(in folder: URL) throws -> DatabaseQueue {
    let file = index(in: folder)
    // Made before SQLite does, for its owner alone like the cells of which it holds findings.
    _ = try? Descriptor(file, O_RDWR | O_CREAT, mode: 0o600, for: "create")
    let database = try DatabaseQueue(path: file.path, configuration: configuration)
    let verdict = try database.read { try String.fetchOne($0, sql: "PRAGMA quick_check(1)") }
    guard verdict == "ok" else { throw DatabaseError(message: verdict) }
    return database
  }

  private static func removeIndex(in folder: URL) {
    // Not more than files: whatever else has the name is not ours.
    for suffix in ["", "-journal", "-wal", "-shm"] { unlink(index(in: folder).path + suffix) }
  }
}

// MARK: Questions

extension RunCatalog {
  /// All runs, the one with the newest entry first.
  ///
  /// - Parameter kind: only runs whose kind begins with these words, such as `trial`.
  /// - Returns: one line on each.
  /// - Throws: `DatabaseError`, as all questions may: the index is built anew then.
  package func runs(kind: String? = nil) throws -> [RunSummary] {
    let (rows, finished) = try database.read { database in
      (
        try Row.fetchAll(database, sql: Self.summaries),
        try Row.fetchSet(
          database, sql: "SELECT DISTINCT run, kind FROM cells WHERE state = 'finished'")
      )
    }
    var kinds: [Int64: Set<String>] = [:]
    for row in finished { kinds[row["run"], default: []].insert(row["kind"]) }
    return rows.compactMap { row in
      let own: String = row["kind"]
      guard kind.map({ own == $0 || own.hasPrefix($0 + "-") }) ?? true else { return nil }
      return summary(row, finished: kinds[row["id"]] ?? [])
    }
  }

  /// The run of this name.
  /// - Throws: `LabError.noSuchRun`.
  package func run(named name: String) throws -> RunSummary {
    guard let run = try runs().first(where: { $0.name == name }) else {
      throw LabError.noSuchRun(name, folder: folder.path)
    }
    return run
  }

  /// The cells of a run that were ever started, in that order.
  ///
  /// - Parameters:
  ///   - run: the run's name.
  ///   - kind: only cells of this kind.
  /// - Returns: one line on each.
  /// - Throws: `LabError.noSuchRun`.
  package func cells(of run: String, kind: String? = nil) throws -> [CellSummary] {
    let cells = try database.read { database in
      try id(of: run, database).map { try CellTable(run: $0).cells(database) }
    }
    guard let cells else { throw LabError.noSuchRun(run, folder: folder.path) }
    return cells.filter { kind == nil || $0.kind == kind }
  }

  /// The last finished cell of a kind: in one run, or in the run with the newest entry that has one.
  ///
  /// Runs with a problem are left out where none is named.
  package func latest(kind: String, in run: String? = nil) throws -> (run: String, cell: CellID)? {
    let row = try database.read { database in
      try Row.fetchOne(
        database,
        sql: """
          SELECT runs.name, cells.id FROM cells JOIN runs ON runs.id = cells.run
          WHERE cells.kind = ? AND cells.state = 'finished' AND COALESCE(runs.name = ?, problem IS NULL)
          ORDER BY latest DESC, runs.name, cells.rowid DESC LIMIT 1
          """, arguments: [kind, run])
    }
    guard let row, let cell = CellID(hex: row["id"]) else { return nil }
    return (row["name"], cell)
  }

  /// What a cell found: from the index where it is small, else from its file; nil if the cell is not
  /// finished.
  /// - Throws: `LabError.damagedCell` if the file is not what the ledger recorded;
  ///   `LabError.notCodable` if the finding is of another type.
  package func finding<Finding: Decodable>(
    of cell: CellID, in run: String, as type: Finding.Type = Finding.self
  ) throws -> Finding? {
    let row = try database.read { database in
      try Row.fetchOne(
        database,
        sql: """
          SELECT hash, json FROM findings
          WHERE cell = ? AND run = (SELECT id FROM runs WHERE name = ?)
          """, arguments: [cell.hex, run])
    }
    guard let row else { return nil }
    if let text: String = row["json"] { return try JSONValue(parsing: Array(text.utf8)).decode() }
    let folder = RunFolder(folder.appending(path: run)).finishedCell(cell)
    let file = CellFolder(url: folder).finding
    let bytes = exists(file) ? try contents(of: file) : []
    guard ContentHash(of: bytes).hex == row["hash"] as String else {
      throw LabError.damagedCell(
        cell, file: file.path, found: exists(file) ? "other contents" : "no such file")
    }
    return try JSONValue(parsing: bytes).decode()
  }

  private static let summaries = """
    SELECT runs.*, COUNT(cells.id) AS cells, TOTAL(seconds) AS seconds,
      COALESCE(SUM(tokens), 0) AS tokens, COALESCE(SUM(state = 'finished'), 0) AS finished,
      COALESCE(SUM(state = 'failed'), 0) AS failed
    FROM runs LEFT JOIN cells ON cells.run = runs.id
    GROUP BY runs.id ORDER BY latest DESC, name
    """

  private func summary(_ row: Row, finished kinds: Set<String>) -> RunSummary {
    let name: String = row["name"]
    let kind: String = row["kind"]
    let counts = RunSummary.Counts(
      all: row["cells"], finished: row["finished"], failed: row["failed"])
    let problem: String? = row["problem"]
    let ending = kind.split(separator: "-").first.flatMap { endings[String($0)] }
    let state: RunSummary.State =
      if problem != nil {
        .damaged
      } else if RunLock.isHeld(RunFolder(folder.appending(path: name))) {
        .running
      } else {
        .init(ofFree: counts, hasEnded: ending.map(kinds.contains))
      }
    return RunSummary(
      name: name, kind: kind, state: state, cells: counts,
      cost: Cost(seconds: row["seconds"], tokens: row["tokens"]), created: row["created"],
      latest: row["latest"], entries: row["seq"], hash: ContentHash(hex: row["hash"]) ?? .zero,
      problem: problem)
  }
}

/// One line on a run, for lists.
package struct RunSummary: Codable, Equatable, Sendable {
  /// Where a run stands.
  package enum State: String, Codable, Sendable {
    /// Its last cell, or where that is not known every cell that was started, is finished.
    case done
    /// A process holds it.
    case running
    /// No process holds it, and a cell was begun and not ended, or the last one is to come.
    case interrupted
    /// A cell threw an error the last time.
    case failed
    /// Its ledger cannot be read as it was written.
    case damaged

    /// Where a run stands that no process holds.
    init(ofFree cells: Counts, hasEnded: Bool?) {
      let isOpen = cells.finished + cells.failed < cells.all || cells.all == 0
      // What failed on the way of a study that came to its end was coped with.
      self =
        hasEnded == true
        ? .done
        : isOpen
          ? .interrupted : cells.failed > 0 ? .failed : hasEnded == nil ? .done : .interrupted
    }
  }

  /// How many cells there are of each state; what is neither finished nor failed was only started.
  package struct Counts: Codable, Equatable, Sendable {
    package let all: Int
    package let finished: Int
    package let failed: Int
  }

  /// The run folder's name.
  package let name: String
  /// The name without the hash at its end, such as `trial-quick`.
  package let kind: String
  /// Where it stands.
  package let state: State
  /// Its cells by their state.
  package let cells: Counts
  /// What all cells together cost, also those that ran beside each other.
  package let cost: Cost
  /// The time of the first entry, ISO 8601 in UTC.
  package let created: String?
  /// The time of the last entry.
  package let latest: String?
  /// How many entries the ledger has, up to a damage.
  package let entries: Int
  /// The last entry's hash, zero where there is none.
  package let hash: ContentHash
  /// Why the run cannot be read, or not beyond these cells.
  package let problem: String?
}
