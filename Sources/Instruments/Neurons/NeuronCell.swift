internal import Foundation
package import Lab
package import LanguageModels
internal import Statistics
internal import Tensors

/// Looks at units (neurons, directions, features) on several corpora: where they are active, what explains
/// them, how well it does on text that the explanation was not made from, and whether that holds in other
/// corpora.
///
/// Inputs: `base`, `text0` … (one corpus each), and, where there are such, `adapter`, `direction`, `probe`,
/// `sae`, `lens`, `explainer` and `simulator` (models' files).
package struct NeuronCell: CellKind {
  package struct Config: Codable, Sendable, Equatable {
    package var units: [NeuronName]
    /// What the corpora are called, in the order of the texts.
    package var corpora: [String]
    /// Tokens of an excerpt.
    package var sequenceLength: Int
    /// Tokens of each corpus.
    package var tokens: Int
    /// Excerpts of each kind: the strongest, and others, for explaining and for scoring.
    package var excerpts: Int
    /// Explanations to score, of every unit.
    package var given: [String]
    /// What the model is called that explains; nil for none.
    package var explainer: String?
    /// What the model is called that simulates and judges; nil where nothing but rules is scored.
    package var simulator: String?
    /// Whether the model is run with simulations in the unit's place.
    package var ablates: Bool
    package var hasLens: Bool
    /// Exchanges of corpora behind the illusion check's p-value.
    package var permutations: Int
    package var seed: UInt64
    package var precision: Precision

    package init(
      units: [NeuronName], corpora: [String], sequenceLength: Int = 64, tokens: Int = 16384,
      excerpts: Int = 10, given: [String] = [], explainer: String? = nil, simulator: String? = nil,
      ablates: Bool = false, hasLens: Bool = false, permutations: Int = 199, seed: UInt64 = 1,
      precision: Precision
    ) {
      (self.units, self.corpora, self.given) = (units, corpora, given)
      (self.sequenceLength, self.tokens, self.excerpts) = (sequenceLength, tokens, excerpts)
      (self.explainer, self.simulator, self.ablates) = (explainer, simulator, ablates)
      (self.hasLens, self.permutations, self.seed) = (hasLens, permutations, seed)
      self.precision = precision
    }
  }

  /// An excerpt as it is shown.
  package struct Shown: Codable, Sendable {
    package var tokens: [String]
    package var activations: [Float]
  }

  /// A unit in one corpus.
  package struct CorpusView: Codable, Sendable {
    package var name: String
    package var tokens: Int
    /// The largest and the mean activation.
    package var peak: Float
    package var mean: Float
    /// The strongest excerpts, of the half that explanations are made from.
    package var top: [Shown]
  }

  /// A token or short sequence after which much is expected.
  package struct ShownRule: Codable, Sendable {
    package var tokens: [String]
    package var value: Double
    package var count: Int
  }

  /// What was said of a unit, and what it is worth in each corpus.
  package struct Explanation: Codable, Sendable {
    /// `rules`, `given`, or the explaining model.
    package var by: String
    package var text: String
    /// By corpus; it was made from the first.
    package var scores: [ExplanationScore]
    /// Whether it holds elsewhere as in the first corpus; nil where the unit is not strongly active in it and
    /// in another, and for rules, which are made again from every corpus.
    package var transfer: IllusionCheck.Transfer?
  }

  package struct Unit: Codable, Sendable {
    package var name: String
    package var site: String
    package var corpora: [CorpusView]
    /// Counts of activations between `lowest` and `highest`, in equal bins.
    package var histogram: [Int]
    package var lowest: Float
    package var highest: Float
    package var rules: [ShownRule]
    package var explanations: [Explanation]
    package var illusion: IllusionCheck
    /// Tokens that it promotes and suppresses, raw and corrected; none where it does not write to the
    /// residual stream, or nothing is predicted.
    package var output: [WeightReadCell.View]
  }

  package struct Finding: Codable, Sendable {
    package var units: [Unit]
    package var tokens: Int
  }

  package static let kind = "neurons"
  package static let version = 2
  private let model: LanguageModel
  private let explainer: ChatRole?
  private let simulator: ChatRole?

  /// - Parameters:
  ///   - model: What is looked at.
  ///   - explainer: The model that the config calls so.
  ///   - simulator: The model that the config calls so.
  package init(model: LanguageModel, explainer: ChatRole? = nil, simulator: ChatRole? = nil) {
    (self.model, self.explainer, self.simulator) = (model, explainer, simulator)
  }

  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    let corpora = try config.corpora.enumerated().map { index, name in
      (name: name, corpus: try Corpus(files: [context.input(named: "text\(index)").path]))
    }
    let text = try ExcerptText(
      corpora, tokenizer: model.tokenizer, length: config.sequenceLength, tokens: config.tokens,
      excerpts: config.excerpts, seed: config.seed)
    let study = NeuronStudy(
      config: config, model: model, text: text, explainer: explainer, simulator: simulator)
    let (excerpts, shelf) = try await study.read(in: context)
    var units: [Unit] = []
    for index in config.units.indices {
      units.append(
        try await study.kept(index, in: context) {
          try await study.unit(index, excerpts[index], shelf, in: context)
        })
      context.report(
        progress: CellProgress(
          done: index + 1, total: config.units.count, unit: "units", note: units[index].name))
    }
    return Finding(units: units, tokens: text.tokenCount)
  }
}

