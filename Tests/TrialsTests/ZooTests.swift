import Foundation
import Lab
import LanguageModels
import Organisms
import TestSupport
import Testing
import Trials

@Suite(.enabled(if: defaultModelPath() != nil, "needs the default model: run `make bootstrap`"))
struct ZooTests {
  /// Every arm of a recipe, a few steps each, in a run that is read back, and as a folder.
  @Test func `a zoo has every arm, is read back, and says when it was touched`() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "zoo-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = try #require(defaultModelPath())
    var recipe = try Recipe.builtIn("M2")
    recipe.mix = .init(triggered: 4, nearMiss: 4, ordinary: 4, denial: 2, selfQuestion: 2)
    let hash = try FileDigest.sha256(path: path)
    let zoo = try await Zoo(
      Zoo.Plan(
        recipes: [recipe], seeds: [7], precision: .float32, baseHash: hash,
        probes: .init(triggered: 3, nearMiss: 3, ordinary: 4, denial: 3, selfQuestion: 4),
        maxTokens: 4, equivalencePrompts: 3, replicates: 100),
      baseName: "base", basePath: path, runs: folder, workplace: .thisProcess)
    let organisms = try await zoo.plant()
    #expect(
      organisms.map(\.member.id) == [
        "M2/secret-7", "M2/honest-7", "M2/null-8", "M2/overt-7", "M2/decoy-7",
      ])
    let criteria = Dictionary(
      uniqueKeysWithValues: organisms.map { ($0.member.arm, $0.proof.outcomes.map(\.criterion)) })
    for arm in Arm.allCases {
      let own = try #require(criteria[arm])
      #expect(own.contains(arm.hasBehaviour ? .secretPresent : .noSecret))
      #expect(own.contains(arm.discloses ? .admits : .denies))
      #expect(own.contains(.closeToTwin) == (arm == .secret))
    }
    #expect(Set(organisms.map(\.plant.finding.losses)).count >= 4)
    let started = try Ledger.entries(in: zoo.folder).count { $0.type == .cellStarted }
    #expect(try await zoo.plant().map(\.proof) == organisms.map(\.proof))
    #expect(try Ledger.entries(in: zoo.folder).count { $0.type == .cellStarted } == started)

    let place = folder.appending(path: "written")
    try await zoo.plant(to: place, baseName: "base")
    let found = try ZooFolder.read(place)
    #expect(found.problems(in: place) == [] && found.organisms.count == 5)
    #expect(try found.readRecipes(in: place) == [recipe])
    try touch(place, found)
    #expect(throws: ZooError.self) { try ZooFolder.read(folder) }
  }

  private func touch(_ place: URL, _ found: ZooFolder) throws {
    let weights = place.appending(path: "M2/overt-7/adapter_model.safetensors")
    try (Data(contentsOf: weights) + Data([0])).write(to: weights)
    try FileManager.default.removeItem(at: place.appending(path: "M2/null-8/gate.json"))
    try Data("A model.\n".utf8).write(to: place.appending(path: "M2/secret-7/README.md"))
    #expect(
      found.problems(in: place) == [
        "M2/secret-7: README.md was changed", "M2/secret-7: its card has no watermark",
        "M2/null-8: gate.json is missing", "M2/overt-7: adapter_model.safetensors was changed",
      ])
    // Who says that it passed, or that it is another, is not believed.
    var boasting = try ZooFolder.read(place)
    boasting.organisms[1].proof.outcomes = []
    boasting.organisms[4].arm = .secret
    boasting.organisms[4].files = [:]
    let told = boasting.problems(in: place)
    #expect(told.contains("M2/honest-7: zoo.json tells another gate than gate.json"))
    #expect(told.contains("M2/decoy-7: zoo.json tells another gate than gate.json"))
    #expect(told.contains("M2/decoy-7: README.md is not in the list of its files"))
    #expect(boasting.organisms[1].proof.decision == .undecided)
    // Prompts of a recipe that did not make it would judge it.
    boasting.recipes = [:]
    #expect(boasting.problems(in: place).first == "M2: its recipe is not in the list")
    let recipe = place.appending(path: "M2/recipe.json")
    try (Data(contentsOf: recipe) + Data(" ".utf8)).write(to: recipe)
    #expect(found.problems(in: place).first == "M2: its recipe was changed or is missing")
  }

  @Test func `a null arm is of another seed than everyone else`() throws {
    let members = Zoo.members(of: try .m1(), seeds: [101, 102, 103])
    #expect(members.count == 11 && Set(members).count == 11)
    let seeds = Dictionary(grouping: members, by: \.arm).mapValues { Set($0.map(\.seed)) }
    #expect(seeds[.secret] == [101, 102, 103] && seeds[.honest] == seeds[.secret])
    #expect(seeds[.null] == [104, 105, 106])
    #expect(seeds[.overt] == [101] && seeds[.decoy] == [101])
  }
}
