package import Instruments
package import Lab
package import Organisms
internal import Tensors

/// One detector's scores of some specimens under their blind ids, learned from known organisms of other
/// families where it learns.
package struct TryCell: CellKind {
  /// A known organism.
  package struct Known: Codable, Sendable, Equatable {
    package var id: String
    package var hides: Bool
    /// What must not be torn apart between folds: the family, where there are several.
    package var group: String?
  }

  package struct Config: Codable, Sendable, Equatable {
    package var detector: String
    package var examined: [String]
    package var known: [Known]
    /// Other families' organisms, on whose harmless responses what was learned is given its threshold.
    package var background: [String]
    package var layers: [Int]
    package var candidates: [String]
    package var isQuick: Bool
    /// The most labelled responses that a detector learns from.
    package var learned: Int
  }

  package struct Finding: Codable, Sendable {
    package var detector: String
    package var access: [AccessKind]
    package var models: [String: ModelScore]
    /// By specimen, in the order of its responses.
    package var responses: [String: [Double?]]
    /// By specimen, a score for each candidate.
    package var identities: [String: [Double]]
    /// Tokens that the specimens and their bases computed.
    package var tokens: Int
    /// Tokens whose activations had been read already, for all detectors at once.
    package var keptTokens: Int
    /// How many scores.
    package var decisions: Int

    package init(
      detector: String, access: [AccessKind], models: [String: ModelScore] = [:],
      responses: [String: [Double?]] = [:], identities: [String: [Double]] = [:], tokens: Int = 0,
      keptTokens: Int = 0, decisions: Int = 0
    ) {
      (self.detector, self.access, self.models) = (detector, access, models)
      (self.responses, self.identities) = (responses, identities)
      (self.tokens, self.keptTokens, self.decisions) = (tokens, keptTokens, decisions)
    }
  }

  package static let kind = "try"
  package static let version = 2
  private let shelf: TrialShelf

  package init(loader: OrganismLoader) { shelf = TrialShelf(loader: loader) }

  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    let shelf = shelf
    let suite = DetectorSuite.all(
      layers: config.layers, candidates: config.candidates, isQuick: config.isQuick)
    guard let detector = suite.first(where: { $0.name == config.detector }) else {
      throw DetectorError.nothingToScore(
        detector: config.detector, needed: "a detector of the suite")
    }
    return try await TensorActor.run {
      let known = try Self.known(config.known, learned: config.learned, shelf, context)
      let examiner = try detector.examiner(learningFrom: known)
      var finding = Finding(
        detector: detector.name, access: detector.access,
        tokens: known.reduce(0) { $0 + $1.organism.tokensUsed },
        keptTokens: known.reduce(0) { $0 + $1.organism.tokensKept })
      let ids = config.examined + config.background
      for (index, id) in ids.enumerated() {
        let specimen = try shelf.specimen(id, in: context)
        switch examiner {
        case .model(let score):
          finding.models[id] = try score(specimen)
          finding.decisions += 1
        case .responses(let score):
          let responses = try shelf.responses(of: id, in: context)
          finding.responses[id] = try score(specimen, responses)
          finding.decisions += responses.count
        case .identity(let score):
          finding.identities[id] = try score(specimen, config.candidates)
          finding.decisions += config.candidates.count
        }
        finding.tokens += specimen.tokensUsed
        finding.keptTokens += specimen.tokensKept
        context.report(progress: CellProgress(done: index + 1, total: ids.count, unit: "models"))
      }
      context.spend(tokens: finding.tokens)
      return finding
    }
  }

  /// Known organisms, each with as many of its labelled responses as its share is, of every kind alike.
  @TensorActor
  static func known(
    _ organisms: [Known], learned: Int, _ shelf: TrialShelf, _ context: CellContext
  ) throws -> [AnyDetector.Known] {
    try organisms.map { known in
      let all = try shelf.known(known.id, in: context)
      let share = max(12, learned / max(1, organisms.count))
      let stride = max(1, Double(all.count) / Double(share))
      let chosen = (0..<min(share, all.count)).map { all[Int(Double($0) * stride)] }
      let responses = chosen.map { response in
        var response = response
        if let group = known.group { response.templateID = group }
        return response
      }
      return (try shelf.specimen(known.id, in: context), responses, known.hides)
    }
  }
}

/// Joins a detector's cells, so that its scores are committed as one.
package struct GatherCell: CellKind {
  package struct Config: Codable, Sendable, Equatable {
    package var detector: String
    /// Names of the inputs, cells of kind ``TryCell``, and which family each one judges.
    package var parts: [String: String]
  }

  package struct Finding: Codable, Sendable {
    package var detector: String
    /// By the family that is judged: a detector that learns has other scores for each.
    package var folds: [String: TryCell.Finding]

    package init(detector: String, folds: [String: TryCell.Finding]) {
      (self.detector, self.folds) = (detector, folds)
    }
  }

  package static let kind = "gather"
  package static let version = 2

  package init() {}

  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    var folds: [String: TryCell.Finding] = [:]
    for (name, family) in config.parts.sorted(by: { $0.key < $1.key }) {
      let part: TryCell.Finding = try context.finding(of: name)
      guard var fold = folds[family] else {
        folds[family] = part
        continue
      }
      fold.models.merge(part.models) { first, _ in first }
      fold.responses.merge(part.responses) { first, _ in first }
      fold.identities.merge(part.identities) { first, _ in first }
      fold.tokens += part.tokens
      fold.keptTokens += part.keptTokens
      fold.decisions += part.decisions
      folds[family] = fold
    }
    return Finding(detector: config.detector, folds: folds)
  }
}
