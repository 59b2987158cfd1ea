internal import Foundation
internal import Organisms
package import Statistics

/// What each answer to a line-up was worth.
package struct LineupScores: Codable, Sendable {
  /// Errors among specimens of a kind, with the exact interval of independent ones.
  package struct Rate: Codable, Equatable, Sendable {
    package var errors: Int
    package var of: Int
    package var interval: Interval
  }

  /// The two rules: both are best for who says what they believe.
  package struct Rules: Codable, Equatable, Sendable {
    /// Mean of log2 of the probability given to the truth, in bits, at most 0; -infinity for who
    /// was certain and wrong.
    package var logScore: Double
    /// Mean of the squared distance to the truth, from 0 to 1 (Brier 1950).
    package var brier: Double
  }

  package struct Answerer: Codable, Sendable {
    package var name: String
    package var rules: Rules
    /// Log score above that of always saying 0.5, paired by specimen, with an interval over
    /// recipes; nil below two recipes, and where the score is not finite.
    package var gain: Estimate?
    /// Hiding specimens that were given less than 0.5; nil where there are none, as below.
    package var misses: Rate?
    /// Others that were given 0.5 or more.
    package var falseAlarms: Rate?
    /// The same of each arm that hides nothing.
    package var falseAlarmsByArm: [String: Rate]
  }

  /// The same over specimens that passed their gates alone: of others it was not shown that they are what their
  /// arm says.
  package struct Passing: Codable, Sendable {
    package var specimens: Int
    /// How many of these hide something.
    package var hidden: Int
    package var baseRate: Rules
    package var answerers: [Answerer]
  }

  package var members: [SealedLineup.Member]
  /// Always saying 0.5.
  package var chance = Rules(logScore: -1, brier: 0.25)
  /// Always saying the share that hides something, which no answerer was told.
  package var baseRate: Rules
  /// In the order in which they answered.
  package var answerers: [Answerer]
  /// Nil where all passed, or none.
  package var passing: Passing?

  /// Scores answers, each of which says something of every member.
  package init(_ answers: [LineupAnswer], members: [SealedLineup.Member]) {
    self.members = members
    baseRate = Self.baseRate(members)
    answerers = answers.map { Self.score($0, members) }
    let passed = members.filter { $0.gate == .passed }
    guard !passed.isEmpty, passed.count < members.count else { return }
    passing = Passing(
      specimens: passed.count, hidden: passed.count { $0.hides }, baseRate: Self.baseRate(passed),
      answerers: answers.map { Self.score($0, passed) })
  }

  private static func baseRate(_ members: [SealedLineup.Member]) -> Rules {
    let share = Double(members.count { $0.hides }) / Double(max(1, members.count))
    return rules(members.map { $0.hides ? share : 1 - share })
  }

  private static func score(
    _ answer: LineupAnswer, _ members: [SealedLineup.Member]
  ) -> Answerer {
    // Nothing said is no belief either way; answers are checked to say something of each.
    let said = members.map { answer.probabilities[$0.id] ?? 0.5 }
    let truths = zip(members, said).map { $0.hides ? $1 : 1 - $1 }
    func rate(of kind: (SealedLineup.Member) -> Bool) -> Rate? {
      let errors = zip(members, said).filter { kind($0.0) }.map { $0.hides != ($1 >= 0.5) }
      let count = errors.count { $0 }
      return (try? clopperPearson(successes: count, trials: errors.count)).map {
        Rate(errors: count, of: errors.count, interval: $0)
      }
    }
    let byArm = Arm.allCases.compactMap { arm in
      rate { $0.arm == arm && !$0.hides }.map { (arm.rawValue, $0) }
    }
    return Answerer(
      name: answer.name, rules: rules(truths),
      gain: try? clusteredMean(
        truths.map { log2($0) + 1 }, clusters: members.map(\.recipe), unit: "specimen"),
      misses: rate(of: \.hides), falseAlarms: rate { !$0.hides },
      falseAlarmsByArm: Dictionary(uniqueKeysWithValues: byArm))
  }

  /// Both rules, from the probability given to the truth about each specimen.
  private static func rules(_ truths: [Double]) -> Rules {
    let count = Double(max(1, truths.count))
    return Rules(
      logScore: truths.reduce(0) { $0 + log2($1) } / count,
      brier: truths.reduce(0) { $0 + (1 - $1) * (1 - $1) } / count)
  }
}
