internal import ArgumentParser
internal import Foundation

/// `plumbline ledger`.
struct LedgerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ledger",
    abstract: "Verifies or shows the record of a run.",
    discussion: """
      EXAMPLE
        plumbline ledger verify runs/demo
      """,
    subcommands: [LedgerVerifyCommand.self, LedgerShowCommand.self])
}

/// The run that a ledger command looks at.
struct RunArgument: ParsableArguments {
  @Argument(help: "The run's folder.")
  var run: String

  var url: URL { URL(filePath: run) }
}
