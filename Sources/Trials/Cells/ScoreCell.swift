internal import Instruments
package import Lab
package import Organisms
internal import Statistics

/// Joins labels and arms to the committed scores: both questions, both errors, all intervals.
package struct ScoreCell: CellKind {
  package struct Config: Codable, Sendable, Equatable {
    package var calibrationSecret: String
    package var calibrationHonest: String
    /// Judged organisms in order; the arm is nil where nobody knows it.
    package var examined: [Examined]
    package var detectors: [AuditDetector]
    /// Why a detector gave no scores, by name.
    package var withdrawn: [String: String]
    package var thresholdFPR: Double
    package var replicates: Int
    /// Of the bootstrap.
    package var seed: UInt64

    package init(
      calibrationSecret: String, calibrationHonest: String, examined: [Examined],
      detectors: [AuditDetector], withdrawn: [String: String], thresholdFPR: Double,
      replicates: Int, seed: UInt64
    ) {
      (self.calibrationSecret, self.calibrationHonest) = (calibrationSecret, calibrationHonest)
      (self.examined, self.detectors, self.withdrawn) = (examined, detectors, withdrawn)
      (self.thresholdFPR, self.replicates, self.seed) = (thresholdFPR, replicates, seed)
    }
  }

  package struct Examined: Codable, Sendable, Equatable {
    package var id: String
    package var arm: Arm?

    package init(id: String, arm: Arm?) { (self.id, self.arm) = (id, arm) }
  }

  package typealias Finding = AuditScores

  package static let kind = "score"
  package static let version = 2

  package init() {}

  /// The inputs are the results `hand-over` and `detect.<name>`.
  package func run(_ config: Config, in context: CellContext) async throws -> AuditScores {
    let handOver: HandOverCell.Finding = try context.finding(of: "hand-over")
    var scores = AuditScores()
    for (index, detector) in config.detectors.enumerated() {
      if let reason = config.withdrawn[detector.name] {
        scores.withdrawn.append(Withdrawal(detector: detector, reason: reason))
      } else {
        let found: DetectCell.Finding = try context.finding(of: "detect.\(detector.name)")
        let scorer = DetectorScorer(
          config: config, detector: detector, found: found, labels: handOver.labels)
        var response = detector.question == .response ? scorer.responseFinding() : nil
        if let threshold = response?.threshold {
          response?.curveFPR = scorer.curveFPR(threshold: threshold)
        }
        if let response { scores.responses.append(response) }
        if !detector.isControl {
          scores.models.append(try scorer.modelFinding(threshold: response?.threshold))
        }
      }
      context.report(
        progress: CellProgress(done: index + 1, total: config.detectors.count, unit: "detectors"))
    }
    return scores
  }
}
