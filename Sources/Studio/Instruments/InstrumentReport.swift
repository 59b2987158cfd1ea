package import Foundation
package import Lab

/// A finished cell of an instrument, as its page is made from it.
package struct InstrumentResult<Kind: CellKind>: Sendable {
  fileprivate let result: CellResult<Kind.Finding>
  fileprivate let record: RunRecord
  fileprivate let base: String

  fileprivate init(run: URL, cell: CellID, base: String) throws {
    record = try RunRecord(folder: run)
    guard let result = try record.result(of: cell, as: Kind.Finding.self) else {
      throw LabError.notARun(folder: run.path)
    }
    (self.result, self.base) = (result, (base as NSString).lastPathComponent)
  }
}

/// The page of one kind of cell.
package protocol InstrumentReport: Sendable {
  associatedtype Kind: CellKind

  var source: InstrumentResult<Kind> { get }

  init(_ source: InstrumentResult<Kind>)

  /// The page as one self-contained HTML file.
  func html() throws -> String
}

extension InstrumentReport {
  /// The kind of cell that it is the page of.
  package static var kind: String { Kind.kind }

  /// Reads a finished cell.
  ///
  /// - Parameters:
  ///   - run: The run's folder.
  ///   - cell: A cell of the kind.
  ///   - base: The model, as people name it.
  /// - Throws: What reading the run throws; `LabError.notARun` where it has no such cell.
  package init(run: URL, cell: CellID, base: String) throws {
    self.init(try InstrumentResult(run: run, cell: cell, base: base))
  }

  var result: CellResult<Kind.Finding> { source.result }
  /// The model's name, without its folder.
  var base: String { source.base }

  /// The page's HTML, with what all of them have: the model first, the run last, and its cells.
  func page(
    title: String, kicker: String, facts: [(name: String, value: String)], sections: [Section],
    footer: Node
  ) throws -> String {
    let run = source.record.folder.url.lastPathComponent
    return try Page(
      title: title, kicker: kicker, facts: [("Model", base)] + facts + [("Run", run)],
      sections: sections, cells: source.record.cells.map { CellRecord($0) }, footer: footer
    ).html()
  }
}
