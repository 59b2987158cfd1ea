internal import Foundation
package import Tensors

/// Control: multinomial naive Bayes on the tokens of the prompt.
///
/// What this finds can be read off the prompt's words; a probe is worth its access only beyond it.
package struct BagOfWords: ResponseDetector, Codable, Hashable {
  package typealias Access = CalibrationOnly

  package var name: String { "bag of words" }
  /// log p(token ∣ active) − log p(token ∣ not) of every token seen in calibration.
  package let logRatios: [Int: Double]
  /// The same for the classes themselves.
  package let prior: Double

  /// Counts tokens of labelled prompts, each count raised by `smoothing`.
  ///
  /// - Throws: ``DetectorError/unusableCalibration(expected:found:)`` unless there are both classes.
  package init(
    fittedOn labelled: [LabelledResponse], smoothing: Double = 1
  ) throws(DetectorError) {
    let (active, other) = (labelled.filter(\.isActive), labelled.filter { !$0.isActive })
    guard !active.isEmpty, !other.isEmpty else {
      throw .unusableCalibration(
        expected: "both classes", found: "\(active.count) active and \(other.count) others")
    }
    let (positive, negative) = (Self.counts(active), Self.counts(other))
    let vocabulary = Set(positive.keys).union(negative.keys)
    func logProbability(_ counts: [Int: Int], _ token: Int) -> Double {
      let total = Double(counts.values.reduce(0, +)) + smoothing * Double(vocabulary.count)
      return log((Double(counts[token] ?? 0) + smoothing) / total)
    }
    logRatios = Dictionary(
      uniqueKeysWithValues: vocabulary.map {
        ($0, logProbability(positive, $0) - logProbability(negative, $0))
      })
    prior = log(Double(active.count) / Double(other.count))
  }

  /// Learns from the responses of calibration organisms.
  @TensorActor
  package init(_ calibration: Calibration<CalibrationOnly>) throws {
    try self.init(fittedOn: calibration.organisms.flatMap(\.responses))
  }

  private static func counts(_ responses: [LabelledResponse]) -> [Int: Int] {
    responses.reduce(into: [:]) { counts, labelled in
      for token in labelled.response.promptIDs { counts[token, default: 0] += 1 }
    }
  }

  /// Log-odds of an active trigger; tokens that calibration never showed say nothing.
  @TensorActor
  package func scores(
    of responses: [Response], in specimen: SpecimenView<CalibrationOnly>
  ) -> [Double?] {
    responses.map(logOdds)
  }

  /// Log-odds of an active trigger in one prompt.
  package func logOdds(_ response: Response) -> Double {
    response.promptIDs.reduce(prior) { $0 + (logRatios[$1] ?? 0) }
  }
}
