/// A cell as the appendix of a report lists it.
package struct CellRecord: Sendable, Hashable {
  package enum Origin: Sendable, Hashable {
    case run
    /// Read back from an earlier run, not computed again.
    case cached
    /// Why it did not finish.
    case failed(String)
  }

  /// The full id; the table shows its first 12 characters.
  package var id: String
  package var kind: String
  /// Which one of its kind: "secret, seed 5411".
  package var label: String
  package var tokens: Int?
  package var seconds: Double?
  package var origin: Origin

  package init(
    id: String, kind: String, label: String = "", tokens: Int? = nil, seconds: Double? = nil,
    origin: Origin = .run
  ) {
    self.id = id
    self.kind = kind
    self.label = label
    self.tokens = tokens
    self.seconds = seconds
    self.origin = origin
  }

  static func table(_ cells: [CellRecord]) -> Node {
    guard !cells.isEmpty else { return Tag.p(.class("absent")) { "No cell was run." } }
    let columns: [DataTable.Column] = [
      .init("№", alignment: .right), .init("Cell"), .init("Kind"),
      .init("Tokens", alignment: .right), .init("Time", alignment: .right), .init("Outcome"),
    ]
    let rows = cells.enumerated().map { index, cell in
      DataTable.Row(
        id: Sources.anchor(cell.id),
        ["\(index + 1)", cell.idNode, cell.kindNode, cell.tokensNode, cell.timeNode, cell.outcome])
    }
    return DataTable(caption: "All cells of this report.", columns: columns, rows: rows).node
  }

  private var idNode: Node { Tag.code(.set(.title, id)) { String(id.prefix(12)) } }

  private var kindNode: Node {
    Node {
      kind
      if !label.isEmpty { Tag.span(.class("sub")) { label } }
    }
  }

  private var tokensNode: Node { .text(tokens.map(NumberFormat.grouped) ?? "–") }

  private var timeNode: Node {
    .text(seconds.map { NumberFormat.duration(seconds: $0) } ?? "–")
  }

  private var outcome: Node {
    switch origin {
    case .run: "run"
    case .cached: "read back"
    case .failed(let why):
      Node {
        Tag.span(.class("mark-word in-2")) { "✗ failed" }
        Tag.span(.class("sub")) { why }
      }
    }
  }
}
