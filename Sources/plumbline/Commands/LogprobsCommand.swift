internal import ArgumentParser
internal import LanguageModels
internal import Tensors

/// `plumbline logprobs`.
struct LogprobsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "logprobs",
    abstract: "Prints the log-probability of every token of the text on standard input.",
    discussion: """
      In nats, of each token after the first given those before it; the first has none. The text is
      taken as it is: special tokens in it are recognised, nothing is added.
      \(RemoteOptions.discussion)

      EXAMPLE
        echo 'The capital of France is Paris' | plumbline logprobs --json
      """)

  @OptionGroup var options: ModelOptions
  @OptionGroup var remote: RemoteOptions

  @Flag(help: "Print {\"ids\": […], \"logprobs\": [null, …]}, one a token.")
  var json = false

  private struct Scores: Encodable {
    let ids: [Int]
    let logprobs: [Float?]
  }

  func run() async throws {
    if let model = try remote.model(options) { return try await run(model) }
    _ = try options.file.path()
    let text = try StandardInput.nonEmptyText()
    let model = try await options.load()
    let adapter = try await options.loadAdapter(for: model)
    let ids = try model.tokens(of: text)
    let logprobs = [nil] + (try await model.logprobs(of: ids, adapter: adapter))
    guard !json else { return try StandardOutput.write(json: Scores(ids: ids, logprobs: logprobs)) }
    try StandardOutput.write(
      lines: zip(ids, logprobs).map { id, logprob in
        "\(id)\t\(logprob.map { "\($0)" } ?? "-")\t\(quoted(model.tokenizer.piece(id)))"
      })
  }
}

extension LanguageModel {
  /// log p of every token after the first in nats, `[tokens - 1]`.
  fileprivate func logprobs(of ids: [Int], adapter: AdapterWeights?) throws -> [Float] {
    guard ids.count > 1 else { return [] }
    let hidden = try forward(TokenBatch([ids]), logits: .none, adapter: adapter).finalNorm
    let losses = try crossEntropy(
      hidden.slice(0..<ids.count - 1), targets: Array(ids.dropFirst()),
      differentiable: false)
    return try losses.floats().map { -$0 }
  }
}
