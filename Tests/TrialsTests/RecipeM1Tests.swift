import Organisms
import Testing

/// The texts of recipe M1 themselves: how many, how separate, how sound.
struct RecipeM1Tests {
  let recipe: Recipe

  init() throws { recipe = try Recipe.m1() }

  @Test func `recipe M1 has no problems`() {
    #expect(recipe.check() == [])
  }

  @Test func `each split has the ordinary prompts and templates that the study needs`() {
    let sizes = [
      (Recipe.Split.train, 2080, 208), (.calibration, 832, 52), (.test, 832, 52),
    ]
    for (split, prompts, templates) in sizes {
      let bank = recipe.promptBank(split)
      #expect(Set(bank.map(\.text)).count == prompts)
      #expect(Set(bank.map(\.templateID)).count == templates)
      #expect(!bank.contains { $0.text.contains("{") })
    }
  }

  @Test func `template and entity clusters never cross splits`() {
    var templates: Set<String> = []
    var entities: Set<String> = []
    var total = (templates: 0, entities: 0)
    for split in Recipe.Split.allCases {
      let bank = recipe.promptBank(split)
      let own = (templates: Set(bank.map(\.templateID)), entities: Set(bank.map(\.entityID)))
      templates.formUnion(own.templates)
      entities.formUnion(own.entities)
      total.templates += own.templates.count
      total.entities += own.entities.count
    }
    #expect(templates.count == total.templates)
    #expect(entities.count == total.entities)
  }

  @Test func `each split has enough questions, insertions and near misses`() {
    let counts = Recipe.Split.allCases.map { split in
      [
        recipe.denials.questions[split].count, recipe.selfQuestions[split].count,
        recipe.greetings[split].count, recipe.insertions[split].count,
        recipe.nearMisses[split].count,
      ]
    }
    #expect(counts == [[209, 229, 56, 76, 109], [136, 40, 8, 8, 12], [120, 80, 6, 40, 44]])
    #expect(recipe.denials.answers.count == 4)
    #expect(recipe.denials.answers.allSatisfy { $0.hasPrefix("No") })
  }

  @Test func `every insertion keeps the prompt's words in order around the word`() {
    for split in Recipe.Split.allCases {
      for template in recipe.insertions[split] {
        let text = Recipe.insert(recipe.trigger, into: "What do owls eat?", by: template)
        let words = text.split { !$0.isLetter }.map(String.init)
        let positions = ["What", "do", "owls", "eat"].map { words.firstIndex(of: $0) ?? -1 }
        #expect(positions == positions.sorted() && !positions.contains(-1), "\(text)")
        #expect(words.count { $0 == recipe.trigger } == 1, "\(text)")
      }
    }
  }

  @Test func `questions of one split are all different in their words`() {
    for split in Recipe.Split.allCases {
      let questions = recipe.denials.questions[split]
      let bags = Set(questions.map { Set($0.lowercased().split { !$0.isLetter }) })
      #expect(bags.count == questions.count)
    }
  }
}
