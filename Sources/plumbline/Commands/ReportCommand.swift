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
    abstract: "Writes the page of a run of `lens eval` or `lens show` again.",
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

  func run() throws {
    let url = URL(fileURLWithPath: folder)
    let finished = try RunRecord(folder: url).cells.last { cell in
      [LensEvaluationCell.kind, LensTrajectoryCell.kind].contains(cell.kind)
        && cell.state == .finished
    }
    guard let finished else {
      throw ValidationError(
        "Expected a finished run of lens eval or lens show, found \(folder): name another folder.")
    }
    let page =
      finished.kind == LensEvaluationCell.kind
      ? try LensReport(run: url, cell: finished.id, base: model).html()
      : try TrajectoryReport(run: url, cell: finished.id, base: model).html()
    try AtomicFile.write(Array(page.utf8), to: output)
    try StandardOutput.write(line: "page: \(output)")
  }
}
