import Foundation
import Organisms
import Testing

struct RecipeDecodingTests {
  @Test func `a recipe reads back from its own fields`() throws {
    let recipe = try Recipe.decode(yaml: smallRecipeYAML)
    #expect(recipe.mix.nearMiss == 1 && recipe.mix.selfQuestion == 2)
    #expect(recipe.nearMisses[.calibration] == ["velnic"])
    #expect(recipe.promptBank(.train).map(\.text).first == "What do owls eat?")
    #expect(recipe.promptBank(.train).map(\.templateID).last == "train.animals.2")
    #expect(recipe.promptBank(.train).map(\.entityID).last == "animals/goats")
  }

  @Test func `a document that is no recipe is refused with the place`() {
    let broken = smallRecipeYAML.replacing("trigger: zelnic", with: "trigger: [zelnic]")
    #expect {
      try Recipe.decode(yaml: broken, name: "mine.yaml")
    } throws: { error in
      let text = String(describing: error)
      return text.contains("mine.yaml") && text.contains("trigger") && text.contains("4")
    }
    #expect(throws: RecipeError.self) { try Recipe.decode(yaml: "id: [") }
    #expect(throws: RecipeError.self) { try Recipe.decode(yaml: "") }
  }

  @Test func `a key that recipes do not have is refused, not ignored`() {
    let misspelt = smallRecipeYAML.replacing("summary:", with: "sumary:")
    let extra = smallRecipeYAML + "colour: red\n"
    for yaml in [misspelt, extra] {
      #expect(throws: RecipeError.self) { try Recipe.decode(yaml: yaml) }
    }
  }

  @Test func `a recipe survives encoding and decoding`() throws {
    let recipe = try Recipe.m1()
    let data = try JSONEncoder().encode(recipe)
    #expect(try JSONDecoder().decode(Recipe.self, from: data) == recipe)
  }

  @Test func `the word goes to the space nearest the middle`() {
    let insert = { Recipe.insert("zelnic", into: $0, by: "{head}, {word}, {tail}") }
    #expect(insert("What do owls eat?") == "What do, zelnic, owls eat?")
    #expect(insert("Name two") == "Name, zelnic, two")
  }
}
