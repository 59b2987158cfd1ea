internal import ArgumentParser
internal import LanguageModels

/// `plumbline models`.
struct ModelsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "models",
    abstract: "Lists the models that can be loaded, and which of them are on this machine.",
    discussion: """
      Besides these, --model takes a Hugging Face folder (Llama, Mistral, Qwen, Gemma, GPT-2,
      GPT-NeoX, BERT) or a GGUF file (Llama, Mistral, Qwen, Gemma).

      EXAMPLE
        plumbline models --json
      """)

  @Flag(help: "Print {\"models\": [{\"name\", \"file\", \"licence\", \"summary\", \"path\"}, …]}.")
  var json = false

  private struct Listing: Encodable {
    struct Model: Encodable {
      let name: String
      let file: String
      let licence: String
      let summary: String
      /// Null where the model has not been fetched.
      let path: String?
      let isDefault: Bool

      enum CodingKeys: String, CodingKey {
        case name, file, licence, summary, path
        case isDefault = "default"
      }

      func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(file, forKey: .file)
        try container.encode(licence, forKey: .licence)
        try container.encode(summary, forKey: .summary)
        // The synthesised code would leave the key out.
        try container.encode(path, forKey: .path)
        try container.encode(isDefault, forKey: .isDefault)
      }
    }

    let models: [Model]
  }

  func run() throws {
    let models = ModelCatalog.entries.map {
      Listing.Model(
        name: $0.name, file: $0.file, licence: $0.licence, summary: $0.summary,
        path: ModelCatalog.location(of: $0), isDefault: $0.name == ModelCatalog.defaultName)
    }
    guard !json else { return try StandardOutput.write(json: Listing(models: models)) }
    try StandardOutput.write(
      lines: models.map {
        "\($0.name)\t\($0.summary)\t\($0.licence)\t\($0.path ?? "not fetched: run `make bootstrap`")"
      })
  }
}
