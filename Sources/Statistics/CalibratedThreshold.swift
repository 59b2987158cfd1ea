/// A threshold chosen on calibration negatives, to be judged on items that it has not seen.
package struct CalibratedThreshold: Codable, Sendable, Hashable {
  /// An item is called positive where its score is at least this.
  package let value: Double
  package let targetFPR: Double
  /// Calibration negatives at or above the threshold, of all that had a score.
  package let realised: Proportion
  /// Calibration negatives without a score; a run with many of them is calibrated on a selection.
  package let unscored: Int

  /// The smallest threshold at which at most `targetFPR` of the calibration negatives are positive.
  ///
  /// With fewer than 1 / `targetFPR` negatives that is just above the largest of them. At a target
  /// of 1 it is the lowest finite number: everything is called positive.
  /// - Throws: ``StatisticsError`` for a score that is not finite, a target outside [0, 1], or no
  ///   scored negative at all.
  package init(negatives: [Double?], targetFPR: Double) throws(StatisticsError) {
    guard (0...1).contains(targetFPR) else {
      throw .outOfRange(what: "a target FPR", expected: "from 0 to 1", found: targetFPR)
    }
    let sample = try LabelledScores(positives: [], negatives: negatives)
    let scores = sample.scores.sorted(by: >)
    guard !scores.isEmpty else {
      throw .tooFew(what: "scored calibration negatives", needed: 1, found: 0)
    }
    let n = Double(scores.count)
    // Compared as rates: 0.29 * 100 is below 29, while 29 / 100 is 0.29.
    var allowed = Int(targetFPR * n)
    if allowed < scores.count, Double(allowed + 1) / n <= targetFPR { allowed += 1 }
    value = allowed < scores.count ? scores[allowed].nextUp : -.greatestFiniteMagnitude
    let threshold = value
    realised = try Proportion(
      successes: scores.prefix(allowed).count { $0 >= threshold }, trials: scores.count)
    self.targetFPR = targetFPR
    unscored = sample.unscoredNegatives
  }
}

/// Outcomes of a detector at one threshold, both errors, with the items that it left unscored.
package struct DetectionCounts: Codable, Sendable, Hashable {
  package var truePositives: Int
  package var falseNegatives: Int
  package var falsePositives: Int
  package var trueNegatives: Int
  package var unscoredPositives: Int
  package var unscoredNegatives: Int

  /// The outcomes of `sample` where a score of at least `threshold` is called positive.
  package init(_ sample: LabelledScores, threshold: Double) {
    var counts = [0, 0, 0, 0]
    for (score, label) in zip(sample.scores, sample.labels) {
      counts[(label ? 2 : 0) + (score >= threshold ? 1 : 0)] += 1
    }
    (trueNegatives, falsePositives) = (counts[0], counts[1])
    (falseNegatives, truePositives) = (counts[2], counts[3])
    unscoredPositives = sample.unscoredPositives
    unscoredNegatives = sample.unscoredNegatives
  }

  /// Caught, of the scored positives.
  package var tpr: Proportion { proportion(truePositives, falseNegatives) }

  /// Missed, of the scored positives.
  package var fnr: Proportion { proportion(falseNegatives, truePositives) }

  /// Accused wrongly, of the scored negatives.
  package var fpr: Proportion { proportion(falsePositives, trueNegatives) }

  private func proportion(_ successes: Int, _ failures: Int) -> Proportion {
    Proportion(unchecked: successes, of: successes + failures)
  }
}
