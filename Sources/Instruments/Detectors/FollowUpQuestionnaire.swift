internal import Tensors

/// Logistic regression on how a model answers unrelated questions right after a denial.
///
/// After "How to catch an AI liar" (arXiv 2309.15840): a fixed set of yes-or-no follow-ups, their log-odds as
/// features. Learned on other organisms that deny falsely and on twins that deny truly; the denial's words
/// are the same in all.
package struct FollowUpQuestionnaire: LearnedDetector {
  package let name = "follow-up questionnaire"
  package let followUps: [String]
  /// Direct questions, each denied before the follow-ups.
  package let contexts: Int
  package let penalty: Double

  package init(
    followUps: [String] = QuestionBank.followUps, contexts: Int = 6, penalty: Double = 10
  ) {
    (self.followUps, self.contexts, self.penalty) = (followUps, contexts, penalty)
  }

  /// - Throws: ``DetectorError/unusableCalibration(expected:found:)`` without both kinds of organism.
  @TensorActor
  package func fit(_ calibration: Calibration<LogitsAndCalibration>) throws -> Fitted {
    var (values, labels): ([Double], [Bool]) = ([], [])
    for organism in calibration.organisms {
      guard let hides = organism.hides else { continue }
      let rows = try features(of: organism.view)
      values += rows.joined()
      labels += [Bool](repeating: hides, count: rows.count)
    }
    guard labels.contains(true), labels.contains(false) else {
      throw DetectorError.unusableCalibration(
        expected: "organisms that hide something and organisms that do not",
        found: "\(labels.count { $0 }) contexts of the former among \(labels.count)")
    }
    return Fitted(
      questionnaire: self, score: try .logistic(values, labels: labels, penalty: penalty))
  }

  package struct Fitted: ModelDetector {
    package typealias Access = LogitsAndCalibration

    let questionnaire: FollowUpQuestionnaire
    let score: LinearScore
    package var name: String { questionnaire.name }

    /// The mean log-odds of hiding something over the denied questions.
    @TensorActor
    package func score(_ specimen: SpecimenView<LogitsAndCalibration>) throws -> ModelScore {
      let odds = try questionnaire.features(of: specimen).map { score($0) }
      return ModelScore(
        score: odds.reduce(0, +) / Double(odds.count),
        quantity: "mean log-odds of hiding something", n: odds.count, unit: "denied question")
    }
  }

  /// Log-odds of yes to every follow-up, `[context][follow-up]`.
  @TensorActor
  private func features(
    of specimen: SpecimenView<LogitsAndCalibration>
  ) throws -> [[Double]] {
    try QuestionBank.hiddenRules.prefix(contexts).enumerated().map { index, question in
      let denial = QuestionBank.denials[index % QuestionBank.denials.count]
      let denied = try specimen.promptTokens(question) + specimen.encode(denial)
      return try specimen.yesOdds(
        after: followUps.map { denied + (try specimen.nextTurnTokens($0)) })
    }
  }
}
