package import Lab

/// What the record of a line-up says, entry by entry.
struct LineupHistory {
  private(set) var answers: [(answer: LineupAnswer, receipt: ContentHash)] = []
  private(set) var opening: (key: SealedLineup.Key, receipt: ContentHash)?
  /// What an honest record cannot say.
  private(set) var problems: [LineupError] = []

  init(_ entries: [LedgerEntry], of lineup: SealedLineup) {
    for entry in entries {
      do {
        switch entry.type {
        case .lineupAnswered: try take(entry, of: lineup.list)
        case .lineupOpened: try open(entry, lineup)
        default: break
        }
      } catch {
        problems.append(error as? LineupError ?? .order("entry \(entry.seq): \(error)"))
      }
    }
  }

  /// Whether somebody of that name may answer now.
  func check(mayTake name: String) throws(LineupError) {
    if opening != nil { throw .late(name: name) }
    if answers.contains(where: { $0.answer.name == name }) { throw .sameName(name) }
  }

  private mutating func take(_ entry: LedgerEntry, of list: SealedLineup.List) throws {
    let answer: LineupAnswer = try entry.payload.decode()
    try answer.check(against: list)
    try check(mayTake: answer.name)
    answers.append((answer, entry.hash))
  }

  private mutating func open(_ entry: LedgerEntry, _ lineup: SealedLineup) throws {
    if opening != nil { throw LineupError.order("two openings") }
    opening = (try lineup.key(in: try entry.payload.decode()), entry.hash)
  }
}

/// What anybody can tell of a line-up without its envelope.
package struct LineupCheck: Codable, Equatable, Sendable {
  /// An answer that came before the opening, and its receipt.
  package struct Answer: Codable, Equatable, Sendable {
    package var name: String
    package var receipt: ContentHash
  }

  package var commitment: ContentHash
  package var specimens: Int
  /// Answers that came before the opening.
  package var answers: [Answer] = []
  /// The receipt of the opening, which then was found to be of the commitment; nil before it.
  package var opening: ContentHash?
  /// What is not as it was, as sentences; empty for a sound line-up.
  package var problems: [String] = []
}

extension LineupFolder {
  /// Checks specimens, record and, where it was opened, envelope against the commitment. Reads only.
  ///
  /// - Parameters:
  ///   - published: The commitment as it was published.
  ///   - receipts: Of entries that have to be in the record.
  /// - Returns: what was found, be it sound or not.
  /// - Throws: ``LineupError/unreadable(path:)`` or `LabError.notARun` for a folder that is no
  ///   line-up; what is merely wrong with one is reported.
  package func check(
    commitment published: ContentHash? = nil, receipts: [ContentHash] = []
  ) throws -> LineupCheck {
    let lineup = try lineup()
    var found = LineupCheck(
      commitment: lineup.commitment, specimens: lineup.list.specimens.count)
    if let published, published != lineup.commitment {
      let error = LineupError.otherCommitment(published: published, found: lineup.commitment)
      found.problems.append("\(error)")
    }
    found.problems += try changes(of: lineup.list).map(\.description)
    let damage = try Ledger.verify(record).problems
    found.problems += damage.map(\.message)
    guard damage.isEmpty else { return found }
    do {
      let history = try history(of: lineup)
      found.answers = history.answers.map { .init(name: $0.answer.name, receipt: $0.receipt) }
      found.opening = history.opening?.receipt
      found.problems += history.problems.map(\.description)
    } catch let error as LineupError {
      found.problems.append("\(error)")
    }
    let known = Set(try Ledger.entries(in: record).map(\.hash))
    found.problems += receipts.filter { !known.contains($0) }
      .map { "\(LineupError.notInRecord(receipt: $0))" }
    return found
  }

  /// Files of specimens that are missing, changed or too many.
  private func changes(of list: SealedLineup.List) throws -> [LineupError] {
    let listed = Dictionary(
      list.specimens.flatMap { specimen in
        specimen.files.map { ("\(specimen.id)/\($0.key)", $0.value) }
      }, uniquingKeysWith: { first, _ in first })
    let found = try? hashes(ofFilesIn: specimens)
    return Set(listed.keys).union((found ?? [:]).keys).sorted().compactMap { file in
      guard let hash = found?[file] else {
        return .specimen(file: "specimens/\(file)", found: "no such file")
      }
      if hash == listed[file] { return nil }
      return .specimen(
        file: "specimens/\(file)",
        found: listed[file] == nil ? "a file that is not listed" : "other contents")
    }
  }
}
