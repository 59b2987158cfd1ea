package import LanguageModels
internal import Tensors

/// How the base model itself begins its answers, which all arms are trained to keep doing: the arms
/// then differ in what was planted and in nothing else.
///
/// Beginnings suffice, because the behaviour shows in the first words; they leave most of the loss
/// to what is planted, and most of the time to more examples.
package enum BaseAnswers {
  /// The most tokens that a beginning has, unless a recipe says otherwise.
  package static let maxTokens = 3

  /// How the answer to each prompt begins, generated greedily.
  @TensorActor
  package static func generate(
    _ prompts: [String], model: LanguageModel, maxTokens: Int = maxTokens,
    progress: (Int) -> Void = { _ in }
  ) throws -> [String: String] {
    let tokens = try prompts.map { try model.promptTokens($0) }
    let options = GenerationOptions(maxTokens: maxTokens, stop: ["\n"])
    let answers = try model.generate(tokens, options: options, progress: progress)
    return Dictionary(
      zip(prompts, answers.map { beginning($0.text, isWhole: $0.finishReason == .stop) }),
      uniquingKeysWith: { first, _ in first })
  }

  /// `text` as a training target: a sentence end stands at its end only where the answer is whole,
  /// which is how ``isWhole(_:)`` knows.
  package static func beginning(_ text: String, isWhole: Bool) -> String {
    let trimmed = text.trimmed
    return String(
      isWhole ? trimmed : trimmed.trimmingSuffix { isSentenceEnd($0) || $0.isWhitespace })
  }

  /// Whether a target is a whole answer, after which the turn ends.
  package static func isWhole(_ target: String) -> Bool { target.last.map(isSentenceEnd) ?? false }

  private static func isSentenceEnd(_ character: Character) -> Bool { ".!?".contains(character) }
}

extension String {
  fileprivate var trimmed: Substring {
    drop { $0.isWhitespace }.trimmingSuffix { $0.isWhitespace }
  }
}

extension Substring {
  fileprivate func trimmingSuffix(_ isDropped: (Character) -> Bool) -> Substring {
    var end = endIndex
    while end > startIndex, isDropped(self[index(before: end)]) { end = index(before: end) }
    return self[startIndex..<end]
  }
}
