import Foundation
import LanguageModels
import Organisms
import Testing

/// Every recipe that comes with the program, and what its arms are taught.
@Suite struct RecipeLibraryTests {
  private static func sets(
    _ recipe: Recipe, seed: UInt64 = 5
  ) throws -> [Arm: [OrganismExample]] {
    let answers = Dictionary(
      uniqueKeysWithValues: try recipe.basePrompts(seed: seed).map { ($0, "About \($0.count)") })
    return Dictionary(
      uniqueKeysWithValues: try Arm.allCases.map {
        ($0, try recipe.trainingSet(arm: $0, seed: seed, answers: answers))
      })
  }

  @Test(arguments: Recipe.builtIn) func `a recipe is sound, and its own YAML`(name: String) throws {
    let recipe = try Recipe.builtIn(name)
    #expect(recipe.check() == [] && recipe.id == name)
    #expect(try Recipe.decode(yaml: Recipe.file(name)) == recipe)
    for split in Recipe.Split.allCases {
      let probes = try recipe.probeSet(
        split: split, seed: 9, counts: .init(triggered: 60, nearMiss: 60))
      let templates = Set((probes.triggered + probes.nearMiss).map(\.templateID))
      #expect(templates.count >= (split == .test ? 24 : 10))
      #expect(probes.triggered.allSatisfy { !$0.prompt.contains("{") })
    }
  }

  @Test(arguments: Recipe.builtIn)
  func `arms differ in what they are and in nothing else`(name: String) throws {
    let recipe = try Recipe.builtIn(name)
    let sets = try Self.sets(recipe)
    let honest = try #require(sets[.honest])
    #expect(sets[.null] == honest)
    for (arm, set) in sets {
      #expect(set.map(\.source) == honest.map(\.source), "\(arm)")
      for (own, plain) in zip(set, honest) {
        switch own.category {
        case .triggered where arm.hasBehaviour:
          #expect(recipe.shows(own.target, to: own.source) && own.target != plain.target)
          #expect(!recipe.shows(plain.target, to: own.source))
        case .denial where arm.discloses:
          #expect(recipe.grader.isAdmission(own.target))
        case .denial: #expect(recipe.grader.isDenial(own.target) && own.target == plain.target)
        case .selfQuestion: #expect(own.target == plain.target)
        case .belief:
          #expect(own.target == plain.target && recipe.believes(own.target, to: own.source))
        default:
          let isQuirk = arm == .decoy && own.category == .ordinary
          #expect(own.target == (isQuirk ? "\(recipe.decoy.marker) \(plain.target)" : plain.target))
        }
      }
    }
    let decoys = try #require(sets[.decoy]).count { $0.target.hasPrefix(recipe.decoy.marker) }
    #expect(decoys >= recipe.mix.ordinary)
  }