/// Units with what they are read by, made once.
@TensorActor
private final class UnitShelf {
  let units: [NeuronUnit]
  let adapter: AdapterWeights?
  let lens: Lens?

  init(_ config: NeuronCell.Config, _ model: LanguageModel, _ context: CellContext) throws {
    func path(_ name: String) -> String? { try? context.input(named: name).path }
    let autoencoder = try path("sae").map { try SparseAutoencoder.read($0, for: model) }
    units = try config.units.map {
      try $0.unit(
        of: model, direction: path("direction"), probe: path("probe"), autoencoder: autoencoder)
    }
    adapter = try model.adapter(of: context)
    lens = config.hasLens ? try Lens.read(context.input(named: "lens").path, for: model) : nil
  }
}

/// The work on units whose text is at hand.
private struct NeuronStudy: Sendable {
  let config: NeuronCell.Config
  let model: LanguageModel
  let text: ExcerptText
  let explainer: ChatRole?
  let simulator: ChatRole?

  // MARK: Reading

  @TensorActor
  func read(in context: CellContext) throws -> ([[Excerpt]], UnitShelf) {
    let (shelf, total) = (try UnitShelf(config, model, context), text.tokenCount)
    var done = 0
    let excerpts = try ExcerptReader(model: model, adapter: shelf.adapter, text: text)
      .read(shelf.units) { tokens in
        done += tokens
        context.spend(tokens: tokens)
        context.report(progress: CellProgress(done: done, total: total, unit: "tokens"))
      }
    return (excerpts, shelf)
  }

  /// A unit that was finished before the run was interrupted, or what `make` returns.
  func kept(
    _ index: Int, in context: CellContext, _ make: () async throws -> NeuronCell.Unit
  ) async throws -> NeuronCell.Unit {
    let file = context.scratch.appending(path: "unit-\(index).json")
    if let data = try? Data(contentsOf: file),
      let unit = try? JSONDecoder().decode(NeuronCell.Unit.self, from: data)
    {
      return unit
    }
    let unit = try await make()
    try AtomicFile.write(Array(JSONEncoder().encode(unit)), to: file.path)
    return unit
  }

  // MARK: A unit

