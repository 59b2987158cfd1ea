internal import ArgumentParser
internal import Foundation
internal import Instruments
internal import Lab
internal import LanguageModels
internal import Statistics
internal import Studio
internal import Tensors
internal import Trials

/// `plumbline neurons`.
struct NeuronsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "neurons",
    abstract: "Neurons, directions and features: where they are active, and what explains them.",
    subcommands: [
      NeuronsShowCommand.self, NeuronsExplainCommand.self, NeuronsScoreCommand.self,
    ])
}

/// What all of these take.
struct NeuronOptions: ParsableArguments {
  @OptionGroup var file: ModelOption

  @Option(
    name: .customLong("neuron"),
    help: "A site and a number there, such as blocks.12.mlp.post.17; may be given several times.")
  var neurons: [String] = []

  @Option(help: "A sparse autoencoder's folder, whose --feature is meant.")
  var sae: String?

  @Option(
    name: .customLong("feature"),
    help: "A feature of --sae by its number; may be given several times.")
  var features: [Int] = []

  @Option(help: "A safetensors file with directions, which are read at --site.")
  var direction: String?

  @Option(
    name: .customLong("direction-name"),
    help: "A tensor of that file; may be given several times; all of them if not given.")
  var directionNames: [String] = []

  @Option(help: "Where the direction is read, such as blocks.12.resid_post.")
  var site: String?

  @Option(
    help: "A fitted probe's JSON, such as `logistic.json` among the artifacts of an audit's cells.")
  var probe: String?

  @Option(
    name: .customLong("text"),
    help: """
      A text file, or a .jsonl file of {"text": …} or of questions and answers; each is a corpus, and \
      explanations are made from the first. Three at least for the illusion check.
      """)
  var texts: [String]

  @Option(help: "Tokens of each corpus.")
  var tokens = 16384

  @Option(help: "Tokens of an excerpt.")
  var excerptLength = 64

  @Option(help: "Excerpts of each kind: the strongest, and others, for explaining and for scoring.")
  var excerpts = 10

  @Option(help: "A tuned lens, to correct the tokens that are promoted.")
  var lens: String?

  @Option(help: "Draws documents and excerpts.")
  var seed: UInt64 = 1

  @OptionGroup var page: PageOption

  @Option(help: "How products with the model's weights are computed.")
  var precision = Precision.float32

  @OptionGroup var device: DeviceOption
  @OptionGroup var adapter: AdapterOption
  @OptionGroup var results: RunOptions

  @Flag(help: "Print {\"run\", \"cell\", \"finding\"} as JSON.")
  var json = false

  func validate() throws {
    guard !neurons.isEmpty || !features.isEmpty || direction != nil || probe != nil else {
      throw ValidationError(
        "Expected --neuron, --feature, --direction or --probe, found none: name what to look at.")
    }
    guard features.isEmpty == (sae == nil) else {
      throw ValidationError("Expected --sae and --feature together, found one of them.")
    }
    guard (direction == nil) == (site == nil) else {
      throw ValidationError("Expected --direction and --site together, found one of them.")
    }
    guard directionNames.isEmpty || direction != nil else {
      throw ValidationError(
        "Expected --direction beside --direction-name, found none: name a file.")
    }
    let paths = texts.map {
      URL(fileURLWithPath: $0).standardizedFileURL.resolvingSymlinksInPath().path
    }
    guard !texts.isEmpty, Set(paths).count == paths.count else {
      throw ValidationError("Expected each --text once, found none or one twice.")
    }
    for (name, value, least) in [
      ("--tokens", tokens, 1024), ("--excerpt-length", excerptLength, 16),
      ("--excerpts", excerpts, 2),
    ] where value < least {
      throw ValidationError("Expected \(name) of at least \(least), found \(value).")
    }
  }

