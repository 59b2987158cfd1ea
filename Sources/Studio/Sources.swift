/// What the numbers of a page came from: a list at its end, where the links beside numbers lead.
package struct Sources: Sendable {
  /// The id that numbers cite, and what a link to it says.
  let entries: [(id: String, label: String)]
  let section: Section

  /// Where in the page a source is listed.
  static func anchor(_ id: String) -> String { "cell-" + id }

  /// The cells of a run.
  package static func cells(_ cells: [CellRecord]) -> Sources {
    Sources(
      entries: cells.enumerated().map { index, cell in
        (cell.id, "cell \(index + 1): \(cell.kind), \(cell.id.prefix(12))")
      },
      section: Section(
        id: "cells", title: "Cells",
        lede: """
          Every number above links to the cell that it came from: one unit of work, named by the \
          hash of its configuration, inputs, build and device.
          """
      ) { CellRecord.table(cells) })
  }

  /// Files, for a page of a folder that was written by a run and may lie anywhere since.
  package static func files(_ files: [FileRecord]) -> Sources {
    Sources(
      entries: files.enumerated().map { index, file in
        (file.id, "file \(index + 1): \(file.path), \(file.hash.prefix(12))")
      },
      section: Section(
        id: "files", title: "Files",
        lede: """
          Links lead from what was measured to the file that says so, by its SHA-256. All were found \
          as they had been written.
          """
      ) { FileRecord.table(files) })
  }
}

/// A file that numbers of a page were read from.
package struct FileRecord: Sendable, Hashable {
  /// What numbers cite; not the hash, which files of the same content share.
  package var id: String
  package var path: String
  /// SHA-256; the table shows its first 12 digits.
  package var hash: String

  package init(id: String, path: String, hash: String) {
    (self.id, self.path, self.hash) = (id, path, hash)
  }

  fileprivate static func table(_ files: [FileRecord]) -> Node {
    guard !files.isEmpty else { return Tag.p(.class("absent")) { "No file was read." } }
    return DataTable(
      caption: "All files of this page.",
      columns: [.init("№", alignment: .right), .init("File"), .init("SHA-256")],
      rows: files.enumerated().map { index, file in
        DataTable.Row(
          id: Sources.anchor(file.id),
          [
            "\(index + 1)", .text(file.path),
            Tag.code(.set(.title, file.hash)) { String(file.hash.prefix(12)) },
          ])
      }
    ).node
  }
}
