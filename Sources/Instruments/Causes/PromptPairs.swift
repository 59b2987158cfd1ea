internal import Foundation
package import LanguageModels

/// Two prompts of one length that differ in what matters, and the tokens that they should lead to.
package struct PromptPair: Codable, Sendable, Equatable {
  /// The prompt whose answer is ``answer``, tokenised.
  package var clean: [Int]
  /// The same with what matters exchanged.
  package var corrupt: [Int]
  package var answer: Int
  /// What the corrupt prompt leads to; nil where nothing in particular.
  package var distractor: Int?

  package init(clean: [Int], corrupt: [Int], answer: Int, distractor: Int? = nil) {
    (self.clean, self.corrupt) = (clean, corrupt)
    (self.answer, self.distractor) = (answer, distractor)
  }
}

/// Why causes cannot be looked for.
package enum CauseError: Error, Equatable, CustomStringConvertible {
  case unreadable(path: String)
  case badLine(path: String, line: Int, expected: String, found: String)
  case tooFewPrompts(path: String, found: Int)
  case badReceiver(name: String)
  case noHead(block: Int, head: Int, count: Int)

  package var description: String {
    switch self {
    case .unreadable(let path):
      "Expected a readable file of prompts, found none at \(path): check its path."
    case .badLine(let path, let line, let expected, let found):
      "Expected \(expected) in line \(line) of \(path), found \(found): correct the line."
    case .tooFewPrompts(let path, let found):
      "Expected at least 2 pairs of prompts in \(path), for an interval, found \(found): add more."
    case .badReceiver(let name):
      "Expected a receiver such as logits, blocks.9.attn.q.3 (a head's query, key or value) or "
        + "blocks.9.mlp, found `\(name.prefix(60))`: name one of these"
    case .noHead(let block, let head, let count):
      "Expected a head from 0 to \(count - 1) in block \(block), found \(head): name one of these"
    }
  }
}

/// Pairs of prompts of one length, so that positions mean the same in all of them.
package struct PromptPairs: Sendable, Equatable {
  package let pairs: [PromptPair]
  /// Tokens of every prompt.
  package let length: Int
  /// Whether every answer has a distractor, so that they are compared in logits.
  package var hasDistractor: Bool { pairs.allSatisfy { $0.distractor != nil } }
  /// What answers are measured in.
  package static func unit(hasDistractor: Bool) -> String {
    hasDistractor ? "logits over the distractor" : "nats of log-probability"
  }

  /// Pairs of one length each; two at least.
  package init(_ pairs: [PromptPair]) {
    precondition(
      pairs.count >= 2
        && pairs.allSatisfy {
          [$0.clean.count, $0.corrupt.count] == [pairs[0].clean.count, pairs[0].clean.count]
        },
      "PromptPairs: two pairs of one length")
    (self.pairs, length) = (pairs, pairs[0].clean.count)
  }

  /// Reads JSON lines `{"clean": …, "corrupt": …, "answer": …, "distractor": …}`; the distractor may be
  /// left out. Answers are single tokens, with the space before them where there is one.
  ///
  /// - Throws: ``CauseError`` for the first line that is not such a pair.
  package init(file path: String, tokenizer: Tokenizer) throws(CauseError) {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw .unreadable(path: path)
    }
    let lines = String(decoding: data, as: UTF8.self).split(
      separator: "\n", omittingEmptySubsequences: false)
    var pairs: [PromptPair] = []
    for (index, line) in lines.enumerated() where !line.allSatisfy(\.isWhitespace) {
      let reader = LineReader(path: path, line: index + 1, tokenizer: tokenizer)
      pairs.append(try reader.pair(Data(line.utf8), like: pairs.first))
    }
    guard pairs.count >= 2 else { throw .tooFewPrompts(path: path, found: pairs.count) }
    self.init(pairs)
  }
}

private struct LineReader {
  let path: String
  let line: Int
  let tokenizer: Tokenizer

  private func refusal(_ expected: String, _ found: String) -> CauseError {
    .badLine(path: path, line: line, expected: expected, found: found)
  }

  func pair(_ data: Data, like first: PromptPair?) throws(CauseError) -> PromptPair {
    guard let fields = (try? JSONSerialization.jsonObject(with: data)) as? [String: Any] else {
      throw refusal("{\"clean\": …, \"corrupt\": …, \"answer\": …}", "no JSON object")
    }
    let (clean, corrupt) = (try prompt("clean", fields), try prompt("corrupt", fields))
    guard clean.count == corrupt.count else {
      throw refusal(
        "prompts of as many tokens", "\(clean.count) in clean and \(corrupt.count) in corrupt")
    }
    guard clean != corrupt else { throw refusal("prompts that differ", "twice the same") }
    if let first, first.clean.count != clean.count {
      throw refusal("prompts of \(first.clean.count) tokens like those before", "\(clean.count)")
    }
    let answer = try token("answer", fields)
    let distractor = fields["distractor"] == nil ? nil : try token("distractor", fields)
    // Differences of logits and log-probabilities have no common mean.
    if let first, (first.distractor == nil) != (distractor == nil) {
      throw refusal(
        "a distractor in every line or in none", distractor == nil ? "none" : "one here only")
    }
    guard answer != distractor else {
      throw refusal("an answer and another distractor", "twice the same")
    }
    return PromptPair(clean: clean, corrupt: corrupt, answer: answer, distractor: distractor)
  }

  private func text(_ key: String, _ fields: [String: Any]) throws(CauseError) -> String {
    guard let text = fields[key] as? String, !text.isEmpty else {
      throw refusal("a text under \"\(key)\"", "none")
    }
    return text
  }

  private func prompt(_ key: String, _ fields: [String: Any]) throws(CauseError) -> [Int] {
    let ids = tokenizer.encode(try text(key, fields), addSpecial: true)
    guard ids.count >= 2 else {
      throw refusal("two tokens or more under \"\(key)\"", "\(ids.count)")
    }
    return ids
  }

  private func token(_ key: String, _ fields: [String: Any]) throws(CauseError) -> Int {
    let ids = tokenizer.encode(try text(key, fields))
    guard ids.count == 1 else {
      throw refusal("a single token under \"\(key)\"", "\(ids.count) tokens")
    }
    return ids[0]
  }
}
