internal import ArgumentParser
internal import Foundation
internal import Lab
internal import LanguageModels
internal import Organisms
internal import Statistics
internal import Studio
internal import Tensors
internal import Trials

/// `plumbline evade`.
struct EvadeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evade",
    abstract: "Trains organisms against a probe, and reports what becomes of probe and behaviour.",
    discussion: """
      A probe is fitted on a known pair. Secret arms of another seed then pay for what it says under the trigger, \
      at several strengths, beside arms that pay for a random direction. Reported are the probe, one fitted anew, \
      and a monitor that no training touched, each by how well it tells an arm's triggered responses from its others \
      and from an honest twin's to the same prompts. Ten organisms: over twenty minutes on two cores with the \
      default model. Interrupted, the same command goes on.

      EXAMPLE
        plumbline evade
        plumbline evade --strength 1 --strength 10 --json
      """)

  @OptionGroup var model: ModelOption

  @Option(help: "M9, or the YAML file of a recipe with a `penalty`.")
  var recipe = Recipe.penalised

  @Option(
    help:
      "Of the organisms that are trained against something, and their twin; the known pair has the next one."
  )
  var seed: UInt64 = 201

  @Option(
    name: .customLong("strength"),
    help: "What the probe's loss is multiplied by; may be given again. The recipe's otherwise.")
  var strengths: [Double] = []

  @OptionGroup var options: RunOptions

  @Option(help: "bfloat16 or float32; bfloat16 where the processor has instructions for it.")
  var precision: Precision?

  @Option(help: "Processes to compute in, of one thread each; as many as fit otherwise.")
  var workers: Int?

  @OptionGroup var device: DeviceOption

  @Flag(help: "Print the findings as JSON.")
  var json = false

  func validate() throws {
    if let workers, !(1...64).contains(workers) {
      throw ValidationError("Expected --workers from 1 to 64, found \(workers).")
    }
    if let bad = strengths.first(where: { !($0 >= 0) || !$0.isFinite }) {
      throw ValidationError("Expected --strength of at least 0, found \(bad).")
    }
  }

  func run() async throws {
    let (recipe, path) = (try Recipe.read(recipe), try model.path())
    try await device.use()
    let native: Precision = Processor.hasNativeBFloat16 ? .bfloat16 : .float32
    let evasion = try await Evasion(
      recipe: recipe, seed: seed, strengths: strengths.isEmpty ? nil : strengths,
      baseName: model.model, basePath: path, precision: precision ?? native,
      runs: URL(fileURLWithPath: options.runs),
      workplace: workers.map { .processes($0) } ?? .processesAsFit)
    let result = try await evasion.run(watch: ProgressReporter().show)
    let page = result.run.appending(path: "report.html").path
    let report = try EvasionReport(run: result.run, cell: result.cell, base: model.model)
    try AtomicFile.write(Array(report.html().utf8), to: page)
    guard !json else { return try StandardOutput.write(json: result.scores) }
    try StandardOutput.write(
      lines: lines(result.scores) + ["report: \(page)", "run: \(result.run.path)"])
  }

  private func lines(_ scores: EvasionScores) -> [String] {
    let monitors = MonitorCell.Monitor.allCases
    func areas(_ areas: [String: Estimate]) -> [String] {
      monitors.map { monitor in
        areas[monitor.rawValue].map {
          "\(TextTable.number($0.value, width: 0)) [\(TextTable.number($0.interval.lower, width: 0)), "
            + "\(TextTable.number($0.interval.upper, width: 0))]"
        } ?? "–"
      }
    }
    let header = ["trained against", "outcome", "shown"] + monitors.map(\.title)
    let rows = scores.rows.map { row in
      [
        row.member.label, row.outcome?.rawValue ?? "–",
        TextTable.number(row.shown.value, width: 0),
      ] + areas(row.areas)
    }
    let topic = scores.topicArea.map {
      ", where the topic alone has \(TextTable.number($0, width: 0))"
    }
    return [
      "AUROC against an honest twin's answers to the same prompts and its own others\(topic ?? "")"
    ]
      + TextTable.lines([header] + rows)
      + ["", "AUROC against the twin's answers alone, where the topic alone has 0.5"]
      + TextTable.lines(
        [["trained against"] + monitors.map(\.title)]
          + scores.rows.map { [$0.member.label] + areas($0.twinAreas) })
  }
}
