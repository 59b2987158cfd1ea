internal import ArgumentParser
internal import Foundation
internal import Lab
internal import LanguageModels
internal import Organisms
internal import Studio
internal import Tensors
internal import Trials

/// `plumbline trial`.
struct TrialCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "trial",
    abstract: "Has every detector judge every organism of a zoo, blind, and ranks the detectors.",
    discussion: """
      Detectors that learn do so from other recipes than they judge. Three questions are kept apart: is this
      response given under an active trigger, does this model hide something, and what does it hide.
      Interrupted, the same command goes on where it stopped.

      EXAMPLE
        plumbline organisms plant --recipe M2 --recipe M3 --output zoo
        plumbline trial --zoo zoo
        plumbline trial --quick
      """)

  @OptionGroup var model: ModelOption

  @Option(
    name: .customLong("zoo"),
    help:
      "A folder that `organisms plant` wrote; may be given again. Two recipes are needed; with --quick, two are planted where no zoo is named."
  )
  var zoos: [String] = []

  @Option(
    name: .customLong("detector"),
    help: "Only this detector, by its name in the ledger, such as mass-mean; may be given again.")
  var detectors: [String] = []

  @Flag(help: "Fewer questions, samples and layers.")
  var quick = false

  @Option(help: "Where run folders lie.")
  var runs = "runs"

  @Option(help: "bfloat16 or float32; bfloat16 where the processor has instructions for it.")
  var precision: Precision?

  @Option(help: "Processes to compute in, of one thread each; as many as fit otherwise.")
  var workers: Int?

  @OptionGroup var device: DeviceOption

  @Flag(help: "Print the findings as JSON.")
  var json = false

  func validate() throws {
    guard quick || !zoos.isEmpty else {
      throw ValidationError(
        "Expected --zoo with a folder that `plumbline organisms plant` wrote, or --quick, found neither."
      )
    }
    if let workers, !(1...64).contains(workers) {
      throw ValidationError("Expected --workers from 1 to 64, found \(workers).")
    }
  }

  func run() async throws {
    let path = try model.path()
    try await device.use()
    let native: Precision = Processor.hasNativeBFloat16 ? .bfloat16 : .float32
    let folder = URL(fileURLWithPath: runs)
    let workplace: Workplace = workers.map { .processes($0) } ?? .processesAsFit
    var places = zoos.map { URL(fileURLWithPath: $0) }
    if places.isEmpty {
      places = [
        try await Zoo.quick(
          baseName: model.model, basePath: path, precision: precision ?? native, runs: folder,
          workplace: workplace)
      ]
    }
    let trial = try await Trial(
      zoos: places, baseName: model.model, basePath: path,
      precision: precision ?? native, runs: folder, workplace: workplace,
      detectors: detectors, settings: quick ? .quick : .init())
    let result = try await trial.run(watch: ProgressReporter().show)
    let page = result.run.appending(path: "report.html").path
    let report = try TrialReport(run: result.run, cell: result.cell, base: model.model)
    try AtomicFile.write(Array(report.html().utf8), to: page)
    guard !json else { return try StandardOutput.write(json: result.scores) }
    try StandardOutput.write(
      lines: TrialTable(result.scores).lines + ["report: \(page)", "run: \(result.run.path)"])
  }
}
