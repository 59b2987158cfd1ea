import Instruments
import Lab
import LanguageModels
import Statistics

extension AuditSession {
  /// Has every detector score everything, and commits each one's scores before anybody may know
  /// the arms.
  func detect() async throws {
    withdrawn = try earlierWithdrawals()
    let asked = detectors.filter { withdrawn[$0.name] == nil }
    // The longest work stands last in the suite and begins first, so that nobody waits for it alone.
    try await concurrently([nil] + asked.filter { !$0.isProbe }.reversed()) { detector in
      if let detector {
        let known = self.manifest.calibration
        try await self.detect(detector) { try await self.inputs(labelled: known) }
      } else {
        let probes = await self.probeInputs()
        for probe in asked where probe.isProbe {
          try await self.detect(probe) { try probes.get() }
        }
      }
    }
  }

  private func detect(
    _ detector: AuditDetector, inputs: () async throws -> [String: CellInput]
  ) async throws {
    do {
      let config = DetectCell.Config(
        detector: detector, calibration: manifest.calibration, examined: manifest.examined)
      let result = try await perform(
        DetectCell.self, config, inputs: inputs(), role: "detect.\(detector.name)",
        label: detector.name)
      try run.commitScores(result, detector: detector.name, lineUp: LineUp.name)
      scores[detector.name] = .result(result)
    } catch let error where ModelCells.isDetectors(error) {
      let reason = String(describing: error)
      try run.withdraw(detector: detector.name, lineUp: LineUp.name, because: reason)
      withdrawn[detector.name] = reason
    }
  }

  /// A detector that gave up in an earlier sitting has had its chance.
  private func earlierWithdrawals() throws -> [String: String] {
    var reasons: [String: String] = [:]
    for entry in try Ledger.entries(in: run.folder.url) where entry.type == .detectorWithdrawn {
      guard entry.payload["lineUp"]?.string == LineUp.name,
        let detector = entry.payload["detector"]?.string
      else { continue }
      reasons[detector] = entry.payload["reason"]?.string ?? "no reason recorded"
    }
    return reasons
  }

  /// Models and responses, under blind ids; labels of the known pair only.
  private func inputs(labelled: [String]) throws -> [String: CellInput] {
    guard let responses else { preconditionFailure("detectors before the hand-over") }
    var inputs = ["base": base].merging(organisms) { first, _ in first }
    for id in labelled + manifest.examined {
      inputs["\(id).json"] = try .artifact("\(id).json", of: responses)
    }
    return inputs
  }

  /// Fits all probes on the known pair, then reads all specimens with them, once for all.
  private func probeInputs() async -> Swift.Result<[String: CellInput], any Error> {
    do {
      let settings = study.detectors
      let methods = detectors.compactMap(\.probeMethod)
      let fitted = try await perform(
        FitProbesCell.self,
        FitProbesCell.Config(
          training: ProbeTraining(
            layers: settings.probeLayers, folds: settings.probeFolds,
            penalty: settings.probePenalty, seed: seed("probes")),
          methods: methods, calibration: manifest.calibration),
        inputs: try inputs(labelled: manifest.calibration).filter {
          !manifest.examined.contains($0.key.replacing(".json", with: ""))
        }, role: "fit-probes", label: "on the known pair")
      let probes = CellInput.result(fitted)
      var inputs = try inputs(labelled: [])
      inputs = inputs.filter { !manifest.calibration.contains($0.key) }
      inputs["probes"] = probes
      let read = try await perform(
        ReadProbesCell.self, ReadProbesCell.Config(examined: manifest.examined),
        inputs: inputs, role: "read-probes", label: "of all specimens")
      return .success(["probes": probes, "readings": .result(read)])
    } catch {
      return .failure(error)
    }
  }
}

extension AuditDetector {
  fileprivate var isProbe: Bool { probeMethod != nil }

  fileprivate var probeMethod: ProbeMethod? {
    if case .probe(let method) = self { method } else { nil }
  }
}
