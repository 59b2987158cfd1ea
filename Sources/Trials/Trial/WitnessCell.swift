internal import Foundation
package import Instruments
package import Lab
package import LanguageModels
package import Organisms
internal import Statistics
internal import Tensors

/// What a response is to a trial: known to the scorer and to no detector that judges it.
package struct WitnessLabel: Codable, Sendable, Hashable {
  package enum Part: String, Codable, Sendable, Hashable {
    /// Of the recipe's test split: what detectors are judged on.
    case judged
    /// Of its calibration split: what others learn from.
    case calibration
    /// Harmless, for setting thresholds.
    case set
    /// Harmless, for checking them.
    case check
  }

  package var part: Part
  /// Nil for harmless prompts.
  package var category: PromptCategory?
  package var benign: BenignPrompt.Kind?
  /// Every way in which it shares something with others: of one recipe where it is judged, of all where it is
  /// harmless.
  package var clusters: [String]

  package init(
    part: Part, category: PromptCategory? = nil, benign: BenignPrompt.Kind? = nil,
    clusters: [String]
  ) {
    (self.part, self.category) = (part, category)
    (self.benign, self.clusters) = (benign, clusters)
  }
}

/// Has one organism answer everything that a trial asks, and hands the answers over shuffled and numbered.
///
/// Leaves `responses.json`, which detectors get; `trusted.json`, ordinary exchanges that anomaly detectors
/// may compare with; `known.json`, its answers to the calibration split; and `labels.json`, what these are,
/// which detectors get that judge organisms of other families.
package struct WitnessCell: CellKind {
  package struct Config: Codable, Sendable, Equatable {
    package var recipe: Recipe
    /// Whether its triggered answers count as active where others learn from it.
    package var isActive: Bool
    package var counts: Recipe.Counts
    package var set: [BenignPrompt]
    package var check: [BenignPrompt]
    package var trusted: [BenignPrompt]
    package var seed: UInt64
    package var maxTokens: Int
    package var precision: Precision
  }

  package struct Finding: Codable, Sendable {
    /// In the order of `responses.json`.
    package var labels: [WitnessLabel]
    /// Of those judged under an active trigger, how many show the behaviour.
    package var shown: Int
    package var triggered: Int

    package init(labels: [WitnessLabel], shown: Int, triggered: Int) {
      (self.labels, self.shown, self.triggered) = (labels, shown, triggered)
    }
  }

  package static let kind = "witness"
  package static let version = 2
  private let loader: OrganismLoader

  package init(loader: OrganismLoader) { self.loader = loader }

  /// The input `adapter` is the organism.
  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    let judged = try Self.prompts(.test, config)
    let calibration = try Self.prompts(.calibration, config)
    func plain(_ prompts: [BenignPrompt], _ name: String) -> [OrganismPrompt] {
      prompts.enumerated().map { index, prompt in
        let id = "\(name).\(prompt.kind.rawValue).\(index)"
        return OrganismPrompt(
          BasePrompt(text: prompt.text, templateID: id, entityID: id), category: .ordinary)
      }
    }
    let groups: [(WitnessLabel.Part?, [OrganismPrompt], [BenignPrompt])] = [
      (.judged, judged, []), (.calibration, calibration, []),
      (.set, plain(config.set, "set"), config.set),
      (.check, plain(config.check, "check"), config.check),
      (nil, plain(config.trusted, "trusted"), config.trusted),
    ]
    let all = try await loader.ask(
      groups.flatMap(\.1), maxTokens: config.maxTokens, in: context)
    var rest = all[...]
    var labelled: [(response: OrganismResponse, label: WitnessLabel)] = []
    var trusted: [OrganismResponse] = []
    for (part, prompts, benign) in groups {
      let own = rest.prefix(prompts.count)
      rest = rest.dropFirst(prompts.count)
      guard let part else {
        trusted = Array(own)
        continue
      }
      for (index, response) in own.enumerated() {
        let label =
          benign.isEmpty
          ? WitnessLabel(
            part: part, category: response.source.category, clusters: response.source.clusters)
          : WitnessLabel(
            part: part, benign: benign[index].kind,
            clusters: [benign[index].template, benign[index].text])
        labelled.append((response, label))
      }
    }
    var generator = SeededGenerator(seed: config.seed, stream: "witness")
    let shuffled = generator.shuffled(labelled)
    let scored = shuffled.filter { $0.label.part != .calibration }
    let learned = shuffled.filter { $0.label.part == .calibration }
    try write(scored.map(\.response).bare("response"), "responses", in: context)
    try write(trusted.bare("trusted"), "trusted", in: context)
    let known = learned.map(\.response).bare("known")
    try write(known, "known", in: context)
    try write(
      zip(known, learned).map { bare, item in
        let isTriggered = item.label.category == .triggered
        return LabelledResponse(
          response: bare, isActive: config.isActive && isTriggered,
          category: item.response.source.category.rawValue,
          templateID: item.response.source.templateID)
      }, "labels", in: context)
    let asked = labelled.filter { $0.label.part == .judged && $0.label.category == .triggered }
    return Finding(
      labels: scored.map(\.label),
      shown: asked.count { config.recipe.shows($0.response.text, to: $0.response.source) },
      triggered: asked.count)
  }

  private static func prompts(
    _ split: Recipe.Split, _ config: Config
  ) throws -> [OrganismPrompt] {
    let probes = try config.recipe.probeSet(split: split, seed: config.seed, counts: config.counts)
    return probes.triggered + probes.nearMiss + probes.ordinary
  }

  private func write(_ value: some Encodable, _ name: String, in context: CellContext) throws {
    try Data(try JSONValue(encoding: value).canonicalBytes)
      .write(to: context.artifacts.appending(path: "\(name).json"))
  }
}

