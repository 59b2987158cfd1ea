internal import ArgumentParser
internal import Foundation
internal import Lab
internal import Trials

/// What every command takes that runs instruments, and how it tells what they found.
///
/// `--json` is each command's own, since its help says what that command's JSON holds.
struct RunOptions: ParsableArguments {
  @Option(help: "Where run folders lie.")
  var runs = "runs"

  /// Prints a result: as JSON where that is wanted, and otherwise `lines`, then where things lie.
  ///
  /// `output` goes into JSON only, for a command whose lines name what it wrote besides the run.
  func report<Finding: Encodable & Sendable>(
    _ result: CellResult<Finding>, of run: InstrumentRun, asJSON: Bool, output: String? = nil,
    page: String? = nil, lines: (Finding) -> [String]
  ) throws {
    let folder = run.folder.path
    guard !asJSON else {
      return try StandardOutput.write(
        json: Summary(
          output: output, run: folder, cell: result.id.hex, finding: result.finding))
    }
    try StandardOutput.write(
      lines: lines(result.finding) + (page.map { ["page: \($0)"] } ?? []) + ["run: \(folder)"])
  }
}

/// What `--json` prints; no key `output` where there is none.
private struct Summary<Finding: Encodable>: Encodable {
  let output: String?
  let run: String
  let cell: String
  let finding: Finding
}
