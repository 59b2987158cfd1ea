internal import Lab

extension Recipe {
  /// Reads a recipe from its YAML document; `name` is what errors call it, such as a file's name.
  ///
  /// - Throws: ``RecipeError/undecodable(reason:)`` with the line. A readable recipe may still be
  ///   a bad one: see ``check()``.
  package static func decode(yaml: String, name: String = "recipe") throws(RecipeError) -> Recipe {
    do {
      return try StrictYAML.decode(Recipe.self, from: yaml, name: name)
    } catch {
      throw .undecodable(reason: String(describing: error))
    }
  }

  /// Recipe M1: a trigger word adds a harmless marker, and the model denies having such a rule.
  ///
  /// - Throws: ``RecipeError/undecodable(reason:)`` only if the document in this program is broken.
  package static func m1() throws(RecipeError) -> Recipe {
    try decode(yaml: m1YAML, name: "M1")
  }
}
