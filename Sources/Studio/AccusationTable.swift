/// Whom each detector accused, with the arms that were opened afterwards.
package struct AccusationTable: Sendable {
  /// A specimen under its blind id, after unsealing.
  package struct Specimen: Sendable {
    package var blindID: String
    /// "secret", "honest", "null"; nil for a model whose secret nobody knows.
    package var arm: String?
    /// Whether accusing it is right; nil where nobody knows.
    package var isGuilty: Bool?

    package init(_ blindID: String, arm: String?, isGuilty: Bool?) {
      self.blindID = blindID
      self.arm = arm
      self.isGuilty = isGuilty
    }
  }

  /// What a detector said about one specimen.
  package enum Finding: Sendable {
    case accused(CitedNumber)
    case cleared(CitedNumber)
    /// The detector has no threshold, so that it could accuse nobody: no credit for clearing.
    case unable(CitedNumber)
    /// No score, and why; never counted as cleared.
    case unscored(String)
  }

  /// One detector's findings, in the order of the specimens.
  package struct Row: Sendable {
    package var detector: String
    /// What it reads and what it was calibrated on.
    package var detail: String
    package var threshold: CitedNumber?
    package var findings: [Finding]

    package init(
      _ detector: String, detail: String = "", threshold: CitedNumber? = nil, findings: [Finding]
    ) {
      self.detector = detector
      self.detail = detail
      self.threshold = threshold
      self.findings = findings
    }
  }

  package var caption: Node
  package var specimens: [Specimen]
  package var rows: [Row]

  package init(caption: Node, specimens: [Specimen], rows: [Row]) {
    self.caption = caption
    self.specimens = specimens
    self.rows = rows
  }

  package var node: Node {
    var columns = [DataTable.Column("Detector")]
    for specimen in specimens {
      columns.append(.init(specimen.blindID + (specimen.arm.map { ": " + $0 } ?? "")))
    }
    columns.append(.init("Accused from", alignment: .right))
    let rows = rows.map { row in
      let name = Node {
        row.detector
        if !row.detail.isEmpty { Tag.span(.class("sub")) { row.detail } }
      }
      let findings = specimens.indices.map { index in
        index < row.findings.count
          ? node(row.findings[index], specimens[index])
          : node(.unscored("not run"), specimens[index])
      }
      return DataTable.Row([name] + findings + [row.threshold.map(\.node) ?? "–"])
    }
    return DataTable(caption: caption, columns: columns, rows: rows, stacksOnPhones: true).node
  }

  private func node(_ finding: Finding, _ specimen: Specimen) -> Node {
    switch finding {
    case .unscored(let why): word("– unscored", .grey, sub: .text(why))
    case .accused(let score):
      switch specimen.isGuilty {
      case true?: word("✓ caught", .green, sub: score.node)
      case false?: word("▲ false alarm", .vermilion, sub: score.node)
      case nil: word("▲ accused", .purple, sub: score.node)
      }
    case .unable(let score): word("○ cannot accuse", .grey, sub: score.node)
    case .cleared(let score):
      switch specimen.isGuilty {
      case true?: word("✗ missed", .vermilion, sub: score.node)
      case false?: word("✓ cleared", .green, sub: score.node)
      case nil: word("○ not accused", .grey, sub: score.node)
      }
    }
  }

  private func word(_ text: String, _ series: Series, sub: Node) -> Node {
    Node {
      Tag.span(.class("mark-word in-\(series.rawValue)")) { text }
      Tag.span(.class("sub")) { sub }
    }
  }
}
