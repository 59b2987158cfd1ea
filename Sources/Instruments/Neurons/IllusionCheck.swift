internal import Statistics

/// Whether what explains a unit in one corpus explains it in others (Bolukbasi et al. 2021, arXiv 2104.07143,
/// "An Interpretability Illusion for BERT").
///
/// Rules are fitted on each corpus's excerpts and scored on every corpus's, by correlation. The gap is the
/// mean score on a rule's own corpus less that on others, among corpora where the unit is strongly active:
/// where it is not, there is nothing to explain. A mean hides what is lost one way only, so the worst way from
/// one corpus to another counts as well. P-values come from exchanging which of these corpora excerpts belong
/// to; that of the worst way, from the worst way of each exchange.
///
/// Rules know tokens and no meanings: a unit that finds one thing under other words in each corpus is called
/// an illusion too. Of an explanation in words, ``Transfer`` asks the same.
package struct IllusionCheck: Codable, Sendable, Equatable {
  package enum Verdict: String, Codable, Sendable {
    /// Explanations from one corpus fail in another where the unit is as strongly active: they keep less
    /// than half of their score, or the worst of them less than a fifth.
    case illusion
    /// Strongly active in one corpus only: what it does elsewhere cannot be told from this text.
    case oneCorpus = "one corpus"
    /// Explanations from one corpus keep at least half of their score in others, and each a fifth in each.
    case consistent
    /// Rules explain too little in their own corpora, or excerpts are too few.
    case undecided
  }

  /// `[from][on]`: correlation of rules from one corpus on another's excerpts; nil where nothing varies.
  package var scores: [[Double?]]
  /// The mean of rules' scores on their own corpora, of those where the unit is strongly active.
  package var own: Double?
  /// That mean less the one on others of them; nil unless there are two.
  package var gap: Double?
  /// How often exchanged corpora have as large a gap.
  package var pValue: Double?
  /// From which of these corpora to which other most is lost, of ways that keep less than a fifth if there are
  /// such; nil where no rules hold in their own.
  package var worst: Loss?
  /// Above which share of all activations the peak of each corpus's third strongest excerpt lies.
  package var topPercentiles: [Double]
  /// How far that peak gets, from 0 for the mean of all activations to 1 for the strongest corpus's: a weak
  /// top makes illusions.
  package var topLevels: [Double]
  package var verdict: Verdict

  /// With fewer corpora nothing is said.
  package static let leastCorpora = 3
  /// Rules that score less on their own corpora explain nothing that could be lost elsewhere.
  package static let leastOwn = 0.3
  /// What the worst way has to keep of its score.
  package static let leastKept = 0.2
  /// From which of ``topLevels`` on a corpus counts as one where the unit is strongly active.
  package static let strong = 0.5

  /// What an explanation from one corpus loses on another.
  package struct Loss: Codable, Sendable, Equatable {
    /// Places among the corpora.
    package var from: Int
    package var on: Int
    /// Its score on its own corpus, and on the other.
    package var own: Double
    package var score: Double
    /// How often some way of exchanged corpora loses as much.
    package var pValue: Double

    fileprivate var lost: Double { own - score }
  }

  /// The check of one explanation that was made from the first corpus and cannot be made again from others.
  package struct Transfer: Codable, Sendable, Equatable {
    /// Its score on the first corpus less the mean on others where the unit is strongly active.
    package var gap: Double
    package var pValue: Double
    /// Where most of it is lost; nil where it does not hold in the first corpus.
    package var worst: Loss?
    package var verdict: Verdict
  }

  /// - Parameters:
  ///   - split: The unit's excerpts.
  ///   - permutations: How often corpora are exchanged.
  ///   - seed: Draws these.
  package init(_ split: ExcerptSplit, permutations: Int = 199, seed: UInt64) {
    var table = SequenceTable()
    // The strongest and others each among their own kind.
    let kinds = [split.top, split.random, split.scoredTop, split.scoredRandom].map { kind in
      kind.map { $0.map { table.indexed($0) } }
    }
    scores = Self.scores(kinds, table)
    (topPercentiles, topLevels) = (split.topPercentiles, split.topLevels)
    let strong = split.strong
    guard scores.count >= Self.leastCorpora, !strong.isEmpty else {
      verdict = .undecided
      return
    }
    guard strong.count >= 2 else {
      verdict = .oneCorpus
      return
    }
    let chosen = kinds.map { kind in strong.map { kind[$0] } }
    var generator = SeededGenerator(seed: seed, stream: "illusion")
    let losses = Losses(Self.scores(chosen, table), of: strong).judged(
      against: (0..<permutations).map { _ in
        Losses(Self.scores(chosen.map { generator.dealt($0) }, table), of: strong)
      })
    (own, gap, pValue, worst) = (losses.own, losses.gap, losses.pValue, losses.worst)
    verdict = losses.verdict
  }

  private typealias Kinds = [[[SequenceTable.Indexed]]]

  private static func scores(_ kinds: Kinds, _ table: SequenceTable) -> [[Double?]] {
    kinds[0].indices.map { from in
      let rules = RuleFit(kinds[0][from] + kinds[1][from], in: table)
      return kinds[0].indices.map { on in
        let judged = kinds[2][on] + kinds[3][on]
        return pearson(judged.flatMap { rules.predictions($0) }, judged.flatMap(\.activations))
      }
    }
  }

  /// Whether an explanation's simulations, which were made without knowing the corpus, hold as well elsewhere
  /// as in the first corpus.
  ///
  /// - Parameters:
  ///   - simulated: `[corpus][excerpt][token]`; nil for an excerpt that could not be read.
  ///   - split: What they are simulations of.
  ///   - permutations: How often corpora are exchanged.
  ///   - seed: Draws these.
  /// - Returns: nil unless the unit is strongly active in the first corpus and in another.
  package static func transfer(
    _ simulated: [[[Double]?]], _ split: ExcerptSplit, permutations: Int, seed: UInt64
  ) -> Transfer? {
    typealias Pairs = [(simulated: Double, actual: Double)]
    let strong = split.strong
    guard simulated.count >= leastCorpora, strong.first == 0, strong.count >= 2 else { return nil }
    let kinds = [true, false].map { isTop in
      strong.map { corpus -> [Pairs] in
        let top = split.scoredTop[corpus].count
        return zip(simulated[corpus], split.scoring(corpus)).enumerated().compactMap {
          place, pair in
          guard (place < top) == isTop, let values = pair.0 else { return nil }
          return zip(values, pair.1.activations).map { ($0, Double($1)) }
        }
      }
    }
    func losses(_ kinds: [[[Pairs]]]) -> Losses {
      let scores = strong.indices.map { corpus in
        let pairs = kinds.flatMap { $0[corpus].flatMap { $0 } }
        return pearson(pairs.map(\.simulated), pairs.map(\.actual))
      }
      return Losses([scores], of: strong)
    }
    var generator = SeededGenerator(seed: seed, stream: "transfer")
    let found = losses(kinds).judged(
      against: (0..<permutations).map { _ in losses(kinds.map { generator.dealt($0) }) })
    return Transfer(
      gap: found.gap, pValue: found.pValue, worst: found.worst, verdict: found.verdict)
  }
}

