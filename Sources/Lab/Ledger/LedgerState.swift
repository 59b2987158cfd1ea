/// What a ledger says, entry by entry; the one place that knows which entry may follow which.
///
/// A run, a reader and the verifier all build it by applying entries in order, so that none of them
/// can believe what another would refuse.
struct LedgerState: Sendable {
  struct Finished: Sendable {
    let seq: Int
    let record: CellFinish
  }

  struct LineUp: Sendable {
    let seq: Int
    let seal: SealRecord
    /// What each detector answered: the hash of its scores, or nil where it withdrew.
    var answers: [String: ContentHash?] = [:]
    var isOpen = false

    var missing: [String] { seal.detectors.filter { !answers.keys.contains($0) } }
  }

  private(set) var manifest: ContentHash?
  private(set) var finished: [CellID: Finished] = [:]
  private(set) var failures: [CellID: CellFailure] = [:]
  private(set) var lineUps: [String: LineUp] = [:]
  private(set) var draws: [String: UInt64] = [:]
  private(set) var tornFiles: Set<String> = []
  private(set) var revocations: [Revocation] = []

  /// Takes the next entry.
  /// - Throws: `LabError.outOfOrder` if the entry does not follow from the ones before it;
  ///   the state is unchanged then.
  mutating func apply(_ entry: LedgerEntry) throws {
    if (entry.seq == 1) != (entry.type == .runCreated) {
      throw LabError.outOfOrder("Expected a ledger to begin with run-created and not to repeat it.")
    }
    switch entry.type {
    case .runCreated: manifest = try entry.payload.decode(as: SessionRecord.self).manifest
    case .drawn: try apply(try entry.payload.decode(as: DrawRecord.self))
    case .tornLine: tornFiles.insert(try entry.payload.decode(as: TornLine.self).file)
    case .cellFinished: try apply(try entry.payload.decode(as: CellFinish.self), seq: entry.seq)
    case .cellFailed:
      let failure = try entry.payload.decode(as: CellFailure.self)
      failures[failure.cell] = failure
    case .sealed: try apply(try entry.payload.decode(as: SealRecord.self), seq: entry.seq)
    case .scoresCommitted: try apply(try entry.payload.decode(as: ScoresRecord.self))
    case .detectorWithdrawn: try apply(try entry.payload.decode(as: WithdrawalRecord.self))
    case .monitorRevoked: revocations.append(try entry.payload.decode(as: Revocation.self))
    case .unsealed: try apply(try entry.payload.decode(as: UnsealRecord.self))
    default: break
    }
  }

  private mutating func apply(_ draw: DrawRecord) throws {
    if draws[draw.name] != nil {
      throw LabError.outOfOrder("Seed \"\(draw.name)\" was drawn twice: draw under another name.")
    }
    draws[draw.name] = draw.seed
  }

  private mutating func apply(_ finish: CellFinish, seq: Int) throws {
    if finished[finish.cell] != nil {
      throw LabError.outOfOrder("Cell \(finish.cell.short) finished twice.")
    }
    let contents = CellContents(
      finding: finish.contents.finding, artifacts: finish.contents.artifacts)
    if contents != finish.contents {
      throw LabError.outOfOrder(
        "The hash over all contents of cell \(finish.cell.short) is not that of its parts.")
    }
    finished[finish.cell] = Finished(seq: seq, record: finish)
    failures[finish.cell] = nil
  }

  private mutating func apply(_ seal: SealRecord, seq: Int) throws {
    if lineUps[seal.lineUp] != nil {
      throw LabError.seal(lineUp: seal.lineUp, problem: "it is sealed already")
    }
    lineUps[seal.lineUp] = LineUp(seq: seq, seal: seal)
  }

  /// The line-up, if this detector may still answer for it.
  private func lineUp(_ name: String, answeredBy detector: String) throws -> LineUp {
    guard let lineUp = lineUps[name] else {
      throw LabError.seal(
        lineUp: name, problem: "scores were offered before it was sealed: seal it first")
    }
    if lineUp.isOpen {
      throw LabError.seal(
        lineUp: name,
        problem: "\"\(detector)\" came after the arms were opened and is no longer blind: "
          + "use a fresh line-up")
    }
    if !lineUp.seal.detectors.contains(detector) {
      throw LabError.seal(
        lineUp: name,
        problem: "\"\(detector)\" was not declared when it was sealed (declared: "
          + "\(lineUp.seal.detectors.joined(separator: ", "))): declare it in a fresh line-up")
    }
    if lineUp.answers.keys.contains(detector) {
      throw LabError.seal(
        lineUp: name, problem: "\"\(detector)\" has answered already and may not answer again")
    }
    return lineUp
  }

  private mutating func apply(_ scores: ScoresRecord) throws {
    var lineUp = try lineUp(scores.lineUp, answeredBy: scores.detector)
    if let revoked = revocations.first(where: { $0.monitor == scores.detector }) {
      throw LabError.revoked(
        monitor: scores.detector, touch: revoked.touch.rawValue, reason: revoked.reason)
    }
    guard let cell = finished[scores.cell] else {
      throw LabError.seal(
        lineUp: scores.lineUp, problem: "cell \(scores.cell.short) with the scores is not finished")
    }
    if cell.seq < lineUp.seq {
      throw LabError.seal(
        lineUp: scores.lineUp,
        problem: "cell \(scores.cell.short) had its scores before the arms were sealed: seal first")
    }
    let hash = ContentHash(of: CellFolder.bytes(of: scores.scores))
    if cell.record.contents.finding != scores.finding || hash != scores.finding {
      throw LabError.seal(
        lineUp: scores.lineUp,
        problem: "the scores of \"\(scores.detector)\" are not the finding of "
          + "cell \(scores.cell.short)")
    }
    lineUp.answers.updateValue(scores.finding, forKey: scores.detector)
    lineUps[scores.lineUp] = lineUp
  }

  private mutating func apply(_ withdrawal: WithdrawalRecord) throws {
    var lineUp = try lineUp(withdrawal.lineUp, answeredBy: withdrawal.detector)
    lineUp.answers.updateValue(nil, forKey: withdrawal.detector)
    lineUps[withdrawal.lineUp] = lineUp
  }

  private mutating func apply(_ unseal: UnsealRecord) throws {
    guard var lineUp = lineUps[unseal.lineUp] else {
      throw LabError.seal(lineUp: unseal.lineUp, problem: "it was never sealed")
    }
    if lineUp.isOpen {
      throw LabError.seal(lineUp: unseal.lineUp, problem: "it was opened twice")
    }
    if !lineUp.missing.isEmpty {
      throw LabError.scoresMissing(lineUp: unseal.lineUp, detectors: lineUp.missing)
    }
    if unseal.opening.commitment != lineUp.seal.commitment {
      throw LabError.seal(
        lineUp: unseal.lineUp,
        problem: "the opened arms are not the ones that were sealed (their hash differs)")
    }
    lineUp.isOpen = true
    lineUps[unseal.lineUp] = lineUp
  }
}
