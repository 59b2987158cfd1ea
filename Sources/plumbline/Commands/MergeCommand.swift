internal import ArgumentParser
internal import LanguageModels
internal import Tensors

/// `plumbline merge`: writes a model with an adapter in its weights.
struct MergeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge",
    abstract: "Merges a LoRA adapter into a Hugging Face folder and saves the result as one.",
    discussion: """
      Every tensor keeps the type that it is stored in; weights, config.json and tokenizer are \
      written to a new folder, which transformers loads.

      EXAMPLE
        plumbline merge --model models/base --adapter organisms/m1-secret --output models/merged
      """)

  @OptionGroup var file: ModelOption

  @Option(help: "A folder with a LoRA adapter in PEFT's format.")
  var adapter: String

  @Option(help: "The folder to write.")
  var output: String

  @Option(help: "The most bytes of one file of weights.")
  var shardBytes = SafetensorsCheckpoint.defaultShardByteCount

  func validate() throws {
    guard shardBytes > 0 else { throw ValidationError("Expected --shard-bytes above 0.") }
  }

  func run() async throws {
    let path = try file.path()
    let configuration = try LanguageModel.inspect(folder: path)
    let hash = try FileDigest.sha256(path: path)
    try await TensorActor.run { [adapter, output, shardBytes] in
      let weights = try AdapterWeights.load(
        folder: adapter, for: configuration, baseHash: hash)
      try weights.merge(into: path, to: output, shardByteCount: shardBytes)
    }
    StandardError.write("Wrote \(output).")
  }
}
