package import Foundation
package import Lab
internal import LanguageModels
internal import Organisms

extension EntryType {
  /// Somebody's accusations, whole: the record alone proves them.
  package static let lineupAnswered = EntryType("lineup-answered")
  /// The envelope's contents: from then on anybody can compute the commitment again.
  package static let lineupOpened = EntryType("lineup-opened")
}

/// A line-up on disk, without its envelope: all of it can be handed out.
///
///     lineup.json   what everybody may know, and the commitment
///     specimens/    a folder that PEFT loads for each blind id
///     record/       a run folder, whose ledger has the answers and then the opening
///
/// The ledger begins with the hash of `lineup.json`, and each entry holds the hash of the one before.
/// Whoever keeps the hash of an entry, its receipt, can tell whether anything up to that entry was
/// changed since. Without a receipt from before the opening, the order of entries is the word of
/// whoever kept the record: who knows the arms could write all of it anew.
package struct LineupFolder: Sendable {
  package let url: URL

  /// The paths of a line-up in this folder; touches nothing.
  package init(_ url: URL) { self.url = url }

  package var list: URL { url.appending(path: "lineup.json") }
  package var specimens: URL { url.appending(path: "specimens") }
  package var record: URL { url.appending(path: "record") }

  /// What everybody may know.
  ///
  /// - Throws: ``LineupError/unreadable(path:)``.
  package func lineup() throws -> SealedLineup {
    guard let data = FileManager.default.contents(atPath: list.path),
      let lineup = try? JSONDecoder().decode(SealedLineup.self, from: data),
      lineup.list.format == SealedLineup.format
    else { throw LineupError.unreadable(path: url.path) }
    return lineup
  }

  /// What the record says, of a line-up that is as the record began with it.
  func history(of lineup: SealedLineup) throws -> LineupHistory {
    let run = try RunRecord(folder: record)
    guard try run.study == JSONValue(encoding: lineup) else { throw LineupError.otherList }
    return LineupHistory(run.entries, of: lineup)
  }

  /// Takes somebody's accusations into the record.
  ///
  /// - Returns: the receipt: the hash of the record's entry, which covers all entries before it.
  /// - Throws: ``LineupError`` for an answer that is not whole, comes after the opening, or is the
  ///   second of that name, and `LabError`; the record then has no answer more.
  package func answer(_ answer: LineupAnswer) throws -> ContentHash {
    let lineup = try lineup()
    try answer.check(against: lineup.list)
    // Before the run is taken up, which leaves an entry, and again while nobody else can write.
    try history(of: lineup).check(mayTake: answer.name)
    let run = try Run.open(folder: record, manifest: lineup, environment: .current())
    try history(of: lineup).check(mayTake: answer.name)
    return try run.record(.lineupAnswered, answer).hash
  }

  /// What an opening shows.
  package struct Opened: Codable, Sendable {
    package var scores: LineupScores
    /// The hash of the record's entry with the opening.
    package var receipt: ContentHash
  }

  /// Opens the envelope, once everything was checked, and scores the answers that came before. Of a
  /// line-up that was opened before, it reads the same again, without the envelope.
  ///
  /// - Parameters:
  ///   - envelope: The file that ``create(_:in:envelope:)`` wrote beside the folder.
  ///   - commitment: The one that was published, if known.
  ///   - receipts: Of entries that have to be in the record.
  /// - Returns: the scores, and the receipt of the opening.
  /// - Throws: ``LineupError``, and nothing is written, if anything is not as it was.
  package func open(
    envelope: URL, commitment: ContentHash? = nil, receipts: [ContentHash] = []
  ) throws -> Opened {
    let lineup = try lineup()
    let found = try check(commitment: commitment, receipts: receipts)
    if let first = found.problems.first {
      throw LineupError.unsound(path: url.path, problems: found.problems.count, first: first)
    }
    if found.opening == nil {
      guard !found.answers.isEmpty else { throw LineupError.noAnswers }
      guard let opening = SealOpening.read(envelope) else {
        throw LineupError.noEnvelope(path: envelope.path)
      }
      _ = try lineup.key(in: opening)
      let run = try Run.open(folder: record, manifest: lineup, environment: .current())
      // Another process may have opened it since.
      if try history(of: lineup).opening == nil { try run.record(.lineupOpened, opening) }
    }
    let history = try history(of: lineup)
    guard let opening = history.opening else { throw LineupError.order("no opening") }
    return Opened(
      scores: LineupScores(history.answers.map(\.answer), members: opening.key.members),
      receipt: opening.receipt)
  }
}
