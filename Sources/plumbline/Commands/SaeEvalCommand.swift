internal import ArgumentParser
internal import Foundation
internal import Instruments
internal import Lab
internal import LanguageModels
internal import Statistics
internal import Studio
internal import Tensors
internal import Trials

/// `plumbline sae eval`.
struct SaeEvalCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eval",
    abstract: "Judges sparse autoencoders on text, with intervals over documents.",
    discussion: """
      Explained share of the variance, features a token (L0), features never seen, and the next-token loss
      when the model goes on from what was rebuilt: what is added to it, and the share that is recovered of
      what zeros in the site's place add. Text must not be what they were trained on.

      EXAMPLE
        plumbline sae eval --sae sae/15 --text wikitext-2/test.txt --tokens 8192
      """)

  @OptionGroup var file: ModelOption
  @OptionGroup var text: TextOptions

  @Option(
    name: .customLong("sae"),
    help: "A folder of `sae train` or of SAELens; may be given several times.")
  var autoencoders: [String]

  @OptionGroup var page: PageOption

  @Option(help: "How products with the model's weights are computed.")
  var precision = Precision.float32

  @OptionGroup var device: DeviceOption
  @OptionGroup var adapter: AdapterOption
  @OptionGroup var results: RunOptions

  @Flag(
    help: "Print {\"run\", \"cell\", \"finding\"} as JSON: all quantities with their intervals.")
  var json = false

  func validate() throws { try text.validate() }

  func run() async throws {
    let path = try file.path()
    try await device.use()
    try page.check()
    let model = try await LanguageModel(path: path, precision: precision)
    // One for another model is refused before anything is computed.
    for folder in autoencoders { _ = try await SparseAutoencoder.read(folder, for: model) }
    _ = try await adapter.load(for: model.configuration, path: model.path)
    let config = AutoencoderEvaluationCell.Config(
      autoencoders: autoencoders.map { ($0 as NSString).lastPathComponent },
      sequenceLength: try text.length(for: model), tokens: text.tokens, seed: text.seed,
      precision: precision, textFiles: text.files.count)
    var files = try text.inputs(adapter: adapter)
    try text.checkForIntervals(model, length: config.sequenceLength, tokens: config.tokens)
    for (index, folder) in autoencoders.enumerated() { files["sae\(index)"] = folder }
    let run = try InstrumentRun(
      "sae-eval", question: config, model: model, files: files, runs: results.runs)
    let result = try await run.perform(
      AutoencoderEvaluationCell(model: model), config, label: "sae eval")
    try page.write(AutoencoderReport.self, of: result, in: run, base: file)
    try results.report(result, of: run, asJSON: json, page: page.html, lines: lines)
  }

  private func lines(_ finding: AutoencoderEvaluationCell.Finding) -> [String] {
    func percent(_ estimate: Estimate?) -> String {
      estimate.map {
        "\(TextTable.number(100 * $0.value, decimals: 1)) ± "
          + "\(TextTable.number(50 * $0.interval.width, decimals: 1)) %"
      } ?? "–"
    }
    let rows = finding.readings.map { reading in
      [
        reading.name, reading.site, "\(reading.features)", percent(reading.explained),
        TextTable.withMargin(reading.l0), "\(reading.dead)",
        reading.addedLoss.map(TextTable.withMargin) ?? "–", percent(reading.recovered),
      ]
    }
    let header = [
      "autoencoder", "site", "features", "explained", "L0", "never seen", "added loss", "recovered",
    ]
    let loss = finding.loss.map {
      "; the model's own next-token loss \(TextTable.withMargin($0)) nats"
    }
    return [
      "\(finding.tokens) tokens of \(finding.documents) \(finding.unit)s, ± half of a 95 % interval over "
        + "\(finding.unit)s\(loss ?? "")"
    ] + TextTable.lines([header] + rows)
  }
}
