package import Instruments
package import Lab
internal import LanguageModels
internal import Organisms
internal import Statistics
internal import Tensors

/// Fits all probes on the calibration pair, whose activations are read once for all of them.
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
    /// Of each method on each calibration organism, for thresholds; fitted on these, so no result.
    package var calibrationScores: [String: [String: [Double?]]]
  }

  package static let kind = "fit-probes"
  package static let version = 1
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
      let calibration = Calibration<ActivationsAndCalibration>(known)
      context.report(
        progress: CellProgress(done: 0, total: config.methods.count + 1, unit: "probes"))
      let data = try config.training.data(calibration)
      var finding = Finding(probes: [], problems: [:], calibrationScores: [:])
      for (index, method) in config.methods.enumerated() {
        do {
          finding.probes.append(try config.training.fit(method, on: data))
        } catch let error as DetectorError {
          finding.problems[method.rawValue] = error.description
        } catch let error as StatisticsError {
          finding.problems[method.rawValue] = "\(error)"
        }
        context.report(
          progress: CellProgress(
            done: index + 1, total: config.methods.count + 1, unit: "probes"))
      }
      for (id, organism) in zip(config.calibration, calibration.organisms) {
        let scores = try LinearProbe.scores(
          of: organism.responses.map(\.response), by: finding.probes, in: organism.view)
        for (probe, own) in zip(finding.probes, scores) {
          finding.calibrationScores[probe.method.rawValue, default: [:]][id] = own
        }
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
  package static let version = 1
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
