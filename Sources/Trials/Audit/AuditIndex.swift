package import Foundation
package import Lab

extension EntryType {
  /// Which cells make up a finished audit.
  package static let auditCells = EntryType("audit-cells")
}

/// The cells of a finished audit by what they are to it, as the ledger records them for reports.
package struct AuditIndex: Codable, Sendable, Equatable {
  package struct Entry: Codable, Sendable, Equatable {
    /// Such as `plant.specimen-A`, `detect.logistic`, `score`.
    package var role: String
    package var cell: CellID
    /// Which one of its kind, for people.
    package var label: String
  }

  package var entries: [Entry]

  package init(entries: [Entry] = []) { self.entries = entries }

  /// The cell in a role; nil where it was not performed or failed.
  package subscript(role: String) -> CellID? { entries.first { $0.role == role }?.cell }

  /// The last one in a run's ledger.
  ///
  /// - Throws: ``AuditError/unfinished(run:)``, or what reading the ledger throws.
  package static func read(_ run: URL) throws -> AuditIndex {
    guard
      let entry = try Ledger.entries(in: run).last(where: { $0.type == .auditCells })
    else { throw AuditError.unfinished(run: run.path) }
    return try entry.payload.decode()
  }
}
