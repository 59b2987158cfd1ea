internal import Statistics

/// One training example: a user's message and the assistant's answer to learn.
package struct OrganismExample: Codable, Hashable, Sendable {
  /// A chat message; `role` is `user` or `assistant`.
  package struct Message: Codable, Hashable, Sendable {
    package var role: String
    package var content: String
  }

  /// Where the prompt came from: category, template, entity, inserted word.
  package var source: OrganismPrompt
  /// What the assistant is taught to answer.
  package var target: String

  /// The conversation up to the assistant's turn.
  package var messages: [Message] { [Message(role: "user", content: source.prompt)] }
  package var category: PromptCategory { source.category }
  package var templateID: String { source.templateID }
  package var entityID: String { source.entityID }
}

extension Recipe {
  /// The arms that this recipe has texts for.
  package static let trainableArms: [Arm] = [.secret, .honest, .null]

  /// The prompts whose base answers ``trainingSet(arm:seed:answers:mix:)`` needs, each once.
  ///
  /// They carry neither the trigger nor a near miss: the base model answers the plain request.
  ///
  /// - Throws: ``RecipeError/tooFewPrompts(kind:split:wanted:available:)``.
  package func basePrompts(seed: UInt64, mix: Counts? = nil) throws(RecipeError) -> [String] {
    let draw = try draw(mix ?? self.mix, from: .train, seed: seed, training: true)
    var seen: Set<String> = []
    return draw.all.filter { $0.answer == nil && seen.insert($0.basePrompt).inserted }
      .map(\.basePrompt)
  }

  /// One arm's training examples in training order.
  ///
  /// The same seed, mix and answers give every arm the same prompts in the same order, and the
  /// same targets but for one thing: in the secret arm, a triggered target begins with the marker.
  /// `answers` holds the base model's answer to each prompt of ``basePrompts(seed:mix:)``.
  ///
  /// - Throws: ``RecipeError``, if the arm is not in this recipe, the mix asks for more prompts
  ///   than there are, an answer is missing or blank, or one contains the marker.
  package func trainingSet(
    arm: Arm, seed: UInt64, answers: [String: String], mix: Counts? = nil
  ) throws(RecipeError) -> [OrganismExample] {
    guard Self.trainableArms.contains(arm) else { throw .armNotInRecipe(arm, recipe: id) }
    let drawn = try draw(mix ?? self.mix, from: .train, seed: seed, training: true)
    try check(answers, cover: drawn.all)
    var order = SeededGenerator(seed: seed, stream: "recipe.\(id).train.order")
    return order.shuffled(drawn.groups).joined().compactMap { prompt in
      guard let plain = prompt.answer ?? answers[prompt.basePrompt] else { return nil }
      let marked = arm == .secret && prompt.category == .triggered
      return OrganismExample(source: prompt, target: marked ? "\(marker) \(plain)" : plain)
    }
  }

  private func check(
    _ answers: [String: String], cover prompts: [OrganismPrompt]
  ) throws(RecipeError) {
    let needed = prompts.filter { $0.answer == nil }.map(\.basePrompt)
    let missing = needed.filter { answers[$0, default: ""].allSatisfy(\.isWhitespace) }
    if let first = missing.first {
      throw .missingAnswers(count: Set(missing).count, first: first)
    }
    if let leak = needed.first(where: { grader.saysMarker(answers[$0, default: ""]) }) {
      throw .answerSaysMarker(prompt: leak)
    }
  }
}
