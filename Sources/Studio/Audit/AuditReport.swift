package import Foundation
internal import Instruments
package import Lab
internal import LanguageModels
internal import Organisms
package import Trials

/// The report of an audit, read from its run folder and from nothing else.
package struct AuditReport {
  package let conclusion: AuditConclusion
  package let scores: CellResult<AuditScores>
  package let proof: CellResult<ProofCell.Finding>
  let manifest: AuditManifest
  let record: RunRecord
  let index: AuditIndex
  private let summaries: [CellSummary]

  /// Reads a finished audit.
  ///
  /// - Throws: `AuditError.unfinished`, or what reading the run throws.
  package init(run: URL) throws {
    record = try RunRecord(folder: run)
    index = try AuditIndex.read(run)
    manifest = try record.study.decode()
    guard let score = index["score"], let prove = index["prove"],
      let scores = try record.result(of: score, as: AuditScores.self),
      let proof = try record.result(of: prove, as: ProofCell.Finding.self)
    else { throw AuditError.unfinished(run: run.path) }
    (self.scores, self.proof) = (scores, proof)
    summaries = record.cells
    conclusion = AuditConclusion(
      scores.finding, proof.finding.proofs, alpha: manifest.study.alpha,
      suspect: manifest.suspect == nil ? nil : AuditManifest.suspectID)
  }

  /// The page as one self-contained HTML file.
  ///
  /// - Throws: ``StudioError``, or what reading the run throws.
  package func html() throws -> String { try page().html() }

  func page() throws -> Page {
    Page(
      title: manifest.suspect.map { "What calibrated instruments see in \($0.name)" }
        ?? "Blind audit of \(manifest.study.base.unbroken), recipe \(manifest.recipe.id)",
      kicker: manifest.suspect == nil ? "Plumbline · blind audit" : "Plumbline · suspect",
      facts: try facts(), verdict: verdict,
      sections: [
        try planted(), models, responses, answered, gates, controls, costs,
      ], cells: cells,
      footer: """
        95 % intervals unless said otherwise. Rates over prompts that share a template count \
        templates, not prompts.
        """)
  }

  // MARK: Cells

  /// The cells of this audit first, in the order in which it used them, then all others that the
  /// run ever started: failures are shown, not left out.
  var cells: [CellRecord] {
    let byID = Dictionary(summaries.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    let own = index.entries.compactMap { entry in
      byID[entry.cell].map { CellRecord($0, label: entry.label) }
    }
    let known = Set(index.entries.map(\.cell))
    return own + summaries.filter { !known.contains($0.id) }.map { CellRecord($0) }
  }

  func result<Finding: Decodable & Sendable>(
    _ role: String, as type: Finding.Type = Finding.self
  ) throws -> CellResult<Finding>? {
    guard let id = index[role] else { return nil }
    return try record.result(of: id, as: type)
  }

  private func facts() throws -> [(name: String, value: String)] {
    let environment = try index["score"].flatMap { try record.description(of: $0) }
    let cost = summaries.reduce(Cost()) { $0 + $1.cost }
    var facts = [
      ("Study", manifest.study.name), ("Run", record.folder.url.lastPathComponent),
      ("Base", manifest.study.base), ("Precision", manifest.precision.rawValue),
    ]
    if let environment {
      facts += [
        ("Build", environment.build),
        ("Device", "\(environment.device), \(environment.instructionSet)"),
      ]
    }
    facts += [
      ("Time", NumberFormat.duration(seconds: record.seconds(until: .auditCells))),
      (
        "Cost",
        "\(NumberFormat.duration(seconds: cost.seconds)) in cells, "
          + "\(NumberFormat.grouped(cost.tokens)) tokens"
      ),
    ]
    return facts.map { (name: $0.0, value: $0.1) }
  }

  // MARK: Words

  /// A blind id as the report writes it: "A" for `specimen-A`.
  func short(_ id: String) -> String {
    id.replacing("specimen-", with: "").replacing("reference-", with: "reference ")
      .replacing("-", with: " ")
  }

  /// The opened arms of the line-up, by blind id; a suspect has none.
  var arms: [String: Arm] {
    Dictionary(
      proof.finding.proofs.map { ($0.id, $0.arm) }, uniquingKeysWith: { first, _ in first })
  }

  var secretID: String? { manifest.examined.first { arms[$0] == .secret } }
}

extension AuditDetector {
  /// A colour and a mark of its own for each detector of responses; controls are grey.
  var series: Series {
    switch self {
    case .probe(.logistic): .blue
    case .probe(.massMean): .vermilion
    case .responseActivationDifference: .green
    case .declared: .purple
    default: .grey
    }
  }

  /// What it reads, in words.
  var accessWords: String {
    access.isEmpty ? "responses" : access.map(\.rawValue).joined(separator: ", ")
  }
}
