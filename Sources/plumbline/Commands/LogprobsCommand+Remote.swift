internal import LanguageModels

extension LogprobsCommand {
  private struct RemoteTokens: Encodable {
    let tokens: [String]
    let logprobs: [Float?]
  }

  /// The same for a remote model, which has texts of tokens in place of ids.
  func run(_ model: RemoteModel) async throws {
    let found = try await model.logprobs(of: StandardInput.nonEmptyText()).tokens
    guard !json else {
      return try StandardOutput.write(
        json: RemoteTokens(tokens: found.map(\.text), logprobs: found.map(\.logprob)))
    }
    try StandardOutput.write(
      lines: found.map { "-\t\($0.logprob.map { "\($0)" } ?? "-")\t\(quoted($0.text))" })
  }
}