  private func names(_ c: ModelConfiguration) throws -> [NeuronName] {
    var names = try neurons.map { try NeuronName(neuron: $0, in: c) }
    names += features.map { .feature($0) }
    if let site {
      let place = try Site(site, nLayers: c.nLayers)
      guard place.isPerToken else { throw AutoencoderError.badSite(name: site) }
      let known = try SafetensorsFile(path: direction ?? "").tensors.map(\.name)
      guard !known.isEmpty else { throw NeuronError.noDirections(path: direction ?? "") }
      names += (directionNames.isEmpty ? known : directionNames).map {
        .direction(site: site, name: $0)
      }
    }
    return names + (probe == nil ? [] : [.probe])
  }

  /// A model's name; of a file, without its folder.
  private static func short(_ model: String) -> String {
    RemoteEndpoint.isMeant(by: model) ? model : (model as NSString).lastPathComponent
  }

  /// Whether there are such units.
  @TensorActor
  private func check(_ units: [NeuronName], _ model: LanguageModel) throws {
    let autoencoder = try sae.map { try SparseAutoencoder.read($0, for: model) }
    for unit in units {
      _ = try unit.unit(of: model, direction: direction, probe: probe, autoencoder: autoencoder)
    }
  }

  /// Corpora by the names of their files and of the folders that these lie in.
  private var corpora: [String] {
    texts.map { path in
      let name = ((path as NSString).lastPathComponent as NSString).deletingPathExtension
      let folder = ((path as NSString).deletingLastPathComponent as NSString).lastPathComponent
      return [folder, name].filter { !$0.isEmpty && $0 != "." && $0 != "/" }.joined(separator: "/")
    }
  }

  /// Runs the cell and tells what it found.
  func perform(
    _ command: String, given: [String] = [], explainer: String? = nil, simulator: String? = nil,
    ablates: Bool = false, roles: RoleOptions? = nil
  ) async throws {
    let path = try file.path()
    try await device.use()
    try page.check()
    let model = try await LanguageModel(path: path, precision: precision)
    let units = try names(model.configuration)
    try await check(units, model)
    if let lens { try await Lens.check(lens, for: model, is: .tuned) }
    _ = try await adapter.load(for: model.configuration, path: model.path)
    let config = NeuronCell.Config(
      units: units, corpora: corpora,
      sequenceLength: min(excerptLength, model.configuration.contextLength), tokens: tokens,
      excerpts: excerpts, given: given, explainer: explainer.map(Self.short),
      simulator: simulator.map(Self.short),
      ablates: ablates, hasLens: lens != nil, seed: seed, precision: precision)
    try TextOptions.check(texts)
    _ = try ExcerptText(
      zip(corpora, texts).map { (name: $0, corpus: try Corpus(files: [$1])) },
      tokenizer: model.tokenizer, length: config.sequenceLength, tokens: tokens,
      excerpts: excerpts, seed: seed)
    var files = Dictionary(uniqueKeysWithValues: texts.enumerated().map { ("text\($0)", $1) })
    (files["adapter"], files["lens"], files["sae"]) = (adapter.adapter, lens, sae)
    (files["direction"], files["probe"]) = (direction, probe)
    let known = (
      explainer: try await roles?.role(explainer, beside: model),
      simulator: try await roles?.role(simulator, beside: model)
    )
    try await known.explainer?.check(length: config.sequenceLength, explains: true)
    try await known.simulator?.check(length: config.sequenceLength, explains: false)
    // Known by their files' contents too, wherever these lie.
    if case .local(let other)? = known.explainer { files["explainer"] = other.path }
    if case .local(let other)? = known.simulator { files["simulator"] = other.path }
    let run = try InstrumentRun(
      "neurons-\(command)", question: config, model: model, files: files, runs: results.runs)
    let result = try await run.perform(
      NeuronCell(model: model, explainer: known.explainer, simulator: known.simulator), config,
      label: "neurons \(command)")
    try page.write(NeuronReport.self, of: result, in: run, base: file)
    try results.report(result, of: run, asJSON: json, page: page.html) {
      $0.units.flatMap { NeuronText(unit: $0).lines }
    }
  }
}

/// What commands take that have a chat model in a role.
struct RoleOptions: ParsableArguments {
  @Option(help: "A folder in which a remote model's answers are kept, and looked for before.")
  var cache: String?

