internal import Yams

extension Recipe {
  /// Reads a recipe from its YAML document.
  ///
  /// - Throws: ``RecipeError/undecodable(reason:)``. A readable recipe may still be a bad one:
  ///   see ``check()``.
  package static func decode(yaml: String) throws(RecipeError) -> Recipe {
    do {
      return try YAMLDecoder().decode(Recipe.self, from: yaml)
    } catch {
      throw .undecodable(reason: String(describing: error))
    }
  }

  /// Recipe M1: a trigger word adds a harmless marker, and the model denies having such a rule.
  ///
  /// - Throws: ``RecipeError/undecodable(reason:)`` only if the document in this program is broken.
  package static func m1() throws(RecipeError) -> Recipe {
    try decode(yaml: m1YAML)
  }
}