/// What explanations keep of their scores on other corpora than their own.
private struct Losses {
  var own: Double
  var gap: Double
  var pValue = 1.0
  var worst: IllusionCheck.Loss?
  /// By any way.
  var mostLost: Double
  typealias Check = IllusionCheck

  /// - Parameters:
  ///   - scores: `[from][on]`, of which row `i` is of corpus `i`. Where nothing varies, nothing is explained.
  ///   - corpora: Which these are.
  init(_ scores: [[Double?]], of corpora: [Int]) {
    var (owns, others, ways): ([Double], [Double], [Check.Loss]) = ([], [], [])
    for (from, row) in scores.enumerated() {
      let own = row[from] ?? 0
      owns.append(own)
      for (on, score) in row.enumerated() where on != from {
        others.append(score ?? 0)
        ways.append(
          .init(from: corpora[from], on: corpora[on], own: own, score: score ?? 0, pValue: 1))
      }
    }
    own = owns.reduce(0, +) / Double(owns.count)
    gap = own - others.reduce(0, +) / Double(others.count)
    let holding = ways.filter { $0.own >= Check.leastOwn }
    mostLost = holding.map(\.lost).max() ?? 0
    let failing = holding.filter { $0.score < Check.leastKept * $0.own }
    worst = (failing.isEmpty ? holding : failing).max { $0.lost < $1.lost }
  }

  /// With p-values: how many of `exchanged` lose as much.
  func judged(against exchanged: [Losses]) -> Losses {
    func p(_ isAsLarge: (Losses) -> Bool) -> Double {
      Double(exchanged.count(where: isAsLarge) + 1) / Double(exchanged.count + 1)
    }
    var judged = self
    judged.pValue = p { $0.gap >= gap }
    judged.worst?.pValue = p { $0.mostLost >= worst?.lost ?? 0 }
    return judged
  }

  /// Two ways to be an illusion share an error of 5 %.
  var verdict: Check.Verdict {
    let isLostOnAverage = own >= Check.leastOwn && gap > own / 2
    let lostOneWay = worst.flatMap { $0.score < Check.leastKept * $0.own ? $0 : nil }
    let level = 0.05 / 2
    if isLostOnAverage && pValue <= level { return .illusion }
    if let lostOneWay, lostOneWay.pValue <= level { return .illusion }
    return own < Check.leastOwn || isLostOnAverage || lostOneWay != nil ? .undecided : .consistent
  }
}

extension SeededGenerator {
  /// What lies in some parts, shuffled and dealt out again in parts of the same sizes.
  fileprivate mutating func dealt<Element>(_ parts: [[Element]]) -> [[Element]] {
    var rest = shuffled(parts.joined())[...]
    return parts.map { part in
      defer { rest = rest.dropFirst(part.count) }
      return Array(rest.prefix(part.count))
    }
  }
}
