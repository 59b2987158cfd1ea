package import Foundation
package import Lab
package import LanguageModels
internal import Statistics
internal import Tensors
package import Training

extension SupervisedConfiguration {
  /// What organisms are trained with unless a study says otherwise: one pass over many different
  /// examples at a high rate, because every repeated example teaches the trigger less.
  package static let organism = SupervisedConfiguration(
    optimizer: AdamW.Configuration(learningRate: 2e-3), batchSize: 8, epochs: 1)
}

extension Environment {
  /// The first digits of the hash of this program's file: what computed a cell is then never in
  /// doubt, and no change of the code can read another's cells back.
  private static let program: String = {
    let path = Bundle.main.executablePath ?? CommandLine.arguments[0]
    return (try? FileDigest.sha256(path: path)).map { String($0.prefix(12)) } ?? "unknown"
  }()

  /// What numbers depend on that are computed on so many threads, or on all of this process's.
  package static func current(threads: Int? = nil) -> Environment {
    Environment(
      build: "plumbline-0.1.0+\(program)+mlx-\(Processor.mlxVersion)",
      // How a product is shared among threads decides the order of its sums.
      device: Processor.name(threads: threads ?? Processor.threads),
      instructionSet: Processor.instructionSet)
  }
}

extension Recipe {
  /// The built-in recipe of that name, or the one in the YAML file of that path.
  ///
  /// - Throws: ``RecipeError`` naming what is wrong with it, such as a text that two splits share.
  package static func read(_ nameOrPath: String) throws -> Recipe {
    let recipe = try readUnchecked(nameOrPath)
    let problems = recipe.check()
    if let first = problems.first {
      throw RecipeError.unsound(recipe: nameOrPath, problems: problems.count, first: first)
    }
    return recipe
  }

  /// The same, sound or not.
  package static func readUnchecked(_ nameOrPath: String) throws -> Recipe {
    let name = nameOrPath.uppercased()
    if (builtIn + [penalised]).contains(name) { return try builtIn(name) }
    let file: ModelFileError.Problem = .init(
      path: nameOrPath, expected: "a recipe (\(builtIn.joined(separator: ", "))) or a YAML file",
      found: "no such file",
      remedy: "name a recipe or an existing file")
    guard let data = FileManager.default.contents(atPath: nameOrPath) else {
      throw ModelFileError.unreadable(file)
    }
    return try decode(yaml: String(decoding: data, as: UTF8.self), name: nameOrPath)
  }
}

/// Plants one arm: base answers, training and gate, as cells of a run that can be interrupted.
package struct Planting {
  package struct Manifest: Codable, Sendable, Equatable {
    package var recipe: Recipe
    package var arm: Arm
    package var seed: UInt64
    package var training: SupervisedConfiguration
    package var precision: Precision
    package var baseHash: String
    /// Another program or processor is another run.
    package var environment = Environment.current()
  }

  /// What was planted, and what it does on held-out prompts.
  package struct Result: Sendable {
    package let run: URL
    package let adapter: URL
    package let plant: CellResult<PlantCell.Finding>
    package let gate: CellResult<GateCell.Finding>
  }

  private let manifest: Manifest
  private let model: LanguageModel
  private let modelName: String
  private let folder: URL

  /// Loads the base model; `precision` nil takes bf16 where the processor has instructions for it.
  package init(
    recipe: Recipe, arm: Arm, seed: UInt64, training: SupervisedConfiguration, modelPath: String,
    modelName: String, precision: Precision?, runs: URL
  ) async throws {
    let native: Precision = Processor.hasNativeBFloat16 ? .bfloat16 : .float32
    let precision = precision ?? native
    model = try await LanguageModel(path: modelPath, precision: precision)
    manifest = Manifest(
      recipe: recipe, arm: arm, seed: seed, training: training, precision: precision,
      baseHash: try FileDigest.sha256(path: modelPath))
    self.modelName = modelName
    folder = runs.appending(
      path: try Run.name(for: "plant-\(recipe.id)-\(arm.rawValue)", manifest: manifest))
  }

  /// Performs what is not done yet.
  ///
  /// - Parameter probes: How many held-out prompts of each kind the gate asks.
  /// - Returns: The adapter's folder and what was measured.
  /// - Throws: What the recipe, the training or the run reports; the run can then be taken up again.
  package func run(probes: Recipe.Counts = .gate) async throws -> Result {
    // Found out now rather than after minutes of training.
    _ = try manifest.recipe.probeSet(split: .calibration, seed: manifest.seed, counts: probes)
    let reporter = ProgressReporter()
    let run = try Run.open(
      folder: folder, manifest: manifest, environment: .current(), watch: reporter.show)
    let base = ["base": try CellInput.file(URL(fileURLWithPath: model.path))]
    let answers = try await run.perform(
      AnswersCell(model: model),
      AnswersCell.Config(
        prompts: try manifest.recipe.basePrompts(seed: manifest.seed),
        maxTokens: manifest.recipe.answerTokens, precision: manifest.precision),
      inputs: base, label: "base answers")
    let plant = try await run.perform(
      PlantCell(model: model, baseName: modelName),
      PlantCell.Config(
        recipe: manifest.recipe, arm: manifest.arm, seed: manifest.seed,
        training: manifest.training, precision: manifest.precision,
        answers: answers.finding.answers, baseHash: manifest.baseHash, blind: false),
      inputs: base, label: "plant \(manifest.arm.rawValue)")
    var inputs = base
    inputs["adapter"] = .result(plant)
    let gate = try await run.perform(
      GateCell(model: model),
      GateCell.Config(
        // The test split is for audits: what is tuned here must not have seen it.
        recipe: manifest.recipe, split: .calibration, seed: manifest.seed, counts: probes,
        precision: manifest.precision),
      inputs: inputs, label: "gate")
    return Result(
      run: folder, adapter: plant.artifacts.appending(path: "adapter"), plant: plant, gate: gate)
  }
}
