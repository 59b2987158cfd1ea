package import Foundation

/// Where everything of a run lies.
///
///     manifest.json          the study, as it was asked for
///     ledger.jsonl           the truth about what happened
///     ledger.sqlite          an index over it
///     cells/<id>/            finished cells: cell.json, finding.json, artifacts/
///     work/<id>/             unfinished ones: staging/ (emptied at every start), scratch/ (kept)
///     sealed/<line-up>.json  arms that no detector may see
package struct RunFolder: Equatable, Sendable {
  /// The run's folder.
  package let url: URL

  /// The paths of a run in this folder; touches nothing.
  package init(_ url: URL) {
    self.url = url
  }

  /// The study, as it was asked for.
  package var manifest: URL { url.appending(path: "manifest.json") }
  /// The hash-chained record.
  package var ledger: URL { url.appending(path: "ledger.jsonl") }
  /// The index over the ledger.
  package var index: URL { url.appending(path: "ledger.sqlite") }
  /// Held by the process that works on the run.
  var lock: URL { url.appending(path: "lock") }
  /// Finished cells.
  var cells: URL { url.appending(path: "cells") }
  /// Unfinished cells.
  var work: URL { url.appending(path: "work") }
  /// Arms that no detector may see.
  var sealed: URL { url.appending(path: "sealed") }

  /// A finished cell's folder.
  package func cell(_ id: CellID) -> URL { cells.appending(path: id.hex) }
  func work(_ id: CellID) -> URL { work.appending(path: id.hex) }
  func staging(_ id: CellID) -> URL { work(id).appending(path: "staging") }
  func sealed(_ lineUp: String) -> URL { sealed.appending(path: "\(lineUp).json") }

  /// Where a cell that the ledger calls finished lies. For the moment between its entry and the
  /// renaming, that is the staging folder.
  func finishedCell(_ id: CellID) -> URL {
    exists(cell(id)) || !exists(staging(id)) ? cell(id) : staging(id)
  }
}

/// The files of one cell, finished or about to be.
struct CellFolder {
  let url: URL

  var description: URL { url.appending(path: "cell.json") }
  var finding: URL { url.appending(path: "finding.json") }
  var artifacts: URL { url.appending(path: "artifacts") }

  /// How a value stands in a file of the run folder.
  static func bytes(of value: JSONValue) -> [UInt8] {
    value.canonicalBytes + [UInt8(ascii: "\n")]
  }

  /// Writes the finding and the description beside the artifacts, all of it on the disk, and says
  /// what the ledger has to record.
  func complete(
    _ cell: CellDescription, finding value: some Encodable
  ) throws -> (description: ContentHash, contents: CellContents) {
    let description = Self.bytes(of: try JSONValue(encoding: cell))
    let finding = Self.bytes(of: try JSONValue(encoding: value))
    try writeDurably(description, to: self.description)
    try writeDurably(finding, to: self.finding)
    try syncFolders(artifacts)
    let contents = CellContents(
      finding: ContentHash(of: finding), artifacts: try hashes(ofFilesIn: artifacts))
    return (ContentHash(of: description), contents)
  }

  private func syncFolders(_ folder: URL) throws {
    for name in try names(in: folder) {
      let item = folder.appending(path: name)
      let type = try FileManager.default.attributesOfItem(atPath: item.path)[.type]
      switch type as? FileAttributeType {
      case .typeDirectory: try syncFolders(item)
      case .typeRegular: try syncToDisk(item)
      default: throw LabError.unrecordableFile(item.path)
      }
    }
    try syncToDisk(folder)
  }

  /// Compares every file with what the ledger recorded.
  /// - Returns: the finding's bytes.
  /// - Throws: `LabError.damagedCell` naming the first file that differs.
  func check(_ record: CellFinish) throws -> [UInt8] {
    let id = record.cell
    func damage(_ file: String, _ found: String) -> LabError {
      .damagedCell(id, file: url.appending(path: file).path, found: found)
    }
    func check(_ file: String, _ expected: ContentHash) throws {
      let path = url.appending(path: file)
      guard exists(path) else { throw damage(file, "no such file") }
      guard try ContentHash(ofFile: path) == expected else {
        throw damage(file, "other contents")
      }
    }
    try check("cell.json", record.description)
    let description: CellDescription = try JSONValue(parsing: contents(of: self.description))
      .decode()
    guard try CellID(of: description) == id else {
      throw damage("cell.json", "the description of another cell")
    }
    let findingBytes = exists(finding) ? try contents(of: finding) : []
    try check("finding.json", record.contents.finding)
    for (path, hash) in record.contents.artifacts.sorted(by: { $0.key < $1.key }) {
      try check("artifacts/\(path)", hash)
    }
    if exists(artifacts) {
      try visit(artifacts, prefix: "") { path, _ in
        if record.contents.artifacts[path] == nil {
          throw damage("artifacts/\(path)", "a file that the ledger does not know")
        }
      }
    }
    return findingBytes
  }

  /// A finished cell read back, after checking it.
  func result<Finding: Decodable & Sendable>(
    _ record: CellFinish, wasCached: Bool
  ) throws -> CellResult<Finding> {
    let finding: Finding = try JSONValue(parsing: try check(record)).decode()
    return CellResult(
      id: record.cell, finding: finding, artifacts: artifacts, wasCached: wasCached,
      cost: record.cost, contents: record.contents)
  }
}
