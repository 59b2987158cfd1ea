package import Foundation

/// What a finished cell left: its finding, its artifacts, and where the ledger says so.
///
/// Only a `Run` or a `RunRecord` makes one, always from files that it checked against the ledger.
package struct CellResult<Finding: Sendable>: Sendable {
  /// The cell's name.
  package let id: CellID
  /// What came out, read from `finding.json` even when it was computed just now.
  package let finding: Finding
  /// The folder of the cell's files.
  package let artifacts: URL
  /// Whether the cell had been finished before this was asked.
  package let wasCached: Bool
  /// What it cost when it ran.
  package let cost: Cost
  /// The hashes of the finding and the artifacts.
  package let contents: CellContents

  /// A part of the finding together with the cell that it came from.
  ///
  /// Takes a key path and no closure, so that the number cannot come from anywhere else.
  package func cite<Value>(_ path: KeyPath<Finding, Value>) -> Cited<Value> {
    Cited(value: finding[keyPath: path], cell: id)
  }
}
