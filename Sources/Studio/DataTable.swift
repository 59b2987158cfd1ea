/// A table with named columns, whose first cell heads the row.
package struct DataTable: Sendable {
  package enum Alignment: Sendable { case left, right }

  package struct Column: Sendable {
    package var title: String
    package var alignment: Alignment

    package init(_ title: String, alignment: Alignment = .left) {
      self.title = title
      self.alignment = alignment
    }
  }

  package struct Row: Sendable {
    var id: String?
    var cells: [Node]

    /// A row with one node a column; missing ones are left empty, which is shown as "–".
    package init(id: String? = nil, _ cells: [Node]) {
      self.id = id
      self.cells = cells
    }
  }

  package var caption: Node
  package var columns: [Column]
  package var rows: [Row]
  /// Whether each row becomes a block of "name: value" lines on a phone; otherwise it scrolls.
  package var stacksOnPhones: Bool

  package init(caption: Node, columns: [Column], rows: [Row], stacksOnPhones: Bool = false) {
    self.caption = caption
    self.columns = columns
    self.rows = rows
    self.stacksOnPhones = stacksOnPhones
  }

  package var node: Node {
    Tag.div(
      .class("scroll"), .set(.role, "region"), .set(.tabindex, "0"),
      .set(.ariaLabel, caption.plainText)
    ) {
      Tag.table(.class(stacksOnPhones ? "stack" : "plain")) {
        Tag.caption { caption }
        Tag.thead { Tag.tr { for column in columns { heading(column) } } }
        Tag.tbody {
          for row in rows { node(row) }
          if rows.isEmpty {
            Tag.tr { Tag.td(.set(.colspan, "\(columns.count)")) { "Nothing was measured." } }
          }
        }
      }
    }
  }

  private func heading(_ column: Column) -> Node {
    Tag.th(.set(.scope, "col"), .class(className(column))) { column.title }
  }

  private func node(_ row: Row) -> Node {
    let cells = columns.indices.map { index in
      let content = index < row.cells.count ? row.cells[index] : "–"
      return index == 0
        ? Tag.th(.set(.scope, "row"), .class(className(columns[index]))) { content }
        : Tag.td(.class(className(columns[index])), .set(.dataLabel, columns[index].title)) {
          content
        }
    }
    guard let id = row.id else { return Tag.tr { cells } }
    return Tag.tr(.id(id)) { cells }
  }

  private func className(_ column: Column) -> String {
    column.alignment == .right ? "right" : "left"
  }
}
