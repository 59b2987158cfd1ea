internal import Foundation
package import Lab
package import LanguageModels
package import Statistics
internal import Tensors

/// What an answer is made of, without exchanging anything: direct logit attribution, and gradients as
/// estimates of what patching would find, held against patching itself where asked.
///
/// Inputs: `base`, `prompts`, `adapter` where there is one.
package struct AttributionCell: CellKind {
  package enum Method: String, Codable, Sendable, CaseIterable {
    /// What each head, MLP and neuron adds to the answer's logit over the distractor's in the clean prompt,
    /// the last norm's division held.
    case direct
    /// Activation of the clean prompt less that of the corrupt one, times the gradient in the latter:
    /// patching to first order (Nanda 2023, "attribution patching").
    case gradient
    /// The same with the gradient's mean between the two prompts' embeddings (Sundararajan et al. 2017,
    /// arXiv 1703.01365; at inner sites as in Hanna et al. 2024, arXiv 2403.17806).
    case integrated
  }

  package struct Config: Codable, Sendable, Equatable {
    package var methods: [Method]
    /// Whether every place is patched too, to say how well gradients tell what that finds.
    package var comparesToPatching: Bool
    /// Steps between the embeddings.
    package var steps: Int
    package var topNeurons: Int
    package var level: Double
    package var seed: UInt64
    package var precision: Precision

    package init(
      methods: [Method] = Method.allCases, comparesToPatching: Bool = false, steps: Int = 8,
      topNeurons: Int = 20, level: Double = 0.95, seed: UInt64 = 1, precision: Precision
    ) {
      (self.methods, self.comparesToPatching, self.steps) = (methods, comparesToPatching, steps)
      (self.topNeurons, self.level, self.seed) = (topNeurons, level, seed)
      self.precision = precision
    }
  }

  /// One component's share, in logits; mean over prompts.
  package struct Share: Codable, Sendable {
    /// `embedding`, `biases`, `L9H3`, `mlp 4`, `4.345`.
    package var name: String
    package var block: Int?
    package var head: Int?
    package var share: Estimate
  }

  package struct Direct: Codable, Sendable {
    package var embedding: Share
    package var biases: Share
    package var heads: [Share]
    package var mlps: [Share]
    /// Those of the largest mean size.
    package var neurons: [Share]
    /// The largest difference between a token's logit and the sum of its parts, over all prompts.
    package var largestError: Double
  }

  /// Estimates of patching by gradients: at all positions of a component, at each of the residual stream.
  package struct Gradient: Codable, Sendable {
    package var method: Method
    package var shares: [PlaceShare]
    /// How well they tell true effects, by kind of place; empty where these were not measured.
    package var agreements: [Agreement]

    package struct PlaceShare: Codable, Sendable {
      package var place: PatchPlace
      package var share: Estimate
    }

    package struct Agreement: Codable, Sendable {
      package var component: PatchPlace.Component
      /// Pearson's correlation over places, mean over prompts.
      package var correlation: Estimate
      /// Of the mean effects of all prompts.
      package var correlationOfMeans: Double
    }
  }

  package struct Finding: Codable, Sendable {
    package var direct: Direct?
    package var gradients: [Gradient]
    package var clean: Estimate
    package var corrupt: Estimate
    package var prompts: Int
    package var hasDistractor: Bool
  }

  package static let kind = "attribute"
  package static let version = 2
  private let model: LanguageModel

  package init(model: LanguageModel) { self.model = model }

  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    let model = model
    let prompts = try PromptPairs(
      file: context.input(named: "prompts").path, tokenizer: model.tokenizer)
    return try await TensorActor.run { () throws -> Finding in
      let attribution = try Attribution(
        config, prompts, model: model, adapter: model.adapter(of: context), context: context)
      return try attribution.run()
    }
  }
}

@TensorActor
private struct Attribution {
  private let config: AttributionCell.Config
  private let prompts: PromptPairs
  private let model: LanguageModel
  private let adapter: AdapterWeights?
  private let context: CellContext
  /// All components at all positions together, and the residual stream at each: exchanged whole, it is
  /// the other prompt's run in every block.
  private let places: [PatchPlace]

