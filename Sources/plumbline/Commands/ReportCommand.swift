internal import ArgumentParser
internal import Foundation
internal import Instruments
internal import Lab
internal import LanguageModels
internal import Studio

/// `plumbline report`.
struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Writes the page of a run of instruments again.",
    discussion: """
      EXAMPLE
        plumbline report runs/lens-eval-0123abcd --output lenses.html
      """)

  @Argument(help: "The run's folder.")
  var folder: String

  @Option(help: "The file to write.")
  var output: String

  @Option(help: "What the page calls the model.")
  var model = ModelCatalog.defaultName

  /// What makes a page of a cell, by the cell's kind.
  private static let pages: [String: @Sendable (URL, CellID, String) throws -> String] = [
    LensEvaluationCell.kind: { try LensReport(run: $0, cell: $1, base: $2).html() },
    LensTrajectoryCell.kind: { try TrajectoryReport(run: $0, cell: $1, base: $2).html() },
    PatchCell.kind: { try PatchReport(run: $0, cell: $1, base: $2).html() },
    AttributionCell.kind: { try AttributionReport(run: $0, cell: $1, base: $2).html() },
    WeightValidationCell.kind: { try WeightReport(run: $0, cell: $1, base: $2).html() },
  ]
  private static let names = "lens eval, lens show, weights validate, patch or attribute"

  func run() throws {
    let url = URL(fileURLWithPath: folder)
    let finished = try RunRecord(folder: url).cells.last { cell in
      Self.pages[cell.kind] != nil && cell.state == .finished
    }
    guard let finished, let page = try Self.pages[finished.kind]?(url, finished.id, model) else {
      throw ValidationError(
        "Expected a finished run of \(Self.names), found \(folder): name another folder.")
    }
    try AtomicFile.write(Array(page.utf8), to: output)
    try StandardOutput.write(line: "page: \(output)")
  }
}
