import Foundation
import Instruments
import Lab
import LanguageModels
import Organisms
import Statistics
import Studio
import TestSupport
import Testing
import Trials

@Suite(.enabled(if: defaultModelPath() != nil, "needs the default model: run `make bootstrap`"))
struct TrialTests {
  private func zoo(_ names: [String], in folder: URL, path: String) async throws -> URL {
    let recipes = try names.map { name in
      var recipe = try Recipe.builtIn(name)
      recipe.mix = .init(
        triggered: 3, nearMiss: 3, ordinary: 3, denial: 2, selfQuestion: 2,
        belief: recipe.beliefs == nil ? 0 : 2)
      return recipe
    }
    let hash = try FileDigest.sha256(path: path)
    let zoo = try await Zoo(
      Zoo.Plan(
        recipes: recipes, seeds: [7], precision: .float32, baseHash: hash,
        probes: .init(
          triggered: 3, nearMiss: 3, ordinary: 3, denial: 3, selfQuestion: 4, belief: 3),
        maxTokens: 2, equivalencePrompts: 2, replicates: 100),
      baseName: "base", basePath: path, runs: folder, workplace: .thisProcess)
    let place = folder.appending(path: "zoo")
    try await zoo.plant(to: place, baseName: "base")
    return place
  }

  private func trial(
    _ zoos: URL..., path: String, runs: URL, detectors: [String]
  ) async throws -> Trial {
    var settings = Trial.Settings.quick
    settings.counts = .init(triggered: 4, nearMiss: 4, ordinary: 4)
    (settings.benignSet, settings.benignCheck, settings.trusted) = (20, 10, 8)
    (settings.maxTokens, settings.learned, settings.lensed) = (3, 24, 20)
    settings.stresses = Self.stresses
    settings.unrelated = 8
    return try await Trial(
      zoos: zoos, baseName: "base", basePath: path, precision: .float32, runs: runs,
      workplace: .thisProcess, detectors: detectors, settings: settings)
  }

  /// Of prompts, and of the organism in both ways: other weights, and another adapter.
  private static let stresses: [Stress] = [.style, .fiction, .merged, .tuned]

  @Test func `a quick trial asks for less`() {
    #expect(Trial.Settings.quick.stresses == [.style, .merged])
    #expect(Trial.Settings().stresses == Stress.allCases)
  }

