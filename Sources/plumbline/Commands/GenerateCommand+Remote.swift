internal import ArgumentParser
internal import LanguageModels

extension GenerateCommand {
  /// What a remote model answers; members that it does not give are left out.
  private struct RemoteContinuation: Encodable {
    let text: String
    let tokens: [String]?
    let logprobs: [Float?]?
    let topLogprobs: [[RemoteToken.Alternative]]?
    let finishReason: RemoteGeneration.FinishReason
    let model: String?
    let promptTokens: Int?
    let completionTokens: Int?
    let attempts: Int

    enum CodingKeys: String, CodingKey {
      case text, tokens, logprobs
      case topLogprobs = "top_logprobs"
      case finishReason = "finish_reason"
      case model
      case promptTokens = "prompt_tokens"
      case completionTokens = "completion_tokens"
      case attempts
    }

    init(_ found: RemoteGeneration) {
      text = found.text
      tokens = found.tokens?.map(\.text)
      logprobs = found.tokens?.map(\.logprob)
      topLogprobs = found.tokens?.map(\.alternatives)
      (finishReason, model) = (found.finishReason, found.model)
      promptTokens = found.usage?.promptTokens
      completionTokens = found.usage?.completionTokens
      attempts = found.origin.attempts
    }
  }

  func run(_ model: RemoteModel) async throws {
    let input = try readInput()
    guard let seed = Int(exactly: seed) else {
      throw ValidationError("Expected --seed below 2^63 for a remote model, found \(seed).")
    }
    let sampling = RemoteSampling(
      maxTokens: maxTokens, temperature: temperature,
      // Some servers refuse seeds, and without draws there is nothing to seed.
      seed: temperature > 0 ? seed : nil, topLogprobs: topLogprobs)
    let found =
      switch input {
      case .text(let text): try await model.completion(of: text, sampling: sampling)
      case .messages(let messages): try await model.answer(to: messages, sampling: sampling)
      }
    guard json else { return try StandardOutput.write(line: found.text) }
    try StandardOutput.write(json: RemoteContinuation(found))
  }
}
