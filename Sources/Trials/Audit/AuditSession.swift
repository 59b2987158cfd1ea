import Foundation
import Lab
import LanguageModels
import Organisms
import Statistics

/// One sitting on an audit's run: the cells in order, each input handed on to the next.
final class AuditSession {
  let audit: Audit
  let run: Run
  /// The keeper's knowledge; nothing that a detector receives is made from it.
  let lineUp: LineUp
  let detectors: [AuditDetector]
  let base: CellInput
  let probeSeed: UInt64
  var organisms: [String: CellInput] = [:]
  var gates: [String: CellInput] = [:]
  var handOver: CellResult<HandOverCell.Finding>?
  /// Scores by detector, and why a detector has none.
  var scores: [String: CellInput] = [:]
  var withdrawn: [String: String] = [:]
  private(set) var index = AuditIndex()
  private var step = 0

  var manifest: AuditManifest { audit.manifest }
  var study: Study { audit.manifest.study }
  var shelf: SpecimenShelf { SpecimenShelf(audit.loader) }

  init(_ audit: Audit, run: Run) throws {
    (self.audit, self.run) = (audit, run)
    detectors =
      AuditDetector.suite(audit.manifest.study.detectors) + audit.instruments.map(\.detector)
    probeSeed = try run.drawSeed("probes")
    let (arms, ids) = audit.manifest.lineUp
    lineUp = try run.seal(lineUp: LineUp.name, detectors: detectors.map(\.name)) {
      LineUp.draw(arms, ids: ids)
    }
    base = try CellInput.file(URL(fileURLWithPath: audit.loader.base.path))
    if let suspect = audit.suspectPath {
      organisms[AuditManifest.suspectID] = try CellInput.file(suspect)
    }
  }

  /// Performs a cell under its number among all, and remembers what it is to the audit.
  func perform<Kind: CellKind>(
    _ kind: Kind, _ config: Kind.Config, inputs: [String: CellInput], role: String, label: String
  ) async throws -> CellResult<Kind.Finding> {
    step += 1
    let result = try await run.perform(
      kind, config, inputs: inputs, label: "\(step)/\(steps) \(Kind.kind) \(label)")
    index.entries.append(AuditIndex.Entry(role: role, cell: result.id, label: label))
    return result
  }

  /// Base answers, the planted, a gate each, the known pair once more, hand-over, two for probes,
  /// detectors, two comparisons, proof and scores.
  private var steps: Int {
    1 + manifest.calibration.count + lineUp.members.count
      + 2 * manifest.calibration.count + manifest.examined.count
      + 3 + detectors.count + 2 + 2
  }

  /// Lists the cells in the ledger, once for as long as they stay the same.
  func recordIndex() throws {
    if let known = try? AuditIndex.read(run.folder.url), known == index { return }
    try run.record(.auditCells, index)
  }

  /// A seed for one use, fixed by the run's drawn one.
  func seed(_ use: String) -> UInt64 { SeededGenerator.derivedSeed(probeSeed, stream: use) }
}
