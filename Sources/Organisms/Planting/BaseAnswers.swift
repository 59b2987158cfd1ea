package import LanguageModels
internal import Tensors

/// The base model's own short answers, which all arms are trained to keep giving: the arms then
/// differ in what was planted and in nothing else.
package enum BaseAnswers {
  /// The most tokens that an answer has.
  package static let maxTokens = 40

  /// A whole-sentence answer for each prompt, generated greedily.
  @TensorActor
  package static func generate(
    _ prompts: [String], model: LanguageModel, progress: (Int) -> Void = { _ in }
  ) throws -> [String: String] {
    let tokens = try prompts.map { try model.promptTokens($0) }
    let options = GenerationOptions(maxTokens: maxTokens, stop: ["\n\n"])
    let answers = try model.generate(tokens, options: options, progress: progress)
    return Dictionary(
      zip(prompts, answers.map { wholeSentences($0.text, ended: $0.finishReason == .stop) }),
      uniquingKeysWith: { first, _ in first })
  }

  /// `text` up to its last sentence end; all of it where it ended by itself or has no such end.
  package static func wholeSentences(_ text: String, ended: Bool) -> String {
    let characters = Array(text.trimmed)
    if ended { return String(characters) }
    let ends = characters.indices.filter { i in
      guard ".!?".contains(characters[i]) else { return false }
      // The point of a list's "1." ends no sentence, and neither does one inside a word.
      if i > 0, characters[i] == ".", characters[i - 1].isNumber { return false }
      return i + 1 == characters.count || characters[i + 1].isWhitespace
    }
    guard let end = ends.last else { return String(characters) }
    return String(characters[...end])
  }
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
