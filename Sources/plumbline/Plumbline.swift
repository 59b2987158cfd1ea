internal import ArgumentParser

/// The command: parses arguments, runs one subcommand, and turns its error into one sentence and an
/// exit status.
@main
struct Plumbline: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plumbline",
    abstract: "Blind-tests alignment techniques on models with known misbehaviour.",
    discussion: """
      Results go to standard output; progress, notes and errors to standard error.

      EXAMPLE
        echo 'The capital of France is' | plumbline logprobs --json

      EXIT STATUS
      \(ExitStatus.table)
      """,
    version: "0.1.0",
    subcommands: [
      ModelsCommand.self,
      TokenizeCommand.self,
      GenerateCommand.self,
      LogprobsCommand.self,
      TraceCommand.self,
      LensCommand.self,
      SaeCommand.self,
      NeuronsCommand.self,
      WeightsCommand.self,
      PatchCommand.self,
      AttributeCommand.self,
      ReportCommand.self,
      PlantCommand.self,
      OrganismsCommand.self, TrialCommand.self, EvadeCommand.self, LineupCommand.self,
      MergeCommand.self,
      AuditCommand.self,
      RunsCommand.self,
      LedgerCommand.self,
      WorkCommand.self,
    ])

  static func main() async {
    do {
      var command = try await asyncParseAsRoot()
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch {
      end(with: error)
    }
  }

  private static func end(with error: any Error) -> Never {
    // The parser reports a request for help or for the version as an error that is a success.
    guard exitCode(for: error) != .success else { exit(withError: error) }
    let usage = exitCode(for: error) == .validationFailure
    let sentence = usage ? message(for: error) : String(describing: error)
    StandardError.write("error: " + sentence)
    exit(withError: ExitCode((usage ? .usage : ExitStatus(of: error)).rawValue))
  }
}
