internal import ArgumentParser

/// `plumbline weights`.
struct WeightsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "weights",
    abstract: "Reads weights in tokens, raw and corrected for the residual stream's drift.",
    subcommands: [WeightsReadCommand.self, WeightsValidateCommand.self])
}

/// `--lens` and `--backward`, and the text on which ways back are fitted.
struct DriftOptions: ParsableArguments {
  @Option(help: "A retrodiction lens, to carry back what neurons read.")
  var backward: String?

  @Option(
    name: .customLong("fit-text"),
    help:
      "Text on which ways back are fitted, as --text of `lens train`; may be given several times.")
  var fitFiles: [String] = []

  /// The files as cells know them.
  func inputs() throws -> [String: String] {
    try TextOptions.check(fitFiles)
    return ["backward": backward].compactMapValues { $0 }
  }
}