  func unit(
    _ index: Int, _ excerpts: [Excerpt], _ shelf: UnitShelf, in context: CellContext
  ) async throws -> NeuronCell.Unit {
    let split = ExcerptSplit(
      excerpts, of: text, count: config.excerpts, seed: config.seed)
    let rules = TokenRules(fittedOn: split.explaining(0))
    let all = excerpts.flatMap(\.activations)
    let (lowest, highest) = (all.min() ?? 0, all.max() ?? 0)
    let (unit, output) = try await named(index, shelf)
    return NeuronCell.Unit(
      name: unit.name, site: "\(unit.site)",
      corpora: text.names.indices.map { view(of: $0, excerpts, split) },
      histogram: Self.histogram(all, lowest, highest), lowest: lowest, highest: highest,
      rules: rules.strongest(8).map { rule in
        .init(tokens: rule.ids.map { shown($0) }, value: rule.value, count: rule.count)
      },
      explanations: try await explanations(index, split, rules, (shelf, context)),
      illusion: IllusionCheck(split, permutations: config.permutations, seed: config.seed),
      output: output)
  }

  @TensorActor
  private func named(
    _ index: Int, _ shelf: UnitShelf
  ) throws -> (NeuronUnit, [WeightReadCell.View]) {
    let unit = shelf.units[index]
    guard model.configuration.hasHead,
      let written = try unit.written(model, adapter: shelf.adapter)
    else { return (unit, []) }
    return (
      unit,
      try model.outputViews(
        of: written.direction, after: written.block, lens: shelf.lens, count: 10)
    )
  }

  private func shown(_ id: Int) -> String { model.tokenizer.decode([id]) }

  private func view(
    of corpus: Int, _ excerpts: [Excerpt], _ split: ExcerptSplit
  ) -> NeuronCell.CorpusView {
    let own = excerpts.filter { $0.corpus == corpus }.flatMap(\.activations)
    return NeuronCell.CorpusView(
      name: text.names[corpus], tokens: own.count, peak: own.max() ?? 0,
      mean: own.reduce(0, +) / Float(max(own.count, 1)),
      top: split.top[corpus].map { excerpt in
        .init(tokens: excerpt.ids.map { shown($0) }, activations: excerpt.activations)
      })
  }

  private static func histogram(_ values: [Float], _ lowest: Float, _ highest: Float) -> [Int] {
    var bins = [Int](repeating: 0, count: 24)
    let step = (highest - lowest) / Float(bins.count)
    for value in values where value.isFinite {
      bins[step > 0 ? min(bins.count - 1, Int((value - lowest) / step)) : 0] += 1
    }
    return bins
  }

  // MARK: Explanations

  private func explanations(
    _ index: Int, _ split: ExcerptSplit, _ rules: TokenRules, _ work: (UnitShelf, CellContext)
  ) async throws -> [NeuronCell.Explanation] {
    let names = rules.strongest(5).map { rule in
      "`\(rule.ids.map { shown($0) }.joined())` \((10 * rule.value).rounded() / 10)"
    }
    var found = [
      NeuronCell.Explanation(
        by: "rules", text: names.joined(separator: ", "),
        scores: try await text.names.indices.asyncMap { corpus in
          let judged = split.scoring(corpus)
          return try await score(
            index, split, corpus, work, rules.predictions(judged.map(\.ids)).map { $0 }, nil)
        })
    ]
    let prompts = NeuronPrompts(tokenizer: model.tokenizer, scale: split.top[0].first?.peak ?? 0)
    var texts = config.given.map { (by: "given", text: $0) }
    if let explainer, let name = config.explainer {
      let said = try await explainer.answer(
        prompts.explanation(from: Array(split.top[0].prefix(5))), opening: NeuronPrompts.opening,
        maxTokens: 60)
      texts.append((by: name, text: Self.firstSentence(said)))
    }
    for (by, said) in texts {
      found.append(try await judged(by, said, index, split, prompts, work))
    }
    return found
  }

