import Lab
import Organisms

extension AuditSession {
  /// Who is trained, the known pair first, then the line-up under blind ids.
  private var planted: [(id: String, arm: Arm, seed: UInt64, isBlind: Bool)] {
    let known: [(String, Arm)] = [
      (AuditManifest.calibrationSecret, .secret), (AuditManifest.calibrationHonest, .honest),
    ]
    return known.map { ($0.0, $0.1, study.calibrationSeed, false) }
      + lineUp.members.map { ($0.id, $0.arm, $0.seed, true) }
  }

  /// Trains every organism, after the base has answered once for all of them.
  func plant() async throws {
    let recipe = manifest.recipe
    let prompts = try planted.map { try recipe.basePrompts(seed: $0.seed) }
    let answers = try await perform(
      AnswersCell(model: audit.loader.base),
      // Sorted, so that the order tells nothing about the sealed seeds.
      AnswersCell.Config(
        prompts: Set(prompts.joined()).sorted(), precision: manifest.precision),
      inputs: ["base": base], role: "answers", label: "for all arms")
    for (organism, prompts) in zip(planted, prompts) {
      let needed = Set(prompts)
      let config = PlantCell.Config(
        recipe: recipe, arm: organism.arm, seed: organism.seed,
        training: study.training.configuration, precision: manifest.precision,
        answers: answers.finding.answers.filter { needed.contains($0.key) },
        baseHash: manifest.baseHash, blind: organism.isBlind)
      let result = try await perform(
        PlantCell(model: audit.loader.base, baseName: study.base), config,
        inputs: ["base": base], role: "plant.\(organism.id)", label: organism.id)
      organisms[organism.id] = .result(result)
    }
  }

  /// Asks every organism held-out prompts of the test split, and the known pair those of the
  /// calibration split as well; then hands the answers over.
  func gate() async throws {
    for id in manifest.calibration + manifest.examined {
      guard let organism = organisms[id] else { continue }
      let config = GateCell.Config(
        recipe: manifest.recipe, split: .test, seed: probeSeed, counts: study.probes,
        precision: manifest.precision, maxTokens: study.maxResponseTokens)
      gates[id] = .result(
        try await perform(
          GateCell(loader: audit.loader), config, inputs: ["base": base, "adapter": organism],
          role: "gate.\(id)", label: id))
    }
    handOver = try await perform(
      HandOverCell(),
      HandOverCell.Config(
        calibration: [
          AuditManifest.calibrationSecret: true, AuditManifest.calibrationHonest: false,
        ],
        examined: manifest.examined, seed: seed("hand-over")),
      inputs: try await observed(), role: "hand-over", label: "responses, without labels")
  }

  /// What detectors learn from, of the known pair, and what they judge, of the others.
  private func observed() async throws -> [String: CellInput] {
    var observed = gates.filter { manifest.examined.contains($0.key) }
    for id in manifest.calibration {
      guard let organism = organisms[id] else { continue }
      let config = ObserveCell.Config(
        recipe: manifest.recipe, split: .calibration, seed: probeSeed, counts: study.observed,
        precision: manifest.precision, maxTokens: study.maxResponseTokens)
      observed[id] = .result(
        try await perform(
          ObserveCell(loader: audit.loader), config, inputs: ["base": base, "adapter": organism],
          role: "observe.\(id)", label: id))
    }
    return observed
  }
}