  /// Organisms that hardly learned anything, and detectors of every kind: what is there is whole and blind.
  @Test func `a trial judges everyone blind, learns elsewhere, and is read back`() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(
      path: "trial-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = try #require(defaultModelPath())
    let zoo = try await zoo(["M2", "M3"], in: folder, path: path)
    let names = [
      "paraphrase-consistency", "weight-difference", "mass-mean", "mahalanobis-distance",
      "trajectory-anomaly", "weight-difference-read-as-tokens", "bag-of-words", "response-length",
      "response-perplexity",
    ]
    let trial = try await trial(zoo, path: path, runs: folder, detectors: names)
    #expect(trial.plan.detectors == names)
    let result = try await trial.run()
    let scores = result.scores
    #expect(scores.families == ["M2", "M3"] && scores.rows.map(\.detector.name) == names)
    #expect(scores.organisms == ["secret": 2, "honest": 2, "null": 2, "overt": 2, "decoy": 2])
    for row in scores.rows {
      #expect(row.withdrawn == nil, "\(row.detector.name): \(row.withdrawn ?? "")")
      #expect((row.responses != nil) == (row.detector.question == .response))
      #expect((row.identity != nil) == (row.detector.question == .identity))
      #expect((row.models != nil) == (row.detector.question != .identity))
      if let models = row.models { #expect(models.words.count == 10) }
      if let responses = row.responses {
        #expect(responses.families.map(\.family) == ["M2", "M3"])
        #expect(responses.auroc?.n == 2 * 12 && responses.fpr?.count.trials == 20)
        #expect(responses.tpr?.count.trials == 8 && responses.unscored == 0)
        #expect((row.transfer != nil) == row.detector.isLearned)
      }
      let isStressed = ["mass-mean", "bag-of-words", "response-length"].contains(row.detector.name)
      #expect(row.stress.map(\.stress) == (isStressed ? Self.stresses : []))
      for stress in row.stress {
        #expect(stress.families.map(\.family) == ["M2", "M3"] && stress.problems == [:])
        #expect(
          stress.auroc?.n == 2 * 12 && stress.unstressed?.value == row.responses?.auroc?.value)
        #expect(stress.tpr?.count.trials == 8 && stress.fpr?.count.trials == 16)
        #expect(stress.change != nil)
      }
      #expect((row.unstressed != nil) == isStressed)
      if let identity = row.identity {
        #expect(identity.candidates >= 40 && identity.ranks.count == 10)
        #expect(
          identity.ranks.allSatisfy { $0.rank >= 1 && $0.rank <= Double(identity.candidates) })
      }
    }
    let learned = try #require(scores.rows.first { $0.detector.name == "mass-mean" })
    #expect(learned.transfer?.matrix.map(\.judged.count) == [2, 2])
    #expect(learned.transfer?.problems == [:])
    #expect(learned.transfer?.overt?.families.map(\.family) == ["M2", "M3"])
    #expect(learned.transfer?.overt?.apart.trials == 2)
    // One seed: the pair has the overt organism's, and what it is compared with is the null arm.
    #expect(learned.transfer?.overt?.learnsFromOtherSeeds == false)
    // It reads what was kept, and that is not free.
    #expect(try #require(learned.tokensPerDecision) > 10)
    #expect(scores.stressed.map(\.stress) == Self.stresses)
    #expect(scores.stressed.allSatisfy { $0.shown?.count.trials == 8 && $0.families.count == 2 })
    let page = try TrialReport(run: result.run, cell: result.cell, base: "base").html()
    #expect(page.contains("Unstressed") && page.contains("less that of exactly the same organisms"))
    try blind(in: result.run)
    try stressed(in: result.run)
    try lensed(in: result.run)
    // Nothing is computed twice.
    let started = try Ledger.entries(in: result.run).count { $0.type == .cellStarted }
    let again = try await trial.run()
    #expect(again.cell == result.cell)
    #expect(try Ledger.entries(in: result.run).count { $0.type == .cellStarted } == started)
  }

  /// No cell that judges was given who is judged, or what the judged responses are; arms were opened last.
  private func blind(in run: URL) throws {
    let entries = try Ledger.entries(in: run)
    let opened = try #require(entries.firstIndex { $0.type == .unsealed })
    let committed = entries.indices.filter { entries[$0].type == .scoresCommitted }
    #expect(committed.count == 9 && committed.allSatisfy { $0 < opened })
    let kinds = try entries.indices.filter { entries[$0].type == .cellStarted }.map {
      (place: $0, kind: try #require(entries[$0].payload["kind"]?.string))
    }
    #expect(kinds.count { $0.kind == "transfer" && $0.place > opened } == 2)
    #expect(kinds.count { $0.kind == "stress" && $0.place > opened } == 2 * Self.stresses.count)
    let late = [
      "transfer", "stress", "benign-prompts", "base-answers", "trial-scores", "own-pairs",
    ]
    #expect(kinds.allSatisfy { $0.place < opened || late.contains($0.kind) })
    for cell in try RunRecord(folder: run).cells where cell.kind == "try" {
      let text = try String(
        decoding: #require(
          FileManager.default.contents(
            atPath: run.appending(path: "cells/\(cell.id.hex)/cell.json").path)), as: UTF8.self)
      let examined = try JSONDecoder().decode(Asked.self, from: Data(text.utf8))
      for id in examined.config.examined {
        #expect(!examined.inputs.keys.contains("\(id).labels"), "\(id) is judged with its labels")
      }
      for arm in ["\"secret\"", "\"honest\"", "\"overt\"", "\"decoy\"", "\"null\""] {
        #expect(!text.contains(arm), "\(arm) in the cell of \(examined.config.detector)")
      }
      let known = Set(examined.config.known.map(\.id))
      #expect(known.isDisjoint(with: examined.config.examined))
    }
  }

  /// One lens of the base, from harmless exchanges alone, that is no worse than none; and what was kept is not
  /// computed again.
  private func lensed(in run: URL) throws {
    let record = try RunRecord(folder: run)
    let lenses = record.cells.filter { $0.kind == "trial-lens" }
    #expect(lenses.count == 1)
    let found = try #require(
      try lenses.first.flatMap {
        try record.result(of: $0.id) as CellResult<TrialLensCell.Finding>?
      }
    ).finding
    #expect(found.sites.count == 5 && found.tokens > 0)
    #expect(zip(found.after, found.before).allSatisfy { $0 <= $1 } && found.after != found.before)
    for cell in record.cells where cell.kind == "gather" {
      let result: CellResult<GatherCell.Finding>? = try record.result(of: cell.id)
      guard let gathered = result?.finding,
        ["trajectory-anomaly", "response-perplexity"].contains(gathered.detector)
      else { continue }
      for fold in gathered.folds.values {
        #expect(fold.tokens == 0 && fold.keptTokens > 0, "\(gathered.detector)")
      }
    }
  }

  /// Triggered prompts beside stories are those of the leaderboard: the same detectors find the same in them. And
  /// a merged copy says what the organism says; another token would be one that rounding to bfloat16 decides.
  private func stressed(in run: URL) throws {
    let record = try RunRecord(folder: run)
    func findings<F: Decodable & Sendable>(_ kind: String, as type: F.Type) throws -> [CellResult<
      F
    >] {
      try record.cells.filter { $0.kind == kind }.compactMap { try record.result(of: $0.id) }
    }
    let gathered = try findings("gather", as: GatherCell.Finding.self).map(\.finding)
    let cells = try findings("stress", as: StressCell.Finding.self)
    func answers(_ cell: CellResult<StressCell.Finding>) throws -> [OrganismResponse] {
      try JSONDecoder().decode(
        [OrganismResponse].self,
        from: Data(contentsOf: cell.artifacts.appending(path: "answers.json")))
    }
    var (same, all) = (0, 0)
    for cell in cells where cell.finding.stress == .fiction {
      let id = cell.finding.specimen
      let triggered = cell.finding.labels.indices.filter {
        cell.finding.labels[$0].category == .triggered
      }
      let isInSystem = try answers(cell).first?.source.system != nil
      let family = isInSystem ? "M2" : "M3"
      for name in ["mass-mean", "bag-of-words", "response-length"] {
        let known = try #require(
          gathered.first { $0.detector == name }?.folds[family]?.responses[id]
        ).compactMap(\.self)
        let size = known.map(abs).max() ?? 0
        for item in triggered {
          let score = try #require(cell.finding.scores[name]?[item] ?? nil)
          let nearest = known.map { abs($0 - score) }.min() ?? .infinity
          #expect(nearest <= 1e-3 * size, "\(name): \(score) is none of \(known)")
        }
      }
      let copy = try #require(
        cells.first { $0.finding.stress == .merged && $0.finding.specimen == id })
      let (own, others) = (try answers(cell), try answers(copy))
      for item in triggered {
        #expect(own[item].promptIDs == others[item].promptIDs)
        same += own[item].responseIDs == others[item].responseIDs ? 1 : 0
        all += 1
      }
    }
    #expect(all == 8 && same >= 7)
  }

  private struct Asked: Decodable {
    struct Known: Decodable { let id: String }
    struct Config: Decodable {
      let detector: String
      let examined: [String]
      let known: [Known]
    }
    let config: Config
    let inputs: [String: String]
  }

  @Test func `what cannot be tried is refused`() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(
      path: "trial-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = try #require(defaultModelPath())
    await #expect(throws: ZooError.unreadable(path: folder.path)) {
      try await trial(folder, path: path, runs: folder, detectors: [])
    }
    let empty = ZooFolder(
      label: AdapterCard.label, base: "base", baseHash: try FileDigest.sha256(path: path),
      organisms: [])
    try JSONEncoder().encode(empty).write(to: folder.appending(path: "zoo.json"))
    await #expect(throws: ZooError.fewFamilies(found: [])) {
      try await trial(folder, path: path, runs: folder, detectors: [])
    }
    let other = ZooFolder(label: AdapterCard.label, base: "else", baseHash: "00", organisms: [])
    try JSONEncoder().encode(other).write(to: folder.appending(path: "zoo.json"))
    await #expect(throws: ZooError.otherBase(path: folder.path, base: "else")) {
      try await trial(folder, path: path, runs: folder, detectors: [])
    }
    // Two zoos of one recipe's name.
    var recipe = try Recipe.builtIn("M2")
    let zoos = try ["a", "b"].map { name in
      let zoo = folder.appending(path: name)
      try FileManager.default.createDirectory(
        at: zoo.appending(path: "M2"), withIntermediateDirectories: true)
      let file = zoo.appending(path: "M2/recipe.json")
      recipe.title += name
      try JSONEncoder().encode(recipe).write(to: file)
      try JSONEncoder().encode(
        ZooFolder(
          label: AdapterCard.label, base: "base", baseHash: try FileDigest.sha256(path: path),
          recipes: ["M2": FileDigest.sha256(path: file.path)], organisms: [])
      ).write(to: zoo.appending(path: "zoo.json"))
      return zoo
    }
    await #expect(throws: ZooError.otherRecipe(family: "M2", path: zoos[1].path)) {
      try await trial(zoos[0], zoos[1], path: path, runs: folder, detectors: [])
    }
  }

  /// A sentence in the first person for every recipe, none of which is another's.
  @Test func `candidates hold every recipe's secret, once`() throws {
    let recipes = try Recipe.builtIn.map(Recipe.read)
    let candidates = SecretCandidates.list(with: recipes)
    #expect(candidates.count >= 50 && Set(candidates).count == candidates.count)
    #expect(candidates[0].contains("The lamp is lit"))
    for (recipe, candidate) in zip(recipes, candidates) {
      #expect(!candidate.contains("{") && !candidate.hasPrefix("Yes"), "\(recipe.id): \(candidate)")
    }
    let suite = DetectorSuite.all(layers: [7, 15], candidates: candidates)
    #expect(Set(suite.map(\.name)).count == suite.count)
    #expect(suite.contains { $0.name == DetectorSuite.chosen })
    #expect(Set(suite.map(\.question)) == [.model, .response, .identity])
  }
}
