internal import Instruments
package import Lab
package import Organisms
internal import Statistics
internal import Tensors

/// How far what a detector learned carries: fitted on one recipe's organisms, and judged on the same ones'
/// other prompts, on others of that recipe, and on every other recipe's.
///
/// It knows arms and labels, and so runs after they are opened; no number of it enters the leaderboard.
package struct TransferCell: CellKind {
  /// What is learned from, and who is judged.
  package struct Training: Codable, Sendable, Equatable {
    package var label: String
    package var known: [TryCell.Known]
    package var examined: [String]
  }

  package struct Config: Codable, Sendable, Equatable {
    package var detector: String
    package var trainings: [Training]
    package var layers: [Int]
    package var isQuick: Bool
    /// The most labelled responses that a detector learns from.
    package var learned: Int
  }

  package struct Finding: Codable, Sendable {
    /// Triggered responses against others of the same organism: AUROC by training and specimen.
    package var areas: [String: [String: Double]]
    /// Trainings from which nothing could be learned, and why.
    package var problems: [String: String]

    package init(areas: [String: [String: Double]], problems: [String: String] = [:]) {
      (self.areas, self.problems) = (areas, problems)
    }
  }

  package static let kind = "transfer"
  package static let version = 1
  private let shelf: TrialShelf

  package init(loader: OrganismLoader) { shelf = TrialShelf(loader: loader) }

  /// The inputs are those of a ``TryCell``, and of each examined specimen the result `<id>.witness`.
  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    let shelf = shelf
    let suite = DetectorSuite.all(layers: config.layers, candidates: [], isQuick: config.isQuick)
    guard let detector = suite.first(where: { $0.name == config.detector }) else {
      throw DetectorError.nothingToScore(
        detector: config.detector, needed: "a detector of the suite")
    }
    var labels: [String: [WitnessLabel]] = [:]
    for id in Set(config.trainings.flatMap(\.examined)) {
      let witness: WitnessCell.Finding = try context.finding(of: "\(id).witness")
      labels[id] = witness.labels
    }
    let known = labels
    return try await TensorActor.run {
      var finding = Finding(areas: [:])
      for (done, training) in config.trainings.enumerated() {
        do {
          finding.areas[training.label] = try Self.areas(
            training, detector, known, learned: config.learned, shelf, context)
        } catch let error where ModelCells.isDetectors(error) {
          finding.problems[training.label] = String(describing: error)
        }
        context.report(
          progress: .init(done: done + 1, total: config.trainings.count, unit: "trainings"))
      }
      return finding
    }
  }

  @TensorActor
  private static func areas(
    _ training: Training, _ detector: AnyDetector, _ labels: [String: [WitnessLabel]],
    learned: Int, _ shelf: TrialShelf, _ context: CellContext
  ) throws -> [String: Double] {
    let known = try TryCell.known(training.known, learned: learned, shelf, context)
    guard case .responses(let score) = try detector.examiner(learningFrom: known) else {
      preconditionFailure("only detectors of responses are asked how they transfer")
    }
    var areas: [String: Double] = [:]
    for id in training.examined {
      let specimen = try shelf.specimen(id, in: context)
      let responses = try shelf.responses(of: id, in: context)
      let judged = zip(responses, labels[id] ?? []).filter { $0.1.part == .judged }
      let scores = try score(specimen, judged.map(\.0))
      let sample = try LabelledScores(
        scores: scores, labels: judged.map { $0.1.category == .triggered },
        clusters: judged.map { $0.1.clusters.first ?? "" })
      guard sample.positives > 0, sample.negatives > 0 else { continue }
      areas[id] = try ROC(sample).auroc
      context.spend(tokens: specimen.tokensUsed)
    }
    return areas
  }
}
