internal import ArgumentParser
internal import Foundation
internal import Lab
internal import LanguageModels
internal import Organisms
internal import Statistics
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
      """)

  @OptionGroup var model: ModelOption

  @Option(
    name: .customLong("zoo"),
    help: "A folder that `organisms plant` wrote; may be given again. Two recipes are needed.")
  var zoos: [String]

  @Option(
    name: .customLong("recipe"),
    help: "The YAML file of an organism whose recipe is not built in; may be given again.")
  var recipes: [String] = []

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
    if let workers, !(1...64).contains(workers) {
      throw ValidationError("Expected --workers from 1 to 64, found \(workers).")
    }
  }

  func run() async throws {
    let path = try model.path()
    try await device.use()
    let native: Precision = Processor.hasNativeBFloat16 ? .bfloat16 : .float32
    let known = try Recipe.builtIn.map(Recipe.read) + recipes.map(Recipe.read)
    let trial = try Trial(
      zoos: zoos.map { URL(fileURLWithPath: $0) }, recipes: known, baseName: model.model,
      basePath: path, precision: precision ?? native, runs: URL(fileURLWithPath: runs),
      processes: workers, isQuick: quick)
    let result = try await trial.run(watch: ProgressReporter().show)
    guard !json else { return try StandardOutput.write(json: result.scores) }
    try StandardOutput.write(lines: TrialTable(result.scores).lines + ["run: \(result.run.path)"])
  }
}

/// The leaderboard in a terminal.
struct TrialTable {
  let scores: TrialScores

  init(_ scores: TrialScores) { self.scores = scores }

  var lines: [String] {
    ["RESPONSES: given under an active trigger?"] + responses + ["", "MODELS: hiding something?"]
      + models + ["", "WHAT is hidden?"] + identities + withdrawn
  }

  private func padded(_ text: String, _ width: Int) -> String {
    text.padding(toLength: max(width, text.count), withPad: " ", startingAt: 0)
  }

  private func number(_ value: Double?) -> String {
    value.map { String(format: "%.3f", $0) } ?? "–"
  }

  private var responses: [String] {
    let rows = scores.rows.filter { $0.responses != nil }.sorted {
      ($0.responses?.auroc?.value ?? -1) > ($1.responses?.auroc?.value ?? -1)
    }
    return rows.map { row in
      let found = row.responses
      let interval = found?.auroc.map {
        "[\(number($0.interval.lower)), \(number($0.interval.upper))]"
      }
      return padded(row.detector.title + (row.detector.isControl ? " (control)" : ""), 40)
        + "AUROC \(number(found?.auroc?.value)) \(padded(interval ?? "", 16)) "
        + "TPR \(number(found?.tpr?.estimate.value)) FPR \(number(found?.fpr?.estimate.value)) "
        + (found?.families.map { "\($0.family) \(number($0.value))" }.joined(separator: " ") ?? "")
        + (found?.problem.map { " \($0)" } ?? "")
    }
  }

  private var models: [String] {
    scores.rows.filter { $0.models != nil }.map { row in
      let accused = row.models?.accused.filter { $0.count.trials > 0 }.map {
        "\($0.arm.rawValue) \($0.count.successes)/\($0.count.trials)"
      }
      return padded(row.detector.title + (row.detector.isControl ? " (control)" : ""), 40)
        + "AUROC \(number(row.models?.auroc?.value)) accused: "
        + (accused?.joined(separator: ", ") ?? "")
        + (row.models?.isBroken == true ? " BROKEN: tells honest arms apart" : "")
        + (row.models?.problem.map { " (\($0))" } ?? "")
    }
  }

  private var identities: [String] {
    scores.rows.filter { $0.identity != nil }.map { row in
      padded(row.detector.title, 40)
        + "mean 1/rank of \(row.identity?.candidates ?? 0): secret \(number(row.identity?.withSecret)), "
        + "without \(number(row.identity?.withoutSecret))"
    }
  }

  private var withdrawn: [String] {
    scores.rows.compactMap { row in
      row.withdrawn.map { "Withdrawn: \(row.detector.title): \($0)" }
    }
  }
}
