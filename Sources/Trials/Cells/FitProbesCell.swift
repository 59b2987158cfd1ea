internal import Foundation
package import Instruments
package import Lab
internal import LanguageModels
internal import Organisms
internal import Statistics
internal import Tensors

/// Fits all probes on the calibration pair, whose activations are read once for all of them; each is artifact
/// `METHOD.json` too, for whoever wants to look at it.
package struct FitProbesCell: CellKind {
  package struct Config: Codable, Sendable, Equatable {
    package var training: ProbeTraining
    package var methods: [ProbeMethod]
    package var calibration: [String]
  }

  package struct Finding: Codable, Sendable {
    package var probes: [LinearProbe]
    /// Why a method has no probe, by its name.
    package var problems: [String: String]
    /// By method and calibration organism, each by a fit on other templates: for thresholds.
    package var calibrationScores: [String: [String: [Double?]]]
  }

  package static let kind = "fit-probes"
  package static let version = 2
  private let shelf: SpecimenShelf

  package init(shelf: SpecimenShelf) { self.shelf = shelf }

  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    let shelf = shelf
    return try await TensorActor.run {
      let known = try config.calibration.map { id in
        (
          organism: try shelf.specimen(id, in: context),
          responses: try shelf.labelledResponses(of: id, in: context)
        )
      }
      // Read before an answer begins, so that every response has a row.
      precondition(config.training.position == .lastPromptToken)
      let calibration = Calibration<ActivationsAndCalibration>(known)
      context.report(
        progress: CellProgress(done: 0, total: config.methods.count + 1, unit: "probes"))
      let data = try config.training.data(calibration)
      var finding = Finding(probes: [], problems: [:], calibrationScores: [:])
      let sizes = zip(config.calibration, known).map { ($0, $1.responses.count) }
      for (index, method) in config.methods.enumerated() {
        do {
          let probe = try config.training.fit(method, on: data)
          var scores = try config.training.crossFittedScores(of: probe, on: data)[...]
          for (id, count) in sizes {
            finding.calibrationScores[method.rawValue, default: [:]][id] = Array(
              scores.prefix(count))
            scores = scores.dropFirst(count)
          }
          finding.probes.append(probe)
          try AtomicFile.write(
            Array(JSONEncoder().encode(probe)),
            to: context.artifacts.appending(path: "\(method.rawValue).json").path)
        } catch let error where error is DetectorError || error is StatisticsError {
          finding.problems[method.rawValue] = String(describing: error)
        }
        context.report(
          progress: CellProgress(
            done: index + 1, total: config.methods.count + 1, unit: "probes"))
      }
      context.spend(tokens: known.reduce(0) { $0 + $1.organism.tokensUsed })
      return finding
    }
  }
}

/// Scores the responses of organisms that are to be judged by all fitted probes at once.
package struct ReadProbesCell: CellKind {
  package struct Config: Codable, Sendable, Equatable {
    package var examined: [String]
  }

  package struct Finding: Codable, Sendable {
    /// By method and organism.
    package var scores: [String: [String: [Double?]]]
  }

  package static let kind = "read-probes"
  package static let version = 2
  private let shelf: SpecimenShelf

  package init(shelf: SpecimenShelf) { self.shelf = shelf }

  /// The input `probes` is the result of a ``FitProbesCell``.
  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    let shelf = shelf
    let fitted: FitProbesCell.Finding = try context.finding(of: "probes")
    return try await TensorActor.run {
      var finding = Finding(scores: [:])
      for (index, id) in config.examined.enumerated() {
        let specimen = try shelf.specimen(id, in: context)
        let scores = try LinearProbe.scores(
          of: shelf.responses(of: id, in: context), by: fitted.probes, in: specimen.view())
        for (probe, own) in zip(fitted.probes, scores) {
          finding.scores[probe.method.rawValue, default: [:]][id] = own
        }
        context.spend(tokens: specimen.tokensUsed)
        context.report(
          progress: CellProgress(
            done: index + 1, total: config.examined.count, unit: "specimens"))
      }
      return finding
    }
  }
}
