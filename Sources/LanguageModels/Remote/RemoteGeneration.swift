/// A token as a server spells it: its ids are the server's own, so none are kept.
package struct RemoteToken: Sendable, Codable, Equatable {
  /// Its text, in which a part of a character may be U+FFFD.
  package var text: String
  /// log p in nats; nil for the first token of a scored text, which nothing stands before.
  package var logprob: Float?
  /// The likeliest tokens at its place, likeliest first, as many as were asked for at most.
  package var alternatives: [Alternative]

  /// A token that could have stood there.
  package struct Alternative: Sendable, Codable, Equatable {
    package var text: String
    /// log p in nats.
    package var logprob: Float
  }
}

/// What a server says that a request cost.
package struct RemoteUsage: Sendable, Codable, Equatable {
  package var promptTokens: Int
  package var completionTokens: Int

  package enum CodingKeys: String, CodingKey {
    case promptTokens = "prompt_tokens"
    case completionTokens = "completion_tokens"
  }
}

/// How an answer came about.
package struct RemoteOrigin: Sendable, Equatable {
  /// How many times the request was sent; 0 for an answer from the cache.
  package var attempts: Int
  /// The request's SHA-256, under which it is cached.
  package var key: String
}

/// A remote model's continuation.
package struct RemoteGeneration: Sendable, Equatable {
  /// Why it ended.
  package enum FinishReason: String, Sendable, Codable {
    case stop
    case length
    /// The server withheld some of it.
    case contentFilter = "content_filter"
  }

  package var text: String
  /// Its tokens, or nil where no log-probabilities were asked for.
  package var tokens: [RemoteToken]?
  package var finishReason: FinishReason
  /// The model that the server says answered, which may be a dated version of the one asked.
  package var model: String?
  package var usage: RemoteUsage?
  package var origin: RemoteOrigin
}

/// A remote model's log-probabilities of a given text.
package struct RemoteScores: Sendable, Equatable {
  /// The text's tokens as the server cuts it, in order; some servers put one of their own in front.
  package var tokens: [RemoteToken]
  package var model: String?
  package var usage: RemoteUsage?
  package var origin: RemoteOrigin
}

/// What a remote model has been asked so far.
package struct RemoteTally: Sendable, Equatable {
  /// Requests that got an answer over the network.
  package var answered = 0
  /// Times that a request was sent, failures included.
  package var attempts = 0
  /// Requests answered from the cache.
  package var cached = 0
  /// As servers count them; 0 where they do not say.
  package var promptTokens = 0
  package var completionTokens = 0
}
