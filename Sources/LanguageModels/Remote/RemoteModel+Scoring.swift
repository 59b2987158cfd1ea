extension RemoteModel {
  /// The log-probability of every token of `text` given those before it.
  ///
  /// The server has to support `echo` with `logprobs` on `/completions`, as vLLM and
  /// llama-cpp-python do; OpenAI and llama.cpp's own server refuse it. What it reports is taken as
  /// it is: whether a token that begins a text is put in front is the server's affair.
  ///
  /// - Parameter text: The text, not empty.
  /// - Returns: The text's tokens, each with its log-probability but the first.
  /// - Throws: ``RemoteModelError/notOffered(url:what:found:)`` where the server does not do this,
  ///   or another error as for ``completion(of:sampling:)``.
  package func logprobs(of text: String) async throws -> RemoteScores {
    guard !text.isEmpty else {
      throw RemoteModelError.badRequest(expected: "a text to score", found: "an empty one")
    }
    let body = CompletionRequest(model: endpoint.name, scoring: text)
    let request = RemoteRequest("/completions", body, at: endpoint, RemoteSampling())
    do {
      return try await send(request) {
        (answer: CompletionAnswer, origin) throws(RemoteModelError) in
        RemoteScores(
          tokens: try answer.scores(of: text, request), model: answer.model, usage: answer.usage,
          origin: origin)
      }
    } catch RemoteModelError.refused(let url, let status, let said)
      where [400, 404, 405, 422, 501].contains(status)
    {
      throw RemoteModelError.notOffered(
        url: url, what: CompletionAnswer.scoring, found: "status \(status), \(said)")
    }
  }
}

extension CompletionAnswer {
  fileprivate static let scoring = "log-probabilities of a given text (`echo` with `logprobs`)"

  /// The tokens of `text`, without the one that was generated.
  fileprivate func scores(
    of text: String, _ request: RemoteRequest
  ) throws(RemoteModelError) -> [RemoteToken] {
    let (choice, url) = (choices[0], request.address)
    func notOffered(_ found: String) -> RemoteModelError {
      .notOffered(url: url, what: Self.scoring, found: found)
    }
    // A server that passes over `echo` reports its own token as if it were the text's.
    guard choice.text.hasPrefix(text) else { throw notOffered("an answer that does not repeat it") }
    guard let tokens = choice.logprobs?.tokens else { throw notOffered("an answer without them") }
    guard let usage else {
      throw .malformed(url: url, expected: "`usage.completion_tokens`", found: "none")
    }
    // Counted from the end, because usage counts a token at the beginning that few servers report.
    let scored = tokens.dropLast(usage.completionTokens)
    guard (0...1).contains(usage.completionTokens), !scored.isEmpty else {
      throw notOffered("\(tokens.count) tokens, of which \(usage.completionTokens) generated")
    }
    guard scored.dropFirst().allSatisfy({ $0.logprob != nil }) else {
      throw .malformed(url: url, expected: Self.scoring, found: "null after the first token")
    }
    return scored.map { $0.keeping(0) }
  }
}
