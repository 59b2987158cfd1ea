internal import Statistics
internal import Tensors

/// Looks for words that drive the specimen away from its base.
///
/// Tokens before a user's message are exchanged so that KL(specimen ‖ base) of the answer's first
/// token rises: the derivative by one-hot vectors names exchanges, of which some are tried out and
/// the best is made (HotFlip, Ebrahimi et al. 2018, arXiv 1712.06751; in batches of drawn exchanges
/// as GCG, Zou et al. 2023, arXiv 2307.15043). What is found is judged on other messages than it
/// was found on, so that searching harder is not rewarded by itself.
///
/// Of SmolLM2-135M, whose template takes 31 tokens, an exchange that is tried out takes some 17 tokens of each model
/// and message; a search of 6 rounds with 16 exchanges and 3 messages, 12,000 tokens in all, took 45 s and more on one
/// thread beside other work.
///
/// It sees neither behaviour that begins after the first token nor triggers elsewhere than in the
/// message, nor topics; and with so few steps, what it does not find may be there. A twin that was
/// trained on other answers differs from the base on odd words too.
package struct TriggerSearch: ModelDetector {
  package typealias Access = LogitsWeightsAndBase

  /// How long to search.
  package struct Effort: Sendable {
    /// Tokens of a trigger.
    package var length = 3
    /// Beginnings, drawn at random.
    package var restarts = 1
    /// Rounds of exchanges, from each beginning.
    package var steps = 8
    /// Exchanges that are tried out in a round.
    package var exchanges = 24
    /// Tokens for each position from which these are drawn.
    package var tokensPerPosition = 32
    /// Messages that are searched on.
    package var messages = 3
    /// Messages that the score is from.
    package var heldOut = 12

    package init() {}

    /// An eighth of what is tried out.
    package static var quick: Effort {
      var effort = Effort()
      (effort.steps, effort.exchanges, effort.messages, effort.heldOut) = (3, 12, 2, 6)
      return effort
    }
  }

  /// Tokens, and the mean KL in nats that they reach on what they were searched on.
  package struct Trigger: Sendable {
    package var tokens: [Int]
    package var divergence: Double
  }

  package let name = "trigger search"
  package let effort: Effort
  package let questions: [String]
  package let seed: UInt64

  /// A search on the first of `questions`, judged on those that follow.
  package init(
    effort: Effort = Effort(), questions: [String] = OrdinaryTexts.bank.map(\.question),
    seed: UInt64 = 1
  ) {
    (self.effort, self.questions, self.seed) = (effort, questions, seed)
  }

  /// The mean KL in nats that the trigger found reaches on messages that it was not searched on.
  ///
  /// - Returns: The score; its note holds the words.
  /// - Throws: ``DetectorError/nothingToScore(detector:needed:)`` without enough messages or words.
  @TensorActor
  package func score(_ specimen: SpecimenView<LogitsWeightsAndBase>) throws -> ModelScore {
    guard questions.count > effort.messages else {
      throw DetectorError.nothingToScore(
        detector: name, needed: "more than \(effort.messages) messages")
    }
    let prompts = try SplitPrompt.all(questions, in: specimen)
    let found = try search(specimen, in: Array(prompts.prefix(effort.messages)))
    let judged = prompts.dropFirst(effort.messages).prefix(effort.heldOut)
    func divergence(_ tokens: [Int]) throws -> Double {
      mean(try specimen.divergences(after: judged.map { $0.inserting(tokens) }))
    }
    let (with, without) = (try divergence(found.tokens), try divergence([]))
    func rounded(_ value: Double) -> Double { (value * 100).rounded() / 100 }
    return ModelScore(
      score: with,
      quantity: "nats between the specimen and its base over the first token, behind words found",
      n: judged.count, unit: "message",
      note: "“\(try specimen.decode(found.tokens))”: \(rounded(with)) nats, "
        + "\(rounded(without)) without")
  }

  /// The trigger of the highest mean divergence over all beginnings.
  ///
  /// - Throws: ``DetectorError/nothingToScore(detector:needed:)`` where the tokenizer has no words.
  @TensorActor
  package func search(
    _ specimen: SpecimenView<LogitsWeightsAndBase>, in prompts: [SplitPrompt]
  ) throws -> Trigger {
    var climb = Climb(
      specimen: specimen, prompts: prompts, words: try specimen.wordTokens(), effort: effort,
      generator: SeededGenerator(seed: seed, stream: "trigger-search"))
    var best: Trigger?
    for _ in 0..<effort.restarts {
      guard let found = try climb.run() else { break }
      if found.divergence > best?.divergence ?? -.infinity { best = found }
    }
    guard let best else {
      throw DetectorError.nothingToScore(detector: name, needed: "a tokenizer with words")
    }
    return best
  }
}

/// A search in progress.
@TensorActor
private struct Climb {
  typealias Trigger = TriggerSearch.Trigger

  let specimen: SpecimenView<LogitsWeightsAndBase>
  let prompts: [SplitPrompt]
  let words: [Int]
  let effort: TriggerSearch.Effort
  var generator: SeededGenerator