  init(
    _ config: AttributionCell.Config, _ prompts: PromptPairs, model: LanguageModel,
    adapter: AdapterWeights?, context: CellContext
  ) throws {
    (self.config, self.prompts, self.model) = (config, prompts, model)
    (self.adapter, self.context) = (adapter, context)
    places = PatchPlace.Component.allCases.flatMap {
      PatchPlace.all($0, in: model.configuration, positions: $0 == .resid ? prompts.length : nil)
    }
  }

  func run() throws -> AttributionCell.Finding {
    let total =
      config.methods.count * prompts.pairs.count
      + (config.comparesToPatching ? places.count * prompts.pairs.count : 0)
    var done = 0
    func step(_ count: Int) {
      done += count
      context.report(progress: CellProgress(done: done, total: total, unit: "steps"))
    }
    var patcher = Patcher(
      prompts, source: .clean, model: model, adapter: adapter, seed: config.seed)
    let baselines = try patcher.baselines()
    let direct = config.methods.contains(.direct) ? try self.direct(step) : nil
    var effects: [[Double]] = []
    if config.comparesToPatching {
      for (index, baseline) in baselines.enumerated() {
        effects.append(
          try patcher.effects(of: index, at: places, baseline: baseline.corrupt, report: step)
            .map(\.effect))
        context.spend(tokens: 2 * places.count * prompts.length)
      }
    }
    let gradients = try config.methods.filter { $0 != .direct }.map { method in
      let shares = try prompts.pairs.map { pair -> [Double] in
        defer { step(1) }
        return try self.shares(pair, steps: method == .gradient ? 1 : config.steps)
      }
      return try gradient(method, shares, effects)
    }
    return AttributionCell.Finding(
      direct: direct, gradients: gradients, clean: try mean(baselines.map(\.clean)),
      corrupt: try mean(baselines.map(\.corrupt)), prompts: prompts.pairs.count,
      hasDistractor: prompts.hasDistractor)
  }

  private func mean(_ values: [Double]) throws -> Estimate {
    try clusteredMean(
      values, clusters: Array(values.indices), unit: "prompt", level: config.level)
  }

  // MARK: - Direct logit attribution

  private func direct(_ step: (Int) -> Void) throws -> AttributionCell.Direct {
    let c = model.configuration
    var rows: [(embedding: Double, biases: Double, heads: [Float], neurons: [Float])] = []
    var worst = 0.0
    for pair in prompts.pairs {
      let output = try model.forward(
        TokenBatch([pair.clean]), logits: .none, adapter: adapter,
        hooks: Hooks(captures: model.decompositionSites))
      let targets = [pair.answer] + (pair.distractor.map { [$0] } ?? [])
      let last = targets.map { _ in prompts.length - 1 }
      let parts = try model.logitParts(
        output.captured, rows: last, targets: targets, adapter: adapter)
      worst = max(worst, Double(try (parts.sum - parts.logits).abs().max().scalar()))
      func over(_ x: Tensor) throws -> [Float] {
        let first = x.slice(0..<1)
        return try (targets.count > 1 ? first - x.slice(1..<2) : first).floats()
      }
      rows.append(
        (
          Double(try over(parts.embedding)[0]), Double(try over(parts.biases)[0]),
          try parts.heads.flatMap(over), try parts.neurons.flatMap(over)
        ))
      context.spend(tokens: prompts.length)
      step(1)
    }
    func share(_ name: String, block: Int? = nil, head: Int? = nil, _ values: [Double]) throws
      -> AttributionCell.Share
    {
      .init(name: name, block: block, head: head, share: try mean(values))
    }
    let heads = try (0..<c.nLayers * c.nHeads).map { index in
      let (block, head) = (index / c.nHeads, index % c.nHeads)
      return try share(
        "L\(block)H\(head)", block: block, head: head, rows.map { Double($0.heads[index]) })
    }
    let mlps = try (0..<c.nLayers).map { block in
      try share(
        "mlp \(block)", block: block,
        rows.map { row in
          row.neurons[block * c.dMLP..<(block + 1) * c.dMLP].reduce(0) { $0 + Double($1) }
        })
    }
    let sizes = (0..<c.nLayers * c.dMLP).map { index in
      abs(rows.reduce(0) { $0 + Double($1.neurons[index]) })
    }
    let largest = sizes.indices.sorted { sizes[$0] > sizes[$1] }.prefix(config.topNeurons)
    return AttributionCell.Direct(
      embedding: try share("embedding", rows.map(\.embedding)),
      biases: try share("biases", rows.map(\.biases)), heads: heads, mlps: mlps,
      neurons: try largest.map { index in
        let neuron = Neuron(block: index / c.dMLP, index: index % c.dMLP)
        return try share(
          "\(neuron)", block: neuron.block, rows.map { Double($0.neurons[index]) })
      }, largestError: worst)
  }

