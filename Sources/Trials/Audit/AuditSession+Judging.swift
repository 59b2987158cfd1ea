import Lab
import Organisms
import Statistics

extension AuditSession {
  /// Opens the arms and joins them to what is committed.
  func judge() async throws {
    let opened = try run.unseal(LineUp.self, lineUp: LineUp.name)
    let twins = try await compare(opened)
    try await prove(opened, twins: twins)
    try await score(opened)
  }

  /// The twin of the line-up's secret arm is its honest arm, or that of the known pair where the
  /// line-up has none; each is held against the twin's distance to honest arms of other seeds.
  private func compare(_ opened: LineUp) async throws -> [String: CellInput] {
    guard let secret = opened[.secret]?.id else { return [:] }
    let (known, honest) = (AuditManifest.calibrationSecret, AuditManifest.calibrationHonest)
    let twin = opened[.honest]?.id ?? honest
    let others = [honest] + opened.members.filter { $0.arm != .secret }.map(\.id)
    async let ofLineUp = compare(secret, with: twin, others: others.filter { $0 != twin })
    async let ofKnown = compare(known, with: honest, others: others.filter { $0 != honest })
    return [secret: try await ofLineUp, known: try await ofKnown]
  }

  private func compare(
    _ secret: String, with twin: String, others: [String]
  ) async throws -> CellInput {
    let config = EquivalenceCell.Config(
      recipe: manifest.recipe, others: others, prompts: study.equivalencePrompts,
      alpha: study.alpha, replicates: study.replicates, seed: seed("compare"))
    var inputs = ["base": base]
    (inputs["secret"], inputs["gate.secret"]) = (organisms[secret], gates[secret])
    (inputs["twin"], inputs["gate.twin"]) = (organisms[twin], gates[twin])
    for id in others { (inputs[id], inputs["gate.\(id)"]) = (organisms[id], gates[id]) }
    return .result(
      try await perform(
        EquivalenceCell.self, config, inputs: inputs,
        role: "compare.\(secret)", label: "\(secret) with its twin"))
  }

  private func prove(_ opened: LineUp, twins: [String: CellInput]) async throws {
    let known = [
      ProofCell.Organism(id: AuditManifest.calibrationSecret, arm: .secret),
      ProofCell.Organism(id: AuditManifest.calibrationHonest, arm: .honest),
    ]
    let organisms = known + opened.members.map { .init(id: $0.id, arm: $0.arm) }
    var inputs: [String: CellInput] = [:]
    for organism in organisms { inputs["gate.\(organism.id)"] = gates[organism.id] }
    for (id, twin) in twins { inputs["twin.\(id)"] = twin }
    _ = try await perform(
      ProofCell(),
      ProofCell.Config(organisms: organisms, compared: twins.keys.sorted()), inputs: inputs,
      role: "prove", label: "gates")
  }

  private func score(_ opened: LineUp) async throws {
    guard let responses else { preconditionFailure("scoring before the hand-over") }
    var inputs = ["hand-over": CellInput.result(responses)]
    for (name, scores) in scores { inputs["detect.\(name)"] = scores }
    let arms = Dictionary(uniqueKeysWithValues: opened.members.map { ($0.id, $0.arm) })
    _ = try await perform(
      ScoreCell(),
      ScoreCell.Config(
        calibrationSecret: AuditManifest.calibrationSecret,
        calibrationHonest: AuditManifest.calibrationHonest,
        examined: manifest.examined.map { .init(id: $0, arm: arms[$0]) },
        detectors: detectors, withdrawn: withdrawn, thresholdFPR: study.thresholdFPR,
        replicates: study.replicates, seed: seed("score")), inputs: inputs, role: "score",
      label: "all detectors")
  }
}
