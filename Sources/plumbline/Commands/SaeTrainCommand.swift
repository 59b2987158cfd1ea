internal import ArgumentParser
internal import Foundation
internal import Instruments
internal import Lab
internal import LanguageModels
internal import Tensors
internal import Training
internal import Trials

extension AutoencoderTraining.Method: ExpressibleByArgument {}

/// `plumbline sae`.
struct SaeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sae",
    abstract: "Sparse autoencoders: activations as sums of few of many directions.",
    subcommands: [SaeTrainCommand.self, SaeEvalCommand.self])
}

/// `plumbline sae train`.
struct SaeTrainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Trains a sparse autoencoder for each of some sites on text.",
    discussion: """
      topk keeps the --l0 largest features of a token (Gao et al. 2024), jumprelu those above thresholds that
      are trained towards --l0 features on average (Rajamanoharan et al. 2024). Activations are streamed
      through the model and never lie on disk; all sites share its passes. Written is what SAELens reads:
      cfg.json and sae_weights.safetensors, in a folder for each site where there are several. The work lies
      in a run folder: interrupted, the same command goes on where it stopped.

      EXAMPLE
        plumbline sae train --text wikitext-2/valid.txt --site blocks.15.resid_post --output sae/15
      """)

  @OptionGroup var file: ModelOption
  @OptionGroup var text: TextOptions

  @Option(help: "The folder for what is trained; must not exist yet.")
  var output: String

  @Option(
    name: .customLong("site"),
    help: "Where activations are taken, such as blocks.15.resid_post; may be given several times.")
  var sites: [String]

  @Option(help: "Which features are let through.")
  var architecture = AutoencoderTraining.Method.topK

  @Option(help: "Directions of each dictionary; eight times the site's width if not given.")
  var features: Int?

  @Option(help: "Features of a token: at most so many (topk), or so many on average (jumprelu).")
  var l0 = 32

  @Option(
    help: "Multiplies the learning rate, 1e-3 for 16,384 features and with the root of fewer more.")
  var lrScale = 1.0

  @Option(help: "Tokens a step.")
  var tokensPerStep = 512

  @Option(help: "Passes over the text.")
  var epochs = 1

  @Option(
    help: """
      A feature is dead that was not seen in so many tokens; a tenth of the training's if not given, and \
      100,000 at most.
      """)
  var deadAfter: Int?

  @Option(help: "Tokens of other documents that training is watched on.")
  var heldOut = 4096

  @Option(help: "bfloat16 or float32; bfloat16 where the processor has instructions for it.")
  var precision: Precision?

  @OptionGroup var device: DeviceOption
  @OptionGroup var adapter: AdapterOption
  @OptionGroup var results: RunOptions

  @Flag(help: "Print {\"output\", \"run\", \"cell\", \"finding\"} as JSON.")
  var json = false

  func validate() throws {
    try text.validate()
    for (name, value) in [
      ("--tokens-per-step", tokensPerStep), ("--epochs", epochs), ("--held-out", heldOut),
      ("--l0", l0), ("--features", features ?? 1), ("--dead-after", deadAfter ?? 1),
    ] where value < 1 {
      throw ValidationError("Expected \(name) of at least 1, found \(value).")
    }
    guard epochs <= 100_000, features ?? 1 <= 1 << 22 else {
      throw ValidationError(
        "Expected --epochs of at most 100000 and --features of at most \(1 << 22), found more.")
    }
    guard lrScale > 0, lrScale.isFinite else {
      throw ValidationError("Expected --lr-scale above 0, found \(lrScale).")
    }
    guard Set(sites).count == sites.count else {
      throw ValidationError("Expected each --site once, found one twice.")
    }
  }

  func run() async throws {
    guard !FileManager.default.fileExists(atPath: output) else {
      throw ValidationError(
        "Expected --output to name a new folder, found \(output): choose another or remove it.")
    }
    let path = try file.path()
    try await device.use()
    try FolderCopy.prepare(for: output)
    let model = try await LanguageModel(path: path, precision: chosenPrecision)
    let config = try config(for: model)
    // Found out now: a run that cannot begin leaves nothing behind.
    _ = try await adapter.load(for: model.configuration, path: model.path)
    _ = try Corpus(files: text.files).split(
      model.tokenizer, length: config.sequenceLength, tokens: config.tokens,
      heldOut: config.heldOutTokens, seed: config.seed)
    let run = try InstrumentRun(
      "sae-train", question: config, model: model, files: try text.inputs(adapter: adapter),
      runs: results.runs)
    let result = try await run.perform(
      AutoencoderTrainCell(model: model), config, label: "\(architecture.rawValue) autoencoder")
    let made =
      sites.count == 1
      ? result.artifacts.appending(path: result.finding.sites[0]) : result.artifacts
    try FolderCopy.copy(made, to: output)
    try results.report(result, of: run, asJSON: json, output: output, lines: lines)
  }

  private var chosenPrecision: Precision {
    precision ?? (Processor.hasNativeBFloat16 ? .bfloat16 : .float32)
  }

  private func config(for model: LanguageModel) throws -> AutoencoderTrainCell.Config {
    let c = model.configuration
    for name in sites {
      let site = try Site(name, nLayers: c.nLayers)
      guard site.isPerToken else { throw AutoencoderError.badSite(name: name) }
      let count = features ?? 8 * site.width(in: c)
      guard l0 <= count else {
        throw ValidationError("Expected --l0 of at most \(count), the features, found \(l0).")
      }
    }
    return AutoencoderTrainCell.Config(
      training: AutoencoderTraining(
        method: architecture, features: features, l0: l0, rateScale: lrScale,
        tokensPerStep: tokensPerStep, epochs: epochs, deadAfter: deadAfter),
      sites: sites, sequenceLength: try text.length(for: model), tokens: text.tokens,
      heldOutTokens: heldOut, seed: text.seed, precision: chosenPrecision,
      textFiles: text.files.count)
  }

  private func lines(_ finding: AutoencoderTrainCell.Finding) -> [String] {
    let rows = zip(finding.sites.indices, finding.looks).compactMap { site, looks in
      looks.last.map { look in
        [
          finding.sites[site], "\(finding.features[site])",
          TextTable.number(100 * Double(look.explained), decimals: 1) + " %",
          TextTable.number(Double(look.l0), decimals: 1), "\(look.dead)",
        ]
      }
    }
    return [
      "\(finding.trainingTokens) tokens in \(finding.steps) steps; "
        + "on \(finding.heldOutTokens) held-out tokens:"
    ] + TextTable.lines([["site", "features", "explained", "L0", "dead in training"]] + rows)
      + ["autoencoder\(sites.count == 1 ? "" : "s"): \(output)"]
  }
}
