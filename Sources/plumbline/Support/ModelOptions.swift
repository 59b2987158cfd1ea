internal import ArgumentParser
internal import LanguageModels
internal import Tensors

extension Precision: ExpressibleByArgument {}
extension Processor.Device: ExpressibleByArgument {}

/// `--device`, for every command that computes.
struct DeviceOption: ParsableArguments {
  @Option(help: "Where to compute; gpu needs a build for one (README, What was tried where).")
  var device = Processor.Device.cpu

  /// To be called before a model is loaded.
  func use() async throws { try await Processor.use(device) }
}

/// `--model`, for every command that takes one.
struct ModelOption: ParsableArguments {
  @Option(help: "A name from `plumbline models`, a GGUF file or a Hugging Face folder.")
  var model = ModelCatalog.defaultName

  /// Whether it is behind an API and not on this machine.
  var isRemote: Bool { RemoteEndpoint.isMeant(by: model) }

  func path() throws -> String { try ModelCatalog.path(of: model) }
}

/// What every command that runs a model takes.
struct ModelOptions: ParsableArguments {
  @OptionGroup var file: ModelOption

  @Option(help: "How products with the model's weights are computed.")
  var precision = Precision.float32

  @OptionGroup var device: DeviceOption

  @OptionGroup var adapter: AdapterOption

  func load() async throws -> LanguageModel {
    try await device.use()
    return try await LanguageModel(path: file.path(), precision: precision)
  }

  func loadAdapter(for model: LanguageModel) async throws -> AdapterWeights? {
    try await adapter.load(for: model.configuration, path: model.path)
  }
}

/// `--adapter`, for every command that takes a trained model.
struct AdapterOption: ParsableArguments {
  @Option(help: "A folder with a LoRA adapter in PEFT's format, applied to the model.")
  var adapter: String?

  /// The adapter, if one was named; `path` is that of the model's file.
  func load(
    for configuration: @autoclosure () throws -> ModelConfiguration, path: String
  ) async throws -> AdapterWeights? {
    guard let adapter else { return nil }
    let (widths, hash) = (try configuration(), try FileDigest.sha256(path: path))
    return try await AdapterWeights.load(folder: adapter, for: widths, baseHash: hash)
  }
}

extension LanguageModel {
  /// The tokens of raw text, with those that the model was trained to see around it; at least one.
  nonisolated func tokens(of text: String) throws(CommandError) -> [Int] {
    try checked(tokenizer.encode(text, addSpecial: true))
  }

  /// `ids` as they are, if there are any and the model can see all of them at once.
  nonisolated func checked(_ ids: [Int]) throws(CommandError) -> [Int] {
    // Text can have no tokens: some vocabularies lack a few control characters.
    guard !ids.isEmpty else { throw .noTokens }
    guard ids.count <= configuration.contextLength else {
      throw .tooManyTokens(found: ids.count, limit: configuration.contextLength)
    }
    return ids
  }
}
