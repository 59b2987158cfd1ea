internal import ArgumentParser
internal import Foundation
internal import Instruments
internal import Lab
internal import LanguageModels
internal import Statistics
internal import Studio
internal import Tensors
internal import Trials

/// `plumbline lens eval`.
struct LensEvalCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eval",
    abstract: "Judges lenses on text, with intervals over documents.",
    discussion: """
      Cross-entropy, KL from the model, entropy and first choices at every site, of the logit lens
      and of each --lens. Text must not be what a lens was trained on.

      EXAMPLE
        plumbline lens eval --lens lenses/tuned --text wikitext-2/test.txt --tokens 8192
      """)

  @OptionGroup var file: ModelOption
  @OptionGroup var text: TextOptions

  @Option(
    name: .customLong("lens"),
    help: """
      A lens: a folder of `lens train` or of tuned-lens, or a Jacobian lens (.pt); may be given \
      several times.
      """)
  var lenses: [String] = []

  @Flag(help: "Read between attention and MLP too (resid_mid) with the logit lens.")
  var mid = false

  @Option(help: "On so many tokens, look at whole distributions: marginal bias and ranks.")
  var wholeTokens = 0

  @Option(help: "On so many tokens, try each site's translator at every other.")
  var transferTokens = 0

  @Flag(help: "Print bits a byte where it would be nats a token.")
  var bitsPerByte = false

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
    try text.validate()
    for (name, value) in [("--whole-tokens", wholeTokens), ("--transfer-tokens", transferTokens)]
    where value < 0 {
      throw ValidationError("Expected \(name) of at least 0, found \(value).")
    }
  }

  func run() async throws {
    let path = try file.path()
    try await device.use()
    try page.check()
    let model = try await LanguageModel(path: path, precision: precision)
    // A lens for another model is refused before anything is computed.
    for lens in lenses { try await Lens.check(lens, for: model) }
    _ = try await adapter.load(for: model.configuration, path: model.path)
    let config = LensEvaluationCell.Config(
      lenses: lenses.map { ($0 as NSString).lastPathComponent }, mid: mid,
      sequenceLength: try text.length(for: model),
      tokens: text.tokens,
      wholeTokens: wholeTokens, transferTokens: transferTokens, seed: text.seed,
      precision: precision, textFiles: text.files.count)
    var files = try text.inputs(adapter: adapter)
    try text.checkForIntervals(model, length: config.sequenceLength, tokens: config.tokens)
    for (index, lens) in lenses.enumerated() { files["lens\(index)"] = lens }
    let run = try InstrumentRun(
      "lens-eval", question: config, model: model, files: files, runs: results.runs)
    let result = try await run.perform(
      LensEvaluationCell(model: model), config, label: "lens eval")
    try page.write(LensReport.self, of: result, in: run, base: file)
    try results.report(result, of: run, asJSON: json, page: page.html) {
      LensTable(finding: $0, inBits: bitsPerByte).lines
    }
  }
}

/// What `plumbline lens eval` prints.
private struct LensTable {
  let finding: LensEvaluationCell.Finding
  let inBits: Bool

  private var factor: Double { inBits ? finding.bitsPerByte : 1 }

  var lines: [String] {
    let n = finding.modelCrossEntropy.n
    let unit = inBits ? "bits a byte" : "nats a token"
    return [
      "\(n) tokens of \(finding.documents) \(finding.unit)s; \(unit), ± half of a 95 % interval over "
        + "\(finding.unit)s; 1 nat a token is \(TextTable.number(finding.bitsPerByte, width: 0)) "
        + "bits a byte",
      "the model itself: cross-entropy \(withMargin(finding.modelCrossEntropy)), "
        + "entropy \(withMargin(finding.modelEntropy))",
    ] + finding.lenses.flatMap(lines) + crossings
  }

  /// From where on the next token is read better than the one that went in.
  private var crossings: [String] {
    finding.crossings.map { crossing in
      "\(crossing.retrodiction) and \(crossing.prediction): "
        + (crossing.site.map { "from \($0) on, the next token is read better" }
          ?? "the next token is nowhere read better")
    }
  }

  private func lines(of lens: LensEvaluationCell.LensReading) -> [String] {
    let isForward = lens.kind.stepsBack == nil
    let hasWhole = lens.sites.contains { $0.marginalBias != nil }
    var header = ["site", "cross-entropy"]
    header += (isForward ? ["KL from model"] : []) + ["entropy"]
    header += (isForward ? ["same choice"] : []) + [isForward ? "next token" : "token named"]
    header += hasWhole ? ["bias of mean", "1/rank"] : []
    header += lens.comparedWith.map { ["less than \($0)"] } ?? []
    let rows = lens.sites.map { site in
      let rates = [site.agreement, site.accuracy].compactMap { $0.map(percent) }
      let losses = [site.crossEntropy, site.divergence, site.entropy].compactMap { $0 }
      var row = [site.site] + losses.map(withMargin) + rates
      if let bias = site.marginalBias, let rank = site.reciprocalRank {
        row += [bias * factor, rank].map { TextTable.number($0, width: 0) }
      }
      if lens.comparedWith != nil { row.append(site.lead.map(withMargin) ?? "–") }
      return row
    }
    return ["", lens.title] + TextTable.lines([header] + rows)
  }

  private func withMargin(_ estimate: Estimate) -> String {
    let half = estimate.interval.width / 2
    return "\(TextTable.number(estimate.value * factor, width: 0)) ± "
      + TextTable.number(half * factor, width: 0)
  }

  private func percent(_ estimate: Estimate) -> String {
    let half = estimate.interval.width / 2
    return "\(TextTable.number(100 * estimate.value, decimals: 1)) ± "
      + "\(TextTable.number(100 * half, decimals: 1)) %"
  }
}
