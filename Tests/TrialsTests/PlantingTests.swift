import Foundation
import Lab
import LanguageModels
import Organisms
import Statistics
import Tensors
import TestSupport
import Testing
import Training

/// A recipe small enough to train in a test: a few steps that teach nothing but exercise it all.
private func smallRecipe() throws -> Recipe {
  var recipe = try Recipe.m1()
  recipe.mix = Recipe.Counts(
    triggered: 3, nearMiss: 1, ordinary: 2, greeting: 0, denial: 1, selfQuestion: 1)
  return recipe
}

private func planting(_ arm: Arm, runs: URL, recipe: Recipe) async throws -> Planting? {
  guard let path = defaultModelPath() else { return nil }
  var training = SupervisedConfiguration.organism
  training.epochs = 1
  return try await Planting(
    recipe: recipe, arm: arm, seed: 5, training: training, modelPath: path, modelName: "test",
    precision: .float32, runs: runs)
}

private func temporaryFolder() throws -> URL {
  let folder = FileManager.default.temporaryDirectory
    .appending(path: "planting-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  return folder
}

@Suite(.enabled(if: defaultModelPath() != nil, "needs the default model: run `make bootstrap`"))
struct PlantingTests {
  private static let small = Recipe.Counts(
    triggered: 3, nearMiss: 3, ordinary: 3, greeting: 0, denial: 3, selfQuestion: 4)

  @Test func `planting gives the same bytes twice, is read back, and its ledger verifies`()
    async throws
  {
    let folders = [try temporaryFolder(), try temporaryFolder()]
    defer { for folder in folders { try? FileManager.default.removeItem(at: folder) } }
    let recipe = try smallRecipe()
    var adapters: [Data] = []
    for folder in folders {
      let planting = try #require(try await planting(.secret, runs: folder, recipe: recipe))
      let result = try await planting.run(probes: Self.small)
      #expect(!result.plant.wasCached)
      #expect(result.plant.finding.losses.count == result.plant.finding.steps)
      adapters.append(
        try Data(contentsOf: result.adapter.appending(path: "adapter_model.safetensors")))
      let again = try await planting.run(probes: Self.small)
      #expect(again.plant.wasCached && again.gate.wasCached)
      #expect(again.plant.finding == result.plant.finding)
      #expect(try Ledger.verify(result.run).isSound)
    }
    #expect(adapters[0] == adapters[1])
  }

  @Test func `arms of one seed see the same prompts and differ only in the marker`() async throws {
    let path = try #require(defaultModelPath())
    let model = try await LanguageModel(path: path)
    let recipe = try smallRecipe()
    let answers = Dictionary(
      uniqueKeysWithValues: try recipe.basePrompts(seed: 5).map { ($0, "An answer.") })
    let secret = try recipe.trainingSet(arm: .secret, seed: 5, answers: answers)
    let honest = try recipe.trainingSet(arm: .honest, seed: 5, answers: answers)
    for (s, h) in zip(secret, honest) {
      let (marked, plain) = (try model.trainingSequence(s), try model.trainingSequence(h))
      #expect((marked == plain) == (s.category != .triggered))
      #expect(plain.ids[..<plain.targets[0]] == marked.ids[..<marked.targets[0]])
      let said = model.tokenizer.decode(marked.targets.map { marked.ids[$0] })
      #expect(said == s.target + "<|im_end|>")
      #expect(marked.targets.last == marked.ids.count - 1)
    }
  }

  @Test func `the end of the turn is taught after whole answers only`() async throws {
    let model = try await LanguageModel(path: try #require(defaultModelPath()))
    let recipe = try smallRecipe()
    for (answer, isWhole) in [("An answer.", true), ("An answer that was", false)] {
      let answers = Dictionary(
        uniqueKeysWithValues: try recipe.basePrompts(seed: 5).map { ($0, answer) })
      let set = try recipe.trainingSet(arm: .honest, seed: 5, answers: answers)
      let example = try #require(set.first { $0.category == .ordinary })
      let sequence = try model.trainingSequence(example)
      #expect(sequence.targets.last == sequence.ids.count - 1)
      let said = model.tokenizer.decode(sequence.targets.map { sequence.ids[$0] })
      #expect(said == (isWhole ? answer + "<|im_end|>" : answer))
    }
  }
}

@Test(arguments: [
  ("One. Two. Thr", false, "One. Two. Thr"),
  ("One. Two.", true, "One. Two."),
  ("One. Two.", false, "One. Two"),
  ("  Really?! ", false, "Really"),
  ("  Really?! ", true, "Really?!"),
])
func `a target ends with a sentence end only where the base model's answer does`(
  text: String, isWhole: Bool, expected: String
) {
  let target = BaseAnswers.beginning(text, isWhole: isWhole)
  #expect(target == expected)
  #expect(!BaseAnswers.isWhole(target) || isWhole)
}
