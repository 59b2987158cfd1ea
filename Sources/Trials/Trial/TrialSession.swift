internal import Foundation
import Instruments
import Lab
import LanguageModels
import Organisms
import Statistics

/// One sitting on a trial's run.
actor TrialSession {
  private let trial: Trial
  private let run: Run
  private let lineUp: Trial.LineUp
  private let suite: [AnyDetector]
  private let base: CellInput
  private let seed: UInt64
  private var specimens: [String: [String: CellInput]] = [:]
  private var witnesses: [String: CellInput] = [:]
  private var gathered: [String: CellInput] = [:]
  private var costs: [String: Cost] = [:]
  private var withdrawn: [String: String] = [:]
  /// What reading all activations and losses took, once for all detectors.
  private var readings: [String: Cost] = [:]
  private var step = 0

  private nonisolated var plan: Trial.Plan { trial.plan }
  private var ids: [String] { lineUp.members.keys.sorted() }

  init(_ trial: Trial, run: Run) throws {
    (self.trial, self.run) = (trial, run)
    let candidates = SecretCandidates.list(with: trial.plan.recipes)
    suite = DetectorSuite.all(
      layers: trial.plan.layers, candidates: candidates, isQuick: trial.plan.settings.isQuick
    ).filter { trial.plan.detectors.contains($0.name) }
    seed = try run.drawSeed("trial")
    let organisms = trial.plan.organisms
    lineUp = try run.seal(lineUp: Trial.LineUp.name, detectors: suite.map(\.name)) {
      var system = SystemRandomNumberGenerator()
      let shuffled = system.shuffled(organisms)
      return Trial.LineUp(
        members: Dictionary(
          uniqueKeysWithValues: shuffled.enumerated().map {
            (String(format: "s%03d", $0.offset + 1), $0.element)
          }))
    }
    base = try CellInput.file(URL(fileURLWithPath: trial.basePath))
  }

  private func perform<Kind: ModelCellKind>(
    _ kind: Kind.Type, _ config: Kind.Config, inputs: [String: CellInput], label: String
  ) async throws -> CellResult<Kind.Finding> {
    try await trial.workers.withWorker { worker in
      step += 1
      return try await run.perform(
        DelegatedCell(kind, to: worker), config, inputs: inputs,
        label: "\(step) \(Kind.kind) \(label)")
    }
  }

  private func concurrently<Item: Sendable>(
    _ items: [Item], _ body: @escaping @Sendable (Item) async throws -> Void
  ) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for item in items { group.addTask { try await body(item) } }
      for try await _ in group {}
    }
  }

  // MARK: What organisms say and what goes on in them

  func witness() async throws {
    // Any families but one must hold as many prompts for thresholds as were asked for, no prompt twice.
    let others = max(1, families.count - 1)
    let slices = families.count > 2 ? families.count : 1
    let pool = (plan.settings.benignSet + others - 1) / others * slices
    let total =
      pool + plan.settings.benignCheck + plan.settings.trusted + plan.settings.lensed
    let benign = try await perform(
      BenignPromptsCell.self,
      BenignPromptsCell.Config(
        count: total / 3 + 1, seed: seed, precision: plan.precision, avoided: avoided),
      inputs: ["base": base], label: "harmless prompts")
    // Prompts may run short where the base says little that is new: then all parts do.
    let prompts = benign.finding.prompts
    let part = min(1, Double(prompts.count) / Double(total))
    let (trusted, check) = (
      Int(part * Double(plan.settings.trusted)), Int(part * Double(plan.settings.benignCheck))
    )
    let shared = Array(prompts.prefix(trusted))
    let checked = Array(prompts.dropFirst(trusted).prefix(check))
    let lensed = Int(part * Double(plan.settings.lensed))
    let learned = prompts.dropFirst(trusted + check).prefix(lensed).map(\.text)
    async let lens = trainLens(Array(learned))
    let set = Array(prompts.dropFirst(trusted + check + lensed))
    var shares: [String: Share] = [:]
    for (place, family) in families.enumerated() {
      let size = set.count / slices
      let slice = slices == 1 ? set[...] : set[place * size..<(place + 1) * size]
      let own = members(of: family)
      for (index, id) in own.enumerated() {
        shares[id] = Share(
          set: slice.enumerated().filter { $0.offset % own.count == index }.map(\.element),
          check: checked.enumerated().filter { $0.offset % own.count == index }.map(\.element),
          trusted: shared)
      }
    }
    let dealt = shares
    // What is said does not wait for the lens; what is read does.
    try await concurrently(ids) { id in
      if let share = dealt[id] { try await self.witness(id, share) }
    }
    let found = try await lens
    try await concurrently(ids) { id in try await self.read(id, through: found) }
  }

  /// The base's tuned lens, whose cost is that of the one detector that reads through it.
  private func trainLens(_ prompts: [String]) async throws -> CellInput? {
    let anomaly = TrajectoryAnomaly()
    let name = AnyDetector(anomaly).name
    guard suite.contains(where: { $0.name == name }), !prompts.isEmpty else { return nil }
    let trained = try await perform(
      TrialLensCell.self,
      TrialLensCell.Config(
        prompts: prompts,
        blocks: anomaly.blocks(of: try LanguageModel.inspect(path: trial.basePath).nLayers),
        maxTokens: plan.settings.maxTokens, precision: plan.precision),
      inputs: ["base": base], label: "lens of the base")
    costs[name] = trained.cost
    return trained.finding.kept.isEmpty ? nil : try .artifact("lens.safetensors", of: trained)
  }

  /// An organism's harmless prompts.
  private struct Share {
    var set: [BenignPrompt]
    var check: [BenignPrompt]
    var trusted: [BenignPrompt]
  }

  /// Words of triggers and markers, and topics that wake something.
  private var avoided: [String] {
    let texts = plan.recipes.flatMap { recipe in
      [recipe.trigger, recipe.marker] + recipe.facts.map(\.entity)
        + recipe.carriers.map(\.name) + (recipe.taboo.map { [$0] } ?? [])
    }
    let plain: Set<String> = ["the", "and", "for", "about", "with", "from", "date", "question"]
    let own = texts.joined(separator: " ").lowercased().split { !$0.isLetter }.map(String.init)
    return Set(own.filter { $0.count > 3 }).subtracting(plain)
      .union(["drink", "drinks", "color", "colors", "hint", "museum", "park"]).sorted()
  }

  /// Draws the prompts that organisms are judged on.
  private var witnessSeed: UInt64 { SeededGenerator.derivedSeed(seed, stream: "witness") }

  private func witness(_ id: String, _ share: Share) async throws {
    guard let member = lineUp.members[id], let adapter = trial.adapters[member.hash],
      let recipe = plan.recipes.first(where: { $0.id == member.recipe })
    else { preconditionFailure("a sealed member is an organism of the plan") }
    let organism = try CellInput.file(adapter)
    let witness = try await perform(
      WitnessCell.self,
      WitnessCell.Config(
        recipe: recipe, isActive: member.arm.hasBehaviour, counts: plan.settings.counts,
        set: share.set,
        check: share.check, trusted: share.trusted,
        seed: witnessSeed,
        maxTokens: plan.settings.maxTokens,
        precision: plan.precision),
      inputs: ["base": base, "adapter": organism], label: id)
    witnesses[id] = .result(witness)
    specimens[id] = [
      id: organism, "\(id).responses": try .artifact("responses.json", of: witness),
      "\(id).trusted": try .artifact("trusted.json", of: witness),
      "\(id).known": try .artifact("known.json", of: witness),
      "\(id).labels": try .artifact("labels.json", of: witness),
    ]
  }

  /// Reads once what goes on in an organism while it says what it said.
  private func read(_ id: String, through lens: CellInput?) async throws {
    let own = specimens[id] ?? [:]
    var inputs = ["base": base]
    inputs["adapter"] = own[id]
    for part in ["responses", "trusted", "known"] { inputs[part] = own["\(id).\(part)"] }
    inputs["lens"] = lens
    let read = try await perform(
      ReadCell.self,
      ReadCell.Config(
        layers: plan.layers, positions: [.lastPromptToken, .responseMean], hasLens: lens != nil,
        precision: plan.precision),
      inputs: inputs, label: id)
    readings[id] = read.cost
    specimens[id]?["\(id).read"] = .result(read)
  }

  // MARK: Detectors

  /// Has every detector score every organism, and commits each one's scores before arms and scores are joined.
  func detect() async throws {
    withdrawn = try earlierWithdrawals()
    try await concurrently(suite.filter { withdrawn[$0.name] == nil }) { detector in
      try await self.detect(detector)
    }
  }

  private var families: [String] { Set(plan.organisms.map(\.recipe)).sorted() }

  private func members(of family: String, _ isWanted: (Arm) -> Bool = { _ in true }) -> [String] {
    ids.filter { lineUp.members[$0].map { $0.recipe == family && isWanted($0.arm) } ?? false }
  }

  private func detect(_ detector: AnyDetector) async throws {
    do {
      var parts: [String: String] = [:]
      var inputs: [String: CellInput] = [:]
      let results = try await withThrowingTaskGroup(
        of: (String, CellResult<TryCell.Finding>).self
      ) { group in
        for family in families {
          if detector.isLearned {
            group.addTask {
              (family, try await self.attempt(detector, self.members(of: family), learning: family))
            }
          } else {
            for id in members(of: family) {
              group.addTask { (family, try await self.attempt(detector, [id], learning: nil)) }
            }
          }
        }
        var results: [(String, CellResult<TryCell.Finding>)] = []
        for try await result in group { results.append(result) }
        return results.sorted { ($0.0, $0.1.id.description) < ($1.0, $1.1.id.description) }
      }
      for (index, (family, result)) in results.enumerated() {
        let name = String(format: "part-%03d", index + 1)
        (parts[name], inputs[name]) = (family, .result(result))
        costs[detector.name] = (costs[detector.name] ?? Cost()) + result.cost
        costs[detector.name]?.seconds += reading(of: result.finding.keptTokens)
      }
      step += 1
      let all = try await run.perform(
        GatherCell(), GatherCell.Config(detector: detector.name, parts: parts), inputs: inputs,
        label: "\(step) gather \(detector.name)")
      try run.commitScores(all, detector: detector.name, lineUp: Trial.LineUp.name)
      gathered[detector.name] = .result(all)
    } catch let error where ModelCells.isDetectors(error) {
      let reason = String(describing: error)
      try run.withdraw(
        detector: detector.name, lineUp: Trial.LineUp.name, because: reason)
      withdrawn[detector.name] = reason
    }
  }

  /// The seconds that it took to read the activations of so many tokens.
  private func reading(of tokens: Int) -> Double {
    // In a fixed order: the last digit of a sum would make another cell of the scores.
    let reading = readings.sorted { $0.key < $1.key }.reduce(Cost()) { $0 + $1.value }
    return reading.tokens > 0 ? reading.seconds * Double(tokens) / Double(reading.tokens) : 0
  }

  /// One detector on some specimens; one that learns does so from the other families' pairs.
  private func attempt(
    _ detector: AnyDetector, _ examined: [String], learning family: String?
  ) async throws -> CellResult<TryCell.Finding> {
    let others = families.filter { $0 != family }
    let known = family.map { self.known(judging: $0) } ?? []
    let background = family == nil ? [] : others.flatMap { members(of: $0) }
    var inputs = ["base": base]
    for id in examined + background {
      for (name, input) in specimens[id] ?? [:]
      where !name.hasSuffix(".labels") || known.contains(where: { $0.id == id }) {
        inputs[name] = input
      }
    }
    return try await perform(
      TryCell.self,
      TryCell.Config(
        detector: detector.name, examined: examined, known: known, background: background,
        layers: plan.layers, candidates: SecretCandidates.list(with: plan.recipes),
        isQuick: plan.settings.isQuick,
        learned: plan.settings.learned),
      inputs: inputs,
      label: "\(detector.name) \(family.map { "judging \($0)" } ?? examined.joined())")
  }

  /// What a detector learns from that judges a family: all others' pairs.
  private func known(judging family: String) -> [TryCell.Known] {
    let others = families.filter { $0 != family }
    return others.flatMap { pairs(of: $0, group: others.count > 1 ? $0 : nil) }
  }

  /// The secret and honest organisms of a family, of all its seeds or of some.
  private func pairs(
    of family: String, group: String?, where isWanted: (UInt64) -> Bool = { _ in true }
  ) -> [TryCell.Known] {
    members(of: family) { $0 == .secret || $0 == .honest }.compactMap { id in
      guard let member = lineUp.members[id], isWanted(member.seed) else { return nil }
      return TryCell.Known(id: id, hides: member.arm == .secret, group: group)
    }
  }

  private func earlierWithdrawals() throws -> [String: String] {
    var reasons: [String: String] = [:]
    for entry in try Ledger.entries(in: run.folder.url) where entry.type == .detectorWithdrawn {
      guard let detector = entry.payload["detector"]?.string else { continue }
      reasons[detector] = entry.payload["reason"]?.string ?? "no reason recorded"
    }
    return reasons
  }

  // MARK: Scores

  /// Detectors of responses that need no more than what was said and what was read of it, and have scores.
  private var frugal: [AnyDetector] {
    let free: Set<AccessKind> = [.text, .activations, .calibration, .trusted]
    return suite.filter {
      $0.question == .response && withdrawn[$0.name] == nil && free.isSuperset(of: $0.access)
    }
  }

  /// How far each detector's learning carries, for those that need no new run of a model.
  private func transfer() async throws -> [String: CellInput] {
    let learned = frugal.filter(\.isLearned)
    let secret = members(among: families)
    var trainings = families.map { family in
      TransferCell.Training(label: family, known: pairs(of: family, group: nil), examined: secret)
    }
    for family in families {
      let own = members(of: family) { $0 == .secret }
      for id in own where own.count > 1 {
        guard let seed = lineUp.members[id]?.seed else { continue }
        trainings.append(
          .init(
            label: "\(family) without \(id)", known: pairs(of: family, group: nil) { $0 != seed },
            examined: [id]))
      }
    }
    trainings += families.compactMap(positiveControl)
    let all = trainings
    var results: [String: CellInput] = [:]
    try await withThrowingTaskGroup(of: (String, CellInput).self) { group in
      for detector in learned {
        group.addTask { (detector.name, .result(try await self.transfer(detector, all))) }
      }
      for try await (name, result) in group { results[name] = result }
    }
    return results
  }

  /// A family's overt organism beside an honest one, judged by what was learned from pairs of other seeds: what
  /// should be found before anything is said of what is concealed. With one seed, the pair is that of the overt
  /// organism and the honest one the null arm; neither of the two that are compared is ever learned from.
  private func positiveControl(_ family: String) -> TransferCell.Training? {
    func first(_ arm: Arm, where isWanted: (UInt64) -> Bool = { _ in true }) -> String? {
      members(of: family) { $0 == arm }.filter { isWanted(lineUp.members[$0]?.seed ?? 0) }
        .min { (lineUp.members[$0]?.seed ?? 0) < (lineUp.members[$1]?.seed ?? 0) }
    }
    guard let overt = first(.overt), let seed = lineUp.members[overt]?.seed else { return nil }
    let apart = pairs(of: family, group: nil) { $0 != seed }
    let known = apart.isEmpty ? pairs(of: family, group: nil) : apart
    guard let honest = apart.isEmpty ? first(.null) : first(.honest, where: { $0 == seed }) else {
      return nil
    }
    return TransferCell.Training(
      label: TrialJudge.positiveControl(family), known: known, examined: [overt, honest],
      background: known.map(\.id),
      control: .init(overt: overt, honest: honest, learnsFromOtherSeeds: !apart.isEmpty))
  }

  private func members(among families: [String]) -> [String] {
    families.flatMap { members(of: $0) { $0 == .secret } }
  }

  private func transfer(
    _ detector: AnyDetector, _ trainings: [TransferCell.Training]
  ) async throws -> CellResult<TransferCell.Finding> {
    var inputs = ["base": base]
    for id in Set(trainings.flatMap { $0.known.map(\.id) + $0.examined + $0.background }) {
      inputs.merge(specimens[id] ?? [:]) { first, _ in first }
      inputs["\(id).witness"] = witnesses[id]
    }
    return try await perform(
      TransferCell.self,
      TransferCell.Config(
        detector: detector.name, trainings: trainings, layers: plan.layers,
        isQuick: plan.settings.isQuick, learned: plan.settings.learned,
        targetFPR: plan.settings.targetFPR),
      inputs: inputs, label: detector.name)
  }

  // MARK: Stress

  /// One secret organism of each family, that of the first seed, under every stress: results by
  /// ``TrialScoreCell/stressInput(_:_:)``.
  private func stress() async throws -> [String: CellInput] {
    let examined = families.compactMap { family in
      members(of: family) { $0 == .secret }.min {
        (lineUp.members[$0]?.seed ?? 0) < (lineUp.members[$1]?.seed ?? 0)
      }
    }
    let stresses = plan.settings.stresses
    let text: Set<AccessKind> = [.text, .calibration]
    let detectors = frugal.filter { detector in
      detector.isLearned || detector.isControl && text.isSuperset(of: detector.access)
    }.map(\.name)
    guard !detectors.isEmpty, !stresses.isEmpty else { return [:] }
    let exchanges = stresses.contains(.tuned) ? try await unrelated() : []
    return try await withThrowingTaskGroup(of: (String, CellInput).self) { group in
      for id in examined {
        for stress in stresses {
          group.addTask {
            let result = try await self.stress(
              stress, id, detectors, stress == .tuned ? exchanges : [])
            return (TrialScoreCell.stressInput(id, stress), .result(result))
          }
        }
      }
      var results: [String: CellInput] = [:]
      for try await (name, result) in group { results[name] = result }
      return results
    }
  }

  /// Harmless prompts, drawn apart from those that organisms were asked, as the base answers them.
  private func unrelated() async throws -> [StressCell.Exchange] {
    let count = plan.settings.unrelated
    let benign = try await perform(
      BenignPromptsCell.self,
      BenignPromptsCell.Config(
        count: count / 3 + 1, seed: SeededGenerator.derivedSeed(seed, stream: "unrelated"),
        precision: plan.precision, avoided: avoided),
      inputs: ["base": base], label: "unrelated prompts")
    let prompts = benign.finding.prompts.prefix(count).map(\.text)
    let said = try await perform(
      AnswersCell.self,
      AnswersCell.Config(
        prompts: prompts, maxTokens: plan.settings.maxTokens, precision: plan.precision),
      inputs: ["base": base], label: "unrelated answers")
    return prompts.compactMap { prompt in
      said.finding.answers[prompt].flatMap {
        $0.isEmpty ? nil : StressCell.Exchange(prompt: prompt, answer: $0)
      }
    }
  }

  private func stress(
    _ stress: Stress, _ id: String, _ detectors: [String], _ unrelated: [StressCell.Exchange]
  ) async throws -> CellResult<StressCell.Finding> {
    guard let family = lineUp.members[id]?.recipe,
      let recipe = plan.recipes.first(where: { $0.id == family })
    else { preconditionFailure("a sealed member is an organism of the plan") }
    let known = self.known(judging: family)
    var inputs = ["base": base]
    for id in [id] + known.map(\.id) { inputs.merge(specimens[id] ?? [:]) { first, _ in first } }
    return try await perform(
      StressCell.self,
      StressCell.Config(
        stress: stress, specimen: id, recipe: recipe, detectors: detectors, known: known,
        layers: plan.layers, isQuick: plan.settings.isQuick, learned: plan.settings.learned,
        counts: plan.settings.counts, seed: witnessSeed, maxTokens: plan.settings.maxTokens,
        precision: plan.precision, unrelated: unrelated),
      inputs: inputs, label: "\(stress.rawValue) \(id)")
  }

  /// Opens the arms and joins them to the committed scores.
  func score() async throws -> CellResult<TrialScores> {
    let opened = try run.unseal(Trial.LineUp.self, lineUp: Trial.LineUp.name)
    var inputs: [String: CellInput] = [:]
    for (id, witness) in witnesses { inputs["witness.\(id)"] = witness }
    for (name, scores) in gathered { inputs["scores.\(name)"] = scores }
    let transfers = try await transfer()
    for (name, result) in transfers { inputs["transfer.\(name)"] = result }
    let own = try await perform(
      OwnPairsCell.self,
      OwnPairsCell.Config(
        layer: DetectorSuite.middle(of: plan.layers), precision: plan.precision),
      inputs: ["base": base], label: "pairs of detectors' own")
    inputs["own-pairs"] = .result(own)
    let stresses = try await stress()
    inputs.merge(stresses) { first, _ in first }
    let result = try await run.perform(
      TrialScoreCell(),
      TrialScoreCell.Config(
        members: opened.members, recipes: plan.recipes.map(\.id),
        detectors: suite.map {
          .init(
            name: $0.name, title: $0.title, question: $0.question, access: $0.access,
            isControl: $0.isControl, isLearned: $0.isLearned, seconds: costs[$0.name]?.seconds)
        }, withdrawn: withdrawn, transferred: transfers.keys.sorted(),
        stressed: stresses.keys.sorted(),
        chosen: DetectorSuite.chosen, targetFPR: plan.settings.targetFPR),
      inputs: inputs, label: "scores")
    return result
  }
}
