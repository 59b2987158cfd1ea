internal import ArgumentParser
internal import Foundation
internal import Lab
internal import Studio
internal import Trials

/// `plumbline runs`.
struct RunsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "runs",
    abstract: "Lists runs, shows the cells of one, and prints a trial's leaderboard again.",
    discussion: """
      Answers from an index of all run folders, .plumbline.sqlite beside them. It is brought up to date \
      every time and holds nothing that the folders do not, so it may be deleted.

      EXAMPLE
        plumbline runs
        plumbline runs --kind trial --json
        plumbline runs show trial-quick-0123abcd --kind try --slowest
        plumbline runs leaderboard
      """,
    subcommands: [RunsListCommand.self, RunsShowCommand.self, RunsLeaderboardCommand.self],
    defaultSubcommand: RunsListCommand.self)
}

extension RunOptions {
  /// Asks the index of the runs.
  fileprivate func query<Answer>(
    rebuilding: Bool = false, _ body: (RunCatalog) throws -> Answer
  ) throws -> Answer {
    try RunCatalog.query(
      in: URL(fileURLWithPath: runs), rebuilding: rebuilding, endings: RunCatalog.endings, body)
  }
}

/// `plumbline runs list`.
struct RunsListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "Lists the runs, the one with the newest entry first.",
    discussion: """
      States: done; running, where a process holds the run; interrupted, where none does and a cell was \
      not ended or a study's last cell is to come; failed, where a cell did the last time; damaged. \
      Seconds and tokens are those of all cells together.

      EXAMPLE
        plumbline runs list --kind trial
      """)

  @OptionGroup var options: RunOptions

  @Option(help: "Only studies whose kind begins with this, such as trial, audit or lens-train.")
  var kind: String?

  @Flag(help: "Build the index anew from the run folders.")
  var rebuild = false

  @Flag(
    help: """
      Print {"runs": [{"name", "kind", "state", "cells": {"all", "finished", "failed"}, "cost", \
      "created", "latest", …}, …]}.
      """)
  var json = false

  func run() throws {
    let runs = try options.query(rebuilding: rebuild) { try $0.runs(kind: kind) }
    guard !json else { return try StandardOutput.write(json: ["runs": runs]) }
    guard !runs.isEmpty else {
      return try StandardOutput.write(
        line: "no runs" + (kind.map { " of kind \($0)" } ?? "") + " in \(options.runs)")
    }
    let header = ["run", "kind", "state", "cells", "seconds", "tokens", "last entry (UTC)"]
    try StandardOutput.write(
      lines: TextTable.lines([header] + runs.map(\.row)) + runs.compactMap(\.problemLine))
  }
}

/// `plumbline runs show`.
struct RunsShowCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Prints the cells of a run, in the order in which they were begun.",
    discussion: """
      EXAMPLE
        plumbline runs show trial-quick-0123abcd --kind try --slowest
      """)

  @OptionGroup var options: RunOptions

  @Argument(help: "The run's name, as `plumbline runs` prints it.")
  var name: String

  @Option(help: "Only cells of this kind, such as plant, gate or try.")
  var kind: String?

  @Flag(help: "The slowest cell first.")
  var slowest = false

  @Flag(
    help: """
      Print {"run": {…}, "cells": [{"id", "kind", "state", "attempts", "cost", "reason"}, …]}.
      """)
  var json = false

  private struct Contents: Encodable {
    let run: RunSummary
    let cells: [CellSummary]
  }

  func run() throws {
    var contents = try options.query { catalog in
      Contents(run: try catalog.run(named: name), cells: try catalog.cells(of: name, kind: kind))
    }
    if slowest {
      contents = Contents(
        run: contents.run,
        cells: contents.cells.sorted { $0.cost.seconds > $1.cost.seconds })
    }
    guard !json else { return try StandardOutput.write(json: contents) }
    try StandardOutput.write(lines: Self.lines(contents))
  }

  private static func lines(_ contents: Contents) -> [String] {
    let cells = contents.cells
    let state = "\(contents.run.name): \(contents.run.state.rawValue), "
    let header = ["cell", "kind", "state", "attempts", "seconds", "tokens"]
    let table = TextTable.lines([header] + cells.map(\.row))
    let rows = zip(table.dropFirst(), cells).flatMap { line, cell in
      [line] + (cell.reason.map { ["    \(quoted($0))"] } ?? [])
    }
    let count = "\(cells.count) " + (cells.count == 1 ? "cell" : "cells")
    return [state + count] + (cells.isEmpty ? [] : table.prefix(1) + rows)
      + [contents.run.problemLine].compactMap(\.self)
  }
}

/// `plumbline runs leaderboard`.
struct RunsLeaderboardCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "leaderboard",
    abstract: "Prints the table of a finished trial again, without loading a model.",
    discussion: """
      EXAMPLE
        plumbline runs leaderboard
        plumbline runs leaderboard trial-quick-0123abcd --json
      """)

  @OptionGroup var options: RunOptions

  @Argument(
    help: "The run's name, as `plumbline runs` prints it; the newest finished trial if none.")
  var name: String?

  @Flag(help: "Print the findings as JSON, as `plumbline trial --json` does.")
  var json = false

  func run() throws {
    let (run, scores) = try options.query(find)
    guard !json else { return try StandardOutput.write(json: scores) }
    let folder = URL(fileURLWithPath: options.runs).appending(path: run)
    try StandardOutput.write(lines: TrialTable(scores).lines + ["run: \(folder.path)"])
  }

  private func find(_ catalog: RunCatalog) throws -> (run: String, scores: TrialScores) {
    if let name, let problem = try catalog.run(named: name).problem {
      throw CommandError.damagedRun(problem: problem)
    }
    guard let found = try catalog.latest(kind: TrialScoreCell.kind, in: name),
      let scores: TrialScores = try catalog.finding(of: found.cell, in: found.run)
    else { throw CommandError.noTrial(place: name ?? options.runs) }
    return (found.run, scores)
  }
}

extension RunSummary {
  fileprivate var row: [String] {
    [
      name, kind, state.rawValue, "\(cells.finished)/\(cells.all)",
      TextTable.number(cost.seconds, decimals: 1), "\(cost.tokens)",
      latest.map { String($0.prefix(16)).replacing("T", with: " ") } ?? "–",
    ]
  }

  fileprivate var problemLine: String? { problem.map { "problem: \(name): \($0)" } }
}

extension CellSummary {
  fileprivate var row: [String] {
    [
      id.short, kind, state.rawValue, "\(attempts)", TextTable.number(cost.seconds, decimals: 1),
      "\(cost.tokens)",
    ]
  }
}
