import Foundation
import GRDB

// How a catalog comes to know what the run folders say.

extension RunCatalog {
  /// The largest finding of which the catalog keeps a copy. Most are much smaller, and checking the
  /// index at every opening takes as long as it is large.
  private static let smallFinding = 8192

  /// What the catalog has of a run.
  private struct Known {
    var stamp: String
    var position: LedgerPosition
    /// The hash of the ledger up to there.
    var digest: String
  }

  /// Reads what was added to ledgers, and forgets runs that are gone.
  mutating func update() throws {
    var known: [String: Known] = [:]
    for row in try database.read({ try Row.fetchAll($0, sql: "SELECT * FROM runs") }) {
      known[row["name"]] = Known(
        stamp: row["stamp"],
        position: LedgerPosition(
          bytes: row["bytes"], seq: row["seq"], hash: ContentHash(hex: row["hash"]) ?? .zero),
        digest: row["digest"])
    }
    for name in try names(in: folder) {
      let run = RunFolder(folder.appending(path: name))
      guard exists(run.ledger) || exists(run.manifest) else { continue }
      let old = known.removeValue(forKey: name)
      // Taken before the ledger is read: what is appended meanwhile is read again the next time.
      let stamp = stamp(of: run.ledger) ?? "none"
      guard old?.stamp != stamp else { continue }
      ledgersRead += 1
      try update(run, name, stamp, old)
    }
    try database.write { database in
      for name in known.keys { try forget(name, database) }
    }
  }

  private func update(_ run: RunFolder, _ name: String, _ stamp: String, _ old: Known?) throws {
    do {
      let bytes = try ledgerBytes(of: run)
      // Entries that are known are not parsed again, but they must still be there.
      let isContinued = old.map { old in
        old.position.bytes <= bytes.count
          && ContentHash(of: bytes[..<old.position.bytes]).hex == old.digest
      }
      let start = isContinued == true ? old?.position : nil
      let scan = LedgerScan(of: bytes, after: start ?? LedgerPosition())
      let new = Known(
        stamp: stamp, position: scan.end,
        digest: ContentHash(of: bytes[..<scan.end.bytes]).hex)
      try database.write { database in
        if isContinued == false { try forget(name, database) }
        let problem = scan.damage.map { "\(LabError($0, in: run.ledger))" }
        try write(name, new, scan.entries, problem: problem, database)
        try add(scan.entries, of: run, name, database)
      }
    } catch let error as LabError {
      try database.write { database in
        try forget(name, database)
        let nothing = Known(
          stamp: stamp, position: LedgerPosition(), digest: ContentHash(of: [UInt8]()).hex)
        try write(name, nothing, [], problem: "\(error)", database)
      }
    }
  }

  private func ledgerBytes(of run: RunFolder) throws -> [UInt8] {
    if exists(run.ledger) { return try contents(of: run.ledger) }
    // Killed before its first entry, unless it left something.
    try Run.checkLedgerExists(run)
    return []
  }

  private func forget(_ name: String, _ database: Database) throws {
    try database.execute(sql: "DELETE FROM runs WHERE name = ?", arguments: [name])
  }

  private func write(
    _ name: String, _ known: Known, _ entries: [LedgerEntry], problem: String?, _ database: Database
  ) throws {
    try database.execute(
      sql: """
        INSERT INTO runs (
          name, kind, stamp, bytes, digest, seq, hash, created, latest, problem)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (name) DO UPDATE SET
          stamp = excluded.stamp, bytes = excluded.bytes, digest = excluded.digest,
          seq = excluded.seq, hash = excluded.hash, created = COALESCE(created, excluded.created),
          latest = COALESCE(excluded.latest, latest), problem = excluded.problem
        """,
      arguments: [
        name, Run.kind(ofName: name), known.stamp, known.position.bytes, known.digest,
        known.position.seq, known.position.hash.hex, entries.first?.time, entries.last?.time,
        problem,
      ])
  }

  func id(of run: String, _ database: Database) throws -> Int64? {
    try Int64.fetchOne(database, sql: "SELECT id FROM runs WHERE name = ?", arguments: [run])
  }

  private func add(
    _ entries: [LedgerEntry], of run: RunFolder, _ name: String, _ database: Database
  ) throws {
    let cells = CellTable(run: try id(of: name, database))
    for entry in entries {
      try cells.update(database, entry)
      guard entry.type == .cellFinished else { continue }
      let finish = try entry.payload.decode(as: CellFinish.self)
      let file = CellFolder(url: run.finishedCell(finish.cell)).finding
      let (size, json) = Self.finding(in: file, expected: finish.contents.finding)
      try database.execute(
        sql: "INSERT OR REPLACE INTO findings VALUES (?, ?, ?, ?, ?, ?)",
        arguments: [
          cells.run, finish.cell.hex, finish.kind, finish.contents.finding.hex, size, json,
        ])
    }
  }

  /// The size of a finding, and what it is if it is small and as the ledger recorded it.
  private static func finding(in file: URL, expected: ContentHash) -> (size: Int?, json: String?) {
    guard let size = size(of: file) else { return (nil, nil) }
    // A damaged finding is no reason to hide the run: whoever asks for it is told.
    guard size <= smallFinding, let bytes = try? contents(of: file),
      ContentHash(of: bytes) == expected
    else { return (size, nil) }
    return (size, String(decoding: bytes, as: UTF8.self))
  }
}
