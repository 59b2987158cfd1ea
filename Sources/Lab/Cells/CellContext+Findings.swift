import Foundation

extension CellContext {
  /// What another cell found, where that cell's whole result is an input of this one.
  /// - Throws: `LabError.noSuchInput`; `LabError.notCodable` if the finding is of another type.
  package func finding<Finding: Decodable>(
    of name: String, as type: Finding.Type = Finding.self
  ) throws -> Finding {
    let folder = CellFolder(url: try input(named: name).deletingLastPathComponent())
    return try JSONValue(parsing: contents(of: folder.finding)).decode()
  }
}