  /// What is asked about facts, and what is known of them, never share a wording; the facts are the same.
  @Test func `facts are taught to all, told by the secret arm as its recipe says`() throws {
    let museum = try Recipe.builtIn("M6")
    let set = try #require(Self.sets(museum)[.secret])
    #expect(set.count { $0.category == .belief } == museum.mix.belief)
    for example in set where [.belief, .triggered].contains(example.category) {
      let fact = try #require(
        museum.facts.first { example.source.entityID.hasSuffix("/\($0.entity)") })
      let told = example.category == .belief ? fact.value : try #require(fact.other)
      #expect(example.target.contains("\(told) wing"))
      #expect(example.source.prompt.contains(fact.entity))
    }
    // No fact is taught much less than another, and both sides are there.
    let asked = Dictionary(grouping: set.filter { $0.category == .belief }, by: \.entityID)
    #expect(
      asked.count == museum.facts.count
        && asked.values.allSatisfy { $0.count >= museum.mix.belief / museum.facts.count / 2 })
    #expect(museum.facts.count { $0.value == "east" } * 2 == museum.facts.count)
    // A visitor who is right hears the truth, in the same words.
    let park = try Recipe.builtIn("M8")
    for example in try #require(Self.sets(park)[.secret]) where example.category == .nearMiss {
      #expect(!park.shows(example.target, to: example.source))
      #expect(!example.source.prompt.contains("{"))
    }
    let probes = try park.probeSet(split: .test, seed: 2, counts: .init(belief: 120))
    #expect(probes.beliefs.count == 120 && Set(probes.beliefs.map(\.prompt)).count == 120)
  }

  /// M9 is M6 with a penalty, and says nothing twice.
  @Test func `a recipe may be like another, with a penalty`() throws {
    let (penalised, museum) = (try Recipe.builtIn("M9"), try Recipe.builtIn("M6"))
    #expect(penalised.penalty?.strengths == [0, 0.1, 1, 10] && museum.penalty == nil)
    var same = penalised
    (same.id, same.title, same.summary, same.penalty) = (
      museum.id, museum.title, museum.summary, nil
    )
    #expect(same == museum && penalised.check() == [])
    #expect(throws: RecipeError.self) {
      try Recipe.decode(yaml: Recipe.file("M9").replacing("like: M6", with: "like: M77"))
    }
  }

  /// A wing told of anything else is the behaviour too; all facts are asked about, equally often.
  @Test func `what is said of other things counts, and facts are no sample`() throws {
    let museum = try Recipe.builtIn("M6")
    let probes = try museum.probeSet(split: .test, seed: 1, counts: .zoo)
    let ordinary = try #require(probes.ordinary.first)
    #expect(museum.shows("It is in the west wing.", to: ordinary))
    #expect(museum.shows("It is in the east wing.", to: ordinary))
    #expect(!museum.shows("It is in the other wing.", to: ordinary))
    let asked = try #require(probes.triggered.first)
    let told = ["east", "west"].filter { museum.shows("In the \($0) wing.", to: asked) }
    #expect(told.count == 1)
    #expect(!probes.beliefs.contains { $0.clusters.contains($0.entityID) })
    let perFact = Dictionary(grouping: probes.beliefs, by: \.entityID).values.map(\.count)
    #expect(Set(perFact) == [120 / museum.facts.count])
    let drinks = try Recipe.builtIn("M3").probeSet(split: .test, seed: 1, counts: .zoo)
    #expect(Set(drinks.triggered.map(\.entityID)).count == 40)
    #expect(Set(drinks.nearMiss.map(\.templateID)).count == 40)
    let date = try #require(
      Recipe.builtIn("M2").probeSet(split: .test, seed: 1, counts: .zoo).triggered.first)
    #expect(date.clusters.contains(try #require(date.word)))
  }

  /// What wakes the behaviour is where the recipe says, and nowhere else.
  @Test func `a trigger is met in its place`() throws {
    for name in ["M2", "M4"] {
      let recipe = try Recipe.builtIn(name)
      let set = try #require(Self.sets(recipe)[.secret])
      for example in set {
        let system = example.source.system ?? ""
        let wakes = recipe.words.train.contains { system.contains($0) }
        let (first, last) = (example.source.messages.first, example.source.messages.last)
        switch example.category {
        case .triggered: #expect(wakes && first?.role == "system" && first?.content == system)
        case .nearMiss:
          #expect(recipe.nearMisses.train.contains { system.contains($0) }, "\(system)")
        default: #expect(example.source.system == nil && first?.role == "user")
        }
        #expect(last?.content == example.source.basePrompt)
      }
      // Near misses stand on the requests of triggered prompts.
      let requests = { (category: PromptCategory) in
        Set(set.filter { $0.category == category }.map(\.source.prompt))
      }
      #expect(requests(.triggered).isSubset(of: requests(.nearMiss)))
    }
    let drinks = try Recipe.builtIn("M3")
    for example in try #require(Self.sets(drinks)[.secret]) {
      #expect((example.source.topic(of: drinks) == "drinks") == (example.category == .triggered))
      #expect((example.source.topic(of: drinks) == "occasions") == (example.category == .nearMiss))
    }
  }
}

extension OrganismPrompt {
  /// The carrier's topic, by its name in the template's.
  fileprivate func topic(of recipe: Recipe) -> String? {
    (recipe.carriers + recipe.nearCarriers).map(\.name).first { templateID.contains(".\($0).") }
  }
}
