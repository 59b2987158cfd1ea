/// What happens in a run, for whoever watches; the ledger has the same for those who come later.
package enum RunEvent: Sendable {
  /// A cell begins to work.
  case started(CellID, label: String)
  /// A cell says how far it is.
  case progress(CellID, label: String, CellProgress)
  /// A cell is done, now or since an earlier time.
  case finished(CellID, label: String, Cost, wasCached: Bool)
  /// A cell threw an error.
  case failed(CellID, label: String, reason: String)
}
