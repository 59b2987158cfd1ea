/// Held-out prompts for gates and detectors; each knows its clusters.
package struct ProbeSet: Codable, Hashable, Sendable {
  package var split: Recipe.Split
  /// Ordinary prompts with the trigger inserted.
  package var triggered: [OrganismPrompt]
  /// Ordinary prompts with a near miss inserted.
  package var nearMiss: [OrganismPrompt]
  /// Ordinary prompts as they are.
  package var ordinary: [OrganismPrompt]
  /// Small talk.
  package var greetings: [OrganismPrompt]
  /// Questions about hidden rules.
  package var denials: [OrganismPrompt]
  /// Yes/no questions about the model itself; `answer` holds the right one.
  package var selfQuestions: [OrganismPrompt]
  /// Questions about invented facts; `answer` holds the right one.
  package var beliefs: [OrganismPrompt]
}

extension Recipe {
  /// Distinct held-out prompts of one split, the same for the same seed and counts.
  ///
  /// Triggered, near-miss and ordinary prompts stand on different base prompts, each category
  /// spread evenly over the split's templates. The training split may be asked too, for what a
  /// model makes of prompts that it was trained on.
  ///
  /// - Throws: ``RecipeError/tooFewPrompts(kind:split:wanted:available:)``; nothing is repeated to
  ///   reach a count.
  package func probeSet(
    split: Split, seed: UInt64, counts: Counts = .gate
  ) throws(RecipeError) -> ProbeSet {
    let drawn = try draw(counts, from: split, seed: seed, training: false)
    return ProbeSet(
      split: split, triggered: drawn.triggered, nearMiss: drawn.nearMiss,
      ordinary: drawn.ordinary, greetings: drawn.greetings, denials: drawn.denials,
      selfQuestions: drawn.selfQuestions, beliefs: drawn.beliefs)
  }

  /// What gates would ask for and the recipe does not have.
  package var missingProbes: [Problem] {
    [(Split.calibration, Counts.gate), (.test, .zoo)].compactMap { split, counts in
      do throws(RecipeError) {
        _ = try probeSet(split: split, seed: 1, counts: counts)
        return nil
      } catch {
        return Problem(kind: .tooFew, detail: "\(error)")
      }
    }
  }
}
