internal import ArgumentParser
internal import Instruments
internal import Lab
internal import LanguageModels
internal import Statistics
internal import Studio
internal import Tensors
internal import Trials

/// `plumbline weights validate`.
struct WeightsValidateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "validate",
    abstract: "Measures whether correcting weight readings for drift makes them better.",
    discussion: """
      Readings of drawn neurons, carried by the lens and by what it should beat or compete with, against
      total effects measured in the model on other text. Nothing of --text may be in --fit-text or in what
      the lenses were trained on. A lens with translators between attention and MLP (`lens train --mid`)
      is where neurons read.

      EXAMPLE
        plumbline weights validate --lens lenses/tuned --backward lenses/back \\
          --fit-text wikitext-2/valid.txt --text wikitext-2/test.txt --html drift.html
      """)

  @OptionGroup var file: ModelOption

  @Option(
    name: .customLong("text"), help: "Text to measure effects on; may be given several times.")
  var files: [String]

  @Option(help: "A tuned lens.")
  var lens: String

  @OptionGroup var drift: DriftOptions

  @Option(help: "How many blocks' neurons are read, evenly spaced.")
  var blocks = 8

  @Option(help: "Neurons of each of these blocks, as many from each quarter by variance.")
  var neurons = 30

  @Option(help: "Windows of text in which effects are measured, at one token each.")
  var windows = 64

  @Option(help: "Tokens of --fit-text to take.")
  var fitTokens = 32_768

  @Option(help: "Random directions for each mean derivative.")
  var jacobianSamples = 4096

  @Option(help: "Tokens of --text from which a neuron's mean input at each token is taken.")
  var inputTokens = 16_384

  @Option(help: "How often a token has to occur among these to count.")
  var minimumCount = 20

  @Option(help: "The longest stretch of a document that is read at once, in tokens.")
  var sequenceLength = 128

  @Option(help: "Draws neurons, text and directions.")
  var seed: UInt64 = 1

  @OptionGroup var page: PageOption

  @Option(help: "How products with the model's weights are computed.")
  var precision = Precision.float32

  @OptionGroup var device: DeviceOption
  @OptionGroup var adapter: AdapterOption
  @OptionGroup var results: RunOptions

  @Flag(
    help: "Print {\"run\", \"cell\", \"finding\"} as JSON: all quantities with their intervals.")
  var json = false

  func validate() throws {
    let least = [
      ("--blocks", blocks, 1), ("--neurons", neurons, 2), ("--windows", windows, 2),
      ("--fit-tokens", fitTokens, 256), ("--jacobian-samples", jacobianSamples, 64),
      ("--input-tokens", inputTokens, 256), ("--minimum-count", minimumCount, 2),
      ("--sequence-length", sequenceLength, 16),
    ]
    for (name, value, least) in least where value < least {
      throw ValidationError("Expected \(name) of at least \(least), found \(value).")
    }
    guard !drift.fitFiles.isEmpty else {
      throw ValidationError("Expected --fit-text, found none: name a text file.")
    }
  }

  func run() async throws {
    let path = try file.path()
    try await device.use()
    try page.check()
    let model = try await LanguageModel(path: path, precision: precision)
    let c = model.configuration
    try model.requireReadableWeights()
    guard c.nLayers >= 2 else { throw WeightError.tooShallow(blocks: c.nLayers) }
    var inputs = try drift.inputs()
    try TextOptions.check(files)
    try drift.requireOther(files)
    try await drift.check(lens: lens, for: model)
    _ = try await adapter.load(for: c, path: model.path)
    let config = WeightValidationCell.Config(
      blocks: WeightValidationCell.Config.blocks(of: c, count: blocks), neuronsPerBlock: neurons,
      windows: windows, sequenceLength: min(sequenceLength, c.contextLength),
      fitTokens: fitTokens, jacobianSamples: jacobianSamples, inputTokens: inputTokens,
      minimumCount: minimumCount, hasBackward: drift.backward != nil, seed: seed,
      precision: precision, textFiles: files.count, fitFiles: drift.fitFiles.count)
    for (index, file) in files.enumerated() { inputs["text\(index)"] = file }
    for (index, file) in drift.fitFiles.enumerated() { inputs["fit\(index)"] = file }
    (inputs["lens"], inputs["adapter"]) = (lens, adapter.adapter)
    for (paths, tokens) in [
      (drift.fitFiles, fitTokens), (files, max(inputTokens, windows * config.sequenceLength)),
    ] {
      _ = try Corpus(files: paths).windows(
        model.tokenizer, length: config.sequenceLength, tokens: tokens, seed: seed)
    }
    let run = try InstrumentRun(
      "weights-validate", question: config, model: model, files: inputs, runs: results.runs)
    let result = try await run.perform(
      WeightValidationCell(model: model), config, label: "weights validate")
    try page.write(WeightReport.self, of: result, in: run, base: file)
    try results.report(result, of: run, asJSON: json, page: page.html, lines: lines)
  }

  private func lines(_ finding: WeightValidationCell.Finding) -> [String] {
    let direct = finding.controls.direct.map {
      "\($0.kind.rawValue) mean \(TextTable.number($0.mean)), least \(TextTable.number($0.least))"
    }
    let coincidence = finding.controls.coincidence.map {
      "\($0.kind.rawValue) \(TextTable.number($0.largest, decimals: 4))"
    }
    let head = [
      "\(finding.neurons) neurons, \(finding.windows) windows; \(finding.fitTokens) tokens fitted on; "
        + "\(finding.countedTokens) tokens with means",
      "raw readings against direct effects: " + direct.joined(separator: "; "),
      "from a site to itself, off by: " + coincidence.joined(separator: ", "),
    ]
    return head + finding.readings.flatMap(lines)
  }

  private func lines(_ reading: WeightValidationCell.Reading) -> [String] {
    func text(_ estimate: Estimate?) -> String {
      guard let estimate else { return "" }
      return "\(TextTable.number(estimate.value)) [\(TextTable.number(estimate.interval.lower)), "
        + "\(TextTable.number(estimate.interval.upper))]"
    }
    let rows = reading.pooled.transports.map { transport in
      [
        transport.kind.rawValue, text(transport.cosine), text(transport.rank), text(transport.top),
        text(transport.lead),
      ]
    }
    let ceiling = reading.pooled.ceiling.map { "; at most \(TextTable.number($0))" } ?? ""
    let header = ["transport", "correlation", "of ranks", "of the top 20", "correction less this"]
    let title =
      "\(reading.kind.rawValue) against \(reading.truth.rawValue): the \(reading.correction.rawValue) "
      + "correction \(reading.verdict.sentence)\(ceiling)"
    return ["", title] + TextTable.lines([header] + rows)
  }
}