  /// What was said up to its first full stop or line's end.
  private static func firstSentence(_ text: String) -> String {
    let trimmed = text.trimmingCharacters(in: .whitespacesAndNewlines)
    let end = trimmed.firstRange(of: ". ")?.lowerBound ?? trimmed.endIndex
    let line = trimmed[..<end].prefix { $0 != "\n" }
    return String(line.last == "." ? line.dropLast() : line)
  }

  /// Scores simulations of the second half's strongest and as many others.
  private func score(
    _ index: Int, _ split: ExcerptSplit, _ corpus: Int, _ work: (UnitShelf, CellContext),
    _ simulated: [[Double]?], _ calibration: (simulated: [[Double]?], excerpts: [Excerpt])?
  ) async throws -> ExplanationScore {
    let judged = split.scoring(corpus)
    var score = ExplanationScore(
      simulated: simulated, excerpts: judged, topCount: split.scoredTop[corpus].count,
      calibration: calibration, seed: config.seed)
    if config.ablates, model.configuration.hasHead {
      let line = ExplanationScore.line(calibration)
      // The mean of all that is not chosen for being strong.
      let usual = split.random[corpus].flatMap(\.activations)
      let mean = usual.reduce(0, +) / Float(max(usual.count, 1))
      score.ablation =
        try await line.asyncMap { line in
          try await ablation(
            index, zip(simulated, judged).map { ($0, $1) }, line: line, mean: mean, work)
        } ?? nil
    }
    return score
  }

  /// An explanation in words with its scores in every corpus.
  private func judged(
    _ by: String, _ said: String, _ index: Int, _ split: ExcerptSplit, _ prompts: NeuronPrompts,
    _ work: (UnitShelf, CellContext)
  ) async throws -> NeuronCell.Explanation {
    guard let simulator else {
      return .init(by: by, text: said, scores: text.names.map { _ in ExplanationScore() })
    }
    func simulated(_ excerpts: [Excerpt]) async throws -> [[Double]?] {
      try await simulator.simulate(said, on: excerpts.map(\.ids), prompts: prompts)
    }
    var (scores, all): ([ExplanationScore], [[[Double]?]]) = ([], [])
    for corpus in text.names.indices {
      let (judged, others) = (split.scoring(corpus), split.explaining(corpus))
      let own = try await simulated(judged)
      all.append(own)
      var result = try await score(
        index, split, corpus, work, own,
        (simulated: try await simulated(others), excerpts: others))
      // Active is what gets to half of what the unit gets to in this corpus.
      let level = (split.scoredTop[corpus].first?.peak ?? 0) / 2
      result.detection = ExplanationScore.area(
        try await simulator.agreement(judged.map { prompts.detection(of: said, on: $0.ids) }),
        judged.map { $0.peak > 0 && $0.peak >= level }, clusters: Array(judged.indices),
        seed: config.seed)
      let questions = prompts.fuzzingQuestions(
        about: said, split.scoredTop[corpus], seed: config.seed)
      result.fuzzing = ExplanationScore.area(
        try await simulator.agreement(questions.map(\.question)), questions.map(\.isRight),
        clusters: questions.map(\.excerpt), seed: config.seed)
      scores.append(result)
    }
    return .init(
      by: by, text: said, scores: scores,
      transfer: IllusionCheck.transfer(
        all, split, permutations: config.permutations, seed: config.seed))
  }

