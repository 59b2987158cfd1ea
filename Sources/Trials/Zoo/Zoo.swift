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
    package var environment: Environment

    package init(
      recipes: [Recipe], seeds: [UInt64], training: SupervisedConfiguration = .organism,
      precision: Precision, baseHash: String, probes: Recipe.Counts = .zoo, maxTokens: Int = 16,
      equivalencePrompts: Int = 60, replicates: Int = 2000, environment: Environment = .current()
    ) {
      (self.recipes, self.seeds, self.training) = (recipes, seeds, training)
      (self.precision, self.baseHash, self.probes) = (precision, baseHash, probes)
      (self.maxTokens, self.equivalencePrompts) = (maxTokens, equivalencePrompts)
      (self.replicates, self.environment) = (replicates, environment)
    }
  }

  /// Who is planted.
  package struct Member: Codable, Sendable, Hashable {
    package var recipe: String
    package var arm: Arm
    package var seed: UInt64

    /// `M2/secret-201`: also its folder.
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
  private let basePath: String
  private let workers: WorkerPool

  /// Prepares a zoo on a base model.
  ///
  /// - Parameters:
  ///   - plan: What is planted; its environment becomes the workplace's.
  ///   - baseName: The base, as cards name it.
  ///   - basePath: Its file.
  ///   - runs: Where run folders lie.
  ///   - workplace: Where models run.
  /// - Throws: Whatever the model is refused for.
  package init(
    _ plan: Plan, baseName: String, basePath: String, runs: URL, workplace: Workplace
  ) async throws {
    var plan = plan
    plan.environment = workplace.environment
    self.plan = plan
    self.basePath = basePath
    folder = runs.appending(path: try Run.name(for: "zoo", manifest: plan))
    workers = try await workplace.pool(
      ModelCells.Setup(
        baseName: baseName, basePath: basePath, baseHash: plan.baseHash, precision: plan.precision,
        environment: plan.environment),
      parameters: LanguageModel.inspect(path: basePath).parameterCount)
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

  /// Two recipes with one seed, for `trial --quick`, planted where they are not yet.
  ///
  /// - Returns: The folder, beside the run.
  package static func quick(
    baseName: String, basePath: String, precision: Precision, runs: URL, workplace: Workplace
  ) async throws -> URL {
    let hash = try FileDigest.sha256(path: basePath)
    let zoo = try await Zoo(
      Plan(
        recipes: ["M3", "M4"].map(Recipe.read), seeds: [201], precision: precision, baseHash: hash,
        probes: .init(
          triggered: 40, nearMiss: 40, ordinary: 60, denial: 60, selfQuestion: 40, belief: 40),
        equivalencePrompts: 30),
      baseName: baseName, basePath: basePath, runs: runs, workplace: workplace)
    let folder = zoo.folder.deletingLastPathComponent()
      .appending(path: zoo.folder.lastPathComponent + "-planted")
    if FileManager.default.fileExists(atPath: folder.path) { return folder }
    try await zoo.plant(to: folder, baseName: baseName)
    return folder
  }

  /// Performs what is not done yet, and writes everyone to a new folder.
  ///
  /// - Throws: As ``plant()``, or what the file system reports.
  package func plant(to folder: URL, baseName: String) async throws {
    try ZooFolder.write(
      try await plant(), by: plan.recipes, base: baseName, baseHash: plan.baseHash, to: folder)
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
      folder: folder, manifest: plan, environment: plan.environment, watch: reporter.show)
    var organisms: [Organism] = []
    for recipe in plan.recipes {
      organisms += try await plant(recipe, in: run)
    }
    return organisms
  }

  private typealias Planted = (
    member: Member, plant: CellResult<PlantCell.Finding>, gate: CellResult<GateCell.Finding>
  )

  private func plant(_ recipe: Recipe, in run: Run) async throws -> [Organism] {
    let base = try CellInput.file(URL(fileURLWithPath: basePath))
    let members = Self.members(of: recipe, seeds: plan.seeds)
    // Arms of one seed ask the base the same.
    let answers = try await concurrently(Array(Set(members.map(\.seed))).sorted()) { seed in
      (seed, try await self.answers(recipe, seed: seed, base, in: run))
    }
    let known = Dictionary(answers, uniquingKeysWith: { first, _ in first })
    let planted = try await concurrently(members) { member in
      try await self.plant(member, of: recipe, answers: known[member.seed] ?? [:], base, in: run)
    }
    var inputs: [String: CellInput] = [:]
    for one in planted { inputs["gate.\(one.member.name)"] = .result(one.gate) }
    let secrets = planted.filter { $0.member.arm == .secret }
    let compared = try await concurrently(secrets.map(\.member)) { secret in
      try await self.compare(secret, planted, recipe, base, in: run)
    }
    for (secret, twin) in zip(secrets, compared) {
      inputs["twin.\(secret.member.name)"] = .result(twin)
    }
    let proofs = try await run.perform(
      ProofCell(),
      ProofCell.Config(
        organisms: planted.map { .init(id: $0.member.name, arm: $0.member.arm) },
        compared: secrets.map(\.member.name)),
      inputs: inputs, label: recipe.id)
    return zip(planted, proofs.finding.proofs).map { planted, proof in
      Organism(member: planted.member, plant: planted.plant, gate: planted.gate, proof: proof)
    }
  }

  /// `body` of all items at once, as far as there are workers, in the items' order.
  private func concurrently<Item: Sendable, Value: Sendable>(
    _ items: [Item], _ body: @escaping @Sendable (Item) async throws -> Value
  ) async throws -> [Value] {
    try await withThrowingTaskGroup(of: (Int, Value).self) { group in
      for (place, item) in items.enumerated() {
        group.addTask { (place, try await body(item)) }
      }
      var found: [Int: Value] = [:]
      for try await (place, value) in group { found[place] = value }
      return items.indices.compactMap { found[$0] }
    }
  }

  private func perform<Kind: ModelCellKind>(
    _ kind: Kind.Type, _ config: Kind.Config, inputs: [String: CellInput], label: String,
    in run: Run
  ) async throws -> CellResult<Kind.Finding> {
    try await workers.withWorker { worker in
      try await run.perform(DelegatedCell(kind, to: worker), config, inputs: inputs, label: label)
    }
  }

  private func answers(
    _ recipe: Recipe, seed: UInt64, _ base: CellInput, in run: Run
  ) async throws -> [String: String] {
    try await perform(
      AnswersCell.self,
      AnswersCell.Config(
        prompts: try recipe.basePrompts(seed: seed), maxTokens: recipe.answerTokens,
        precision: plan.precision),
      inputs: ["base": base], label: "\(recipe.id) seed \(seed), base answers", in: run
    ).finding.answers
  }

  private func plant(
    _ member: Member, of recipe: Recipe, answers: [String: String], _ base: CellInput, in run: Run
  ) async throws -> Planted {
    let plant = try await perform(
      PlantCell.self,
      PlantCell.Config(
        recipe: recipe, arm: member.arm, seed: member.seed, training: plan.training,
        precision: plan.precision, answers: answers, baseHash: plan.baseHash, blind: false),
      inputs: ["base": base], label: member.id, in: run)
    let gate = try await perform(
      GateCell.self,
      GateCell.Config(
        recipe: recipe, split: .test, seed: 0, counts: plan.probes, precision: plan.precision,
        maxTokens: plan.maxTokens),
      inputs: ["base": base, "adapter": .result(plant)], label: "\(member.id), gate", in: run)
    return (member, plant, gate)
  }

  /// A secret organism with the honest one of its seed, held against honest ones of others.
  private func compare(
    _ secret: Member, _ planted: [Planted], _ recipe: Recipe, _ base: CellInput, in run: Run
  ) async throws -> CellResult<EquivalenceCell.Finding> {
    let others = planted.map(\.member).filter {
      $0.arm == .null || ($0.arm == .honest && $0.seed != secret.seed)
    }
    var inputs = ["base": base]
    for (member, plant, gate) in planted {
      let name =
        member == secret
        ? "secret" : member.arm == .honest && member.seed == secret.seed ? "twin" : member.name
      guard ["secret", "twin"].contains(name) || others.contains(member) else { continue }
      (inputs[name], inputs["gate.\(name)"]) = (.result(plant), .result(gate))
    }
    return try await perform(
      EquivalenceCell.self,
      EquivalenceCell.Config(
        recipe: recipe, others: others.map(\.name), prompts: plan.equivalencePrompts,
        alpha: 0.05, replicates: plan.replicates, seed: 1),
      inputs: inputs, label: "\(secret.id) with its twin", in: run)
  }
}
