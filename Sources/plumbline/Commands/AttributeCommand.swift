internal import ArgumentParser
internal import Instruments
internal import Lab
internal import LanguageModels
internal import Statistics
internal import Studio
internal import Tensors
internal import Trials

extension AttributionCell.Method: ExpressibleByArgument {}

/// `plumbline attribute`.
struct AttributeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "attribute",
    abstract:
      "Says what an answer's logit is made of, and what gradients say that patching would find.",
    discussion: """
      direct: what each head, MLP and neuron adds to the logit, the last norm's division held; the parts sum to
      it. gradient and integrated: estimates of `plumbline patch --source clean` at a few passes a prompt;
      with --compare every place is patched too and the correlation is told.

      EXAMPLE
        plumbline attribute --prompts Examples/ioi.jsonl --compare --html parts.html
      """)

  @OptionGroup var file: ModelOption
  @OptionGroup var prompts: PromptOptions

  @Option(
    name: .customLong("method"), help: "May be given several times; all of them if not given.")
  var methods: [AttributionCell.Method] = []

  @Flag(help: "Patch every place too, which takes two passes for each place and prompt.")
  var compare = false

  @Option(help: "Steps between the prompts' embeddings, for integrated.")
  var steps = 8

  @Option(help: "How many of the largest parts are printed.")
  var top = 12

  @Option(help: "Draws random changes.")
  var seed: UInt64 = 1

  @OptionGroup var page: PageOption

  @Option(help: "How products with the model's weights are computed.")
  var precision = Precision.float32

  @OptionGroup var device: DeviceOption
  @OptionGroup var adapter: AdapterOption
  @OptionGroup var results: RunOptions

  @Flag(help: "Print {\"run\", \"cell\", \"finding\"} as JSON: all parts with their intervals.")
  var json = false

  func validate() throws {
    for (name, value) in [("--top", top), ("--steps", steps)] where value < 1 {
      throw ValidationError("Expected \(name) of at least 1, found \(value).")
    }
    guard !compare || methods != [.direct] else {
      throw ValidationError(
        "Expected --method gradient or integrated beside --compare, found direct alone.")
    }
    guard Set(methods).count == methods.count else {
      throw ValidationError("Expected each --method once, found one twice.")
    }
  }

  func run() async throws {
    let path = try file.path()
    try await device.use()
    try page.check()
    let model = try await LanguageModel(path: path, precision: precision)
    try model.requireReadableWeights()
    _ = try prompts.check(model)
    _ = try await adapter.load(for: model.configuration, path: model.path)
    let config = AttributionCell.Config(
      methods: methods.isEmpty ? AttributionCell.Method.allCases : methods,
      comparesToPatching: compare, steps: steps, topNeurons: max(20, top), seed: seed,
      precision: precision)
    var files = ["prompts": prompts.prompts]
    files["adapter"] = adapter.adapter
    let run = try InstrumentRun(
      "attribute", question: config, model: model, files: files, runs: results.runs)
    let result = try await run.perform(AttributionCell(model: model), config, label: "attribute")
    try page.write(AttributionReport.self, of: result, in: run, base: file)
    try results.report(result, of: run, asJSON: json, page: page.html, lines: lines)
  }

  private func lines(_ finding: AttributionCell.Finding) -> [String] {
    let unit = PromptPairs.unit(hasDistractor: finding.hasDistractor)
    let head =
      "\(finding.prompts) pairs; the answer in \(unit): clean \(TextTable.withMargin(finding.clean)), corrupt "
      + "\(TextTable.withMargin(finding.corrupt)), ± half of a 95 % interval over prompts"
    let direct = finding.direct.map(lines) ?? []
    return [head] + direct + finding.gradients.flatMap(lines)
  }

  private func lines(_ direct: AttributionCell.Direct) -> [String] {
    func rows(_ shares: [AttributionCell.Share]) -> [[String]] {
      shares.sorted { abs($0.share.value) > abs($1.share.value) }.prefix(top).map {
        [$0.name, TextTable.withMargin($0.share)]
      }
    }
    let components = direct.heads + direct.mlps + [direct.embedding, direct.biases]
    let sum = components.reduce(0) { $0 + $1.share.value }
    return [
      "",
      "direct, in logits (sum \(TextTable.number(sum)); parts miss a logit by at most "
        + "\(TextTable.number(direct.largestError, decimals: 6))):",
    ] + TextTable.lines(rows(components)) + ["  neurons:"] + TextTable.lines(rows(direct.neurons))
  }

  private func lines(_ gradient: AttributionCell.Gradient) -> [String] {
    let rows = gradient.shares.sorted { abs($0.share.value) > abs($1.share.value) }.prefix(top).map
    {
      ["\($0.place)", TextTable.withMargin($0.share)]
    }
    let agreements = gradient.agreements.map { own in
      "  correlation with patching, \(own.component.rawValue): "
        + "\(TextTable.withMargin(own.correlation)) a prompt, "
        + "\(TextTable.number(own.correlationOfMeans)) of means"
    }
    return ["", "\(gradient.method.rawValue):"] + TextTable.lines(Array(rows)) + agreements
  }
}
