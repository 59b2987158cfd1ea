internal import Lab
internal import Organisms
internal import Statistics
internal import Studio
internal import Trials

/// What `plumbline audit --json` prints.
struct AuditSummary: Encodable {
  let run: String
  let report: String
  let outcome: AuditConclusion.Outcome
  let answer: String
  let limits: [String]
  let gates: [OrganismProof]
  let models: [ModelFinding]
  let responses: [ResponseFinding]
  let withdrawn: [Withdrawal]
  let cells: [String: String]

  init(_ report: AuditReport, run: String, page: String) {
    (self.run, self.report) = (run, page)
    let conclusion = report.conclusion
    (outcome, answer, limits) = (conclusion.outcome, conclusion.answer, conclusion.limits)
    gates = report.proof.finding.proofs
    models = report.scores.finding.models
    // The curve and the single scores stay in the score cell, where they are whole.
    responses = report.scores.finding.responses.map { finding in
      var finding = finding
      (finding.curve, finding.strips) = ([], [])
      return finding
    }
    withdrawn = report.scores.finding.withdrawn
    cells = ["gates": report.proof.id.hex, "score": report.scores.id.hex]
  }
}

extension AuditReport {
  /// The result in a few lines, for people.
  func lines(run: String, page: String) -> [String] {
    let accused = scores.finding.models.map { model in
      let names = model.words.filter { $0.isAccused == true }.map { word in
        word.id + (word.arm.map { " (\($0.rawValue))" } ?? "")
      }
      guard model.canAccuse else {
        return "  \(model.detector.title): can accuse nobody, so its silence does not count"
      }
      return "  \(model.detector.title): "
        + (names.isEmpty ? "accuses none" : "accuses " + names.joined(separator: ", "))
    }
    let gates = proof.finding.proofs.map { proof in
      "  \(proof.id) (\(proof.arm.rawValue)): \(proof.decision.rawValue)"
    }
    return [conclusion.answer, "gates:"] + gates + ["detectors:"] + accused
      + ["cannot support:"] + conclusion.limits.map { "  \($0)" }
      + ["report: \(page)", "run: \(run)"]
  }
}