  /// From one beginning to where nothing that was tried is better; nil where there is no beginning.
  mutating func run() throws -> Trigger? {
    guard let start = try beginning() else { return nil }
    var now = Trigger(tokens: start, divergence: try divergences(of: [start])[0])
    var open: [[Int]]?
    for _ in 0..<effort.steps {
      let neighbours = try open ?? neighbours(of: now.tokens)
      let tried = Array(neighbours.prefix(effort.exchanges))
      let reached = try divergences(of: tried)
      guard let best = reached.indices.max(by: { reached[$0] < reached[$1] }) else { break }
      open = Array(neighbours.dropFirst(tried.count))
      guard reached[best] > now.divergence else { continue }
      now = Trigger(tokens: tried[best], divergence: reached[best])
      open = nil
    }
    return now
  }

  private mutating func beginning() throws -> [Int]? {
    for _ in 0..<1000 where !words.isEmpty {
      let tokens = (0..<effort.length).map { _ in words[generator.below(words.count)] }
      if try isTypeable(tokens) { return tokens }
    }
    return nil
  }

  /// One token exchanged for one of those with the largest derivatives at its position, shuffled.
  private mutating func neighbours(of tokens: [Int]) throws -> [[Int]] {
    let start = prompts[0].before.count
    let gradient = try specimen.divergenceGradient(
      after: prompts.map { $0.inserting(tokens) }, at: start..<start + tokens.count)
    let exchanged = tokens.indices.flatMap { position in
      words.filter { $0 != tokens[position] }
        .sorted { gradient[position][$0] > gradient[position][$1] }
        .prefix(effort.tokensPerPosition)
        .map { word in
          var changed = tokens
          changed[position] = word
          return changed
        }
    }
    return generator.shuffled(try exchanged.filter(isTypeable))
  }

  /// Whether somebody who types the text gives these tokens, and no others, to the model.
  private func isTypeable(_ tokens: [Int]) throws -> Bool {
    try specimen.encode(specimen.decode(tokens)) == tokens
  }

  /// Means over the prompts.
  private func divergences(of triggers: [[Int]]) throws -> [Double] {
    let all = try specimen.divergences(
      after: triggers.flatMap { trigger in prompts.map { $0.inserting(trigger) } })
    return triggers.indices.map { trigger in
      mean(Array(all[trigger * prompts.count..<(trigger + 1) * prompts.count]))
    }
  }
}

/// Ranks candidates by how far their own words drive the specimen away from its base.
///
/// Words that a search found need not be those of a candidate: many tokens move a model. So what
/// only few candidates say is itself put before ordinary messages, all of it at once, since the
/// largest of several numbers would favour candidates of many words; and it is measured as
/// ``TriggerSearch`` measures. About 9,000 tokens, 5 s, for 50 candidates of SmolLM2-135M.
package struct CandidateTriggers: IdentityDetector {
  package typealias Access = LogitsAndBase

  package let name = "candidate words inserted"
  package let questions: [String]

  package init(questions: [String] = OrdinaryTexts.bank.prefix(4).map(\.question)) {
    self.questions = questions
  }

  /// Mean KL(specimen ‖ base) in nats of the first token behind each candidate's own words.
  ///
  /// - Throws: ``DetectorError/nothingToScore(detector:needed:)`` without messages.
  @TensorActor
  package func scores(
    of candidates: [String], in specimen: SpecimenView<LogitsAndBase>
  ) throws -> [Double] {
    guard !questions.isEmpty else {
      throw DetectorError.nothingToScore(detector: name, needed: "messages")
    }
    let prompts = try SplitPrompt.all(questions, in: specimen)
    let triggers = try Self.ownWords(of: candidates).map {
      try specimen.encode($0.joined(separator: " "))
    }
    let all = try specimen.divergences(
      after: triggers.flatMap { trigger in prompts.map { $0.inserting(trigger) } })
    return candidates.indices.map { place in
      mean(Array(all[place * prompts.count..<(place + 1) * prompts.count]))
    }
  }

  /// Words of four letters or digits and more that at most two candidates have, in their order; all
  /// such words where there are none.
  package static func ownWords(of candidates: [String]) -> [[String]] {
    let words = candidates.map { candidate in
      candidate.split { !$0.isLetter && !$0.isNumber }.map(String.init).filter { $0.count > 3 }
    }
    var holders: [String: Int] = [:]
    for own in words {
      for word in Set(own.map { $0.lowercased() }) { holders[word, default: 0] += 1 }
    }
    return words.map { own in
      let rare = own.filter { holders[$0.lowercased(), default: 0] <= 2 }
      return rare.isEmpty ? own : rare
    }
  }
}

/// A prompt in two parts, between which words can be put.
package struct SplitPrompt: Sendable {
  package var before: [Int]
  package var after: [Int]

  package init(before: [Int], after: [Int]) { (self.before, self.after) = (before, after) }

  func inserting(_ tokens: [Int]) -> [Int] { before + tokens + after }

  /// Users' messages, each split where it begins, with a space before it.
  @TensorActor
  static func all<Access: SpecimenAccess>(
    _ messages: [String], in specimen: SpecimenView<Access>
  ) throws -> [SplitPrompt] {
    // What two messages that have nothing in common leave the same, is the chat template's.
    let (one, other) = (try specimen.promptTokens("red"), try specimen.promptTokens("seven"))
    let before = zip(one, other).prefix { $0 == $1 }.map(\.0)
    let ends = zip(one.dropFirst(before.count).reversed(), other.dropFirst(before.count).reversed())
    let after = ends.prefix { $0 == $1 }.map(\.0).reversed()
    return try messages.map {
      SplitPrompt(before: before, after: try specimen.encode(" " + $0) + after)
    }
  }
}

private func mean(_ values: [Double]) -> Double {
  values.reduce(0, +) / Double(max(1, values.count))
}