  @Flag(help: "Let unencrypted requests to a remote model leave this machine.")
  var allowHttp = false

  @Flag(help: "Run the model with each simulation in the unit's place too.")
  var ablate = false

  /// The model of that name; the one that is looked at where it is the same file.
  func role(_ name: String?, beside model: LanguageModel) async throws -> ChatRole? {
    guard let name else { return nil }
    guard !RemoteEndpoint.isMeant(by: name) else {
      var settings = RemoteSettings()
      (settings.cache, settings.allowsPlainHTTP) = (cache, allowHttp)
      return .remote(try RemoteModel(name, settings: settings))
    }
    let path = try ModelCatalog.path(of: name)
    let other =
      path == model.path ? model : try await LanguageModel(path: path, precision: .float32)
    return .local(other)
  }
}

/// `plumbline neurons show`.
struct NeuronsShowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract:
      "Where a unit is active, what rules of tokens tell of it, and in which corpora they hold.",
    discussion: """
      Strongest excerpts of each corpus, rules of tokens and short sequences with their scores on documents
      that they were not fitted on, tokens promoted and suppressed, and the illusion check.

      EXAMPLES
        plumbline neurons show --neuron blocks.12.mlp.post.17 --text wikitext-2/valid.txt
        plumbline neurons show --sae sae/15 --feature 301 --text a.txt --text b.txt --text c.jsonl --html 301.html
      """)

  @OptionGroup var options: NeuronOptions

  func run() async throws { try await options.perform("show") }
}

/// `plumbline neurons explain`.
struct NeuronsExplainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain",
    abstract: "Has a chat model explain a unit, and scores that against rules of tokens.",
    discussion: """
      The explainer sees the strongest excerpts of the first corpus. The simulator sees the explanation and
      tells a number for each token of other documents; scores compare these with what the unit says there
      (Bills et al. 2023). Rules of tokens, which need no language model, are what an explanation has to beat.
      \(RemoteOptions.discussion)

      EXAMPLE
        plumbline neurons explain --neuron blocks.12.mlp.post.17 --text a.txt --text b.txt --text c.jsonl
      """)

  @OptionGroup var options: NeuronOptions

  @Option(help: "The chat model that explains: a name, a file, or openai:NAME@URL.")
  var explainer = ModelCatalog.defaultName

  @Option(help: "The chat model that simulates and judges; the explainer if not given.")
  var simulator: String?

  @OptionGroup var roles: RoleOptions

  func run() async throws {
    try await options.perform(
      "explain", explainer: explainer, simulator: simulator ?? explainer, ablates: roles.ablate,
      roles: roles)
  }
}

/// `plumbline neurons score`.
struct NeuronsScoreCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "score",
    abstract: "Scores explanations of your own against rules of tokens.",
    discussion: """
      As `neurons explain`, with your explanation in the explainer's place: a phrase that goes on from "This
      neuron looks for". \(RemoteOptions.discussion)

      EXAMPLE
        plumbline neurons score --neuron blocks.12.mlp.post.17 --explanation "names of months" --text a.txt
      """)

  @OptionGroup var options: NeuronOptions

  @Option(
    name: .customLong("explanation"), help: "What the unit looks for; may be given several times.")
  var explanations: [String]

  @Option(help: "The chat model that simulates and judges: a name, a file, or openai:NAME@URL.")
  var simulator = ModelCatalog.defaultName

  @OptionGroup var roles: RoleOptions

  func run() async throws {
    try await options.perform(
      "score", given: explanations, simulator: simulator, ablates: roles.ablate, roles: roles)
  }
}

/// What is printed of a unit.
private struct NeuronText {
  let unit: NeuronCell.Unit

