package import Instruments
package import Lab
internal import Organisms
internal import Tensors

/// An instrument put together at run time, from outside of the suite.
///
/// It sees each specimen through a view that refuses, at every call, what was not declared.
package struct DeclaredInstrument: Sendable {
  package let name: String
  package let access: Set<AccessKind>
  package let score: @TensorActor @Sendable (DeclaredView) throws -> ModelScore

  package init(
    name: String, access: Set<AccessKind>,
    score: @escaping @TensorActor @Sendable (DeclaredView) throws -> ModelScore
  ) {
    (self.name, self.access, self.score) = (name, access, score)
  }

  var detector: AuditDetector {
    .declared(name: name, access: AccessKind.allCases.filter(access.contains))
  }
}

/// One detector's scores of the calibration pair and of every specimen under its blind id.
package struct DetectCell: CellKind {
  package struct Config: Codable, Sendable, Equatable {
    package var detector: AuditDetector
    package var calibration: [String]
    package var examined: [String]
  }

  package struct Finding: Codable, Sendable {
    package var detector: String
    package var access: [AccessKind]
    package var question: DetectorQuestion
    /// By organism; empty for a detector of responses.
    package var models: [String: ModelScore]
    /// By organism, in the order of its responses; empty for a detector of models.
    package var responses: [String: [Double?]]
    /// What a detector of models said it heard, by organism, where it asked questions.
    package var answers: [String: [String]]
    /// The block that a probe reads.
    package var layer: Int?
  }

  package static let kind = "detect"
  package static let version = 1
  private let shelf: SpecimenShelf
  private let instruments: [DeclaredInstrument]

  package init(shelf: SpecimenShelf, instruments: [DeclaredInstrument] = []) {
    (self.shelf, self.instruments) = (shelf, instruments)
  }

  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    if case .probe(let method) = config.detector {
      return try probeScores(method, config, in: context)
    }
    let bench = DetectorBench(
      config: config, shelf: shelf, instruments: instruments, context: context)
    return try await TensorActor.run { try bench.run() }
  }

  private func probeScores(
    _ method: ProbeMethod, _ config: Config, in context: CellContext
  ) throws -> Finding {
    let fitted: FitProbesCell.Finding = try context.finding(of: "probes")
    if let problem = fitted.problems[method.rawValue] { throw ProbeMissing(problem: problem) }
    let read: ReadProbesCell.Finding = try context.finding(of: "readings")
    var finding = Finding(config.detector)
    finding.responses = (read.scores[method.rawValue] ?? [:]).merging(
      fitted.calibrationScores[method.rawValue] ?? [:], uniquingKeysWith: { first, _ in first })
    finding.layer = fitted.probes.first { $0.method == method }?.layer
    return finding
  }
}

extension DetectCell.Finding {
  /// A finding without scores.
  init(_ detector: AuditDetector) {
    self.init(
      detector: detector.name, access: detector.access, question: detector.question, models: [:],
      responses: [:], answers: [:], layer: nil)
  }
}

/// A probe that could not be fitted, in the words of whoever tried.
struct ProbeMissing: Error, CustomStringConvertible {
  let problem: String
  var description: String { problem }
}
