internal import ArgumentParser
internal import Instruments
internal import Lab
internal import LanguageModels
internal import Statistics
internal import Studio
internal import Tensors
internal import Trials

extension PatchPlace.Component: ExpressibleByArgument {}
extension PatchSource: ExpressibleByArgument {}

/// What commands take that look for causes.
struct PromptOptions: ParsableArguments {
  @Option(
    help: """
      JSON lines {"clean": …, "corrupt": …, "answer": …, "distractor": …}: prompts of one length, and the \
      single tokens that they should lead to; the distractor may be left out.
      """)
  var prompts: String

  /// The prompts, before a run is made of them.
  func check(_ model: LanguageModel) throws -> PromptPairs {
    let pairs = try PromptPairs(file: prompts, tokenizer: model.tokenizer)
    guard pairs.length <= model.configuration.contextLength else {
      throw CommandError.tooManyTokens(
        found: pairs.length, limit: model.configuration.contextLength)
    }
    guard model.configuration.isCausal else {
      throw ModelError.noHead(family: model.configuration.family)
    }
    return pairs
  }
}

/// `plumbline patch`.
struct PatchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "patch",
    abstract: "Exchanges activations one at a time and says which places an answer comes from.",
    discussion: """
      Sources: clean puts the clean prompt's activation into the corrupt one's run (denoising); corrupt, mean
      and zero put the corrupt prompt's, the mean over clean prompts or nothing into the clean one's run
      (ablations); steering adds to the corrupt one's run the mean difference of the other half of the pairs.
      Every effect has an interval over prompts, and beside it that of a random change as large. With
      --receiver, a change goes there directly and nowhere else (path patching).

      EXAMPLES
        plumbline patch --prompts Examples/ioi.jsonl --component head
        plumbline patch --prompts Examples/ioi.jsonl --component resid --by-position --html ioi.html
        plumbline patch --prompts Examples/ioi.jsonl --component head --receiver logits
      """)

  @OptionGroup var file: ModelOption
  @OptionGroup var prompts: PromptOptions

  @Option(
    name: .customLong("component"),
    help: "What is exchanged; may be given several times.")
  var components: [PatchPlace.Component] = [.head]

  @Flag(help: "Exchange each position alone, and not all together.")
  var byPosition = false

  @Option(help: "What is put in its place.")
  var source = PatchSource.clean

  @Option(
    name: .customLong("receiver"),
    help: """
      Where a path ends: logits, or blocks.9.attn.q.3 (a head's query, key or value) and blocks.9.mlp; \
      these may be given several times.
      """)
  var receivers: [String] = []

  @Option(help: "Draws the random changes.")
  var seed: UInt64 = 1

  @Option(help: "How many of the largest effects are printed.")
  var top = 20

  @OptionGroup var page: PageOption

  @Option(help: "How products with the model's weights are computed.")
  var precision = Precision.float32

  @OptionGroup var device: DeviceOption
  @OptionGroup var adapter: AdapterOption
  @OptionGroup var results: RunOptions

  @Flag(help: "Print {\"run\", \"cell\", \"finding\"} as JSON: all effects with their intervals.")
  var json = false

  func validate() throws {
    guard top >= 1 else { throw ValidationError("Expected --top of at least 1, found \(top).") }
    guard Set(components).count == components.count else {
      throw ValidationError("Expected each --component once, found one twice.")
    }
    guard receivers.isEmpty || !components.contains(.resid) else {
      throw ValidationError(
        "Expected --component attn, mlp or head beside --receiver, found resid: a residual stream is every "
          + "path at once.")
    }
    guard Set(receivers).count == receivers.count else {
      throw ValidationError("Expected each --receiver once, found one twice.")
    }
    guard receivers == ["logits"] || !receivers.contains("logits") else {
      throw ValidationError("Expected --receiver logits alone, found others beside it.")
    }
  }

  func run() async throws {
    let path = try file.path()
    try await device.use()
    try page.check()
    let model = try await LanguageModel(path: path, precision: precision)
    let c = model.configuration
    let pairs = try prompts.check(model)
    for receiver in receivers { _ = try PatchReceiver(receiver, in: c) }
    _ = try await adapter.load(for: c, path: model.path)
    let config = PatchCell.Config(
      components: components, byPosition: byPosition, source: source, receivers: receivers,
      seed: seed, precision: precision)
    guard !PatchCell.places(config, c, length: pairs.length).isEmpty else {
      throw ValidationError(
        "Expected a --receiver with something before it, found \(receivers.joined(separator: ", "))."
      )
    }
    var files = ["prompts": prompts.prompts]
    files["adapter"] = adapter.adapter
    let run = try InstrumentRun(
      "patch", question: config, model: model, files: files, runs: results.runs)
    let result = try await run.perform(PatchCell(model: model), config, label: "patch")
    try page.write(PatchReport.self, of: result, in: run, base: file)
    try results.report(result, of: run, asJSON: json, page: page.html, lines: lines)
  }

  private func lines(_ finding: PatchCell.Finding) -> [String] {
    let unit = PromptPairs.unit(hasDistractor: finding.hasDistractor)
    let ordered = finding.effects.sorted { abs($0.effect.value) > abs($1.effect.value) }
    let rows = ordered.prefix(top).map { effect in
      [
        (effect.standsOut ? "* " : "  ") + "\(effect.place)", TextTable.withMargin(effect.effect),
        TextTable.withMargin(effect.control),
      ]
    }
    let count = finding.effects.count { $0.standsOut }
    let head = [
      "\(finding.prompts) pairs; the answer in \(unit): clean \(TextTable.withMargin(finding.clean)), "
        + "corrupt \(TextTable.withMargin(finding.corrupt)), ± half of a 95 % interval over prompts",
      "\(count) of \(finding.effects.count) places stand out (*): beyond their random control with all "
        + "intervals holding together, and at least 5 % of clean less corrupt",
    ]
    return head + TextTable.lines([["place", "effect", "random"]] + rows)
  }
}
