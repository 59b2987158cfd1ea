package import Foundation

/// Reading a run's ledger without holding the run; works while another process writes it.
package enum Ledger {
  /// All entries, oldest first. An incomplete last line is no error and not among them.
  /// - Throws: `LabError.notARun`; `LabError.damagedLedger` naming line and byte.
  package static func entries(in folder: URL) throws -> [LedgerEntry] {
    let scan = try scan(RunFolder(folder))
    if let damage = scan.damage { throw LabError(damage, in: RunFolder(folder).ledger) }
    return scan.entries
  }

  /// All cells that were ever started, in that order.
  /// - Throws: as `entries(in:)`.
  package static func cells(in folder: URL) throws -> [CellSummary] {
    try LedgerIndex.read(RunFolder(folder), entries: entries(in: folder)).cells()
  }

  static func scan(_ folder: RunFolder) throws -> LedgerScan {
    guard exists(folder.manifest), exists(folder.ledger) else {
      throw LabError.notARun(folder: folder.url.path)
    }
    return LedgerScan(of: try contents(of: folder.ledger))
  }
}
