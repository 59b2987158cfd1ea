internal import ArgumentParser
internal import Instruments
internal import LanguageModels
internal import Statistics
internal import Tensors
internal import Trials

/// `plumbline lens basis`.
struct LensBasisCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "basis",
    abstract: "Finds the directions at a site that move a lens's reading furthest.",
    discussion: """
      Causal basis extraction: one after the other, the direction whose mean ablation changes what the
      lens reads the most. Each is then ablated in the model too: response is what that does there,
      alignment how alike the two changes are (1 for the same), random the response to a random
      direction in its place. Without --tokens 1,024 are read, without --sequence-length 128 at once; the
      directions are judged on the tokens that they were found on.

      EXAMPLE
        plumbline lens basis --lens lenses/tuned --site blocks.12.resid_pre --text wikitext-2/test.txt
      """)

  @OptionGroup var file: ModelOption
  @OptionGroup var text: TextOptions

  @Option(help: "A site that the lens reads, such as blocks.12.resid_pre.")
  var site: String

  @Option(help: "A lens that reads forward; the logit lens if not given.")
  var lens: String?

  @Option(help: "How many directions.")
  var vectors = 8

  @Option(help: "How products with the model's weights are computed.")
  var precision = Precision.float32

  @OptionGroup var device: DeviceOption
  @OptionGroup var adapter: AdapterOption
  @OptionGroup var results: RunOptions

  @Flag(help: "Print {\"run\", \"cell\", \"finding\"} as JSON, with the directions.")
  var json = false

  func validate() throws {
    try text.validate()
    guard vectors >= 1 else {
      throw ValidationError("Expected --vectors of at least 1, found \(vectors).")
    }
  }

  func run() async throws {
    let path = try file.path()
    try await device.use()
    let model = try await LanguageModel(path: path, precision: precision)
    let c = model.configuration
    guard vectors <= c.dModel else {
      throw ValidationError(
        "Expected --vectors of at most \(c.dModel), the model's width, found \(vectors).")
    }
    guard try Site(site, nLayers: c.nLayers).isResidual else {
      throw ValidationError(
        "Expected --site in the residual stream, found \(site): name resid_pre or resid_mid.")
    }
    let place = try Site(site, nLayers: c.nLayers)
    guard !c.isParallel || place != .block(place.blockIndex, .residMid) else {
      throw ValidationError(
        "Expected --site of this family, found \(site): its attention and MLP stand side by side.")
    }
    if let lens, try await !Lens.check(lens, for: model).contains(place) {
      throw ValidationError("Expected --site that the lens reads, found \(site): see its files.")
    }
    _ = try await adapter.load(for: c, path: model.path)
    let config = CausalBasisCell.Config(
      site: site, vectors: vectors, hasLens: lens != nil,
      sequenceLength: try text.length(for: model, usually: 128), tokens: text.tokens ?? 1024,
      seed: text.seed,
      precision: precision, textFiles: text.files.count)
    var files = try text.inputs(adapter: adapter)
    files["lens"] = lens
    try text.checkForIntervals(model, length: config.sequenceLength, tokens: config.tokens)
    let run = try InstrumentRun(
      "lens-basis", question: config, model: model, files: files, runs: results.runs)
    let result = try await run.perform(
      CausalBasisCell(model: model), config, label: "lens basis")
    try results.report(result, of: run, asJSON: json, lines: lines)
  }

  private func lines(_ finding: CausalBasisCell.Finding) -> [String] {
    let text = TextTable.withMargin
    let rows = finding.directions.enumerated().map { index, direction in
      [
        "\(index + 1)", text(direction.stimulus), text(direction.response),
        text(direction.alignment), text(direction.control),
      ]
    }
    let rank = finding.correlation.map {
      ["rank correlation of stimulus and response: \(TextTable.number($0))"]
    }
    return [
      "\(finding.tokens) tokens of \(finding.documents) \(finding.unit)s; KL in nats a token, "
        + "± half of a 95 % interval over \(finding.unit)s:"
    ] + TextTable.lines([["direction", "stimulus", "response", "alignment", "random"]] + rows)
      + (rank ?? [])
  }
}
