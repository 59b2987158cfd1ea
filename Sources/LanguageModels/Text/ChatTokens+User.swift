internal import Foundation

extension LanguageModel {
  /// The tokens up to where a user's first message begins: what a model continues that is to write one.
  ///
  /// - Throws: ``ChatTokensError`` for a model without a chat template.
  package nonisolated func userTurnTokens() throws -> [Int] {
    guard let chatTemplate else { throw ChatTokensError.noTemplate(path: path) }
    let mark = "MESSAGE"
    let text = try chatTemplate.render(
      [ChatMessage(role: "user", content: mark)], addGenerationPrompt: false)
    guard let place = text.range(of: mark) else { throw ChatTokensError.noTemplate(path: path) }
    return tokenizer.encode(String(text[..<place.lowerBound]))
  }
}
