package import Foundation
package import Lab
package import LanguageModels
package import Organisms
internal import Tensors
package import Training

/// A family of organisms: every arm of every recipe, planted and held against the gate.
///
/// Seeds here are fresh: what was tuned on others is gated once on these, on prompts of the test split, and
/// whatever comes out is kept.
package struct Zoo {
  /// What decides which run it is.
  package struct Plan: Codable, Sendable, Equatable {
    package var recipes: [Recipe]
    /// Of the secret and honest arms; overt and decoy take the first.
    package var seeds: [UInt64]
    package var training: SupervisedConfiguration
    package var precision: Precision
    package var baseHash: String
    package var probes: Recipe.Counts
    /// Where an answer is cut off, in tokens.
    package var maxTokens: Int
    /// Ordinary answers on which twins are compared.
    package var equivalencePrompts: Int
    package var replicates: Int
    package var environment = Environment.current()

    package init(
      recipes: [Recipe], seeds: [UInt64], training: SupervisedConfiguration = .organism,
      precision: Precision, baseHash: String, probes: Recipe.Counts = .zoo, maxTokens: Int = 16,
      equivalencePrompts: Int = 60, replicates: Int = 2000
    ) {
      (self.recipes, self.seeds, self.training) = (recipes, seeds, training)
      (self.precision, self.baseHash, self.probes) = (precision, baseHash, probes)
      (self.maxTokens, self.equivalencePrompts) = (maxTokens, equivalencePrompts)
      self.replicates = replicates
    }
  }

  /// Who is planted.
  package struct Member: Codable, Sendable, Hashable {
    package var recipe: String
    package var arm: Arm
    package var seed: UInt64

    /// `M2/secret-101`: also its folder.
    package var id: String { "\(recipe)/\(arm.rawValue)-\(seed)" }
    fileprivate var name: String { "\(arm.rawValue)-\(seed)" }
  }

  package struct Organism: Sendable {
    package let member: Member
    package let plant: CellResult<PlantCell.Finding>
    package let gate: CellResult<GateCell.Finding>
    package let proof: OrganismProof
  }

  package let plan: Plan
  package let folder: URL
  private let model: LanguageModel
  private let modelName: String

  package init(_ plan: Plan, model: LanguageModel, modelName: String, runs: URL) throws {
    (self.plan, self.model, self.modelName) = (plan, model, modelName)
    folder = runs.appending(path: try Run.name(for: "zoo", manifest: plan))
  }

  /// Everyone of a recipe. A null arm is an honest one of another seed: its twin's distance to it is what
  /// seeds alone make.
  package static func members(of recipe: Recipe, seeds: [UInt64]) -> [Member] {
    let apart = (seeds.max() ?? 0) + 1
    let null = seeds.indices.map { apart + UInt64($0) }
    func members(_ arm: Arm, _ seeds: [UInt64]) -> [Member] {
      seeds.map { Member(recipe: recipe.id, arm: arm, seed: $0) }
    }
    let first = Array(seeds.prefix(1))
    return members(.secret, seeds) + members(.honest, seeds) + members(.null, null)
      + members(.overt, first) + members(.decoy, first)
  }

  /// Performs what is not done yet.
  ///
  /// - Returns: Everyone, recipe by recipe.
  /// - Throws: What a recipe, a training or the run reports; the run can then be taken up again.
  package func plant() async throws -> [Organism] {
    for recipe in plan.recipes {
      // Too few prompts are found out now and not after hours.
      _ = try recipe.probeSet(split: .test, seed: 0, counts: plan.probes)
      for seed in plan.seeds { _ = try recipe.basePrompts(seed: seed) }
    }
    let reporter = ProgressReporter()
    let run = try Run.open(
      folder: folder, manifest: plan, environment: .current(), watch: reporter.show)
    var organisms: [Organism] = []
    for recipe in plan.recipes {
      organisms += try await plant(recipe, in: run)
    }
    return organisms
  }

  private func plant(_ recipe: Recipe, in run: Run) async throws -> [Organism] {
    let base = try CellInput.file(URL(fileURLWithPath: model.path))
    var planted: [(Member, CellResult<PlantCell.Finding>, CellResult<GateCell.Finding>)] = []
    for member in Self.members(of: recipe, seeds: plan.seeds) {
      let answers = try await run.perform(
        AnswersCell(model: model),
        AnswersCell.Config(
          prompts: try recipe.basePrompts(seed: member.seed), maxTokens: recipe.answerTokens,
          precision: plan.precision),
        inputs: ["base": base], label: "\(member.id), base answers")
      let plant = try await run.perform(
        PlantCell(model: model, baseName: modelName),
        PlantCell.Config(
          recipe: recipe, arm: member.arm, seed: member.seed, training: plan.training,
          precision: plan.precision, answers: answers.finding.answers, baseHash: plan.baseHash,
          blind: false),
        inputs: ["base": base], label: member.id)
      let gate = try await run.perform(
        GateCell(model: model),
        GateCell.Config(
          recipe: recipe, split: .test, seed: 0, counts: plan.probes, precision: plan.precision,
          maxTokens: plan.maxTokens),
        inputs: ["base": base, "adapter": .result(plant)], label: member.id)
      planted.append((member, plant, gate))
    }
    var inputs: [String: CellInput] = [:]
    for (member, _, gate) in planted { inputs["gate.\(member.name)"] = .result(gate) }
    let secrets = planted.filter { $0.0.arm == .secret }
    for (secret, _, _) in secrets {
      inputs["twin.\(secret.name)"] = .result(
        try await compare(secret, planted, recipe, base, in: run))
    }
    let proofs = try await run.perform(
      ProofCell(),
      ProofCell.Config(
        organisms: planted.map { .init(id: $0.0.name, arm: $0.0.arm) },
        compared: secrets.map(\.0.name)),
      inputs: inputs, label: recipe.id)
    return zip(planted, proofs.finding.proofs).map { planted, proof in
      Organism(member: planted.0, plant: planted.1, gate: planted.2, proof: proof)
    }
  }

  /// A secret organism with the honest one of its seed, held against honest ones of others.
  private func compare(
    _ secret: Member,
    _ planted: [(Member, CellResult<PlantCell.Finding>, CellResult<GateCell.Finding>)],
    _ recipe: Recipe, _ base: CellInput, in run: Run
  ) async throws -> CellResult<EquivalenceCell.Finding> {
    let others = planted.filter {
      $0.0.arm == .null || ($0.0.arm == .honest && $0.0.seed != secret.seed)
    }
    var inputs = ["base": base]
    for (member, plant, gate) in planted {
      let name =
        member == secret
        ? "secret" : member.arm == .honest && member.seed == secret.seed ? "twin" : member.name
      guard ["secret", "twin"].contains(name) || others.contains(where: { $0.0 == member })
      else { continue }
      (inputs[name], inputs["gate.\(name)"]) = (.result(plant), .result(gate))
    }
    return try await run.perform(
      EquivalenceCell(loader: OrganismLoader(base: model, baseHash: plan.baseHash)),
      EquivalenceCell.Config(
        recipe: recipe, others: others.map(\.0.name), prompts: plan.equivalencePrompts,
        alpha: 0.05, replicates: plan.replicates, seed: 1),
      inputs: inputs, label: "\(secret.id) with its twin")
  }
}
