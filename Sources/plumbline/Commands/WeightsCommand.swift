internal import ArgumentParser
internal import Instruments
internal import LanguageModels
internal import Tensors

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

  /// Checks that the lenses are this model's, and read forward and back.
  @TensorActor
  func check(lens: String?, for model: LanguageModel) throws {
    if let lens { try Lens.check(lens, for: model, is: .tuned) }
    if let backward { try Lens.check(backward, for: model, is: .retrodiction) }
  }

  /// Checks that no file to measure on is one to fit on.
  func requireOther(_ files: [String]) throws {
    let fitted = Set(try fitFiles.map { try FileDigest.sha256(path: $0) })
    for file in files where fitted.contains(try FileDigest.sha256(path: file)) {
      throw ValidationError("Expected other --text than --fit-text, found \(file) in both.")
    }
  }
}
