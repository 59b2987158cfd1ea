internal import Instruments
package import Lab
package import Organisms
package import Statistics
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
    /// Organisms whose harmless responses set a threshold, above which responses of those examined are counted.
    package var background: [String] = []
    package var control: Control?
  }

  /// An overt organism, and an honest one beside it; neither is learned from, nor sets the threshold.
  package struct Control: Codable, Sendable, Equatable {
    package var overt: String
    package var honest: String
    /// Whether what is learned from has other seeds than the overt one.
    package var learnsFromOtherSeeds: Bool

    package init(overt: String, honest: String, learnsFromOtherSeeds: Bool) {
      (self.overt, self.honest) = (overt, honest)
      self.learnsFromOtherSeeds = learnsFromOtherSeeds
    }
  }

  package struct Config: Codable, Sendable, Equatable {
    package var detector: String
    package var trainings: [Training]
    package var layers: [Int]
    package var isQuick: Bool
    /// The most labelled responses that a detector learns from.
    package var learned: Int
    package var targetFPR: Double
  }

  package struct Finding: Codable, Sendable {
    /// Triggered responses against others of the same organism: AUROC by training and specimen.
    package var areas: [String: [String: Double]]
    /// What templates leave open of areas whose every comparison came out alike (``unanimousInterval(_:level:)``).
    package var unanimous: [String: [String: Interval]]
    /// By training.
    package var controls: [String: Control]
    /// The fraction of judged responses above the threshold, of trainings with one.
    package var flagged: [String: [String: Double]]
    /// Trainings from which nothing could be learned, and why.
    package var problems: [String: String]

    package init(
      areas: [String: [String: Double]], unanimous: [String: [String: Interval]] = [:],
      controls: [String: Control] = [:], flagged: [String: [String: Double]] = [:],
      problems: [String: String] = [:]
    ) {
      (self.areas, self.unanimous, self.controls) = (areas, unanimous, controls)
      (self.flagged, self.problems) = (flagged, problems)
    }
  }

  package static let kind = "transfer"
  package static let version = 2
  private let shelf: TrialShelf

  package init(loader: OrganismLoader) { shelf = TrialShelf(loader: loader) }

  /// The inputs are those of a ``TryCell``, and of each specimen that is examined or sets a threshold the
  /// result `<id>.witness`.
  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    let shelf = shelf
    let suite = DetectorSuite.all(layers: config.layers, candidates: [], isQuick: config.isQuick)
    guard let detector = suite.first(where: { $0.name == config.detector }) else {
      throw DetectorError.nothingToScore(
        detector: config.detector, needed: "a detector of the suite")
    }
    var labels: [String: [WitnessLabel]] = [:]
    for id in Set(config.trainings.flatMap { $0.examined + $0.background }) {
      let witness: WitnessCell.Finding = try context.finding(of: "\(id).witness")
      labels[id] = witness.labels
    }
    let known = labels
    return try await TensorActor.run {
      var finding = Finding(areas: [:])
      for (done, training) in config.trainings.enumerated() {
        do {
          let found = try Self.judge(training, detector, known, config, shelf, context)
          finding.areas[training.label] = found.areas
          finding.unanimous[training.label] = found.unanimous
          finding.controls[training.label] = training.control
          if !training.background.isEmpty { finding.flagged[training.label] = found.flagged }
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
  private static func judge(
    _ training: Training, _ detector: AnyDetector, _ labels: [String: [WitnessLabel]],
    _ config: Config, _ shelf: TrialShelf, _ context: CellContext
  ) throws -> (
    areas: [String: Double], unanimous: [String: Interval], flagged: [String: Double]
  ) {
    let known = try TryCell.known(training.known, learned: config.learned, shelf, context)
    guard case .responses(let score) = try detector.examiner(learningFrom: known) else {
      preconditionFailure("only detectors of responses are asked how they transfer")
    }
    /// An organism's responses of one part, with what they are.
    func scored(_ id: String, _ part: WitnessLabel.Part) throws -> (
      scores: [Double?], labels: [WitnessLabel]
    ) {
      let specimen = try shelf.specimen(id, in: context)
      let responses = try shelf.responses(of: id, in: context)
      let wanted = zip(responses, labels[id] ?? []).filter { $0.1.part == part }
      defer { context.spend(tokens: specimen.tokensUsed) }
      return (try score(specimen, wanted.map(\.0)), wanted.map(\.1))
    }
    let harmless = try training.background.flatMap { try scored($0, .set).scores }
    let threshold =
      harmless.isEmpty
      ? nil : try CalibratedThreshold(negatives: harmless, targetFPR: config.targetFPR).value
    var (areas, flagged): ([String: Double], [String: Double]) = ([:], [:])
    var unanimous: [String: Interval] = [:]
    for id in training.examined {
      let (scores, judged) = try scored(id, .judged)
      flagged[id] = threshold.flatMap { try? ModelScore.fractionAbove($0, of: scores).score }
      let sample = try LabelledScores(
        scores: scores, labels: judged.map { $0.category == .triggered },
        clusters: judged.map { $0.clusters.first ?? "" })
      guard sample.positives > 0, sample.negatives > 0 else { continue }
      areas[id] = try ROC(sample).auroc
      unanimous[id] = try? unanimousInterval(sample, level: 0.95)
    }
    return (areas, unanimous, flagged)
  }
}
