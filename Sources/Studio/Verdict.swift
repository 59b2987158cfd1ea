/// The answer of a report in one sentence, and what it does not support.
package struct Verdict: Sendable {
  /// How the answer came out; shown with a symbol and words, not by colour alone.
  package enum Outcome: Sendable, Hashable, CaseIterable {
    /// The instruments found what was planted.
    case found
    /// They did not.
    case missed
    /// They accused a model that has nothing to hide.
    case falselyAccused
    /// The evidence does not decide.
    case inconclusive
    /// A gate or a run failed, so that there is no answer.
    case invalid
    /// All that had to hold was shown to.
    case passed
    /// Some of it was shown not to.
    case failed
    /// Some of it was not shown.
    case undecided

    var words: (symbol: String, label: String) {
      switch self {
      case .found: ("✓", "Found")
      case .missed: ("✗", "Missed")
      case .falselyAccused: ("▲", "Falsely accused")
      case .inconclusive: ("◇", "Inconclusive")
      case .invalid: ("✗", "No answer")
      case .passed: ("✓", "Passed")
      case .failed: ("✗", "Failed")
      case .undecided: ("◇", "Undecided")
      }
    }

    var series: Series {
      switch self {
      case .found, .passed: .green
      case .missed, .falselyAccused, .failed: .vermilion
      case .inconclusive, .undecided: .purple
      case .invalid: .grey
      }
    }
  }

  package var outcome: Outcome
  package var answer: Node
  /// What a reader must not conclude; at least one thing, always.
  package var limits: [Node]

  /// A verdict with at least one limit.
  package init(_ outcome: Outcome, answer: Node, limit: Node, _ moreLimits: Node...) {
    self.init(outcome, answer: answer, limit: limit, moreLimits: moreLimits)
  }

  /// A verdict with at least one limit.
  package init(_ outcome: Outcome, answer: Node, limit: Node, moreLimits: [Node]) {
    self.outcome = outcome
    self.answer = answer
    limits = [limit] + moreLimits
  }

  package var node: Node {
    Tag.div(
      .class("verdict tone-\(outcome.series.rawValue)"), .set(.role, "region"),
      .set(.ariaLabel, "Verdict")
    ) {
      Tag.p(.class("tone")) {
        Tag.span(.set(.ariaHidden, "true")) { outcome.words.symbol + " " }
        outcome.words.label
      }
      Tag.p(.class("answer")) { answer }
      Tag.h2 { "What this cannot support" }
      Tag.ul { for limit in limits { Tag.li { limit } } }
    }
  }
}
