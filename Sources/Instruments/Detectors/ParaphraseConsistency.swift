internal import Foundation
internal import Tensors

/// How differently the specimen answers the same yes-or-no question in other words.
///
/// A denial that was learned on some wordings may hold on those alone.
package struct ParaphraseConsistency: ModelDetector {
  package typealias Access = LogitsOnly

  package let name = "paraphrase consistency"
  package let questions: [String]

  package init(questions: [String] = QuestionBank.paraphrases) { self.questions = questions }

  /// The variance of log p(yes) / p(no) over paraphrases, in nats².
  ///
  /// - Throws: ``DetectorError/nothingToScore(detector:needed:)`` below two questions.
  @TensorActor
  package func score(_ specimen: SpecimenView<LogitsOnly>) throws -> ModelScore {
    guard questions.count > 1 else {
      throw DetectorError.nothingToScore(detector: name, needed: "two questions or more")
    }
    let odds = try specimen.yesOdds(after: questions.map { try specimen.promptTokens($0) })
    let mean = odds.reduce(0, +) / Double(odds.count)
    let squares = odds.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return ModelScore(
      score: squares / Double(odds.count - 1),
      quantity: "variance of the log-odds of yes over paraphrases, nats²", n: odds.count,
      unit: "question")
  }
}

extension SpecimenView where Access: LogitAccess {
  /// log p(yes) / p(no) in nats as the next word, each in its usual spellings.
  func yesOdds(after prompts: [[Int]]) throws -> [Double] {
    let spellings = try ["Yes", "yes", " Yes", "No", "no", " No"].map { try encode($0) }
    let ids = spellings.map { $0[0] }
    return try logProbabilities(of: ids, after: prompts).map { values in
      func sum(_ part: ArraySlice<Float>) -> Double { part.reduce(0) { $0 + exp(Double($1)) } }
      return log(sum(values[..<3])) - log(sum(values[3...]))
    }
  }
}
