import Foundation

// Blinding is procedural: a sealed file is a promise that the ledger can prove kept or broken, not
// a secret from whoever can read the disk. Detectors are handed blind specimens and no paths, the
// file is readable by its owner alone (mode 0600), and every opening leaves an entry.

extension Run {
  /// Draws the arms of a line-up and seals them, before any detector looks.
  ///
  /// The ledger gets a salted hash of the arms; the arms themselves go to a file that only their
  /// owner may read. Whoever calls this is the keeper, who knows the arms and plants accordingly.
  /// When the run is taken up again the same arms are read back, which leaves an entry too.
  ///
  /// - Parameters:
  ///   - lineUp: the line-up's name: letters, digits, `-` and `_`.
  ///   - detectors: all that will be asked; the arms stay sealed until each has answered.
  ///   - draw: makes the arms; not called if they were sealed before.
  /// - Returns: the arms, for the keeper.
  /// - Throws: `LabError.seal` if the line-up was sealed for other detectors, or its file is gone or
  ///   not what was sealed.
  package func seal<Arms: Codable>(
    lineUp: String, detectors: [String], draw: () throws -> Arms
  ) throws -> Arms {
    try checkNames(lineUp: lineUp, detectors: detectors)
    if let known = state.lineUps[lineUp] {
      guard known.seal.detectors == detectors else {
        throw LabError.seal(
          lineUp: lineUp,
          problem: "it was sealed for the detectors \(known.seal.detectors.joined(separator: ", "))"
            + ", not for \(detectors.joined(separator: ", ")): use another name")
      }
      let opening = try sealedOpening(lineUp)
      try append(.sealReread, RereadRecord(lineUp: lineUp))
      return try opening.arms.decode()
    }
    let opening = try SealOpening(sealing: draw())
    try createFolder(folder.sealed, mode: 0o700)
    // The file before the entry: a commitment whose arms are lost could never be opened.
    try opening.write(to: folder.sealed(lineUp))
    try append(
      .sealed,
      SealRecord(lineUp: lineUp, commitment: opening.commitment, detectors: detectors))
    return try opening.arms.decode()
  }

  /// Seals arms that are known already; sealing the same again changes nothing.
  /// - Throws: `LabError.seal` if the line-up was sealed with other arms.
  package func seal<Arms: Codable>(
    _ arms: Arms, lineUp: String, detectors: [String]
  ) throws {
    let kept = try seal(lineUp: lineUp, detectors: detectors) { arms }
    if try JSONValue(encoding: kept) != JSONValue(encoding: arms) {
      throw LabError.seal(lineUp: lineUp, problem: "it is sealed already, with other arms")
    }
  }

  /// Commits a detector's scores: their hash and contents go into the ledger, for good.
  ///
  /// Committing the same again, as a resumed run does, changes nothing.
  /// - Throws: `LabError.seal` if the cell finished before the sealing, the detector was not
  ///   declared, has answered otherwise, or the arms are open.
  package func commitScores<Finding: Encodable>(
    _ scores: CellResult<Finding>, detector: String, lineUp: String
  ) throws {
    if let answer = state.lineUps[lineUp]?.answers[detector], answer == scores.contents.finding {
      return
    }
    let record = ScoresRecord(
      lineUp: lineUp, detector: detector, cell: scores.id, finding: scores.contents.finding,
      scores: try JSONValue(parsing: contents(of: CellFolder(url: folder.cell(scores.id)).finding)))
    try append(.scoresCommitted, record)
  }

  /// Lets a declared detector give up, with the reason, so that its failure is counted and does not
  /// keep the arms sealed for ever.
  /// - Throws: `LabError.seal` if the detector was not declared, has committed scores, or the arms
  ///   are open.
  package func withdraw(detector: String, lineUp: String, because reason: String) throws {
    if let answer = state.lineUps[lineUp]?.answers[detector], answer == nil { return }
    try append(
      .detectorWithdrawn, WithdrawalRecord(lineUp: lineUp, detector: detector, reason: reason))
  }

  /// Records that training or selection touches a monitor: from then on it is not held out, whatever it is
  /// called, and no scores of that name are taken. To be called before what touches it begins; recording the
  /// same again changes nothing.
  ///
  /// - Parameters:
  ///   - monitor: the monitor itself, by what it consists of.
  ///   - name: the name under which it would answer for a line-up.
  ///   - touch: how it is touched.
  ///   - reason: by what.
  /// - Throws: `LabError.notCodable` if the monitor cannot be written as JSON.
  package func revoke(
    _ monitor: some Encodable, name: String, touch: Revocation.Touch, because reason: String
  ) throws {
    let record = Revocation(
      monitor: name, hash: ContentHash(of: try JSONValue(encoding: monitor)), touch: touch,
      reason: reason)
    if !state.revocations.contains(record) { try append(.monitorRevoked, record) }
  }

  /// Passes a monitor that nothing has touched in this run.
  /// - Throws: `LabError.revoked` for one that was.
  package func requireHeldOut(_ monitor: some Encodable) throws {
    let hash = ContentHash(of: try JSONValue(encoding: monitor))
    guard let found = state.revocations.first(where: { $0.hash == hash }) else { return }
    throw LabError.revoked(
      monitor: found.monitor, touch: found.touch.rawValue, reason: found.reason)
  }

  /// Opens the arms for the scorer, after all declared detectors have answered.
  ///
  /// The opened arms and their salt go into the ledger, so that anyone can check the commitment.
  /// - Throws: `LabError.scoresMissing` naming the detectors that have not answered;
  ///   `LabError.seal` if the line-up was never sealed or its file is not what was sealed.
  package func unseal<Arms: Codable>(_ type: Arms.Type = Arms.self, lineUp: String) throws -> Arms {
    guard let known = state.lineUps[lineUp] else {
      throw LabError.seal(lineUp: lineUp, problem: "it was never sealed")
    }
    // Before the file is touched: the arms must not even pass through memory too early.
    if !known.missing.isEmpty {
      throw LabError.scoresMissing(lineUp: lineUp, detectors: known.missing)
    }
    let opening = try sealedOpening(lineUp)
    if !known.isOpen {
      try append(.unsealed, UnsealRecord(lineUp: lineUp, opening: opening))
    }
    return try opening.arms.decode()
  }

  private func sealedOpening(_ lineUp: String) throws -> SealOpening {
    let file = folder.sealed(lineUp)
    guard exists(file), let known = state.lineUps[lineUp] else {
      throw LabError.seal(lineUp: lineUp, problem: "its sealed file \(file.path) is missing")
    }
    guard let opening = SealOpening.read(file), opening.commitment == known.seal.commitment else {
      throw LabError.seal(
        lineUp: lineUp, problem: "its sealed file \(file.path) is not what was sealed")
    }
    return opening
  }

  private func checkNames(lineUp: String, detectors: [String]) throws {
    let isPlain =
      !lineUp.isEmpty && lineUp.utf8.count <= 64
      && lineUp.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_".contains($0)) }
    if !isPlain {
      throw LabError.seal(
        lineUp: lineUp, problem: "expected a name of letters, digits, - and _, found this one")
    }
    if detectors.isEmpty || Set(detectors).count != detectors.count {
      throw LabError.seal(
        lineUp: lineUp,
        problem: "expected at least one declared detector and none twice, found "
          + (detectors.isEmpty ? "none" : detectors.joined(separator: ", ")))
    }
  }
}
