internal import ArgumentParser
internal import LanguageModels

/// `plumbline generate`.
struct GenerateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate",
    abstract: "Continues a prompt, or answers a conversation.",
    discussion: """
      Without --prompt and --chat the prompt is read from standard input. A prompt is taken as it
      is; a conversation goes through the model's chat template. At temperature 0 the likeliest
      token is taken each time. \(RemoteOptions.discussion)

      EXAMPLE
        plumbline generate --prompt 'The capital of France is' --max-tokens 8 --json
        echo '[{"role": "user", "content": "Hello!"}]' > chat.json
        plumbline generate --chat chat.json --temperature 0.7 --seed 1
        plumbline generate --model openai:my-model@http://localhost:8080/v1 --chat chat.json
      """)

  @OptionGroup var options: ModelOptions
  @OptionGroup var remote: RemoteOptions

  @Option(help: "The text to continue.")
  var prompt: String?

  @Option(help: "A JSON file with the messages so far: [{\"role\": …, \"content\": …}, …].")
  var chat: String?

  @Option(help: "The most tokens to add.")
  var maxTokens = 128

  @Option(help: "What logits are divided by before sampling; 0 does not sample.")
  var temperature: Float = 0

  @Option(help: "Seed of the draws.")
  var seed: UInt64 = 0

  @Option(help: "Ask a remote model for log-probabilities, and so many likeliest tokens a place.")
  var topLogprobs: Int?

  @Flag(help: "Print {\"text\", \"ids\", \"logprobs\", \"finish_reason\": \"stop|length\", …}.")
  var json = false

  private struct Continuation: Encodable {
    let text: String
    let ids: [Int]
    let logprobs: [Float]
    let finishReason: Generation.FinishReason
    let promptTokens: Int

    enum CodingKeys: String, CodingKey {
      case text, ids, logprobs
      case finishReason = "finish_reason"
      case promptTokens = "prompt_tokens"
    }
  }

  func validate() throws {
    guard prompt == nil || chat == nil else {
      throw ValidationError("Expected --prompt or --chat, found both: leave one out.")
    }
    guard maxTokens >= 1 else {
      throw ValidationError("Expected --max-tokens of at least 1, found \(maxTokens).")
    }
    guard temperature >= 0, temperature.isFinite else {
      throw ValidationError("Expected --temperature of 0 or more, found \(temperature).")
    }
    guard topLogprobs == nil || options.file.isRemote else {
      throw ValidationError("Expected --top-logprobs with a remote model only: leave it out.")
    }
  }

  func run() async throws {
    if let model = try remote.model(options) { return try await run(model) }
    // Before the model is loaded, which takes longer than finding that there is nothing to do.
    _ = try options.file.path()
    let input = try readInput()
    let model = try await options.load()
    let adapter = try await options.loadAdapter(for: model)
    let ids = try input.tokens(model)
    let settings = GenerationOptions(
      // Room for keys and values is set aside at once, so no more than the context can use.
      maxTokens: min(maxTokens, model.configuration.contextLength), temperature: temperature,
      seed: seed)
    guard let result = try await model.generate([ids], options: settings, adapter: adapter).first
    else { return }
    guard json else { return try StandardOutput.write(line: result.text) }
    try StandardOutput.write(
      json: Continuation(
        text: result.text, ids: result.ids, logprobs: result.logprobs,
        finishReason: result.finishReason, promptTokens: ids.count))
  }

  enum Input {
    case text(String)
    case messages([ChatMessage])

    func tokens(_ model: LanguageModel) throws -> [Int] {
      switch self {
      case .text(let text): try model.tokens(of: text)
      case .messages(let messages): try model.checked(model.promptTokens(messages))
      }
    }
  }

  func readInput() throws -> Input {
    if let chat { return .messages(try ChatFile.messages(path: chat)) }
    if let prompt {
      guard !prompt.isEmpty else {
        throw ValidationError("Expected some text in --prompt, found none.")
      }
      return .text(prompt)
    }
    return .text(try StandardInput.nonEmptyText())
  }
}
