internal import ArgumentParser
internal import Foundation
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

  /// All reports, each of one kind of cell.
  private static let reports: [any InstrumentReport.Type] = [
    LensReport.self, TrajectoryReport.self, PatchReport.self, AttributionReport.self,
    WeightReport.self, AutoencoderReport.self, NeuronReport.self,
    TrialReport.self,
  ]
  private static let names =
    "lens eval, lens show, sae eval, neurons, weights validate, patch, attribute or trial"

  func run() throws {
    let url = URL(fileURLWithPath: folder)
    let finished = try RunRecord(folder: url).cells.last { cell in
      cell.state == .finished && Self.reports.contains { $0.kind == cell.kind }
    }
    guard let finished, let report = Self.reports.first(where: { $0.kind == finished.kind }) else {
      throw ValidationError(
        "Expected a finished run of \(Self.names), found \(folder): name another folder.")
    }
    let page = try report.init(run: url, cell: finished.id, base: model).html()
    try AtomicFile.write(Array(page.utf8), to: output)
    try StandardOutput.write(line: "page: \(output)")
  }
}
