/// Gates of many organisms: one a row, one criterion a column.
///
/// Like ``HeatTable`` a table whose cells say in full what they hold when they are pointed at; a sign and a
/// number stand in each, so that colour is never the only cue.
package struct GateMatrix: Sendable {
  package struct Column: Sendable {
    package var criterion: String
    /// The bar, as short as can be.
    package var bar: String
    /// The bar in words.
    package var requirement: String

    package init(_ criterion: String, bar: String, requirement: String) {
      (self.criterion, self.bar, self.requirement) = (criterion, bar, requirement)
    }
  }

  package struct Cell: Sendable {
    package var outcome: GatePanel.Outcome
    /// What was measured, in a few characters.
    package var text: String
    /// The same with interval and n.
    package var detail: String

    package init(_ outcome: GatePanel.Outcome, text: String, detail: String) {
      (self.outcome, self.text, self.detail) = (outcome, text, detail)
    }
  }

  package struct Row: Sendable {
    package var name: String
    /// What rows that belong together share.
    package var group: String
    /// Of all its criteria.
    package var outcome: GatePanel.Outcome
    /// One a column; nil where it was not asked.
    package var cells: [Cell?]
    /// What its numbers came from.
    package var source: String

    package init(
      _ name: String, group: String, outcome: GatePanel.Outcome, cells: [Cell?], source: String
    ) {
      (self.name, self.group, self.outcome) = (name, group, outcome)
      (self.cells, self.source) = (cells, source)
    }
  }

  package var title: String
  package var columns: [Column]
  package var rows: [Row]

  package init(title: String, columns: [Column], rows: [Row]) {
    (self.title, self.columns, self.rows) = (title, columns, rows)
  }

  private static let legend = """
    ✓ passed, the whole interval meets the bar; ✗ failed, the number itself does not; ◇ undecided, too few \
    prompts to tell or nothing measured; · not asked.
    """

  package var node: Node {
    guard !columns.isEmpty, !rows.isEmpty else {
      return Tag.p(.class("absent")) { "No gate was run." }
    }
    return Tag.figure(.class("heat broad matrix")) {
      Tag.figcaption {
        Tag.strong { title + "." }
        " " + Self.legend
      }
      Tag.div(.class("scroll")) {
        Tag.table(.set(.role, "grid"), .set(.ariaLabel, "\(title). \(Self.legend)")) {
          Tag.thead { heading }
          Tag.tbody { for index in rows.indices { node(index) } }
        }
      }
      Tag.p(.class("readout"), .set(.role, "status")) {
        "Point at a cell, or move there with Tab and the arrow keys."
      }
    }
  }

  private var heading: Node {
    Tag.tr {
      Tag.th(.set(.scope, "col")) { "Organism" }
      Tag.th(.set(.scope, "col")) { "All its gates" }
      for column in columns {
        Tag.th(.set(.scope, "col"), .set(.title, column.requirement)) {
          column.criterion
          Tag.span(.class("sub")) { column.bar }
        }
      }
    }
  }

  private func node(_ index: Int) -> Node {
    let row = rows[index]
    let isFirst = index == 0 || rows[index - 1].group != row.group
    return Tag.tr(.class(isFirst ? "first" : "next")) {
      Tag.th(.set(.scope, "row")) {
        row.name
        Node.citation([row.source])
      }
      // One cell takes part in tabbing.
      cell(
        row.outcome, row.outcome.sign.word, "\(row.name): \(row.outcome.sign.word)",
        isEntry: index == 0)
      for (column, own) in zip(columns, row.cells) {
        if let own {
          cell(
            own.outcome, own.text,
            "\(row.name), \(column.criterion.lowercased()): \(own.outcome.sign.word); \(own.detail); "
              + column.requirement)
        } else {
          cell(nil, "", "\(row.name), \(column.criterion.lowercased()): not asked")
        }
      }
    }
  }

  private func cell(
    _ outcome: GatePanel.Outcome?, _ text: String, _ detail: String, isEntry: Bool = false
  ) -> Node {
    Tag.td(
      .class(outcome?.sign.word ?? "unasked"), .set(.title, detail), .set(.ariaLabel, detail),
      .set(.tabindex, isEntry ? "0" : "-1")
    ) { outcome.map { "\($0.sign.symbol) \(text)" } ?? "·" }
  }
}
