import Foundation

extension Run {
  /// The cell's result: read back if it finished before, otherwise by running it now.
  ///
  /// Runs in the caller's isolation, so a kind may hold things that must not leave it. A kind's
  /// error is written to the ledger and thrown on; the cell is tried again the next time.
  ///
  /// - Parameters:
  ///   - kind: what computes.
  ///   - config: what is to be computed.
  ///   - inputs: what the cell may read, by the names under which it asks for it.
  ///   - label: what people see while it runs; no part of the identity, and not in the ledger.
  /// - Returns: the finding and artifacts, as they are on the disk.
  /// - Throws: the kind's own error; `LabError.damagedCell` if a finished cell's files are not what
  ///   the ledger recorded; `LabError.diskFull`.
  package func perform<Kind: CellKind>(
    _ kind: Kind, _ config: Kind.Config, inputs: [String: CellInput] = [:], label: String? = nil
  ) async throws -> CellResult<Kind.Finding> {
    let description = try CellDescription(
      Kind.self, config: config, inputs: inputs, environment: environment)
    let id = try CellID(of: description)
    let label = label ?? "\(Kind.kind) \(id.short)"
    try claim(id)
    defer { release(id) }
    if let finished = state.finished[id] {
      let result: CellResult<Kind.Finding> = try CellFolder(url: folder.cell(id))
        .result(finished.record, wasCached: true)
      watch(.finished(id, label: label, result.cost, wasCached: true))
      return result
    }
    return try await compute(kind, config, description, id, inputs, label)
  }

  private func compute<Kind: CellKind>(
    _ kind: Kind, _ config: Kind.Config, _ description: CellDescription, _ id: CellID,
    _ inputs: [String: CellInput], _ label: String
  ) async throws -> CellResult<Kind.Finding> {
    let staging = CellFolder(url: folder.staging(id))
    let scratch = folder.work(id).appending(path: "scratch")
    try remove(staging.url)
    for part in [staging.artifacts, scratch] { try createFolder(part) }
    let meter = CostMeter(file: folder.work(id).appending(path: "cost.json"))
    let context = CellContext(
      cell: id, artifacts: staging.artifacts, scratch: scratch, inputs: inputs.mapValues(\.url),
      spend: meter.spend
    ) { [watch] progress in
      meter.save()
      watch(.progress(id, label: label, progress))
    }

    try append(.cellStarted, CellStart(cell: id, kind: Kind.kind, version: Kind.version))
    watch(.started(id, label: label))
    let finish: CellFinish
    do {
      let finding = try await kind.run(config, in: context)
      let (hash, contents) = try staging.complete(description, finding: finding)
      finish = CellFinish(
        cell: id, kind: Kind.kind, version: Kind.version, description: hash, contents: contents,
        cost: meter.total)
    } catch {
      throw recordFailure(of: description, id, label, error, meter)
    }
    // The entry first, then the name: what the ledger does not know is never visible as finished,
    // and a kill in between is settled when the run is opened again.
    try append(.cellFinished, finish)
    try Self.settle(id, in: folder)
    watch(.finished(id, label: label, finish.cost, wasCached: false))
    return try CellFolder(url: folder.cell(id)).result(finish, wasCached: false)
  }

  /// Notes a failure as well as it can and returns the error to throw.
  private func recordFailure(
    of cell: CellDescription, _ id: CellID, _ label: String, _ error: any Error, _ meter: CostMeter
  ) -> any Error {
    let error =
      isDiskFull(error) && !(error is LabError)
      ? LabError.diskFull(path: folder.work(id).path) : error
    let reason = error is CancellationError ? "cancelled" : String(describing: error)
    meter.save(now: true)
    watch(.failed(id, label: label, reason: reason))
    do {
      try append(
        .cellFailed,
        CellFailure(
          cell: id, kind: cell.kind, version: cell.version, reason: reason,
          wasCancelled: error is CancellationError, cost: meter.total))
      return error
    } catch {
      // A ledger that cannot be written matters more than why one cell failed.
      return error
    }
  }
}
