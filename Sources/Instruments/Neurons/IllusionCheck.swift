internal import Statistics

/// Whether what explains a unit in one corpus explains it in others (Bolukbasi et al. 2021, arXiv 2104.07143,
/// "An Interpretability Illusion for BERT").
///
/// Rules are fitted on each corpus's excerpts and scored on every corpus's, by correlation. The gap is the
/// mean score on a rule's own corpus less that on others, among corpora where the unit is strongly active:
/// where it is not, there is nothing to explain. Its p-value comes from exchanging which of these corpora
/// excerpts belong to.
///
/// Rules know tokens and no meanings: a unit that finds one thing under other words in each corpus is called
/// an illusion too. Of an explanation in words, ``Transfer`` asks the same.
package struct IllusionCheck: Codable, Sendable, Equatable {
  package enum Verdict: String, Codable, Sendable {
    /// Explanations from one corpus fail in another where the unit is as strongly active: they keep less
    /// than half of their score.
    case illusion
    /// Strongly active in one corpus only: what it does elsewhere cannot be told from this text.
    case oneCorpus = "one corpus"
    /// Explanations from one corpus keep at least half of their score in others.
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
  /// From which of ``topLevels`` on a corpus counts as one where the unit is strongly active.
  package static let strong = 0.5

  /// The check of one explanation that was made from the first corpus and cannot be made again from others.
  package struct Transfer: Codable, Sendable, Equatable {
    /// Its score on the first corpus less the mean on others where the unit is strongly active.
    package var gap: Double
    package var pValue: Double
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
    let (own, gap) = Self.summary(Self.scores(chosen, table))
    (self.own, self.gap) = (own, gap)
    var generator = SeededGenerator(seed: seed, stream: "illusion")
    let beyond = (0..<permutations).count { _ in
      let dealt = chosen.map { generator.dealt($0) }
      return Self.summary(Self.scores(dealt, table)).gap >= gap
    }
    let p = Double(beyond + 1) / Double(permutations + 1)
    pValue = p
    verdict = Self.verdict(own: own, gap: gap, p)
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

  /// Where rules or activations do not vary, nothing is explained.
  private static func summary(_ scores: [[Double?]]) -> (own: Double, gap: Double) {
    var (own, other): ([Double], [Double]) = ([], [])
    for (i, row) in scores.enumerated() {
      for (j, score) in row.enumerated() {
        if i == j { own.append(score ?? 0) } else { other.append(score ?? 0) }
      }
    }
    let mean = own.reduce(0, +) / Double(own.count)
    return (mean, mean - other.reduce(0, +) / Double(other.count))
  }

  private static func verdict(own: Double, gap: Double, _ p: Double) -> Verdict {
    guard own >= leastOwn else { return .undecided }
    if gap <= own / 2 { return .consistent }
    return p < 0.05 ? .illusion : .undecided
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
    func summary(_ kinds: [[[Pairs]]]) -> (own: Double, gap: Double) {
      let scores = strong.indices.map { corpus in
        let pairs = kinds.flatMap { $0[corpus].flatMap { $0 } }
        return pearson(pairs.map(\.simulated), pairs.map(\.actual)) ?? 0
      }
      let others = scores.dropFirst()
      return (scores[0], scores[0] - others.reduce(0, +) / Double(others.count))
    }
    let found = summary(kinds)
    var generator = SeededGenerator(seed: seed, stream: "transfer")
    let beyond = (0..<permutations).count { _ in
      summary(kinds.map { generator.dealt($0) }).gap >= found.gap
    }
    let p = Double(beyond + 1) / Double(permutations + 1)
    return Transfer(
      gap: found.gap, pValue: p, verdict: verdict(own: found.own, gap: found.gap, p))
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
