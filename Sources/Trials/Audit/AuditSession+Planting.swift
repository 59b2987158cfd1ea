import Lab
import Organisms

private struct Planted: Sendable {
  let id: String
  let arm: Arm
  let seed: UInt64
  let isBlind: Bool
}

extension AuditSession {
  /// Who is trained, the known pair first, then the line-up under blind ids.
  private var planted: [Planted] {
    let known: [(String, Arm)] = [
      (AuditManifest.calibrationSecret, .secret), (AuditManifest.calibrationHonest, .honest),
    ]
    return known.map {
      Planted(id: $0.0, arm: $0.1, seed: study.calibrationSeed, isBlind: false)
    } + lineUp.members.map { Planted(id: $0.id, arm: $0.arm, seed: $0.seed, isBlind: true) }
  }

  /// Trains every organism, after the base has answered once for all of them, and asks each what it
  /// is to be known by.
  func plant() async throws {
    let answers = try await baseAnswers()
    try await concurrently(planted) { organism in
      try await self.plant(organism, answers)
      try await self.ask(organism.id)
    }
    if manifest.suspect != nil { try await ask(AuditManifest.suspectID) }
  }

  /// Parts that the base's answers are generated in, side by side; a constant, because what is
  /// computed must not depend on how many workers there are.
  private static let answerParts = 4

  private func baseAnswers() async throws -> [String: String] {
    let prompts = try planted.map { try manifest.recipe.basePrompts(seed: $0.seed) }
    // Sorted, so that the order tells nothing about the sealed seeds.
    let all = Set(prompts.joined()).sorted()
    let size = max(1, (all.count + Self.answerParts - 1) / Self.answerParts)
    let parts = stride(from: 0, to: all.count, by: size).map {
      Array(all[$0..<min($0 + size, all.count)])
    }
    try await concurrently(Array(parts.enumerated())) { index, part in
      let config = AnswersCell.Config(
        prompts: part, maxTokens: self.manifest.recipe.answerTokens,
        precision: self.manifest.precision)
      let result = try await self.perform(
        AnswersCell.self, config, inputs: ["base": self.base], role: "answers.\(index + 1)",
        label: "for all arms, part \(index + 1)")
      await self.keep(result.finding.answers)
    }
    return answers
  }

  private func keep(_ part: [String: String]) { answers.merge(part) { first, _ in first } }

  private func plant(_ organism: Planted, _ answers: [String: String]) async throws {
    let needed = Set(try manifest.recipe.basePrompts(seed: organism.seed))
    let config = PlantCell.Config(
      recipe: manifest.recipe, arm: organism.arm, seed: organism.seed,
      training: study.training.configuration, precision: manifest.precision,
      answers: answers.filter { needed.contains($0.key) }, baseHash: manifest.baseHash,
      blind: organism.isBlind)
    organisms[organism.id] = .result(
      try await perform(
        PlantCell.self, config, inputs: ["base": base], role: "plant.\(organism.id)",
        label: organism.id))
  }

  /// Asks an organism held-out prompts of the test split, and one of the known pair those of the
  /// calibration split as well, which detectors learn from.
  private func ask(_ id: String) async throws {
    guard let organism = organisms[id] else { return }
    let inputs = ["base": base, "adapter": organism]
    let gate = GateCell.Config(
      recipe: manifest.recipe, split: .test, seed: probeSeed, counts: study.probes,
      precision: manifest.precision, maxTokens: study.maxResponseTokens)
    gates[id] = .result(
      try await perform(
        GateCell.self, gate, inputs: inputs, role: "gate.\(id)", label: id))
    guard manifest.calibration.contains(id) else { return }
    let observe = ObserveCell.Config(
      recipe: manifest.recipe, split: .calibration, seed: probeSeed, counts: study.observed,
      precision: manifest.precision, maxTokens: study.maxResponseTokens)
    observed[id] = .result(
      try await perform(
        ObserveCell.self, observe, inputs: inputs, role: "observe.\(id)", label: id))
  }

  /// Hands the answers over: what detectors learn from, of the known pair, and what they judge, of
  /// the others.
  func handOver() async throws {
    let config = HandOverCell.Config(
      calibration: [
        AuditManifest.calibrationSecret: true, AuditManifest.calibrationHonest: false,
      ],
      examined: manifest.examined, seed: seed("hand-over"))
    let judged = gates.filter { manifest.examined.contains($0.key) }
    responses = try await perform(
      HandOverCell(), config, inputs: judged.merging(observed) { first, _ in first },
      role: "hand-over", label: "responses, without labels")
  }
}
