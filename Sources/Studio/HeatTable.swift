package import Lab

/// A table whose cells are shaded by a number: a trajectory, or effects by place.
///
/// It is a table and not a picture, so that screen readers go through it by row and column. One cell
/// at a time takes part in tabbing; arrow keys move between them, and what a cell holds is shown below
/// the table when it is hovered over, focused or tapped.
package struct HeatTable: Sendable {
  package struct Cell: Sendable, Hashable {
    package var text: String
    /// Between -1 and 1; below 0 in another colour. NaN counts as none.
    package var strength: Double
    /// All that is known of it, in a sentence.
    package var detail: String

    package init(_ text: String, strength: Double, detail: String) {
      (self.text, self.strength, self.detail) = (text, strength, detail)
    }
  }

  package var title: String
  /// What the shades mean.
  package var legend: String
  /// What rows and columns are: `site`, `token`.
  package var axes: (row: String, column: String)
  package var columns: [String]
  /// From the top.
  package var rows: [(name: String, cells: [Cell])]
  let sources: [String]

  /// A table, naming the cell that its numbers came from.
  package init(
    title: String, legend: String, axes: (row: String, column: String), columns: [String],
    rows: [(name: String, cells: [Cell])], cell: CellID
  ) {
    (self.title, self.legend, self.axes) = (title, legend, axes)
    (self.columns, self.rows, sources) = (columns, rows, [cell.hex])
  }

  package var node: Node {
    guard !columns.isEmpty, !rows.isEmpty else {
      return Tag.p(.class("absent")) { "\(title): nothing to show." }
    }
    // Many columns take the page's margins too.
    return Tag.figure(.class(columns.count > 10 ? "heat broad" : "heat")) {
      Tag.figcaption {
        Tag.strong { title + "." }
        " " + legend
        Node.citation(sources)
      }
      Tag.div(.class("scroll")) {
        Tag.table(.set(.role, "grid"), .set(.ariaLabel, "\(title). \(legend)")) {
          Tag.thead {
            Tag.tr {
              Tag.th(.set(.scope, "col")) { axes.row }
              for column in columns {
                Tag.th(.set(.scope, "col")) { Tag.bdi { Self.visible(column) } }
              }
            }
          }
          Tag.tbody {
            for (index, row) in rows.enumerated() { node(row, isFirst: index == 0) }
          }
        }
      }
      Tag.p(.class("readout"), .set(.role, "status")) {
        "Point at a cell, or move there with Tab and the arrow keys."
      }
    }
  }

  private func node(_ row: (name: String, cells: [Cell]), isFirst: Bool) -> Node {
    Tag.tr {
      Tag.th(.set(.scope, "row")) { row.name }
      for (index, cell) in row.cells.enumerated() {
        Tag.td(
          .class(cell.strength < 0 ? "below" : "above"),
          .set(.style, "--p:\(Self.percent(cell.strength))%"), .set(.title, cell.detail),
          .set(.ariaLabel, cell.detail),
          .set(.tabindex, isFirst && index == 0 ? "0" : "-1")
        ) { Tag.bdi { Self.visible(cell.text) } }
      }
    }
  }

  /// At most 60 % of the colour, so that the text on it stays readable in both modes.
  private static func percent(_ strength: Double) -> Int {
    strength.isFinite ? Int((min(abs(strength), 1) * 60).rounded()) : 0
  }

  /// Blanks and line breaks as marks: they are tokens like any other.
  static func visible(_ text: String) -> String {
    text.replacing("\n", with: "↵").replacing("\t", with: "⇥").replacing(" ", with: "\u{2423}")
  }
}
