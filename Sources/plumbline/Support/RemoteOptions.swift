internal import ArgumentParser
internal import LanguageModels

/// What commands take that text and log-probabilities are enough for.
struct RemoteOptions: ParsableArguments {
  @Option(help: "A folder in which a remote model's answers are kept, and looked for before.")
  var cache: String?

  @Flag(help: "Let unencrypted requests to a remote model leave this machine.")
  var allowHttp = false

  static let discussion = """
    --model openai:NAME@URL asks an OpenAI-compatible API, with the key in PLUMBLINE_API_KEY or else \
    OPENAI_API_KEY.
    """

  /// The remote model that is meant, or nil for one on this machine.
  func model(_ options: ModelOptions) throws -> RemoteModel? {
    guard options.file.isRemote else {
      guard cache == nil, !allowHttp else {
        throw ValidationError(
          "Expected --cache and --allow-http with a remote model only: leave them out.")
      }
      return nil
    }
    guard options.adapter.adapter == nil else {
      throw ValidationError(
        "Expected no --adapter with a remote model, whose weights are out of reach: leave it out.")
    }
    var settings = RemoteSettings()
    (settings.cache, settings.allowsPlainHTTP) = (cache, allowHttp)
    return try RemoteModel(options.file.model, settings: settings)
  }
}
