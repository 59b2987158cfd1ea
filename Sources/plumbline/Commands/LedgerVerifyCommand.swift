internal import ArgumentParser
internal import Lab

/// `plumbline ledger verify`.
struct LedgerVerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Checks every entry, commitment and file of a run against its ledger.",
    discussion: """
      Reads only, and works while the run goes on. Ends with status 65 if anything is not as it was
      written, and names each such file, line and byte.

      EXAMPLE
        plumbline ledger verify runs/demo --json
      """)

  @OptionGroup var folder: RunArgument

  @Flag(help: "Print {\"sound\": true|false, \"entries\", \"cells\", \"problems\": […], …}.")
  var json = false

  private struct Verdict: Encodable {
    let report: VerificationReport

    private enum CodingKeys: CodingKey { case sound }

    func encode(to encoder: any Encoder) throws {
      try report.encode(to: encoder)
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(report.isSound, forKey: .sound)
    }
  }

  func run() throws {
    let report = try Ledger.verify(folder.url)
    if json {
      try StandardOutput.write(json: Verdict(report: report))
    } else {
      try StandardOutput.write(lines: Self.lines(report))
    }
    guard report.isSound else {
      throw CommandError.unsoundRun(path: folder.run, problems: report.problems.count)
    }
  }

  private static func lines(_ report: VerificationReport) -> [String] {
    let counts =
      "\(report.entries) entries, \(report.cells) finished cells and \(report.openedLineUps) opened "
      + "line-ups are as they were written"
    return [counts] + report.notes.map { "note: \($0)" } + report.problems.map(line)
  }

  private static func line(_ problem: VerificationReport.Problem) -> String {
    let place = [problem.line, problem.byte.map { $0 }].compactMap { $0 }.map { ":\($0)" }
    return "problem: \(problem.file)\(place.joined()): \(problem.message)"
  }
}
