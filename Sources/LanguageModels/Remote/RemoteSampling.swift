/// How a remote model continues a text.
package struct RemoteSampling: Sendable, Equatable {
  /// The most tokens to add.
  package var maxTokens: Int
  /// 0 asks for the likeliest token each time.
  package var temperature: Float
  /// What a server that heeds seeds draws from; nil sends none.
  package var seed: Int?
  /// Texts that end a continuation.
  package var stop: [String]
  /// How many likeliest tokens to report at each place besides the one taken; nil asks for no
  /// log-probabilities at all, because many servers refuse a request for them.
  package var topLogprobs: Int?
  /// Which of several draws of the same request this is.
  ///
  /// Without a seed, equal requests at a temperature above 0 are different draws. A cache would
  /// answer all of them with the first, so they are cached only under a number of their own.
  package var sampleIndex: Int?

  package init(
    maxTokens: Int = 128, temperature: Float = 0, seed: Int? = nil, stop: [String] = [],
    topLogprobs: Int? = nil, sampleIndex: Int? = nil
  ) {
    (self.maxTokens, self.temperature, self.seed) = (maxTokens, temperature, seed)
    (self.stop, self.topLogprobs, self.sampleIndex) = (stop, topLogprobs, sampleIndex)
  }

  /// Whether an answer that was kept may stand for a new one.
  var isRepeatable: Bool { temperature == 0 || seed != nil || sampleIndex != nil }

  func check() throws(RemoteModelError) {
    guard maxTokens >= 1 else {
      throw .badRequest(expected: "at least 1 token to add", found: "\(maxTokens)")
    }
    guard temperature >= 0, temperature.isFinite else {
      throw .badRequest(expected: "a temperature of 0 or more", found: "\(temperature)")
    }
    guard topLogprobs.map({ (0...20).contains($0) }) ?? true else {
      throw .badRequest(
        expected: "0 to 20 tokens to report at each place", found: "\(topLogprobs ?? 0)")
    }
    guard stop.allSatisfy({ !$0.isEmpty }) else {
      throw .badRequest(expected: "texts to stop at", found: "an empty one")
    }
  }
}

/// The body of a request to `/chat/completions`. Members that are nil are left out.
struct ChatRequest: Encodable {
  var model: String
  var messages: [ChatMessage]
  var maxTokens: Int
  var temperature: Float
  var seed: Int?
  var stop: [String]?
  var logprobs: Bool?
  var topLogprobs: Int?

  enum CodingKeys: String, CodingKey {
    case model, messages
    case maxTokens = "max_tokens"
    case temperature, seed, stop, logprobs
    case topLogprobs = "top_logprobs"
  }

  init(model: String, messages: [ChatMessage], _ sampling: RemoteSampling) {
    (self.model, self.messages) = (model, messages)
    (maxTokens, temperature, seed) = (sampling.maxTokens, sampling.temperature, sampling.seed)
    stop = sampling.stop.isEmpty ? nil : sampling.stop
    logprobs = sampling.topLogprobs.map { _ in true }
    topLogprobs = sampling.topLogprobs
  }
}

/// The body of a request to `/completions`.
struct CompletionRequest: Encodable {
  var model: String
  var prompt: String
  var maxTokens: Int
  var temperature: Float
  var seed: Int?
  var stop: [String]?
  var logprobs: Int?
  var echo: Bool?

  enum CodingKeys: String, CodingKey {
    case model, prompt
    case maxTokens = "max_tokens"
    case temperature, seed, stop, logprobs, echo
  }

  init(model: String, prompt: String, _ sampling: RemoteSampling) {
    (self.model, self.prompt) = (model, prompt)
    (maxTokens, temperature, seed) = (sampling.maxTokens, sampling.temperature, sampling.seed)
    stop = sampling.stop.isEmpty ? nil : sampling.stop
    // llama.cpp's server takes 0 for none at all.
    logprobs = sampling.topLogprobs.map { max(1, $0) }
  }

  /// Asks for the log-probabilities of `text` itself.
  ///
  /// One token is generated and dropped: llama-cpp-python takes 0 for as many as there is room for.
  init(model: String, scoring text: String) {
    self.init(model: model, prompt: text, RemoteSampling(maxTokens: 1, topLogprobs: 0))
    echo = true
  }
}
