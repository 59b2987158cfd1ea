import Foundation
import Lab
import LanguageModels
import Organisms
import Statistics

/// One sitting on an audit's run: the cells, each input handed on to the next. What does not wait
/// for another's result is computed side by side, as far as there are workers.
actor AuditSession {
  let audit: Audit
  let run: Run
  /// The keeper's knowledge; nothing that a detector receives is made from it.
  let lineUp: LineUp
  let detectors: [AuditDetector]
  let base: CellInput
  let probeSeed: UInt64
  var answers: [String: String] = [:]
  var organisms: [String: CellInput] = [:]
  var gates: [String: CellInput] = [:]
  var observed: [String: CellInput] = [:]
  var responses: CellResult<HandOverCell.Finding>?
  /// Scores by detector, and why a detector has none.
  var scores: [String: CellInput] = [:]
  var withdrawn: [String: String] = [:]
  private var cells: [String: AuditIndex.Entry] = [:]
  private var step = 0

  nonisolated var manifest: AuditManifest { audit.manifest }
  nonisolated var study: Study { audit.manifest.study }

  init(_ audit: Audit, run: Run) throws {
    (self.audit, self.run) = (audit, run)
    detectors =
      AuditDetector.suite(audit.manifest.study.detectors) + audit.instruments.map(\.detector)
    probeSeed = try run.drawSeed("probes")
    let (arms, ids) = audit.manifest.lineUp
    lineUp = try run.seal(lineUp: LineUp.name, detectors: detectors.map(\.name)) {
      LineUp.draw(arms, ids: ids)
    }
    base = try CellInput.file(URL(fileURLWithPath: audit.basePath))
    if let suspect = audit.suspectPath {
      organisms[AuditManifest.suspectID] = try CellInput.file(suspect)
    }
  }

  /// Has a worker perform a cell that runs a model.
  func perform<Kind: ModelCellKind>(
    _ kind: Kind.Type, _ config: Kind.Config, inputs: [String: CellInput], role: String,
    label: String
  ) async throws -> CellResult<Kind.Finding> {
    try await audit.workers.withWorker { worker in
      try await perform(
        DelegatedCell(kind, to: worker), config, inputs: inputs, role: role, label: label)
    }
  }

  /// Performs a cell under its number among all, and remembers what it is to the audit.
  func perform<Kind: CellKind>(
    _ kind: Kind, _ config: Kind.Config, inputs: [String: CellInput], role: String, label: String
  ) async throws -> CellResult<Kind.Finding> {
    step += 1
    let result = try await run.perform(
      kind, config, inputs: inputs, label: "\(step)/\(steps) \(Kind.kind) \(label)")
    cells[role] = AuditIndex.Entry(role: role, cell: result.id, label: label)
    return result
  }

  /// Calls `body` for all items at once; the first error cancels the rest.
  func concurrently<Item: Sendable>(
    _ items: [Item], _ body: @escaping @Sendable (Item) async throws -> Void
  ) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for item in items { group.addTask { try await body(item) } }
      // Not `waitForAll`, which would let the others run to their ends.
      for try await _ in group {}
    }
  }

  /// Base answers, the planted, a gate each, the known pair once more, hand-over, two for probes,
  /// detectors, two comparisons, proof and scores.
  private var steps: Int {
    4 + manifest.calibration.count + lineUp.members.count
      + 2 * manifest.calibration.count + manifest.examined.count
      + 3 + detectors.count + 2 + 2
  }

  /// Lists the cells in the ledger, once for as long as they stay the same, in an order that does
  /// not depend on which was done first.
  func recordIndex() throws -> AuditIndex {
    let order = [
      "answers", "plant", "gate", "observe", "hand-over", "fit-probes", "read-probes", "detect",
      "compare", "prove", "score",
    ]
    let names = manifest.calibration + manifest.examined + detectors.map(\.name)
    func place(_ entry: AuditIndex.Entry) -> (Int, Int, String) {
      let parts = entry.role.split(separator: ".", maxSplits: 1).map(String.init)
      let name = names.firstIndex(of: parts.last ?? "") ?? 0
      return (order.firstIndex(of: parts[0]) ?? order.count, name, entry.role)
    }
    let index = AuditIndex(entries: cells.values.sorted { place($0) < place($1) })
    if let known = try? AuditIndex.read(run.folder.url), known == index { return index }
    try run.record(.auditCells, index)
    return index
  }

  /// A seed for one use, fixed by the run's drawn one.
  func seed(_ use: String) -> UInt64 { SeededGenerator.derivedSeed(probeSeed, stream: use) }
}
