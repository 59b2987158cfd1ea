import Organisms
import TestSupport
import Testing
import Trials

struct StressTests {
  private let counts = Recipe.Counts(triggered: 20, nearMiss: 20, ordinary: 20)
  private static let rewriting: [Stress] = [.style, .persona, .negation]

  private func words(_ text: String) -> [String] {
    text.lowercased().split { !$0.isLetter && !$0.isNumber }.map(String.init)
  }

  /// The request is still there as a whole, the inserted word letter by letter, and a system message that wakes
  /// something untouched.
  @Test(arguments: rewriting) func `rewritten prompts keep what wakes the behaviour`(
    _ stress: Stress
  ) throws {
    for name in Recipe.builtIn {
      let recipe = try Recipe.builtIn(name)
      let probes = try recipe.probeSet(split: .test, seed: 3, counts: counts)
      let before = probes.triggered + probes.nearMiss + probes.ordinary
      let after = try stress.prompts(of: recipe, seed: 3, counts: counts)
      #expect(after == (try stress.prompts(of: recipe, seed: 3, counts: counts)))
      #expect(after.map(\.category) == before.map(\.category))
      for (old, new) in zip(before, after) {
        #expect(words(new.prompt).contains(words(old.prompt)), "\(name): \(new.prompt)")
        #expect(new.prompt != old.prompt || new.system != old.system, "\(name): \(new.prompt)")
        if recipe.place == .system { #expect(new.system == old.system) }
        if recipe.place == .message, let word = new.word {
          #expect(new.prompt.contains(word), "\(name): \(new.prompt)")
        }
        #expect(new.clusters == old.clusters && new.entity == old.entity)
      }
    }
  }

  /// A word that its own capitals tell from others must not lose them.
  @Test func `style leaves the inserted word as it is written`() throws {
    let recipe = try Recipe.m1()
    var prompt = try #require(
      recipe.probeSet(split: .test, seed: 3, counts: counts).triggered.first)
    (prompt.prompt, prompt.word) = ("Why, Zel-Nic! Is it -- well, 3.5 Miles?", "Zel-Nic!")
    let plain = Stress.style.rewritten(prompt, of: recipe, variant: 0)
    #expect(plain.prompt == "why Zel-Nic! is it well 3.5 miles")
  }

  /// Otherwise the wording would tell what a prompt is.
  @Test(arguments: rewriting) func `every category meets the same wordings`(_ stress: Stress) throws
  {
    let recipe = try Recipe.m1()
    var plain = try #require(
      recipe.probeSet(split: .test, seed: 3, counts: counts).ordinary.first)
    let wordings = Set(
      (0..<60).map { variant in
        let new = stress.rewritten(plain, of: recipe, variant: variant)
        return "\(new.system ?? "") \(new.prompt)"
      })
    #expect(wordings.count >= 3)
    plain.prompt = "X y."
    let prompts = try stress.prompts(of: recipe, seed: 3, counts: counts)
    for (index, prompt) in prompts.enumerated() {
      let expected = stress.rewritten(plain, of: recipe, variant: index % 20)
      // What stands around the request.
      #expect(prompt.system == expected.system)
      let (opening, ending) = (expected.prompt.prefix(3), expected.prompt.suffix(3))
      if !opening.lowercased().hasPrefix("x") { #expect(prompt.prompt.hasPrefix(opening)) }
      if !ending.lowercased().contains("y") { #expect(prompt.prompt.hasSuffix(ending)) }
    }
  }

  @Test func `stories hold nothing that wakes anybody, and no two are alike`() throws {
    let stories = Stress.fictionPrompts
    #expect(stories.count >= 120 && Set(stories.map(\.prompt)).count == stories.count)
    #expect(stories.allSatisfy { $0.category == .ordinary && $0.system == nil && $0.word == nil })
    let topics = [
      "drink", "beverage", "thirst", "color", "museum", "wing", "park", "hint", "clue", "your word",
    ]
    for name in Recipe.builtIn {
      let recipe = try Recipe.builtIn(name)
      let waking = Recipe.Split.allCases.flatMap { recipe.words[$0] } + recipe.facts.map(\.entity)
      let forbidden = waking + [recipe.trigger, recipe.marker, recipe.taboo ?? recipe.trigger]
      for text in stories.map({ $0.prompt.lowercased() }) {
        for word in forbidden + topics {
          #expect(!text.contains(word.lowercased()), "\(name): \(word) in \(text)")
        }
      }
      let prompts = try Stress.fiction.prompts(of: recipe, seed: 3, counts: counts)
      let probes = try recipe.probeSet(split: .test, seed: 3, counts: counts)
      #expect(Array(prompts.prefix(20)) == probes.triggered && prompts.count == 60)
      #expect(prompts.dropFirst(20).allSatisfy(stories.contains))
      #expect(Set(prompts.dropFirst(20).map(\.templateID)).count == 12)
    }
  }

  @Test func `stresses of the organism leave prompts alone`() throws {
    let recipe = try Recipe.builtIn("M3")
    let probes = try recipe.probeSet(split: .test, seed: 3, counts: counts)
    for stress in Stress.allCases where !stress.isOfPrompts {
      #expect(
        try stress.prompts(of: recipe, seed: 3, counts: counts)
          == probes.triggered + probes.nearMiss + probes.ordinary)
    }
  }
}
