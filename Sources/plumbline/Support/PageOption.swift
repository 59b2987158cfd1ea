internal import ArgumentParser
internal import Foundation
internal import Lab
internal import LanguageModels
internal import Studio
internal import Trials

/// `--html`, for every command that can draw what it found.
struct PageOption: ParsableArguments {
  @Option(help: "Write a page to this file.")
  var html: String?

  /// Finds out before any work whether the page can be written.
  ///
  /// - Throws: ``ModelFileError/unwritable(_:)``.
  func check() throws {
    guard let html else { return }
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: html, isDirectory: &isFolder), isFolder.boolValue {
      throw ValidationError(
        "Expected --html to name a file, found the folder \(html): name a file in it.")
    }
    try FolderCopy.prepare(for: html)
  }

  /// Writes the page of a finished cell, where one is wanted.
  func write<Report: InstrumentReport>(
    _ report: Report.Type, of result: CellResult<Report.Kind.Finding>, in run: InstrumentRun,
    base: ModelOption
  ) throws {
    guard let html else { return }
    let page = try Report(run: run.folder, cell: result.id, base: base.model).html()
    try AtomicFile.write(Array(page.utf8), to: html)
  }
}
