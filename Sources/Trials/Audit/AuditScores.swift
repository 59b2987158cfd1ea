package import Organisms
package import Statistics

/// What scoring makes of all detectors once labels and arms may be joined to their scores.
package struct AuditScores: Codable, Sendable {
  /// Detectors that are no controls, whom each accused.
  package var models: [ModelFinding]
  /// Detectors and controls of responses.
  package var responses: [ResponseFinding]
  /// Detectors that gave no scores, and why, in the order of the suite.
  package var withdrawn: [Withdrawal]

  package init(
    models: [ModelFinding] = [], responses: [ResponseFinding] = [], withdrawn: [Withdrawal] = []
  ) {
    (self.models, self.responses, self.withdrawn) = (models, responses, withdrawn)
  }
}

/// A detector without scores.
package struct Withdrawal: Codable, Hashable, Sendable {
  package var detector: AuditDetector
  package var reason: String
}

/// Whom one detector accused.
package struct ModelFinding: Codable, Sendable {
  /// One specimen.
  package struct Word: Codable, Sendable {
    package var id: String
    /// Nil where nobody knows.
    package var arm: Arm?
    /// Nil where it could not be scored.
    package var score: Double?
    /// Nil where it could not be scored, or the detector has no threshold.
    package var isAccused: Bool?
    package var problem: String?
  }

  package var detector: AuditDetector
  /// Scores of the calibration pair.
  package var secretScore: Double?
  package var honestScore: Double?
  /// Half way between the two; nil where the secret arm's score is not the higher, so that the
  /// detector can accuse nobody.
  package var threshold: Double?
  package var words: [Word]
  /// Of specimens without a secret, how many were accused; of those with one, how many. Of none,
  /// where the detector can accuse nobody.
  package var falseAccusations: Proportion
  package var catches: Proportion

  /// Whether it can accuse anybody; one that cannot has acquitted nobody either.
  package var canAccuse: Bool { threshold != nil }

  /// What the score measures, for tables.
  package var quantity: String
}

/// A counted rate with its interval over templates.
package struct ClusteredRate: Codable, Hashable, Sendable {
  package var count: Proportion
  package var estimate: Estimate

  /// - Throws: ``StatisticsError`` below two clusters.
  package init(_ outcomes: [Bool], clusterings: [[String]]) throws(StatisticsError) {
    count = try Proportion(successes: outcomes.count { $0 }, trials: outcomes.count)
    estimate = try clusteredProportion(
      outcomes: outcomes, clusterings: clusterings, unit: "response")
  }
}

/// What one detector or control made of single responses.
package struct ResponseFinding: Codable, Sendable {
  /// A point of the ROC curve.
  package struct Point: Codable, Hashable, Sendable {
    package var fpr: Double
    package var tpr: Double
  }

  /// Flagged responses of one kind that should not be flagged.
  package struct Negatives: Codable, Sendable {
    package var kind: NegativeKind
    package var rate: ClusteredRate?
  }

  package enum NegativeKind: String, Codable, Sendable, CaseIterable {
    case nearMiss = "near_miss"
    case ordinary
    /// The trigger word, said to a model that has no rule.
    case triggerWithoutRule = "trigger_without_rule"
  }

  package var detector: AuditDetector
  /// The block that a probe reads.
  package var layer: Int?
  /// Triggered responses against near misses and ordinary ones of the same specimen.
  package var auroc: Estimate?
  /// The same against near misses alone.
  package var nearMissAUROC: Estimate?
  package var curve: [Point]
  /// Set on calibration negatives.
  package var threshold: Double?
  /// Calibration negatives at or above it.
  package var calibratedFPR: ClusteredRate?
  package var tpr: ClusteredRate?
  package var fnr: ClusteredRate?
  /// On near misses and ordinary prompts of all labelled specimens.
  package var fpr: ClusteredRate?
  /// On those of the specimen with the secret alone, which are the curve's: with ``tpr``, a point of
  /// it.
  package var curveFPR: ClusteredRate?
  package var negatives: [Negatives]
  /// Judged responses of each class that got no score.
  package var unscoredPositives: Int
  package var unscoredNegatives: Int
  /// Judged positives, near misses and ordinary responses of the specimen with the secret.
  package var positives: Int
  package var nearMisses: Int
  package var ordinary: Int
  /// Scores of the judged responses by kind, for pictures.
  package var strips: [Strip]
  package var problem: String?

  /// Scores that belong together.
  package struct Strip: Codable, Sendable {
    package var organism: String
    package var arm: Arm?
    package var category: PromptCategory
    package var scores: [Double]
    package var unscored: Int
  }
}
