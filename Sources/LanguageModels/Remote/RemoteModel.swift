internal import Foundation
internal import Synchronization

/// How a remote model is asked.
package struct RemoteSettings: Sendable, Equatable {
  package var retries = RetryPolicy()
  /// The most requests that are open at a time.
  package var concurrency = 8
  /// The longest answer that is read, in bytes.
  package var longestAnswer = 64 << 20
  /// A folder in which answers are kept, and looked for before anything is sent; nil keeps none.
  package var cache: String?
  /// Whether unencrypted requests, the key in them, may leave this machine.
  package var allowsPlainHTTP = false

  package init() {}
}

/// A model behind an OpenAI-compatible API, which gives text and, on some servers,
/// log-probabilities: no weights, no activations and no token ids.
///
/// Copies share connections, the limit on open requests, and the tally.
package struct RemoteModel: Sendable {
  package let endpoint: RemoteEndpoint
  package let settings: RemoteSettings
  let key: APIKey?
  let cache: ResponseCache?
  let transport: HTTPTransport
  let gate: RequestGate
  private let counter = TallyCounter()

  /// What has been asked so far.
  package var tally: RemoteTally { counter.value.withLock { $0 } }

  /// The model that `openai:NAME@URL` means. Nothing is sent yet.
  ///
  /// - Parameters:
  ///   - specification: The model's name and the address of the API, `/v1` included.
  ///   - settings: How it is asked.
  ///   - environment: Where the key is looked for, in `PLUMBLINE_API_KEY` and then
  ///     `OPENAI_API_KEY`; without either, requests carry none.
  /// - Throws: ``RemoteModelError``.
  package init(
    _ specification: String, settings: RemoteSettings = RemoteSettings(),
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws(RemoteModelError) {
    endpoint = try RemoteEndpoint(specification, allowsPlainHTTP: settings.allowsPlainHTTP)
    if endpoint.isPlain, let variable = Proxies.variable(for: endpoint, in: environment) {
      throw .proxied(variable: variable)
    }
    key = try APIKey(environment: environment)
    if let folder = settings.cache {
      cache = try ResponseCache(folder: folder)
    } else {
      cache = nil
    }
    self.settings = settings
    transport = HTTPTransport(connections: settings.concurrency)
    gate = RequestGate(limit: settings.concurrency)
  }

  func count(_ change: (inout RemoteTally) -> Void) { counter.value.withLock { change(&$0) } }
}

/// A tally that copies of a model share.
private final class TallyCounter: Sendable {
  let value = Mutex(RemoteTally())
}

extension RemoteModel {
  /// Answers a conversation, through the server's own chat template.
  ///
  /// - Parameters:
  ///   - messages: The turns so far; at least one.
  ///   - sampling: How far and how to continue.
  /// - Returns: The assistant's next turn.
  /// - Throws: ``RemoteModelError``, ``ModelFileError`` where the cache cannot be written, or
  ///   `CancellationError`.
  package func answer(
    to messages: [ChatMessage], sampling: RemoteSampling = RemoteSampling()
  ) async throws -> RemoteGeneration {
    try sampling.check()
    guard !messages.isEmpty else {
      throw RemoteModelError.badRequest(expected: "a message to answer", found: "none")
    }
    let body = ChatRequest(model: endpoint.name, messages: messages, sampling)
    let request = RemoteRequest("/chat/completions", body, at: endpoint, sampling)
    return try await send(request) { (answer: ChatAnswer, origin) throws(RemoteModelError) in
      let choice = answer.choices[0]
      return RemoteGeneration(
        text: choice.message.content,
        tokens: try choice.logprobs.generated(sampling, request), finishReason: choice.finishReason,
        model: answer.model, usage: answer.usage, origin: origin)
    }
  }

  /// Continues a text as it is, without a chat template.
  ///
  /// - Parameters:
  ///   - prompt: The text, not empty.
  ///   - sampling: How far and how to continue.
  /// - Returns: What follows the prompt, without it.
  /// - Throws: ``RemoteModelError``, ``ModelFileError`` where the cache cannot be written, or
  ///   `CancellationError`.
  package func completion(
    of prompt: String, sampling: RemoteSampling = RemoteSampling()
  ) async throws -> RemoteGeneration {
    try sampling.check()
    guard !prompt.isEmpty else {
      throw RemoteModelError.badRequest(expected: "a text to continue", found: "an empty one")
    }
    let body = CompletionRequest(model: endpoint.name, prompt: prompt, sampling)
    let request = RemoteRequest("/completions", body, at: endpoint, sampling)
    return try await send(request) { (answer: CompletionAnswer, origin) throws(RemoteModelError) in
      let choice = answer.choices[0]
      return RemoteGeneration(
        text: choice.text, tokens: try choice.logprobs.generated(sampling, request),
        finishReason: choice.finishReason, model: answer.model, usage: answer.usage, origin: origin)
    }
  }
}

extension TokenTable? {
  /// The tokens of a continuation, where they were asked for.
  fileprivate func generated(
    _ sampling: RemoteSampling, _ request: RemoteRequest
  ) throws(RemoteModelError) -> [RemoteToken]? {
    guard let limit = sampling.topLogprobs else { return nil }
    let what = "log-probabilities of generated tokens"
    guard let tokens = self?.tokens else {
      throw .notOffered(url: request.address, what: what, found: "an answer without them")
    }
    guard tokens.allSatisfy({ $0.logprob != nil }) else {
      throw .malformed(url: request.address, expected: what, found: "null among them")
    }
    return tokens.map { $0.keeping(limit) }
  }
}
