internal import ArgumentParser
internal import Lab

/// `plumbline ledger show`.
struct LedgerShowCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Prints the entries of a run's ledger, oldest first.",
    discussion: """
      One line an entry: its number, time, type and particulars.

      EXAMPLE
        plumbline ledger show runs/demo --json
      """)

  @OptionGroup var folder: RunArgument

  @Flag(help: "Print {\"entries\": […], \"cells\": […]}.")
  var json = false

  private struct Contents: Encodable {
    let entries: [LedgerEntry]
    let cells: [CellSummary]
  }

  func run() throws {
    let entries = try Ledger.entries(in: folder.url)
    guard !json else {
      let cells = try Ledger.cells(in: folder.url)
      return try StandardOutput.write(json: Contents(entries: entries, cells: cells))
    }
    try StandardOutput.write(
      lines: entries.map {
        "\($0.seq)\t\($0.time)\t\($0.type.rawValue)\t\($0.payload.canonicalText)"
      })
  }
}
