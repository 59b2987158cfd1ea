internal import Foundation
package import Lab
package import LanguageModels
package import Statistics
internal import Tensors

/// Which places of a model an answer comes from: activations exchanged one at a time, with intervals over
/// prompts and a random change as large beside each.
///
/// Inputs: `base`, `prompts`, `adapter` where there is one.
package struct PatchCell: CellKind {
  package struct Config: Codable, Sendable, Equatable {
    package var components: [PatchPlace.Component]
    /// Whether each position is exchanged alone, and not all together.
    package var byPosition: Bool
    package var source: PatchSource
    /// Where paths end, as ``PatchReceiver`` reads them; none for everything behind a place.
    package var receivers: [String]
    package var level: Double
    package var seed: UInt64
    package var precision: Precision

    package init(
      components: [PatchPlace.Component], byPosition: Bool = false, source: PatchSource = .clean,
      receivers: [String] = [], level: Double = 0.95, seed: UInt64 = 1, precision: Precision
    ) {
      (self.components, self.byPosition, self.source) = (components, byPosition, source)
      (self.receivers, self.level, self.seed) = (receivers, level, seed)
      self.precision = precision
    }
  }

  /// Logits of the answer over the distractor, or nats of its log-probability without one; means over
  /// prompts.
  package struct Effect: Codable, Sendable {
    package var place: PatchPlace
    /// With the place exchanged, less without.
    package var effect: Estimate
    /// With a random change as large.
    package var control: Estimate
    /// Effect less control by prompt, at a level at which all places' intervals hold together.
    package var excess: Estimate
    /// Whether that interval leaves out 0 on the effect's own side, and the effect is at least a twentieth of the difference
    /// between clean and corrupt.
    package var standsOut: Bool
  }

  package struct Finding: Codable, Sendable {
    package var effects: [Effect]
    /// The answer in the clean and the corrupt prompts.
    package var clean: Estimate
    package var corrupt: Estimate
    package var prompts: Int
    /// The first pair's prompt that ran, token by token.
    package var tokens: [String]
    package var hasDistractor: Bool
  }

  package static let kind = "patch"
  package static let version = 1
  /// The least share of the difference between clean and corrupt that is worth a name.
  package static let leastShare = 0.05
  private let model: LanguageModel

  package init(model: LanguageModel) { self.model = model }

  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    let model = model
    let prompts = try PromptPairs(
      file: context.input(named: "prompts").path, tokenizer: model.tokenizer)
    return try await TensorActor.run { () throws -> Finding in
      let adapter = try model.adapter(of: context)
      let places = Self.places(config, model.configuration, length: prompts.length)
      let receivers = try config.receivers.map {
        try PatchReceiver($0, in: model.configuration)
      }
      var patcher = Patcher(
        prompts, source: config.source, model: model, adapter: adapter, seed: config.seed)
      let baselines = try patcher.baselines()
      try patcher.prepare(Set(places.map(\.site)))
      var (effects, done): ([[(effect: Double, control: Double)]], Int) = ([], 0)
      for (index, baseline) in baselines.enumerated() {
        effects.append(
          try patcher.effects(
            of: index, at: places, to: receivers,
            baseline: config.source.runsCorrupt ? baseline.corrupt : baseline.clean
          ) { count in
            done += count
            context.spend(tokens: 2 * count * prompts.length)
            context.report(
              progress: CellProgress(
                done: done, total: places.count * baselines.count, unit: "places"))
          })
      }
      return try Self.finding(config, places, effects, baselines, prompts, model)
    }
  }

  /// The places to exchange; of paths, those that can still reach a receiver.
  package static func places(
    _ config: Config, _ c: ModelConfiguration, length: Int
  ) -> [PatchPlace] {
    let receivers = config.receivers.compactMap { try? PatchReceiver($0, in: c) }
    return config.components.flatMap {
      PatchPlace.all($0, in: c, positions: config.byPosition ? length : nil)
    }.filter { place in
      receivers.isEmpty || receivers.contains { $0.isReached(from: place, in: c) }
    }
  }

  private static func finding(
    _ config: Config, _ places: [PatchPlace], _ effects: [[(effect: Double, control: Double)]],
    _ baselines: [(clean: Double, corrupt: Double)], _ prompts: PromptPairs, _ model: LanguageModel
  ) throws -> Finding {
    let clusters = Array(baselines.indices)
    func mean(_ values: [Double], _ level: Double) throws -> Estimate {
      try clusteredMean(values, clusters: clusters, unit: "prompt", level: level)
    }
    let (clean, corrupt) = (
      try mean(baselines.map(\.clean), config.level),
      try mean(baselines.map(\.corrupt), config.level)
    )
    let least = leastShare * abs(clean.value - corrupt.value)
    let each = 1 - (1 - config.level) / Double(max(places.count, 1))
    return Finding(
      effects: try places.enumerated().map { place, name in
        let (effect, control) = (
          effects.map { $0[place].effect }, effects.map { $0[place].control }
        )
        let excess = try mean(zip(effect, control).map { $0 - $1 }, each)
        let mean = try mean(effect, config.level)
        return Effect(
          place: name, effect: mean,
          control: try clusteredMean(
            control, clusters: clusters, unit: "prompt", level: config.level),
          excess: excess,
          standsOut: !excess.interval.contains(0) && (excess.value > 0) == (mean.value > 0)
            && abs(mean.value) >= least)
      },
      clean: clean, corrupt: corrupt, prompts: baselines.count,
      tokens: (config.source.runsCorrupt ? prompts.pairs[0].corrupt : prompts.pairs[0].clean).map {
        model.tokenizer.decode([$0])
      },
      hasDistractor: prompts.hasDistractor)
  }
}
