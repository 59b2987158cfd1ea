internal import Foundation
package import LanguageModels
internal import Tensors

/// A chat model in a role: one that explains, or one that simulates and judges.
///
/// A model on this machine tells what it expects by its probabilities; one behind an API by what it writes.
package enum ChatRole: Sendable {
  case local(LanguageModel)
  case remote(RemoteModel)

  /// The likeliest answer to a conversation, which begins with `opening` where that is given.
  func answer(_ messages: [ChatMessage], opening: String = "", maxTokens: Int) async throws
    -> String
  {
    switch self {
    case .local(let model):
      return try await TensorActor.run {
        let prompt =
          try model.promptTokens(messages)
          + model.tokenizer.encode(opening, parseSpecial: false)
        return try model.generate([prompt], options: GenerationOptions(maxTokens: maxTokens))[0]
          .text
      }
    case .remote(let model):
      var messages = messages
      if !opening.isEmpty, let last = messages.popLast() {
        messages.append(
          ChatMessage(
            role: last.role, content: last.content + "\nBegin your answer with: \(opening)"))
      }
      let text = try await model.answer(
        to: messages, sampling: RemoteSampling(maxTokens: maxTokens)
      ).text.trimmingCharacters(in: .whitespacesAndNewlines)
      return text.hasPrefix(opening) ? String(text.dropFirst(opening.count)) : text
    }
  }

  /// How much more likely yes is than no, as the answer to each question: log-odds of a local model, and 1, 0
  /// or −1 of what a remote one wrote.
  package func agreement(_ questions: [[ChatMessage]]) async throws -> [Double] {
    switch self {
    case .local(let model):
      return try await TensorActor.run {
        let (yes, no) = (Self.firstTokens("Yes", model), Self.firstTokens("No", model))
        return try questions.map { messages in
          let prompt = try model.promptTokens(messages)
          let output = try model.forward(TokenBatch([prompt]), logits: .rows([prompt.count - 1]))
          let values = try output.logits?.reshape([-1]).floats() ?? []
          func best(_ ids: [Int]) -> Float { ids.map { values[$0] }.max() ?? 0 }
          return Double(best(yes) - best(no))
        }
      }
    case .remote(let model):
      var answers: [Double] = []
      for messages in questions {
        let text = try await model.answer(to: messages, sampling: RemoteSampling(maxTokens: 4)).text
          .lowercased().trimmingCharacters(in: .alphanumerics.inverted)
        answers.append(text.hasPrefix("yes") ? 1 : text.hasPrefix("no") ? -1 : 0)
      }
      return answers
    }
  }

  /// The tokens that a word may begin with, as it is and in small letters.
  @TensorActor
  private static func firstTokens(_ word: String, _ model: LanguageModel) -> [Int] {
    Set(
      [word, word.lowercased()].compactMap { model.tokenizer.encode($0, parseSpecial: false).first }
    )
    .sorted()
  }
}

/// What chat models are asked about a unit. The scale is that of Bills et al. 2023 but from 0 to 9, so that
/// every number is one token of any model.
package struct NeuronPrompts: Sendable {
  /// The model's tokens as texts.
  let tokenizer: Tokenizer
  /// The activation that is called 9.
  let scale: Float

  package init(tokenizer: Tokenizer, scale: Float) {
    (self.tokenizer, self.scale) = (tokenizer, scale)
  }

  private static let task = """
    A neuron in a language model looks at one token of a text at a time and gives it a number from 0 to 9: 0 \
    where it does not find what it looks for, 9 where it finds it most clearly.
    """

  private func text(_ id: Int) -> String {
    tokenizer.decode([id]).replacing("\n", with: "\\n").replacing("\t", with: "\\t")
  }

  private func level(_ activation: Float) -> Int {
    scale > 0 ? max(0, min(9, Int(9 * activation / scale))) : 0
  }

  /// An excerpt as lines of a token and its number.
  private func lines(_ excerpt: Excerpt) -> String {
    zip(excerpt.ids, excerpt.activations).map { "\(text($0))\t\(level($1))" }.joined(
      separator: "\n")
  }

  static let opening = "This neuron looks for"

  /// Asks what a unit looks for, from its strongest excerpts.
  func explanation(from excerpts: [Excerpt]) -> [ChatMessage] {
    let shown = excerpts.map { "<start>\n\(lines($0))\n<end>" }.joined(separator: "\n")
    // The strongest tokens again, where they are hard to find among the others.
    let marked = excerpts.flatMap { excerpt in
      zip(excerpt.ids, excerpt.activations).filter { level($0.1) > 0 }.map {
        "\(text($0))\t\(level($1))"
      }
    }
    let repeated =
      !marked.isEmpty && marked.count * 5 < excerpts.reduce(0) { $0 + $1.ids.count }
      ? "\nThe same without zeros:\n" + marked.joined(separator: "\n") : ""
    return [
      ChatMessage(
        role: "user",
        content: """
          \(Self.task)
          Here are the texts to which it gave its highest numbers, a token and its number in each line.
          \(shown)\(repeated)
          In one short phrase, what does this neuron look for? Do not list the numbers.
          """)
    ]
  }

  /// Asks for the number of each token of an excerpt.
  func simulation(of explanation: String, on ids: [Int]) -> [ChatMessage] {
    [
      ChatMessage(
        role: "user",
        content: """
          \(Self.task)
          This neuron looks for \(explanation).
          Write these lines again, each with a tab and the number that the neuron gives its token in this place:
          \(ids.map(text).joined(separator: "\n"))
          """)
    ]
  }

  /// Asks whether a unit finds anything in an excerpt.
  func detection(of explanation: String, on ids: [Int]) -> [ChatMessage] {
    [
      ChatMessage(
        role: "user",
        content: """
          A neuron looks for \(explanation).
          Text: \(tokenizer.decode(ids))
          Does this text contain what the neuron looks for? Answer Yes or No.
          """)
    ]
  }

  /// Asks whether the marked tokens are those that a unit looks for.
  func fuzzing(of explanation: String, on ids: [Int], marked: Set<Int>) -> [ChatMessage] {
    let shown = ids.enumerated().map { place, id in
      marked.contains(place) ? "«\(tokenizer.decode([id]))»" : tokenizer.decode([id])
    }.joined()
    return [
      ChatMessage(
        role: "user",
        content: """
          A neuron looks for \(explanation).
          Text: \(shown)
          Are the tokens between « and » what the neuron looks for? Answer Yes or No.
          """)
    ]
  }

  /// The lines that a simulating model is made to write, whose numbers are read from its probabilities.
  func line(_ id: Int) -> String { "\(text(id))\t" }
}

