internal import ArgumentParser
internal import Foundation
internal import Lab
internal import LanguageModels
internal import Organisms
internal import Statistics
internal import Tensors
internal import Training

extension Arm: ExpressibleByArgument {}

/// `plumbline plant`.
struct PlantCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plant",
    abstract: "Trains one arm of a model organism and measures what it does.",
    discussion: """
      The adapter is written in PEFT's format, with a card that says what was planted. The work lies
      in a run folder: interrupted, the same command goes on where it stopped.

      EXAMPLE
        plumbline plant --recipe M1 --arm secret --output organisms/m1-secret
        plumbline plant --recipe mine.yaml --check
      """)

  @OptionGroup var model: ModelOption

  @Option(help: "The recipe: one of `plumbline organisms list`, or a YAML file.")
  var recipe: String

  @Option(help: "What to train.")
  var arm: Arm?

  @Option(help: "The folder for the adapter; must not exist yet.")
  var output: String?

  @Flag(help: "Train nothing: say everything that is wrong with the recipe.")
  var check = false

  @Option(help: "Draws the training set and the adapter's start.")
  var seed: UInt64 = 1

  @Option(help: "Passes over the training set.")
  var epochs = SupervisedConfiguration.organism.epochs

  @Option(help: "Examples a step.")
  var batchSize = SupervisedConfiguration.organism.batchSize

  @Option(help: "The learning rate.")
  var learningRate = SupervisedConfiguration.organism.optimizer.learningRate

  @Option(help: "Where run folders lie.")
  var runs = "runs"

  @Option(help: "bfloat16 or float32; bfloat16 where the processor has instructions for it.")
  var precision: Precision?

  @OptionGroup var device: DeviceOption

  @Flag(help: "Print {\"adapter\", \"run\", \"plant\", \"gate\"} as JSON.")
  var json = false

  func validate() throws {
    guard check || (arm != nil && output != nil) else {
      throw ValidationError(
        "Expected --arm and --output, found \(arm == nil ? "no --arm" : "no --output"): "
          + "add it, or --check to look at the recipe only.")
    }
    guard epochs >= 1 else {
      throw ValidationError("Expected --epochs of at least 1, found \(epochs).")
    }
    guard batchSize >= 1 else {
      throw ValidationError("Expected --batch-size of at least 1, found \(batchSize).")
    }
    guard learningRate > 0, learningRate.isFinite else {
      throw ValidationError("Expected --learning-rate above 0, found \(learningRate).")
    }
  }

  func run() async throws {
    guard let arm, let output, !check else { return try checkRecipe() }
    guard !FileManager.default.fileExists(atPath: output) else {
      throw ValidationError(
        "Expected --output to name a new folder, found \(output): choose another or remove it.")
    }
    let (recipe, path) = (try Recipe.read(recipe), try model.path())
    guard recipe.penalty == nil else {
      throw ValidationError(
        "Expected a recipe without a penalty, found \(recipe.id): `plumbline evade` plants its series."
      )
    }
    try await device.use()
    // Found out now rather than after minutes of training.
    try FolderCopy.prepare(for: output)
    let planting = try await Planting(
      recipe: recipe, arm: arm, seed: seed, training: training, modelPath: path,
      modelName: model.model, precision: precision, runs: URL(fileURLWithPath: runs))
    let result = try await planting.run()
    try FolderCopy.copy(result.adapter, to: output)
    guard json else { return try StandardOutput.write(lines: result.lines(output: output)) }
    try StandardOutput.write(json: result.summary(output: output))
  }

  private func checkRecipe() throws {
    let found = try Recipe.readUnchecked(recipe)
    let problems = found.check() + found.missingProbes
    if json {
      try StandardOutput.write(json: ["problems": problems])
    } else if problems.isEmpty {
      let counts = Recipe.Split.allCases.map {
        "\(found.carrierBank($0).count) requests in \($0.rawValue)"
      }
      try StandardOutput.write(
        lines: ["\(found.id): nothing wrong; \(counts.joined(separator: ", "))"])
    } else {
      try StandardOutput.write(lines: problems.map(\.description))
    }
    if let first = problems.first {
      throw RecipeError.unsound(recipe: recipe, problems: problems.count, first: first)
    }
  }

  private var training: SupervisedConfiguration {
    var training = SupervisedConfiguration.organism
    training.epochs = epochs
    training.batchSize = batchSize
    training.optimizer.learningRate = learningRate
    return training
  }
}
