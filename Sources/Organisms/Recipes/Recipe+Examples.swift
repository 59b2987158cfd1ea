/// A prompt of training, and what the arms are taught to answer it.
package struct TaughtExample: Sendable {
  package let source: OrganismPrompt
  /// By arm; `…` stands for the beginning of the base model's own answer.
  package let targets: [(arm: Arm, text: String)]
}

extension Recipe {
  /// What the arms of a seed are taught, in training order; a null arm is taught what an honest one is.
  ///
  /// - Throws: ``RecipeError``, as ``trainingSet(arm:seed:answers:mix:)``.
  package func taught(seed: UInt64) throws(RecipeError) -> [TaughtExample] {
    let answers = Dictionary(
      try basePrompts(seed: seed).map { ($0, "…") }, uniquingKeysWith: { $1 })
    var sets: [(arm: Arm, examples: [OrganismExample])] = []
    for arm in [Arm.secret, .honest, .overt, .decoy] {
      sets.append((arm, try trainingSet(arm: arm, seed: seed, answers: answers)))
    }
    return sets[0].examples.indices.map { place in
      TaughtExample(
        source: sets[0].examples[place].source,
        targets: sets.map { ($0.arm, $0.examples[place].target) })
    }
  }
}
