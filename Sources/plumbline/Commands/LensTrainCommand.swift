internal import ArgumentParser
internal import Foundation
internal import Instruments
internal import Lab
internal import LanguageModels
internal import Tensors
internal import Training
internal import Trials

extension Lens.Kind: ExpressibleByArgument {
  static let trainable: [Lens.Kind] = [.tuned, .retrodiction, .previousToken]

  init?(argument: String) {
    self.init(rawValue: argument)
    guard Self.trainable.contains(self) else { return nil }
  }

  static var allValueStrings: [String] { trainable.map(\.rawValue) }
}

extension LensTraining.Method: ExpressibleByArgument {}
extension LensTraining.Clipping: ExpressibleByArgument {}

/// The formats that lenses are written in.
enum LensFormat: String, ExpressibleByArgument, CaseIterable {
  case safetensors
  case tunedLens = "tuned-lens"
}

/// `plumbline lens train`.
struct LensTrainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Trains an affine translator for each block boundary on text.",
    discussion: """
      tuned: translators that minimise KL from what the model itself predicts (Belrose et al. 2023).
      retrodiction, previous-token: translators that name the token that went in, or the one before.
      Each site keeps the translator that did best on documents held out from training. The work lies
      in a run folder: interrupted, the same command goes on where it stopped.

      EXAMPLE
        plumbline lens train --text wikitext-2/valid.txt --output lenses/tuned
      """)

  @OptionGroup var file: ModelOption
  @OptionGroup var text: TextOptions

  @Option(help: "The folder for the lens; must not exist yet.")
  var output: String

  @Option(help: "What the lens tells.")
  var kind = Lens.Kind.tuned

  @Flag(help: "Train translators between attention and MLP too (resid_mid).")
  var mid = false

  @Option(
    help: """
      sgd is as published; adam is AdamW; muon came furthest with few tokens (LOG.md).
      """)
  var optimizer = LensTraining.Method.muon

  @Option(help: "Multiplies the optimiser's learning rate.")
  var lrScale = 1.0

  @Option(help: "Pulls translators to the identity.")
  var weightDecay = 1e-3

  @Option(help: "Whose gradient norm is clipped at 1; together is as published.")
  var clip = LensTraining.Clipping.perSite

  @Option(help: "Tokens a step.")
  var tokensPerStep = 2048

  @Option(help: "Passes over the text; 0 keeps the regression that a retrodiction begins with.")
  var epochs = 1

  @Option(help: "Tokens of other documents that training is watched on.")
  var heldOut = 4096

  @Option(help: "tuned-lens writes config.json and params.pt, as that package reads them.")
  var format = LensFormat.safetensors

  @Option(help: "bfloat16 or float32; bfloat16 where the processor has instructions for it.")
  var precision: Precision?

  @OptionGroup var device: DeviceOption
  @OptionGroup var adapter: AdapterOption
  @OptionGroup var results: RunOptions

  @Flag(help: "Print {\"output\", \"run\", \"cell\", \"finding\"} as JSON.")
  var json = false

  func validate() throws {
    try text.validate()
    // Of a retrodiction, no epoch leaves the regression that it begins with.
    for (name, value, least) in [
      ("--tokens-per-step", tokensPerStep, 1), ("--held-out", heldOut, 1),
      ("--epochs", epochs, kind.stepsBack == nil ? 1 : 0),
    ] where value < least {
      throw ValidationError("Expected \(name) of at least \(least), found \(value).")
    }
    guard epochs <= 100_000 else {
      throw ValidationError("Expected --epochs of at most 100000, found \(epochs).")
    }
    guard lrScale > 0, lrScale.isFinite else {
      throw ValidationError("Expected --lr-scale above 0, found \(lrScale).")
    }
    guard weightDecay >= 0, weightDecay.isFinite else {
      throw ValidationError("Expected --weight-decay of at least 0, found \(weightDecay).")
    }
    guard format == .safetensors || (kind == .tuned && !mid) else {
      throw ValidationError(
        "Expected --format safetensors for what tuned-lens has no place for, found tuned-lens "
          + "with \(mid ? "--mid" : "--kind \(kind.rawValue)").")
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
    guard model.configuration.hasHead else {
      throw ModelError.noHead(family: model.configuration.family)
    }
    _ = try await adapter.load(for: model.configuration, path: model.path)
    _ = try LensTrainCell.split(Corpus(files: text.files), config, model)
    let run = try InstrumentRun(
      "lens-train", question: config, model: model,
      files: try text.inputs(adapter: adapter),
      runs: results.runs)
    let result = try await run.perform(
      LensTrainCell(model: model), config, label: "\(kind.rawValue) lens")
    try await write(result.artifacts, for: model)
    try results.report(result, of: run, asJSON: json, output: output, lines: lines)
  }

  private var chosenPrecision: Precision {
    precision ?? (Processor.hasNativeBFloat16 ? .bfloat16 : .float32)
  }

  private func config(for model: LanguageModel) throws -> LensTrainCell.Config {
    LensTrainCell.Config(
      training: LensTraining(
        kind: kind, method: optimizer, rateScale: lrScale, weightDecay: weightDecay,
        clipping: clip, tokensPerStep: tokensPerStep, epochs: epochs),
      mid: mid, sequenceLength: try text.length(for: model), tokens: text.tokens,
      heldOutTokens: heldOut,
      seed: text.seed, precision: chosenPrecision, textFiles: text.files.count)
  }

  @TensorActor
  private func write(_ artifacts: URL, for model: LanguageModel) throws {
    guard format == .tunedLens else { return try FolderCopy.copy(artifacts, to: output) }
    let folder = FileManager.default.temporaryDirectory
      .appending(path: "plumbline-lens-\(UInt64.random(in: .min ... .max))")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try Lens.read(artifacts.path, for: model).writeTunedLens(to: folder.path, for: model)
    try FolderCopy.copy(folder, to: output)
  }

  private func lines(_ finding: LensTrainCell.Finding) -> [String] {
    let rows = finding.sites.indices.map { site in
      [
        finding.sites[site], TextTable.number(Double(finding.heldOut[0][site])),
        TextTable.number(Double(finding.best[site])), "\(finding.looks[finding.kept[site]])",
      ]
    }
    return [
      "\(finding.trainingTokens) tokens in \(finding.steps) steps; "
        + "loss on \(finding.heldOutTokens) held-out tokens, nats a token:"
    ] + TextTable.lines([["site", "before", "after", "at step"]] + rows) + ["lens: \(output)"]
  }
}
