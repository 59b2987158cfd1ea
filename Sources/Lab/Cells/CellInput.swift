package import Foundation

/// Something that a cell reads: a file or folder, or another cell's result.
///
/// Only its contents count for the identity of the cell that reads it, not where they lie.
package struct CellInput: Sendable {
  /// The hash of the contents.
  package let hash: ContentHash
  /// Where the contents are: for a result, the folder of its artifacts.
  package let url: URL
  /// The cell that made it, or nil for a file from outside.
  package let source: CellID?

  /// A file, or a folder with everything in it.
  /// - Throws: `LabError.fileSystem` if it cannot be read.
  package static func file(_ url: URL) throws -> CellInput {
    var isFolder: ObjCBool = false
    _ = FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder)
    guard isFolder.boolValue else {
      return CellInput(hash: try ContentHash(ofFile: url), url: url, source: nil)
    }
    let tree = try JSONValue(encoding: try hashes(ofFilesIn: url))
    return CellInput(hash: ContentHash(of: tree), url: url, source: nil)
  }

  /// Another cell's finding and artifacts.
  package static func result<Finding>(_ result: CellResult<Finding>) -> CellInput {
    CellInput(hash: result.contents.hash, url: result.artifacts, source: result.id)
  }

  /// One artifact of another cell, by its path below the cell's artifacts.
  /// - Throws: `LabError.noSuchInput` if the cell has no such artifact.
  package static func artifact<Finding>(
    _ path: String, of result: CellResult<Finding>
  ) throws -> CellInput {
    guard let hash = result.contents.artifacts[path] else {
      throw LabError.noSuchInput(name: path, given: Array(result.contents.artifacts.keys))
    }
    return CellInput(hash: hash, url: result.artifacts.appending(path: path), source: result.id)
  }
}

/// The hashes of what a cell left behind, as its ledger entry records them.
package struct CellContents: Codable, Equatable, Sendable {
  /// The hash of `finding.json`.
  package let finding: ContentHash
  /// The hash of each file below `artifacts/`, by its path there.
  package let artifacts: [String: ContentHash]
  /// One hash over all of these.
  package let hash: ContentHash

  init(finding: ContentHash, artifacts: [String: ContentHash]) {
    self.finding = finding
    self.artifacts = artifacts
    hash = ContentHash(
      of: .object([
        "finding": .string(finding.hex),
        "artifacts": .object(artifacts.mapValues { .string($0.hex) }),
      ]))
  }
}
