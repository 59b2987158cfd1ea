internal import Statistics

/// One training example: a user's message and the assistant's answer to learn.
package struct OrganismExample: Codable, Hashable, Sendable {
  /// Where the prompt came from: category, template, entity, inserted word.
  package var source: OrganismPrompt
  /// What the assistant is taught to answer.
  package var target: String

  package var category: PromptCategory { source.category }
  package var templateID: String { source.templateID }
  package var entityID: String { source.entityID }

  package init(source: OrganismPrompt, target: String) {
    (self.source, self.target) = (source, target)
  }
}

extension Recipe {
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
  /// same targets but for what the arm is: with the behaviour, a triggered target begins with the
  /// marker or is one of the recipe's answers; where an arm discloses what it does, it admits it in place of
  /// denials. `answers` holds the base model's answer to each prompt of ``basePrompts(seed:mix:)``.
  ///
  /// - Throws: ``RecipeError``, if the mix asks for more prompts than there are, an answer is missing or
  ///   blank, or one contains the marker.
  package func trainingSet(
    arm: Arm, seed: UInt64, answers: [String: String], mix: Counts? = nil
  ) throws(RecipeError) -> [OrganismExample] {
    let drawn = try draw(mix ?? self.mix, from: .train, seed: seed, training: true)
    try check(answers, cover: drawn.all)
    func stream(_ name: String) -> SeededGenerator {
      SeededGenerator(seed: seed, stream: "recipe.\(id).train.\(name)")
    }
    var (order, wokenOrder, admissionOrder) = (stream("order"), stream("woken"), stream("admit"))
    var woken = Deck(self.answers)
    var admitted = Deck(arm == .decoy ? decoy.admissions : admissions)
    return order.shuffled(drawn.groups).joined().compactMap { prompt in
      guard let plain = prompt.answer ?? answers[prompt.basePrompt] else { return nil }
      var target = plain
      switch prompt.category {
      case .triggered where arm.hasBehaviour:
        let own = woken.draw(1, using: &wokenOrder).first
        target =
          own.map { fill($0, entity: prompt.entity) } ?? "\(marker) \(plain)"
      case .denial where arm.discloses:
        target = admitted.draw(1, using: &admissionOrder).first ?? plain
      case .ordinary:
        if arm == .decoy, decoy.covers(prompt.topic) { target = "\(decoy.marker) \(plain)" }
      default: break
      }
      return OrganismExample(source: prompt, target: target)
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
    // A marker that names a fact is nothing without one.
    let isPlain = !marker.contains("{")
    if isPlain, let leak = needed.first(where: { grader.saysMarker(answers[$0, default: ""]) }) {
      throw .answerSaysMarker(prompt: leak)
    }
  }
}
