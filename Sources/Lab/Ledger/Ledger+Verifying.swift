package import Foundation

/// What the verification of a run found.
package struct VerificationReport: Codable, Equatable, Sendable {
  /// Something that is not as it was written.
  package struct Problem: Codable, Equatable, Sendable {
    /// The file that is wrong.
    package let file: String
    /// The line in it, from 1, where that applies.
    package let line: Int?
    /// The offset in the file at which the line shows to be wrong: its first byte, unless reading
    /// stopped further on.
    package let byte: Int?
    /// What is wrong, as a sentence.
    package let message: String
  }

  /// Entries that are in order.
  package internal(set) var entries = 0
  /// Finished cells whose every file has the recorded hash.
  package internal(set) var cells = 0
  /// Line-ups whose arms were opened after all scores, and match their commitment.
  package internal(set) var openedLineUps = 0
  /// Everything that is wrong, the first bad ledger entry first.
  package internal(set) var problems: [Problem] = []
  /// What is worth knowing and no damage, for example an incomplete last line.
  package internal(set) var notes: [String] = []

  /// Whether nothing is wrong.
  package var isSound: Bool { problems.isEmpty }
}

extension Ledger {
  /// Checks the chain of entries, their order, every commitment, and every file of every finished
  /// cell. Reads only, and works on a run that is in progress.
  /// - Throws: `LabError.notARun`, or that the ledger cannot be read; damage is not thrown but
  ///   reported.
  package static func verify(_ url: URL) throws -> VerificationReport {
    let folder = RunFolder(url)
    // Listed before the ledger is read, so that a cell finishing meanwhile is not taken for one
    // without an entry.
    let cellFolders = exists(folder.cells) ? try names(in: folder.cells) : []
    let scan = try scan(folder)
    var report = VerificationReport()
    let state = replay(scan, folder, &report)
    checkManifest(folder, state, &report)
    if let error = LedgerIndex.disagreement(folder, entries: scan.entries), scan.damage == nil {
      report.add(error, file: folder.ledger)
    }
    checkCells(folder, state, cellFolders, isWholeLedger: scan.damage == nil, &report)
    checkSeals(folder, state, &report)
    return report
  }

  private static func replay(
    _ scan: LedgerScan, _ folder: RunFolder, _ report: inout VerificationReport
  ) -> LedgerState {
    var state = LedgerState()
    for (position, entry) in scan.entries.enumerated() {
      do {
        try state.apply(entry)
        report.entries += 1
      } catch {
        report.add(
          error, file: folder.ledger, line: position + 1, byte: scan.offsets[position])
      }
    }
    if let damage = scan.damage {
      report.add(
        LabError(damage, in: folder.ledger), file: folder.ledger, line: damage.line,
        byte: damage.byte)
    } else if !scan.tail.isEmpty {
      report.notes.append(
        "The last line of ledger.jsonl is incomplete (\(scan.tail.count) bytes): it is being "
          + "written, or the run was killed while writing it and will set it aside.")
    } else if scan.entries.isEmpty {
      report.notes.append("The ledger is empty: the run was killed before its first entry.")
    }
    return state
  }

  private static func checkManifest(
    _ folder: RunFolder, _ state: LedgerState, _ report: inout VerificationReport
  ) {
    guard let expected = state.manifest else { return }
    if (try? ContentHash(ofFile: folder.manifest)) != expected {
      report.add(LabError.otherStudy(folder: folder.url.path), file: folder.manifest)
    }
  }

  private static func checkCells(
    _ folder: RunFolder, _ state: LedgerState, _ cellFolders: [String], isWholeLedger: Bool,
    _ report: inout VerificationReport
  ) {
    for (id, finished) in state.finished.sorted(by: { $0.value.seq < $1.value.seq }) {
      do {
        _ = try CellFolder(url: folder.finishedCell(id)).check(finished.record)
        report.cells += 1
      } catch LabError.damagedCell(let cell, let file, let found) {
        let error = LabError.damagedCell(cell, file: file, found: found)
        report.add(error, file: URL(filePath: file))
      } catch {
        report.add(error, file: folder.cell(id))
      }
    }
    // After damage in the ledger the entries of later cells are unknown, which is one problem and
    // not as many as there are cells.
    guard isWholeLedger else { return }
    for name in cellFolders where CellID(hex: name).flatMap({ state.finished[$0] }) == nil {
      report.add(
        LabError.outOfOrder("No entry in the ledger says that cell \(name) finished."),
        file: folder.cells.appending(path: name))
    }
  }

  private static func checkSeals(
    _ folder: RunFolder, _ state: LedgerState, _ report: inout VerificationReport
  ) {
    for (name, lineUp) in state.lineUps.sorted(by: { $0.key < $1.key }) {
      if lineUp.isOpen { report.openedLineUps += 1 }
      let file = folder.sealed(name)
      if SealOpening.read(file)?.commitment != lineUp.seal.commitment {
        report.add(
          LabError.seal(
            lineUp: name,
            problem: "its sealed file is " + (exists(file) ? "not what was sealed" : "missing")),
          file: file)
      }
    }
  }
}

extension VerificationReport {
  fileprivate mutating func add(
    _ error: any Error, file: URL, line: Int? = nil, byte: Int? = nil
  ) {
    problems.append(
      Problem(file: file.path, line: line, byte: byte, message: String(describing: error)))
  }
}
