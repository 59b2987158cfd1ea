extension LanguageModel {
  /// The tokens of a conversation, ready for the assistant's next turn.
  ///
  /// - Throws: ``ChatTemplateError`` where the template refuses it, ``ChatTokensError`` where the
  ///   model has none.
  package nonisolated func promptTokens(_ messages: [ChatMessage]) throws -> [Int] {
    guard let chatTemplate else { throw ChatTokensError.noTemplate(path: path) }
    return tokenizer.encode(try chatTemplate.render(messages, addGenerationPrompt: true))
  }

  /// The tokens of a single user message, ready for the assistant's answer.
  package nonisolated func promptTokens(_ user: String) throws -> [Int] {
    try promptTokens([ChatMessage(role: "user", content: user)])
  }

  /// The tokens that the assistant says for `answer`, the end of its turn included.
  ///
  /// - Throws: ``ChatTokensError`` where the model has no token that ends a turn.
  package nonisolated func answerTokens(_ answer: String) throws -> [Int] {
    let ids = ["<|im_end|>", "<|eot_id|>", "<end_of_turn>"].compactMap { tokenizer.id(ofToken: $0) }
    guard let end = ids.first ?? tokenizer.eosIDs.min() else {
      throw ChatTokensError.noTurnEnd(path: path)
    }
    return tokenizer.encode(answer, parseSpecial: false) + [end]
  }
}

/// Why a conversation cannot be turned into tokens.
package enum ChatTokensError: Error, Equatable, CustomStringConvertible {
  case noTemplate(path: String)
  case noTurnEnd(path: String)

  package var description: String {
    switch self {
    case .noTemplate(let path):
      "Expected a chat template in \(path), found none: use an instruction-tuned model"
    case .noTurnEnd(let path):
      "Expected a token that ends a turn in \(path), found none: use an instruction-tuned model"
    }
  }
}
