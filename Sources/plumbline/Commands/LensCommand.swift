internal import ArgumentParser

/// `plumbline lens`.
struct LensCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lens",
    abstract: "Reads the residual stream: what a model would say if it stopped there.",
    subcommands: [
      LensTrainCommand.self, LensEvalCommand.self, LensShowCommand.self, LensBasisCommand.self,
    ])
}