  var lines: [String] {
    var lines = [unit.name]
    let tops = zip(unit.illusion.topLevels, unit.illusion.topPercentiles)
    for (corpus, (level, above)) in zip(unit.corpora, tops) {
      lines.append(
        "  \(corpus.name): \(corpus.tokens) tokens, mean \(number(corpus.mean)), peak \(number(corpus.peak)); "
          + "strongest excerpts above \(TextTable.number(100 * above, decimals: 1)) % of all tokens, at "
          + "\(Int((100 * level).rounded())) % of the strongest corpus's level"
      )
      lines += corpus.top.prefix(3).map { "    \(excerpt($0))" }
    }
    let rules = unit.rules.map { rule in
      "\(TextTable.visible(rule.tokens.joined())) \(number(Float(rule.value))) (\(rule.count))"
    }
    lines.append("  rules, expected activation (times seen): " + rules.joined(separator: ", "))
    for (name, views) in [("promotes", \WeightReadCell.View.highest), ("suppresses", \.lowest)] {
      for view in unit.output {
        let tokens = view[keyPath: views].prefix(8).map { TextTable.visible($0.name) }
        lines.append(
          "  \(name)\(view.transport == .identity ? "" : ", corrected"): "
            + tokens.joined(separator: " "))
      }
    }
    lines += unit.explanations.flatMap(scores)
    lines.append("  illusion check: \(illusion)")
    return lines
  }

  private func number(_ value: Float) -> String { TextTable.number(Double(value), width: 0) }

  /// The tokens around the strongest, which is marked.
  private func excerpt(_ shown: NeuronCell.Shown) -> String {
    let peak = shown.activations.indices.max { shown.activations[$0] < shown.activations[$1] } ?? 0
    let range = max(0, peak - 10)..<min(shown.tokens.count, peak + 6)
    let text = range.map { place in
      place == peak ? "«\(shown.tokens[place])»" : shown.tokens[place]
    }.joined()
    return "\(number(shown.activations[peak]))  \(text.replacing("\n", with: "↵"))"
  }

  private func scores(_ explanation: NeuronCell.Explanation) -> [String] {
    func text(_ estimate: Estimate?) -> String {
      estimate.map {
        "\(TextTable.number($0.value, width: 0)) [\(TextTable.number($0.interval.lower, width: 0)), "
          + "\(TextTable.number($0.interval.upper, width: 0))]"
      } ?? "–"
    }
    let rows = zip(unit.corpora, explanation.scores).map { corpus, score in
      [
        "  " + corpus.name, text(score.correlation), text(score.randomCorrelation),
        score.explained.map { TextTable.number($0, width: 0) } ?? "–", text(score.ablation),
        text(score.detection), text(score.fuzzing),
      ]
    }
    let header = ["  on", "correlation", "random only", "R²", "ablation", "detection", "fuzzing"]
    let unread = explanation.scores.reduce(0) { $0 + $1.unread }
    let notes =
      (unread > 0
        ? ["    \(unread) excerpts were not counted, whose simulation could not be read"] : [])
      + (explanation.transfer.map {
        [
          "    elsewhere: \($0.verdict.rawValue); scores \(TextTable.number($0.gap)) more on the first corpus, "
            + "p \(TextTable.number($0.pValue))" + worst($0.worst)
        ]
      } ?? [])
    let said = explanation.by == "rules" ? "these rules" : "\(explanation.by): \(explanation.text)"
    return ["  \(said.filter { !$0.isNewline })"] + TextTable.lines([header] + rows) + notes
  }

  private var illusion: String {
    let check = unit.illusion
    guard let own = check.own, let gap = check.gap, let p = check.pValue else {
      return check.verdict == .oneCorpus
        ? "one corpus: the unit is strongly active in one only"
        : "undecided: name three corpora or more by --text"
    }
    return "\(check.verdict.rawValue); rules score \(TextTable.number(own)) on their own corpus, "
      + "\(TextTable.number(gap)) more than on others, p \(TextTable.number(p))"
      + worst(check.worst)
  }

  private func worst(_ loss: IllusionCheck.Loss?) -> String {
    loss.map { loss in
      "; at worst, from \(unit.corpora[loss.from].name), \(TextTable.number(loss.own)) and "
        + "\(TextTable.number(loss.score)) on \(unit.corpora[loss.on].name), p "
        + TextTable.number(loss.pValue)
    } ?? ""
  }
}
