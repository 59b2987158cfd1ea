internal import Foundation

/// The parts of an answer that are read; unknown members are passed over, as the protocol asks.
protocol RemoteAnswer: Decodable {
  var choiceCount: Int { get }
  var usage: RemoteUsage? { get }
}

/// An answer of `/chat/completions`.
struct ChatAnswer: RemoteAnswer {
  struct Choice: Decodable {
    struct Message: Decodable {
      var content: String
    }

    var message: Message
    var finishReason: RemoteGeneration.FinishReason
    var logprobs: TokenTable?

    enum CodingKeys: String, CodingKey {
      case message, logprobs
      case finishReason = "finish_reason"
    }
  }

  var choices: [Choice]
  var model: String?
  var usage: RemoteUsage?

  var choiceCount: Int { choices.count }
}

/// An answer of `/completions`.
struct CompletionAnswer: RemoteAnswer {
  struct Choice: Decodable {
    var text: String
    var finishReason: RemoteGeneration.FinishReason
    var logprobs: TokenTable?

    enum CodingKeys: String, CodingKey {
      case text, logprobs
      case finishReason = "finish_reason"
    }
  }

  var choices: [Choice]
  var model: String?
  var usage: RemoteUsage?

  var choiceCount: Int { choices.count }
}

/// Tokens with their log-probabilities, in either of the two forms that servers use: a list of
/// objects (`/chat/completions`, and llama.cpp's server everywhere) or parallel lists
/// (`/completions`).
struct TokenTable: Decodable {
  private struct Item: Decodable {
    var token: String
    var logprob: Double
    var alternatives: [Alternative]?

    enum CodingKeys: String, CodingKey {
      case token, logprob
      case alternatives = "top_logprobs"
    }
  }

  private struct Alternative: Decodable {
    var token: String
    var logprob: Double
  }

  private enum CodingKeys: String, CodingKey {
    case content, tokens
    case logprobs = "token_logprobs"
    case alternatives = "top_logprobs"
  }

  /// All of them; nil where the server sent the object without a list.
  let tokens: [RemoteToken]?

  init(from decoder: any Decoder) throws {
    let members = try decoder.container(keyedBy: CodingKeys.self)
    if let items = try members.decodeIfPresent([Item].self, forKey: .content) {
      tokens = try items.map { item in
        let others = (item.alternatives ?? []).map { ($0.token, $0.logprob) }
        return try RemoteToken(item.token, item.logprob, others, in: decoder)
      }
    } else if let texts = try members.decodeIfPresent([String].self, forKey: .tokens) {
      tokens = try Self.tokens(texts, members, decoder)
    } else {
      tokens = nil
    }
  }

  private static func tokens(
    _ texts: [String], _ members: KeyedDecodingContainer<CodingKeys>, _ decoder: any Decoder
  ) throws -> [RemoteToken] {
    let logprobs = try members.decode([Double?].self, forKey: .logprobs)
    let others = try members.decodeIfPresent([[String: Double]?].self, forKey: .alternatives)
    guard logprobs.count == texts.count, others.map({ $0.count == texts.count }) ?? true else {
      throw DecodingError.dataCorruptedError(
        forKey: .logprobs, in: members,
        debugDescription: "lists of different lengths in logprobs")
    }
    return try texts.indices.map { index in
      try RemoteToken(
        texts[index], logprobs[index], (others?[index] ?? [:]).map { ($0, $1) }, in: decoder)
    }
  }
}

extension RemoteToken {
  /// A probability above 1 by more than rounding is another quantity under the same name.
  private static let highestLogprob = 1e-3

  fileprivate init(
    _ text: String, _ logprob: Double?, _ others: [(String, Double)], in decoder: any Decoder
  ) throws {
    for value in others.map(\.1) + [logprob ?? 0] where value > Self.highestLogprob {
      throw DecodingError.dataCorrupted(
        .init(codingPath: decoder.codingPath, debugDescription: "a log-probability of \(value)"))
    }
    let sorted = others.sorted { ($1.1, $0.0) < ($0.1, $1.0) }
    self.init(
      text: text, logprob: logprob.map { Float($0) },
      alternatives: sorted.map { Alternative(text: $0, logprob: Float($1)) })
  }
}

extension RemoteToken {
  /// The same with so many alternatives at most: some servers report the token taken as one more.
  func keeping(_ limit: Int) -> RemoteToken {
    var token = self
    token.alternatives = Array(alternatives.prefix(limit))
    return token
  }
}

extension HTTPAnswer {
  /// The answer as a document of one choice.
  ///
  /// - Throws: ``RemoteModelError/malformed(url:expected:found:)``, which names the field.
  func decoded<Answer: RemoteAnswer>(
    _ type: Answer.Type, from url: String
  ) throws(RemoteModelError) -> Answer {
    let answer: Answer
    do {
      answer = try JSONDecoder().decode(type, from: Data(body))
    } catch let error as DecodingError {
      let (expected, found) = error.parts(bytes: body.count)
      throw .malformed(url: url, expected: expected, found: found)
    } catch {
      throw .malformed(url: url, expected: "JSON", found: "\(body.count) bytes that are none")
    }
    guard answer.choiceCount == 1 else {
      throw .malformed(
        url: url, expected: "one element in `choices`", found: "\(answer.choiceCount)")
    }
    return answer
  }
}

extension DecodingError {
  /// What was expected at which field, and what was found.
  fileprivate func parts(bytes: Int) -> (expected: String, found: String) {
    switch self {
    case .keyNotFound(let key, let context):
      return ("`\(Self.path(context.codingPath + [key]))`", "none")
    case .valueNotFound(_, let context): return ("`\(Self.path(context.codingPath))`", "null")
    case .typeMismatch(let type, let context):
      return ("`\(Self.path(context.codingPath))` to be a \(Self.word(type))", "another type")
    case .dataCorrupted(let context) where !context.codingPath.isEmpty:
      let found = context.debugDescription
      return (
        "`\(Self.path(context.codingPath))` as the protocol has it",
        found.hasPrefix("Cannot initialize") ? "another word" : found
      )
    default: return ("JSON", "\(bytes) bytes that are none, or end too early")
    }
  }

  private static func path(_ keys: [any CodingKey]) -> String {
    keys.reduce(into: "") { path, key in
      if let index = key.intValue {
        path += "[\(index)]"
      } else {
        path += (path.isEmpty ? "" : ".") + key.stringValue
      }
    }
  }

  private static func word(_ type: Any.Type) -> String {
    switch type {
    case is String.Type: "string"
    case is Int.Type, is Double.Type: "number"
    case is [Any].Type: "list"
    default: "object"
    }
  }
}
