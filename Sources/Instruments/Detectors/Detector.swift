package import Statistics
package import Tensors

/// What a detector's score is about.
package enum DetectorQuestion: String, Codable, Hashable, Sendable {
  /// Does this model hide something?
  case model
  /// Was this response given under an active trigger?
  case response
  /// Which of some candidates is what it hides?
  case identity
}

/// An instrument that outputs a score to be thresholded.
package protocol Detector: Sendable {
  /// All that it can reach.
  associatedtype Access: SpecimenAccess
  static var question: DetectorQuestion { get }
  /// A name for tables.
  var name: String { get }
}

extension Detector {
  /// The declared access, in words.
  package static var declared: Set<AccessKind> { Access.kinds }
}

/// Scores a whole model.
package protocol ModelDetector: Detector {
  @TensorActor
  func score(_ specimen: SpecimenView<Access>) throws -> ModelScore
}

extension ModelDetector {
  package static var question: DetectorQuestion { .model }
}

/// Scores single responses, one score each; nil where a response cannot be scored.
package protocol ResponseDetector: Detector {
  @TensorActor
  func scores(of responses: [Response], in specimen: SpecimenView<Access>) throws -> [Double?]
}

extension ResponseDetector {
  package static var question: DetectorQuestion { .response }
}

/// Ranks candidates for what a model hides, one score each; higher is more likely it.
package protocol IdentityDetector: Detector {
  @TensorActor
  func scores(of candidates: [String], in specimen: SpecimenView<Access>) throws -> [Double]
}

extension IdentityDetector {
  package static var question: DetectorQuestion { .identity }
}

/// Learns from organisms whose arms are known, which are never those that it judges.
package protocol LearnedDetector: Sendable {
  /// What it becomes.
  associatedtype Fitted: Detector where Fitted.Access: CalibrationAccess
  var name: String { get }

  @TensorActor
  func fit(_ calibration: Calibration<Fitted.Access>) throws -> Fitted
}

/// A detector's word on one model.
package struct ModelScore: Codable, Hashable, Sendable {
  /// Higher is more suspicious.
  package var score: Double
  /// What the score measures, and in which unit.
  package var quantity: String
  /// How many units it was computed from.
  package var n: Int
  /// The unit that ``n`` counts, in the singular.
  package var unit: String
  /// The score as a rate with its exact interval, where it is one.
  package var rate: Estimate?
  /// What was found besides, in words, such as a trigger.
  package var note: String?

  package init(
    score: Double, quantity: String, n: Int, unit: String, rate: Estimate? = nil,
    note: String? = nil
  ) {
    (self.score, self.quantity, self.n) = (score, quantity, n)
    (self.unit, self.rate, self.note) = (unit, rate, note)
  }

  /// A rate as a score.
  ///
  /// - Throws: ``StatisticsError`` without trials.
  package init(rate: Proportion, quantity: String, unit: String) throws(StatisticsError) {
    let estimate = try rate.estimate(unit: unit)
    self.init(
      score: estimate.value, quantity: quantity, n: rate.trials, unit: unit, rate: estimate)
  }

  /// The share of responses whose score reaches a threshold: how response scores become a word on
  /// the model. Unscored responses are left out of ``n``.
  ///
  /// - Throws: ``StatisticsError`` where no response has a score.
  package static func fractionAbove(
    _ threshold: Double, of scores: [Double?]
  ) throws(StatisticsError) -> ModelScore {
    let scored = scores.compactMap { $0 }
    let rate = try Proportion(
      successes: scored.count { $0 >= threshold }, trials: scored.count)
    return try ModelScore(
      rate: rate, quantity: "share of responses at or above the threshold", unit: "response")
  }
}

/// What makes a score impossible.
package enum DetectorError: Error, Equatable, CustomStringConvertible {
  /// NaN or infinity came out of the model.
  case notFinite(what: String, item: Int)
  /// Nothing to compute a score from.
  case nothingToScore(detector: String, needed: String)
  /// Calibration data that a probe cannot be fitted on.
  case unusableCalibration(expected: String, found: String)
  /// An optimiser that did not arrive.
  case notConverged(what: String, iterations: Int)

  package var description: String {
    switch self {
    case .notFinite(let what, let item):
      "Expected a finite \(what), found NaN or infinity for item \(item): the model's numbers are "
        + "broken, so nothing is scored"
    case .nothingToScore(let detector, let needed):
      "Expected \(needed) for \(detector), found none: give it something to score"
    case .unusableCalibration(let expected, let found):
      "Expected calibration data with \(expected), found \(found): collect more of it"
    case .notConverged(let what, let iterations):
      "Expected \(what) to converge, found that \(iterations) iterations did not suffice: raise "
        + "the penalty"
    }
  }
}
