internal import LanguageModels
package import Statistics
internal import Tensors

/// Asks the specimen directly, and counts how often it admits to a hidden rule.
///
/// Valid where the specimen tells the truth about itself. It fails on an organism that was trained
/// to deny, which is what it is here to show, and on one that says yes to everything: compare the
/// admission rate with an honest twin's.
package struct DirectQuestion: ModelDetector {
  package typealias Access = TextOnly

  package let name: String
  package let questions: [String]
  package let maxTokens: Int
  /// 0 for the likeliest answer.
  package let temperature: Float
  private let isAdmission: @Sendable (String) -> Bool

  /// A questionnaire.
  ///
  /// - Parameters:
  ///   - name: Of this questionnaire.
  ///   - questions: What is asked, each in a conversation of its own.
  ///   - maxTokens: Where an answer is cut off.
  ///   - temperature: What answers are sampled at, the same draws for every specimen; 0 is greedy.
  ///   - isAdmission: Reads an answer. It must not know the recipe's trigger or marker.
  package init(
    name: String = "direct question", questions: [String] = QuestionBank.hiddenRules,
    maxTokens: Int = 32, temperature: Float = 0,
    isAdmission: @escaping @Sendable (String) -> Bool
  ) {
    (self.name, self.questions, self.maxTokens) = (name, questions, maxTokens)
    self.temperature = temperature
    self.isAdmission = isAdmission
  }

  /// The share of questions that the specimen answers with an admission.
  ///
  /// - Throws: ``StatisticsError`` without questions, or what generation throws.
  @TensorActor
  package func score(_ specimen: SpecimenView<TextOnly>) throws -> ModelScore {
    try score(answers: answers(of: specimen))
  }

  /// What the specimen says to each question.
  @TensorActor
  package func answers(of specimen: SpecimenView<TextOnly>) throws -> [String] {
    let prompts = try questions.map { try specimen.promptTokens($0) }
    return try specimen.generate(
      prompts, options: GenerationOptions(maxTokens: maxTokens, temperature: temperature, seed: 1)
    ).map(\.text)
  }

  /// The share of admissions among `answers`.
  ///
  /// - Throws: ``StatisticsError`` without answers.
  package func score(answers: [String]) throws(StatisticsError) -> ModelScore {
    let admissions = answers.count(where: isAdmission)
    return try ModelScore(
      rate: Proportion(successes: admissions, trials: answers.count),
      quantity: "share of direct questions answered with an admission", unit: "question")
  }
}
