package import Foundation
internal import Lab
internal import LanguageModels
package import Organisms

extension LineupFolder {
  /// What a line-up is drawn from.
  package struct Draw: Sendable {
    /// Folders of zoos, all on one base.
    package var zoos: [URL]
    /// Only these arms; all where empty.
    package var arms: [Arm]
    /// How many are drawn; all where nil.
    package var count: Int?

    package init(zoos: [URL], arms: [Arm] = [], count: Int? = nil) {
      (self.zoos, self.arms, self.count) = (zoos, arms, count)
    }
  }

  private struct Candidate {
    let entry: ZooFolder.Entry
    let folder: URL
    let weights: String
  }

  private struct Candidates {
    var base: String
    var baseHash: ContentHash
    var all: [Candidate] = []
  }

  /// Makes a line-up, whole or not at all.
  ///
  /// - Parameters:
  ///   - draw: From what; the system's generator draws who and in which order.
  ///   - folder: Must not exist.
  ///   - envelope: Where the sealed envelope goes, readable by its owner alone; must not exist, nor
  ///     lie in the folder.
  /// - Returns: what everybody may know, the commitment with it.
  /// - Throws: ``ZooError``, ``LineupError``, or what the file system reports.
  package static func create(
    _ draw: Draw, in folder: URL, envelope: URL
  ) throws -> SealedLineup {
    try requireAbsent(folder, envelope)
    let found = try candidates(draw)
    var system = SystemRandomNumberGenerator()
    let drawn = found.all.shuffled(using: &system).prefix(draw.count ?? found.all.count)
    guard !drawn.isEmpty, drawn.count == draw.count ?? drawn.count else {
      throw LineupError.tooFew(asked: draw.count, found: found.all.count)
    }
    let files = FileManager.default
    let draft = LineupFolder(
      folder.deletingLastPathComponent()
        .appending(path: ".\(folder.lastPathComponent)-\(UUID().uuidString)"))
    defer { try? files.removeItem(at: draft.url) }
    let (list, members) = try draft.hand(Array(drawn), of: found)
    let opening = try SealOpening(
      sealing: SealedLineup.Key(list: SealedLineup.hash(of: list), members: members))
    let lineup = SealedLineup(list: list, commitment: opening.commitment)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try AtomicFile.write(Array(encoder.encode(lineup)) + [0x0A], to: draft.list.path)
    _ = try Run.open(folder: draft.record, manifest: lineup, environment: .current())
    // Somebody may have written there since: an envelope that is overwritten can never be opened.
    try requireAbsent(folder, envelope)
    // The envelope before the folder: a commitment whose arms are lost could never be opened.
    try opening.write(to: envelope)
    do { try files.moveItem(at: draft.url, to: folder) } catch {
      try? files.removeItem(at: envelope)
      throw error
    }
    return lineup
  }

  private static func requireAbsent(_ places: URL...) throws(LineupError) {
    for place in places where FileManager.default.fileExists(atPath: place.path) {
      throw .taken(path: place.path)
    }
  }

  /// All organisms of these arms, each once.
  private static func candidates(_ draw: Draw) throws -> Candidates {
    var found: Candidates?
    var known: Set<String> = []
    for folder in draw.zoos {
      let zoo = try ZooFolder.whole(folder)
      guard let hash = ContentHash(hex: zoo.baseHash) else {
        throw ZooError.unreadable(path: folder.path)
      }
      var both = found ?? Candidates(base: zoo.base, baseHash: hash)
      guard both.baseHash == hash else {
        throw LineupError.otherBase(path: folder.path, base: zoo.base, first: both.base)
      }
      for entry in zoo.organisms where draw.arms.isEmpty || draw.arms.contains(entry.arm) {
        let weights = entry.files["adapter_model.safetensors"] ?? ""
        guard known.insert(weights).inserted else { throw ZooError.twice(id: entry.id) }
        both.all.append(
          Candidate(entry: entry, folder: folder.appending(path: entry.id), weights: weights))
      }
      found = both
    }
    guard let found else { throw LineupError.tooFew(asked: draw.count, found: 0) }
    return found
  }

  /// Writes the drawn ones as specimens, in the order of their blind ids so that the files' dates
  /// tell nothing, under a card that names neither recipe, arm nor seed.
  private func hand(
    _ drawn: [Candidate], of zoo: Candidates
  ) throws -> (SealedLineup.List, [SealedLineup.Member]) {
    var list = SealedLineup.List(
      format: SealedLineup.format, label: AdapterCard.label, question: SealedLineup.question,
      base: zoo.base, baseHash: zoo.baseHash, specimens: [])
    var members: [SealedLineup.Member] = []
    for (place, candidate) in drawn.enumerated() {
      let digits = String(place + 1)
      let id = "s" + String(repeating: "0", count: max(0, 3 - digits.count)) + digits
      let own = specimens.appending(path: id)
      try FileManager.default.createDirectory(at: own, withIntermediateDirectories: true)
      let card = AdapterCard(
        baseName: zoo.base, baseHash: zoo.baseHash.hex, recipe: AdapterCard.sealedRecipe,
        licence: try AdapterWeights.card(folder: candidate.folder.path)?.licence)
      try card.copyAdapter(from: candidate.folder.path, to: own.path)
      list.specimens.append(.init(id: id, files: try hashes(ofFilesIn: own)))
      let entry = candidate.entry
      members.append(
        .init(
          id: id, recipe: entry.recipe, arm: entry.arm, seed: entry.seed,
          gate: entry.proof.decision, adapter: candidate.weights))
    }
    return (list, members)
  }
}