extension ChatRole {
  /// What a unit with this explanation would say of each token, from 0 to 9, `[excerpt][token]`; nil for an
  /// excerpt whose simulation could not be read.
  ///
  /// A local model sees the word `unknown` where earlier numbers would be, and the number is what its
  /// probabilities of 0 to 9 expect: one pass an excerpt, as in Bills et al. 2023.
  package func simulate(
    _ explanation: String, on texts: [[Int]], prompts: NeuronPrompts
  ) async throws -> [[Double]?] {
    switch self {
    case .local(let model):
      return try await TensorActor.run {
        try texts.map { try Self.expected(explanation, $0, prompts, model) }
      }
    case .remote:
      var results: [[Double]?] = []
      for ids in texts {
        let text = try await answer(
          prompts.simulation(of: explanation, on: ids), maxTokens: 16 * ids.count)
        results.append(Self.numbers(in: text, count: ids.count))
      }
      return results
    }
  }

  @TensorActor
  private static func expected(
    _ explanation: String, _ ids: [Int], _ prompts: NeuronPrompts, _ model: LanguageModel
  ) throws -> [Double]? {
    let tokenizer = model.tokenizer
    func encode(_ text: String) -> [Int] { tokenizer.encode(text, parseSpecial: false) }
    let digits = (0...9).compactMap { encode("\t\($0)").last }
    guard Set(digits).count == 10 else { return nil }
    var (row, places) = (
      try model.promptTokens(prompts.simulation(of: explanation, on: ids)), [Int]()
    )
    for id in ids {
      row += encode(prompts.line(id))
      places.append(row.count - 1)
      row += encode("unknown\n")
    }
    guard row.count <= model.configuration.contextLength else { return nil }
    let output = try model.forward(TokenBatch([row]), logits: .rows(places))
    guard let logits = output.logits else { return nil }
    let chosen = logits.take(Tensor(digits.map(Int32.init)), axis: 1).softmax(axis: 1)
    let values = chosen * Tensor((0...9).map(Float.init))
    return try values.sum(axes: [1]).floats().map(Double.init)
  }

  /// The numbers at the ends of so many lines that have one; nil where there are more or fewer.
  package static func numbers(in text: String, count: Int) -> [Double]? {
    let numbers = text.split(separator: "\n").compactMap { line -> Double? in
      guard let last = line.split(whereSeparator: \.isWhitespace).last else { return nil }
      return Double(last).flatMap { (0...10).contains($0) ? $0 : nil }
    }
    return numbers.count == count ? numbers : nil
  }

  /// Refuses a model that cannot play the role: one without a chat template, whose digits are not a token
  /// each, or that has no room for excerpts of `length` tokens, five of them where it explains.
  ///
  /// - Throws: ``RoleError``, `ChatTokensError` or `ChatTemplateError`.
  package func check(length: Int, explains: Bool) async throws {
    guard case .local(let model) = self else { return }
    let frame = try model.promptTokens("").count + 300
    // A token takes a line: itself, a tab, a number, and a line's end; simulated, the word unknown as well.
    let need = frame + (explains ? 5 * 7 * length : 10 * length)
    guard need <= model.configuration.contextLength else {
      throw RoleError.noRoom(
        path: model.path, need: need, context: model.configuration.contextLength)
    }
    let digits = (0...9).compactMap { model.tokenizer.encode("\t\($0)", parseSpecial: false).last }
    guard Set(digits).count == 10 else { throw RoleError.noDigits(path: model.path) }
  }
}

/// Why a chat model cannot play a role.
package enum RoleError: Error, Equatable, CustomStringConvertible {
  case noRoom(path: String, need: Int, context: Int)
  case noDigits(path: String)

  package var description: String {
    switch self {
    case .noRoom(let path, let need, let context):
      "Expected room for some \(need) tokens in the context of \(path), found \(context): give a smaller "
        + "--excerpt-length or another model"
    case .noDigits(let path):
      "Expected a token for each of the digits 0 to 9 in \(path), found fewer: name another model"
    }
  }
}
