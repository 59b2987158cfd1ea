import Foundation

// What has to be right, or made right, before a run can go on.

extension Run {
  /// Refuses a folder that holds other things, before anything is written there.
  static func checkUsable(_ folder: RunFolder) throws {
    guard exists(folder.url), !exists(folder.manifest) else { return }
    let own: Set = ["lock", ".manifest.json.partial"]
    if try !own.isSuperset(of: names(in: folder.url)) {
      throw LabError.notARun(folder: folder.url.path)
    }
  }

  /// Writes the manifest of a new run, or compares it with that of an old one.
  /// - Returns: the hash of the manifest's bytes.
  static func claim(_ folder: RunFolder, study: JSONValue) throws -> ContentHash {
    let bytes = CellFolder.bytes(
      of: .object(["format": .number(String(format)), "study": study]))
    guard exists(folder.manifest) else {
      try writeDurably(bytes, to: folder.manifest)
      return ContentHash(of: bytes)
    }
    let found = try contents(of: folder.manifest)
    guard found != bytes else { return ContentHash(of: bytes) }
    if case .number(let number)? = (try? JSONValue(parsing: found))?["format"],
      let foundFormat = Int(number), foundFormat != format
    {
      throw LabError.otherFormat(
        folder: folder.url.path, found: foundFormat, expected: format)
    }
    throw LabError.otherStudy(folder: folder.url.path)
  }

  /// Opens the ledger, sets a torn tail aside and notes that this process took over.
  static func openLedger(
    _ folder: RunFolder, manifest: ContentHash, environment: Environment
  ) throws -> (LedgerFile, LedgerState) {
    // For their owner alone: a plant cell's configuration names its arm.
    for part in [folder.cells, folder.work] { try createFolder(part, mode: 0o700) }
    try checkLedgerExists(folder)
    var (file, scan) = try LedgerFile.open(folder.ledger)
    if let disagreement = LedgerIndex.disagreement(folder, entries: scan.entries) {
      throw disagreement
    }
    var state = LedgerState()
    for entry in scan.entries { try state.apply(entry) }
    if let known = state.manifest, known != manifest {
      throw LabError.otherStudy(folder: folder.url.path)
    }
    func append(_ type: EntryType, _ record: some Encodable) throws {
      let entry = file.next(type, try JSONValue(encoding: record))
      try state.apply(entry)
      try file.append(entry)
    }
    if !scan.tail.isEmpty {
      let name = "ledger.torn-\(ContentHash(of: scan.tail).hex.prefix(12))"
      try writeDurably(scan.tail, to: folder.url.appending(path: name))
      file.cutTail()
    }
    let session = SessionRecord(format: format, manifest: manifest, environment: environment)
    try append(scan.entries.isEmpty ? .runCreated : .runResumed, session)
    // By the files rather than by the tail: we may have been killed between cutting and noting.
    for name in try names(in: folder.url)
    where name.hasPrefix("ledger.torn-") && !state.tornFiles.contains(name) {
      let bytes = try contents(of: folder.url.appending(path: name)).count
      try append(.tornLine, TornLine(file: name, bytes: bytes))
    }
    return (file, state)
  }

  /// Refuses a run that lost its ledger; one that was killed before its first entry has no cells.
  static func checkLedgerExists(_ folder: RunFolder) throws {
    guard !exists(folder.ledger), exists(folder.cells) else { return }
    if try !names(in: folder.cells).isEmpty {
      throw LabError.damagedLedger(
        file: folder.ledger.path, line: 1, byte: 0,
        reason: "the file is missing although cells have finished")
    }
  }

  /// Finishes what a kill interrupted right after a cell's entry was written.
  static func settle(_ id: CellID, in folder: RunFolder) throws {
    if !exists(folder.cell(id)) && exists(folder.staging(id)) {
      try moveDurably(folder.staging(id), to: folder.cell(id))
    }
    if exists(folder.work(id)) { try remove(folder.work(id)) }
  }
}