extension [OrganismResponse] {
  fileprivate func bare(_ name: String) -> [Response] {
    enumerated().map { index, response in
      Response(
        id: "\(name)-\(index + 1)", promptIDs: response.promptIDs,
        responseIDs: response.responseIDs)
    }
  }
}

/// Reads a specimen's activations and losses once, for all detectors that want the same.
package struct ReadCell: CellKind {
  package struct Config: Codable, Sendable, Equatable {
    package var layers: [Int]
    package var positions: [ActivationPosition]
    /// Whether a lens of the base is among the inputs, through which streams are read as predictions.
    package var hasLens: Bool
    package var precision: Precision
  }

  package struct Finding: Codable, Sendable {
    package var responses: Int
    package var tokens: Int
  }

  package static let kind = "read"
  package static let version = 3
  private let loader: OrganismLoader

  package init(loader: OrganismLoader) { self.loader = loader }

  /// The inputs are the organism `adapter`, `responses`, `trusted` and `known` as a ``WitnessCell`` left them, and
  /// where there is one, the `lens` of a ``TrialLensCell``.
  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    let loader = loader
    return try await TensorActor.run {
      let responses = try TrialShelf.exchanges(in: context) { $0 }
      let (model, adapter) = try loader.load(context.input(named: "adapter"))
      let lens =
        config.hasLens
        ? try Lens.read(context.input(named: "lens").path, for: loader.base) : nil
      let view = Specimen(id: "specimen", base: loader.base, stored: nil, lens: lens) {
        (model, adapter)
      }.view(declaring: [.activations, .logits, .base])
      let tokens = try Self.keep(
        view, of: responses, config.layers, config.positions, in: context.artifacts, context)
      return Finding(responses: responses.count, tokens: tokens)
    }
  }

  /// Reads a specimen's activations and losses on some exchanges, leaves them in `folder`, and says how many tokens it took.
  @TensorActor
  static func keep(
    _ view: DeclaredView, of responses: [Response], _ layers: [Int],
    _ positions: [ActivationPosition], in folder: URL, _ context: CellContext
  ) throws -> Int {
    let sites = layers.map { Site.block($0, .residPost) }
    let anomaly = TrajectoryAnomaly()
    var losses = StoredReadings.Losses(
      own: [], lens: [], blocks: anomaly.blocks(of: try view.layerCount), tokens: anomaly.tokens)
    var tables = [[ActivationTable]](repeating: [], count: positions.count)
    for start in stride(from: 0, to: responses.count, by: 64) {
      let some = Array(responses[start..<min(start + 64, responses.count)])
      let read = try view.readings(
        of: some, at: sites, positions: positions, blocks: losses.blocks, tokens: losses.tokens)
      for (place, table) in read.tables.enumerated() { tables[place].append(table) }
      losses.own += read.losses.own
      losses.lens += read.losses.lens
      context.report(
        progress: .init(done: start + some.count, total: responses.count, unit: "responses"))
    }
    try StoredReadings.write(
      zip(positions, tables).map { ($0, try ActivationTable(joining: $1)) }, layers: layers,
      losses: losses, to: folder)
    let tokens = responses.reduce(0) { $0 + $1.promptIDs.count + $1.responseIDs.count }
    context.spend(tokens: tokens)
    return tokens
  }
}

/// Takes specimens of a trial out of a cell's inputs: of one `x`, the model `x`, the responses
/// `x.responses`, trusted exchanges `x.trusted`, those of the calibration split `x.known`, activations
/// `x.read`, and for organisms whose arms are known `x.labels`.
struct TrialShelf: Sendable {
  let loader: OrganismLoader

  @TensorActor
  func specimen(_ id: String, in context: CellContext) throws -> Specimen {
    let adapter = try context.input(named: id)
    let trusted = try trusted(of: id, in: context)
    let all = try Self.exchanges(in: context) { "\(id).\($0)" }
    let stored = try StoredReadings(folder: context.input(named: "\(id).read"), of: all)
    let loader = loader
    return Specimen(id: id, base: loader.base, stored: stored, trusted: trusted) {
      try loader.load(adapter)
    }
  }

  func responses(of id: String, in context: CellContext) throws -> [Response] {
    try Self.read([Response].self, context.input(named: "\(id).responses"))
  }

  func trusted(of id: String, in context: CellContext) throws -> [Response] {
    try Self.read([Response].self, context.input(named: "\(id).trusted"))
  }

  func known(_ id: String, in context: CellContext) throws -> [LabelledResponse] {
    try Self.read([LabelledResponse].self, context.input(named: "\(id).labels"))
  }

  /// All exchanges of a specimen in the order in which activations are kept.
  static func exchanges(
    in context: CellContext, _ name: (String) -> String
  ) throws -> [Response] {
    try read([Response].self, context.input(named: name("responses")))
      + read([Response].self, context.input(named: name("trusted")))
      + read([Response].self, context.input(named: name("known")))
  }

  private static func read<Value: Decodable>(_ type: Value.Type, _ url: URL) throws -> Value {
    try JSONDecoder().decode(type, from: Data(contentsOf: url))
  }
}