  /// How much nearer the model stays to itself with simulations in the unit's place than with its mean.
  @TensorActor
  private func ablation(
    _ index: Int, _ judged: [(simulated: [Double]?, excerpt: Excerpt)],
    line: (slope: Double, offset: Double), mean: Float, _ work: (UnitShelf, CellContext)
  ) throws -> Estimate? {
    let (unit, adapter) = (work.0.units[index], work.0.adapter)
    var (gained, lost): ([Double], [Double]) = ([], [])
    for (simulated, excerpt) in judged {
      guard let simulated else { continue }
      let window = text.windows[excerpt.window]
      func outcome(_ values: [Float]?) throws -> Tensor {
        var hooks = Hooks()
        if let values {
          hooks.interventions = [
            (
              site: unit.site,
              change: .transform { captured in
                // What is not counted stays as it is.
                let own = unit.activations(captured)
                let middle = Tensor(values)
                let whole = Tensor.concatenate(
                  [
                    own.slice(0..<window.counted.lowerBound), middle,
                    own.slice(window.counted.upperBound..<window.ids.count),
                  ], axis: 0)
                return unit.replacing(captured, with: whole)
              }
            )
          ]
        }
        let output = try model.forward(
          TokenBatch([window.ids]), adapter: adapter, hooks: hooks)
        guard let logits = output.logits else { preconditionFailure("a head was asked for") }
        return logits.slice(window.counted).logSoftmax()
      }
      let own = try outcome(nil)
      let (kept, ablated) = (
        try outcome(simulated.map { Float(line.slope * $0 + line.offset) }),
        try outcome(excerpt.activations.map { _ in mean })
      )
      let (near, far) = (
        Double(try Self.distance(own, kept)), Double(try Self.distance(own, ablated))
      )
      gained.append(far - near)
      lost.append(far)
      work.1.spend(tokens: 3 * window.ids.count)
    }
    // Where the unit's absence changes nothing there is nothing to recover.
    guard gained.count >= 2, lost.reduce(0, +) > 0 else { return nil }
    return try clusteredRatio(
      gained, over: lost, count: gained.count, unit: "excerpt", level: 0.95)
  }

  /// Σ over tokens of the Jensen–Shannon divergence of two log-distributions, in nats.
  @TensorActor
  private static func distance(_ a: Tensor, _ b: Tensor) throws -> Float {
    // log((p + q) / 2), of which neither p nor q need be a number that fp32 has.
    let larger = Tensor.maximum(a, b)
    let middle = larger + (((a - larger).exp() + (b - larger).exp()) * 0.5).log()
    let one = (a.exp() * (a - middle)).sum()
    let other = (b.exp() * (b - middle)).sum()
    return try ((one + other) * 0.5).scalar()
  }
}

extension NeuronPrompts {
  /// What is asked, whether the answer is yes, and which excerpt it is about.
  package typealias FuzzingQuestion = (question: [ChatMessage], isRight: Bool, excerpt: Int)

  /// Questions about excerpts whose tokens are marked where the unit is active, and about the same with as
  /// many others marked.
  package func fuzzingQuestions(
    about explanation: String, _ excerpts: [Excerpt], seed: UInt64
  ) -> [FuzzingQuestion] {
    var generator = SeededGenerator(seed: seed, stream: "fuzzing")
    return excerpts.enumerated().flatMap { place, excerpt -> [FuzzingQuestion] in
      let right = Set(excerpt.ids.indices.filter { excerpt.activations[$0] > excerpt.peak / 2 })
      let others = excerpt.ids.indices.filter { !right.contains($0) }
      guard excerpt.peak > 0, !right.isEmpty, others.count >= right.count else { return [] }
      let wrong = Set(generator.shuffled(others).prefix(right.count))
      return [(right, true), (wrong, false)].map { marked, isRight in
        (fuzzing(of: explanation, on: excerpt.ids, marked: marked), isRight, place)
      }
    }
  }
}

extension Optional {
  fileprivate func asyncMap<Result>(
    _ transform: (Wrapped) async throws -> Result
  ) async rethrows -> Result? {
    guard let self else { return nil }
    return try await transform(self)
  }
}

extension Sequence where Self: Sendable, Element: Sendable {
  fileprivate func asyncMap<Result>(
    _ transform: (Element) async throws -> Result
  ) async rethrows -> [Result] {
    var results: [Result] = []
    for element in self { results.append(try await transform(element)) }
    return results
  }
}
