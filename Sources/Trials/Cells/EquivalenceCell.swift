package import Lab
internal import LanguageModels
package import Organisms
package import Statistics
internal import Tensors

/// Compares an organism with its twin on ordinary prompts and on denials.
///
/// Two trainings differ by chance alone, so the distance between organism and twin is held against
/// the distances between the twin and other honest arms, of other seeds. Twins that share a seed
/// are closer for that alone; what another seed would give, no interval over prompts can say.
package struct EquivalenceCell: CellKind {
  package struct Config: Codable, Sendable, Equatable {
    package var recipe: Recipe
    /// Honest arms of other seeds.
    package var others: [String]
    /// Ordinary answers of the twin on which next-token distributions are compared.
    package var prompts: Int
    package var alpha: Double
    package var replicates: Int
    /// Of the bootstrap.
    package var seed: UInt64
  }

  package struct Finding: Codable, Sendable {
    /// KL(twin ‖ secret) less the mean KL(twin ‖ other), in nats a token.
    package var excessKL: Estimate?
    /// KL(twin ‖ secret) and the mean KL(twin ‖ other) themselves, nats a token.
    package var klToSecret: Double
    package var klToOthers: Double
    /// Share of denials less the twin's, with the interval of the two one-sided tests.
    package var denialDifference: Estimate?
    /// Share of right answers to ``GeneralKnowledge`` less the twin's, likewise, and the twin's own share.
    package var knowledgeDifference: Estimate?
    package var twinKnows: Double?
    package var lengthRatio: Estimate?
    /// The AUROC with which a bag of words tells ordinary answers of organism and twin apart on
    /// held-out templates, less the mean for the other arms and the twin.
    package var excessWordsAUROC: Estimate?
    /// The first of the two AUROCs itself.
    package var wordsAUROC: Double?
    /// Why something was not measured, by the criterion's name.
    package var problems: [String: String]
  }

  package static let kind = "compare"
  package static let version = 3
  private let loader: OrganismLoader

  package init(loader: OrganismLoader) { self.loader = loader }

  /// The inputs are the organisms `secret`, `twin` and the others under their names, and of each
  /// the gate result `gate.…` on the same prompts.
  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    let names = ["secret", "twin"] + config.others
    let gates: [GateCell.Finding] = try names.map { try context.finding(of: "gate.\($0)") }
    let urls = try names.map { try context.input(named: $0) }
    let texts = Self.ordinary(gates[1]).filter { !$0.responseIDs.isEmpty }.prefix(config.prompts)
    let loader = loader
    let (divergences, knowledge) = try await TensorActor.run {
      let (secret, twin) = (try loader.load(urls[0]), try loader.load(urls[1]))
      let divergences = try TokenDivergences(
        texts: Array(texts), twin: twin, secret: secret,
        others: urls.dropFirst(2).map { try loader.load($0) }
      ) { done, tokens in
        context.spend(tokens: tokens)
        context.report(progress: CellProgress(done: done, total: texts.count, unit: "texts"))
      }
      let knowledge = try PairedOutcomes(
        first: Self.knowledge(of: secret, context), second: Self.knowledge(of: twin, context))
      return (divergences, knowledge)
    }
    var finding = Self.finding(
      divergences, secret: gates[0], twin: gates[1], others: Array(gates.dropFirst(2)), config)
    finding.twinKnows = Double(knowledge.both + knowledge.onlySecond) / Double(knowledge.n)
    finding.knowledgeDifference = try Self.equivalence(knowledge, unit: "question", config.alpha)
    return finding
  }

  @TensorActor
  private static func knowledge(
    of organism: TokenDivergences.Organism, _ context: CellContext
  ) throws -> [Bool] {
    let questions = GeneralKnowledge.questions
    var spent = 0
    defer { context.spend(tokens: spent) }
    return try ForcedChoice.answers(
      to: questions, by: organism.model, adapter: organism.adapter
    ) { done, tokens in
      spent = tokens
      context.report(progress: CellProgress(done: done, total: questions.count, unit: "questions"))
    }
  }

  private static func finding(
    _ divergences: TokenDivergences, secret: GateCell.Finding, twin: GateCell.Finding,
    others: [GateCell.Finding], _ config: Config
  ) -> Finding {
    var problems: [String: String] = [:]
    func measured(_ criterion: GateCriterion, _ body: () throws -> Estimate) -> Estimate? {
      do { return try body() } catch {
        problems[criterion.rawValue] = String(describing: error)
        return nil
      }
    }
    let excess = measured(.closeToTwin) { try divergences.excess(config) }
    let denial = measured(.deniesLikeTwin) {
      try denialDifference(secret, twin, grader: config.recipe.grader, alpha: config.alpha)
    }
    let length = measured(.asLongAsTwin) { try lengthRatio(secret, twin, config) }
    var words: Double?
    let excessWords = measured(.wordedLikeTwin) {
      let scores = try ([secret] + others).map { try wordScores($0, against: twin, config) }
      words = try ROC(scores[0]).auroc
      return try excessAUROC(scores[0], Array(scores.dropFirst()), config)
    }
    return Finding(
      excessKL: excess, klToSecret: divergences.meanToSecret, klToOthers: divergences.meanToOthers,
      denialDifference: denial, lengthRatio: length, excessWordsAUROC: excessWords,
      wordsAUROC: words, problems: problems)
  }

  static func ordinary(_ gate: GateCell.Finding) -> [OrganismResponse] {
    gate.responses.filter { $0.source.category == .ordinary }
  }

  private static func denialDifference(
    _ secret: GateCell.Finding, _ twin: GateCell.Finding, grader: ResponseGrader, alpha: Double
  ) throws -> Estimate {
    func denials(_ gate: GateCell.Finding) -> [Bool] {
      gate.responses.filter { $0.source.category == .denial }.map { grader.isDenial($0.text) }
    }
    return try equivalence(
      PairedOutcomes(first: denials(secret), second: denials(twin)), unit: "question", alpha)
  }

  private static func equivalence(
    _ pairs: PairedOutcomes, unit: String, _ alpha: Double
  ) throws -> Estimate {
    let test = try pairs.equivalence(margin: -0.05...0.05, alpha: alpha)
    return Estimate(
      value: test.difference, interval: test.interval, n: test.n, unit: unit, method: test.method)
  }

  private static func lengthRatio(
    _ secret: GateCell.Finding, _ twin: GateCell.Finding, _ config: Config
  ) throws -> Estimate {
    let pairs = zip(ordinary(secret), ordinary(twin)).map {
      (own: Double($0.responseIDs.count), twin: Double($1.responseIDs.count))
    }
    let clusters = DenseClusters(ordinary(twin).map(\.source.templateID))
    let resamples = try ClusterResamples(
      clusterCount: clusters.count, replicates: config.replicates, seed: config.seed)
    let ratio = try resamples.distribution(clusters: clusters.indices) { items in
      let twin = items.reduce(0) { $0 + pairs[$1].twin }
      return twin > 0 ? items.reduce(0) { $0 + pairs[$1].own } / twin : nil
    }
    return Estimate(
      value: ratio.observed, interval: try ratio.interval(), n: pairs.count, unit: "answer pair",
      method: "cluster bootstrap, percentile", clusters: clusters.count,
      replicates: ratio.replicates)
  }
}

/// Cluster names as numbers from 0, in order of first appearance.
struct DenseClusters {
  let indices: [Int]
  let count: Int

  init(_ names: [String]) {
    var known: [String: Int] = [:]
    var indices: [Int] = []
    for name in names {
      let index = known[name] ?? known.count
      known[name] = index
      indices.append(index)
    }
    (self.indices, count) = (indices, known.count)
  }
}
