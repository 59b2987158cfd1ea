import Foundation

/// Documents that the server answers with.
enum Answers {
  static func json(_ value: Any) -> String {
    let data = try? JSONSerialization.data(
      withJSONObject: value, options: [.sortedKeys, .withoutEscapingSlashes])
    return data.map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  static func complaint(_ message: String) -> String {
    json(["error": ["message": message, "type": "test"]])
  }

  /// `text` as a whole answer to either kind of request.
  static func text(_ text: String, _ request: Request, logprobs: [String: Any]? = nil) -> String {
    let isChat = request.path.hasSuffix("/chat/completions")
    var choice: [String: Any] = ["index": 0, "finish_reason": "stop"]
    if isChat {
      choice["message"] = ["role": "assistant", "content": text]
    } else {
      choice["text"] = text
    }
    choice["logprobs"] = logprobs ?? NSNull()
    return json([
      "id": "1", "object": "answer", "model": "served", "choices": [choice],
      "usage": ["prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6],
    ])
  }

  /// The tokens ` b` and ` c` with -0.25 and -1.5, in the form of each endpoint.
  static func logprobs(_ request: Request) -> String {
    let (tokens, logprobs) = ([" b", " c"], [-0.25, -1.5])
    let others = [[" b": -0.25, " x": -2.0, " a": -2.0], [" y": -0.75, " c": -1.5]]
    guard request.path.hasSuffix("/chat/completions") else {
      let table: [String: Any] = [
        "tokens": tokens, "token_logprobs": logprobs, "top_logprobs": others,
        "text_offset": [0, 2],
      ]
      return text(" b c", request, logprobs: table)
    }
    let items = tokens.indices.map { index -> [String: Any] in
      [
        "token": tokens[index], "logprob": logprobs[index], "bytes": Array(tokens[index].utf8),
        "top_logprobs": others[index].map { ["token": $0, "logprob": $1] as [String: Any] },
      ]
    }
    return text(" b c", request, logprobs: ["content": items])
  }

  /// The prompt, a token a word, with -0.5, -1 and so on after the first; then one token more.
  static func scores(_ request: Request) -> String {
    guard request.body["echo"] as? Bool == true, let prompt = request.body["prompt"] as? String
    else { return text(" more", request) }
    let words = prompt.split(separator: " ").enumerated().map { $0 == 0 ? "\($1)" : " \($1)" }
    let logprobs = (0...words.count).map { $0 == 0 ? NSNull() as Any : Double($0) * -0.5 as Any }
    let table: [String: Any] = ["tokens": words + [" more"], "token_logprobs": logprobs]
    return text(prompt + " more", request, logprobs: table)
  }
}
