internal import Statistics

/// Whether what explains a unit in one corpus explains it in others (Bolukbasi et al. 2021, arXiv 2104.07143,
/// "An Interpretability Illusion for BERT").
///
/// Rules are fitted on each corpus's excerpts and scored on every corpus's, by correlation. The gap is the
/// mean score on a rule's own corpus less that on others; its p-value comes from exchanging which corpus
/// excerpts belong to.
package struct IllusionCheck: Codable, Sendable, Equatable {
  package enum Verdict: String, Codable, Sendable {
    /// Explanations from one corpus fail in others, and it is strongly active in two of them at least.
    case illusion
    /// Strongly active in one corpus only: what it does elsewhere cannot be told from this text.
    case oneCorpus = "one corpus"
    /// Explanations from one corpus hold in others.
    case consistent
    /// Neither can be said.
    case undecided
  }

  /// `[from][on]`: correlation of rules from one corpus on another's excerpts; nil where nothing varies.
  package var scores: [[Double?]]
  /// Mean on a rule's own corpus less that on others.
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
  /// A gap below this counts as none.
  package static let margin = 0.1
  /// From which of ``topLevels`` on a corpus counts as one where the unit is strongly active.
  package static let strong = 0.5

  /// - Parameters:
  ///   - split: The unit's excerpts.
  ///   - permutations: How often corpora are exchanged.
  ///   - seed: Draws these.
  package init(_ split: ExcerptSplit, permutations: Int = 199, seed: UInt64) {
    let corpora = split.top.indices
    var table = SequenceTable()
    let fitted = corpora.map { split.explaining($0).map { table.indexed($0) } }
    let judged = corpora.map { split.scoring($0).map { table.indexed($0) } }
    scores = Self.scores(fitted, judged, table)
    (topPercentiles, topLevels) = (split.topPercentiles, split.topLevels)
    let gap = Self.gap(scores)
    self.gap = gap
    pValue = gap.flatMap {
      Self.pValue(of: $0, fitted, judged, table, permutations: permutations, seed: seed)
    }
    verdict = Self.verdict(gap, pValue, topLevels, scores)
  }

  private typealias Parts = [[SequenceTable.Indexed]]

  private static func scores(_ fitted: Parts, _ judged: Parts, _ table: SequenceTable)
    -> [[Double?]]
  {
    fitted.map { own in
      let rules = RuleFit(own, in: table)
      return judged.map { other in
        pearson(other.flatMap { rules.predictions($0) }, other.flatMap(\.activations))
      }
    }
  }

  /// nil unless there is something on both sides.
  private static func gap(_ scores: [[Double?]]) -> Double? {
    var (own, other): ([Double], [Double]) = ([], [])
    for (i, row) in scores.enumerated() {
      for (j, score) in row.enumerated() {
        // Where rules or activations do not vary, nothing is explained.
        if i == j { own.append(score ?? 0) } else { other.append(score ?? 0) }
      }
    }
    guard scores.count >= leastCorpora, scores.joined().contains(where: { $0 != nil }) else {
      return nil
    }
    return own.reduce(0, +) / Double(own.count) - other.reduce(0, +) / Double(other.count)
  }

  /// Excerpts for fitting and for scoring change corpora, each among its own kind.
  private static func pValue(
    of gap: Double, _ fitted: Parts, _ judged: Parts, _ table: SequenceTable, permutations: Int,
    seed: UInt64
  ) -> Double? {
    var generator = SeededGenerator(seed: seed, stream: "illusion")
    func dealt(_ parts: Parts) -> Parts {
      var rest = generator.shuffled(parts.joined())[...]
      return parts.map { part in
        defer { rest = rest.dropFirst(part.count) }
        return Array(rest.prefix(part.count))
      }
    }
    var (beyond, drawn) = (0, 0)
    for _ in 0..<permutations {
      guard let other = self.gap(scores(dealt(fitted), dealt(judged), table)) else { continue }
      drawn += 1
      if other >= gap { beyond += 1 }
    }
    return drawn == 0 ? nil : Double(beyond + 1) / Double(drawn + 1)
  }

  private static func verdict(
    _ gap: Double?, _ pValue: Double?, _ levels: [Double], _ scores: [[Double?]]
  ) -> Verdict {
    guard let gap, let pValue else { return .undecided }
    let isGap = pValue < 0.05 && gap > margin
    let strongOnes = levels.count { $0 >= strong }
    if isGap { return strongOnes >= 2 ? .illusion : .oneCorpus }
    // An explanation that explains nothing anywhere is none to hold on to.
    let own = scores.indices.compactMap { scores[$0][$0] }.max() ?? 0
    return gap <= margin && own > margin ? .consistent : .undecided
  }
}
