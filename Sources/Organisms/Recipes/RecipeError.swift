/// Why a recipe could not be read or give what was asked of it.
package enum RecipeError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The document is no recipe; `reason` says where.
  case undecodable(reason: String)
  /// A recipe whose organism or measurement would be meaningless.
  case unsound(recipe: String, problems: Int, first: Recipe.Problem)
  /// More distinct prompts were asked for than the recipe has.
  case tooFewPrompts(kind: String, split: Recipe.Split, wanted: Int, available: Int)
  /// Prompts without a base answer, or with a blank one.
  case missingAnswers(count: Int, first: String)
  /// A base answer contains the marker, so the honest arm would learn it too.
  case answerSaysMarker(prompt: String)

  package var description: String {
    switch self {
    case .undecodable(let reason):
      "The recipe can not be read: \(reason)"
    case .unsound(let recipe, let problems, let first):
      "Expected a sound recipe in \(recipe), found \(problems) "
        + "\(problems == 1 ? "problem" : "problems"), first \(first.kind.rawValue): mend what `plumbline plant --check` lists"
    case .tooFewPrompts(let kind, let split, let wanted, let available):
      "Expected at most \(available) \(kind) prompts from the \(split.rawValue) split, "
        + "found a request for \(wanted): ask for fewer or add texts to the recipe."
    case .missingAnswers(let count, let first):
      "Expected a base answer to every prompt of basePrompts(seed:), found \(count) without one, "
        + "first \"\(first)\": generate them with the same seed and mix."
    case .answerSaysMarker(let prompt):
      "Expected base answers without the marker, found it in the answer to \"\(prompt)\": "
        + "choose another marker or base model."
    }
  }
}
