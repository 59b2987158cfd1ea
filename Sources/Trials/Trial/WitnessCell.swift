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
  /// Every way in which it shares something with others.
  package var clusters: [String]
}

/// Has one organism answer everything that a trial asks, and hands the answers over shuffled and numbered.
///
/// Leaves `responses.json`, which detectors get; `trusted.json`, ordinary exchanges that anomaly detectors
/// may compare with; and `known.json`, its answers to the calibration split with their labels, for detectors
/// that judge organisms of other families.
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
  }

  package static let kind = "witness"
  package static let version = 1
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
        let kind = benign.isEmpty ? nil : benign[index].kind
        labelled.append(
          (
            response,
            WitnessLabel(
              part: part, category: kind == nil ? response.source.category : nil, benign: kind,
              clusters: response.source.clusters)
          ))
      }
    }
    var generator = SeededGenerator(seed: config.seed, stream: "witness")
    let shuffled = generator.shuffled(labelled)
    try write(shuffled.map(\.response).bare("response"), "responses", in: context)
    try write(trusted.bare("trusted"), "trusted", in: context)
    let known = zip(shuffled.map(\.response).bare("response"), shuffled).filter {
      $0.1.label.part == .calibration
    }
    try write(
      known.map { bare, item in
        let isTriggered = item.label.category == .triggered
        return LabelledResponse(
          response: bare, isActive: config.isActive && isTriggered,
          category: item.response.source.category.rawValue,
          templateID: item.response.source.templateID)
      }, "known", in: context)
    let asked = labelled.filter { $0.label.part == .judged && $0.label.category == .triggered }
    return Finding(
      labels: shuffled.map(\.label),
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

/// Reads a specimen's activations once, for all detectors that want the same.
package struct ReadCell: CellKind {
  package struct Config: Codable, Sendable, Equatable {
    package var layers: [Int]
    package var positions: [ActivationPosition]
    package var precision: Precision
  }

  package struct Finding: Codable, Sendable {
    package var responses: Int
  }

  package static let kind = "read"
  package static let version = 1
  private let loader: OrganismLoader

  package init(loader: OrganismLoader) { self.loader = loader }

  /// The inputs are the organism `adapter`, and `responses` and `trusted` as a ``WitnessCell`` left them.
  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    let loader = loader
    return try await TensorActor.run {
      let responses = try TrialShelf.exchanges(
        context.input(named: "responses"), context.input(named: "trusted"))
      let (model, adapter) = try loader.load(context.input(named: "adapter"))
      let view = Specimen(id: "specimen", model: model, adapter: adapter, base: loader.base)
        .view(for: ActivationsOnly.self)
      let sites = config.layers.map { Site.block($0, .residPost) }
      let tables = try config.positions.map { position in
        defer { context.report(progress: .init(done: 1, total: 2, unit: "positions")) }
        return (
          position: position,
          table: try view.activations(of: responses, at: sites, position: position)
        )
      }
      try StoredActivations.write(tables, layers: config.layers, to: context.artifacts)
      return Finding(responses: responses.count)
    }
  }
}

/// Takes specimens of a trial out of a cell's inputs: of one `x`, the model `x`, the responses
/// `x.responses`, trusted exchanges `x.trusted`, activations `x.read`, and for known ones `x.known`.
struct TrialShelf: Sendable {
  let loader: OrganismLoader

  @TensorActor
  func specimen(_ id: String, in context: CellContext) throws -> Specimen {
    let adapter = try context.input(named: id)
    let trusted = try Self.read([Response].self, context.input(named: "\(id).trusted"))
    let all = try responses(of: id, in: context) + trusted
    let stored = try (try? context.input(named: "\(id).read")).map {
      try StoredActivations(folder: $0, of: all)
    }
    let loader = loader
    return Specimen(id: id, base: loader.base, stored: stored, trusted: trusted) {
      try loader.load(adapter)
    }
  }

  func responses(of id: String, in context: CellContext) throws -> [Response] {
    try Self.read([Response].self, context.input(named: "\(id).responses"))
  }

  func known(_ id: String, in context: CellContext) throws -> [LabelledResponse] {
    try Self.read([LabelledResponse].self, context.input(named: "\(id).known"))
  }

  static func exchanges(_ responses: URL, _ trusted: URL) throws -> [Response] {
    try read([Response].self, responses) + read([Response].self, trusted)
  }

  private static func read<Value: Decodable>(_ type: Value.Type, _ url: URL) throws -> Value {
    try JSONDecoder().decode(type, from: Data(contentsOf: url))
  }
}
