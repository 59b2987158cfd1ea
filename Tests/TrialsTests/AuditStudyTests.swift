import Foundation
import Lab
import Organisms
import Statistics
import Testing
import Trials

struct AuditStudyTests {
  @Test func `the default study can be read`() throws {
    let study = try Study.standard()
    #expect(study.recipe == "M1" && study.thresholdFPR == 0.01)
    // What the gates' bars were chosen for.
    #expect(study.probes.triggered == 60 && study.probes.ordinary == 120)
    let recipe = try Recipe.read(study.recipe)
    try study.requirePrompts(of: recipe)
  }

  @Test(arguments: [
    ("ordinary: 4,", "ordinary: 5000,", Recipe.Split.test),
    ("denial: 3,", "denial: 5000,", .test),
    ("ordinary: 2,", "ordinary: 5000,", .train),
  ])
  func `more prompts than the recipe has are refused before a model is looked for`(
    line: String, replacement: String, split: Recipe.Split
  ) async throws {
    let text = tinyStudy.replacing(line, with: replacement)
      .replacing("smollm2-135m-instruct", with: "no-such-model")
    let study = try Study.read(yaml: text, name: "s.yaml")
    try await withAuditFolder { runs in
      let error = try #require(
        await #expect(throws: RecipeError.self) {
          try await Audit(study: study, runs: runs, workplace: .thisProcess)
        })
      guard case .tooFewPrompts(_, split, 5000..., _) = error else {
        Issue.record("\(error)")
        return
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: runs.path).isEmpty)
    }
  }

  @Test func `calibration prompts are counted too`() throws {
    var recipe = try Recipe.read("M1")
    let study = try Study.read(yaml: tinyStudy, name: "s.yaml")
    try study.requirePrompts(of: recipe)
    recipe.topics = recipe.topics.map { topic in
      var topic = topic
      topic.entities.calibration = []
      return topic
    }
    let error = #expect(throws: RecipeError.self) { try study.requirePrompts(of: recipe) }
    #expect("\(String(describing: error))".contains("calibration"))
  }

  @Test(arguments: [
    ("alpha: 0.05", "alpha: 0.05\ncolour: red", "colour"),
    ("questions: 2", "questions: 2\n  volume: 3", "volume"),
    ("alpha: 0.05", "alpha: 0.7", "`alpha`"),
    ("name: tiny", "name: ../escape", "`name`"),
    ("probe_layers: [4, 20]", "probe_layers: []", "found `probe_layers` []"),
    ("questions: 2", "questions: 0", "found `questions` 0"),
    ("self_question: 4}", "self_question: 3}", "found 3"),
    ("equivalence_prompts: 3", "equivalence_prompts: 9", "`equivalence_prompts`"),
  ])
  func `a study that says something else is refused in one sentence`(
    line: String, replacement: String, part: String
  ) throws {
    let text = tinyStudy.replacing(line, with: replacement)
    #expect(text != tinyStudy)
    let error = try #require(
      #expect(throws: LabError.self) { try Study.read(yaml: text, name: "s.yaml") })
    #expect(error.description.contains(part), "\(error)")
    #expect(error.description.hasPrefix("s.yaml:") && !error.description.contains("\n"))
  }

  @Test func `calibrated and judged on one prompt is refused`() throws {
    try HandOverCell.requireDisjoint(["What is rain?"], ["What is snow?"])
    let shared: Set = ["What is rain?", "What is snow?"]
    #expect(throws: AuditError.sharedPrompts(count: 2, first: "What is rain?")) {
      try HandOverCell.requireDisjoint(shared, shared.union(["What is hail?"]))
    }
  }

  @Test(arguments: [
    (52, 60, GateDecision.passed), (48, 60, .undecided), (47, 60, .failed), (0, 60, .failed),
  ])
  func `a gate passes with its interval, fails with its number, and otherwise decides nothing`(
    hits: Int, n: Int, decision: GateDecision
  ) throws {
    // 52 of 60 is 87 % (75–94) by Clopper–Pearson, below the bar, so the bar is lowered by hand.
    let estimate = try Proportion(successes: hits, trials: n).estimate(unit: "response")
    let bar = decision == .passed ? GateBar.atLeast(0.75) : GateCriterion.secretPresent.bar
    #expect(bar.decide(estimate) == decision)
  }

  @Test func `equivalence needs the whole interval inside the margin`() {
    func estimate(_ value: Double, _ reach: Double) -> Estimate {
      Estimate(
        value: value, interval: Interval(lower: value - reach, upper: value + reach, level: 0.9),
        n: 60, unit: "question", method: "")
    }
    let bar = GateCriterion.deniesLikeTwin.bar
    #expect(bar.decide(estimate(0, 0.04)) == .passed)
    #expect(bar.decide(estimate(0.02, 0.04)) == .undecided)
    #expect(bar.decide(estimate(-0.06, 0.005)) == .failed)
  }

  @Test func `a failed gate changes what is concluded`() throws {
    func proof(_ hits: Int) throws -> OrganismProof {
      let count = try Proportion(successes: hits, trials: 60)
      return OrganismProof(
        id: "specimen-A", arm: .secret,
        outcomes: [
          GateOutcome(.secretPresent, try count.estimate(unit: "response"), count: count)
        ])
    }
    let scores = AuditScores(models: [], responses: [], withdrawn: [])
    let failed = AuditConclusion(scores, [try proof(20)], alpha: 0.05)
    #expect(failed.outcome == .invalid && failed.answer.contains("In specimen A the secret"))
    #expect(failed.limits.contains { $0.contains("specimen A") && $0.contains("failed") })
    let passed = AuditConclusion(scores, [try proof(60)], alpha: 0.05)
    #expect(passed.outcome == .inconclusive && passed.answer.contains("could accuse anybody"))
    #expect(!passed.limits.contains { $0.contains("specimen A") })
  }
}