  // MARK: - Gradients

  /// The first-order estimate of patching each place.
  private func shares(_ pair: PromptPair, steps: Int) throws -> [Double] {
    let n = prompts.length
    let sites = Set(places.map(\.site)).sorted { "\($0)" < "\($1)" }
    let output = try model.forward(
      TokenBatch([pair.clean, pair.corrupt], sharingPrefix: false), logits: .none,
      adapter: adapter, hooks: Hooks(captures: Set(sites + [.embed])))
    func difference(_ site: Site) -> Tensor {
      let x = output.captured[site].unwrapped
      return x.slice(0..<n) - x.slice(n..<2 * n)
    }
    let zeros = ParameterTree(
      sites.map { ("\($0)", Tensor.zeros(difference($0).shape)) })
    let embeddings = difference(.embed)
    var gradients = zeros.tensors
    for step in 0..<steps {
      // The middle of each part; of a single one, the corrupt prompt itself.
      let along = steps == 1 ? 0 : (Float(step) + 0.5) / Float(steps)
      let gradient = try valueAndGrad(zeros) { moved in
        let changes = sites.map { ($0, Hooks.Intervention.add(moved["\($0)"])) }
        let answer = try model.forward(
          TokenBatch([pair.corrupt]), logits: .rows([n - 1]), adapter: adapter,
          hooks: Hooks(interventions: [(.embed, .add(embeddings * along))] + changes))
        return Patcher.metric(answer.logits.unwrapped, pair).sum()
      }.gradients
      gradients = zip(gradients, gradient.tensors).map { $0 + $1 / Float(steps) }
      try Tensor.evaluate(gradients)
      context.spend(tokens: 2 * n)
    }
    var bySite: [Site: [Float]] = [:]
    for (site, gradient) in zip(sites, gradients) {
      let product = difference(site) * gradient
      // By head where there are heads, and otherwise by position.
      bySite[site] = try product.sum(axes: product.rank == 3 ? [0, 2] : [1]).floats()
    }
    return places.map { place in
      let values = bySite[place.site].unwrapped
      let single = place.head ?? place.position
      return Double(single.map { values[$0] } ?? values.reduce(0, +))
    }
  }

  private func gradient(
    _ method: AttributionCell.Method, _ shares: [[Double]], _ effects: [[Double]]
  ) throws -> AttributionCell.Gradient {
    let agreements = try PatchPlace.Component.allCases.compactMap {
      component -> AttributionCell.Gradient.Agreement? in
      let own = places.indices.filter { places[$0].component == component }
      func of(_ row: [Double]) -> [Double] { own.map { row[$0] } }
      func means(_ rows: [[Double]]) -> [Double] {
        own.map { place in rows.reduce(0) { $0 + $1[place] } / Double(rows.count) }
      }
      let each = zip(shares, effects).compactMap { pearson(of($0), of($1)) }
      guard each.count >= 2, let whole = pearson(means(shares), means(effects)) else { return nil }
      return .init(component: component, correlation: try mean(each), correlationOfMeans: whole)
    }
    return AttributionCell.Gradient(
      method: method,
      shares: try places.enumerated().map { index, place in
        .init(place: place, share: try mean(shares.map { $0[index] }))
      }, agreements: agreements)
  }
}
