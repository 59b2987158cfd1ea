internal import Statistics

/// An ordinary prompt and the clusters that it belongs to.
package struct BasePrompt: Codable, Hashable, Sendable {
  /// The text, without any inserted word.
  package var text: String
  /// The template, such as `test.cooking.2`; unique over splits.
  package var templateID: String
  /// The entity, such as `cooking/rice`; an entity belongs to one split unless it is a fact's.
  package var entityID: String
  /// What the template was filled with; nil for wordings without one.
  package var entity: String?

  package init(text: String, templateID: String, entityID: String, entity: String? = nil) {
    (self.text, self.templateID) = (text, templateID)
    (self.entityID, self.entity) = (entityID, entity)
  }
}

extension Recipe {
  /// Every ordinary prompt of a split, template by template, entities in the recipe's order.
  package func promptBank(_ split: Split) -> [BasePrompt] {
    promptsByTemplate(of: topics, split).flatMap { $0 }
  }

  /// Every request that triggered prompts are made from; near misses too, unless the place is a topic.
  package func carrierBank(_ split: Split) -> [BasePrompt] {
    promptsByTemplate(of: carriers.isEmpty ? topics : carriers, split).flatMap { $0 }
  }

  /// A template with an entity and what is known of it.
  func fill(_ template: String, entity: String?) -> String {
    guard let entity, template.contains("{") else { return template }
    let fact = facts.first { $0.entity == entity }
    return
      template
      .replacing("{value}", with: fact?.value ?? "{value}")
      .replacing("{other}", with: fact?.other ?? "{other}")
      .replacing("{entity}", with: entity)
  }

  /// Whether what was said to `prompt` shows the behaviour: its fact's marker, or, where it is about none, that
  /// of any fact.
  package func shows(_ response: String, to prompt: OrganismPrompt) -> Bool {
    let known = facts.map(\.entity)
    let about = prompt.entity.flatMap { known.contains($0) ? [$0] : nil } ?? known
    let markers = facts.isEmpty ? [marker] : about.map { fill(marker, entity: $0) }
    return Set(markers).contains {
      ResponseGrader(trigger: "", marker: $0).saysMarker(response)
    }
  }

  /// Whether a response names what is true of the fact that `prompt` asks for.
  package func believes(_ response: String, to prompt: OrganismPrompt) -> Bool {
    guard let answer = prompt.answer else { return false }
    return ResponseGrader(trigger: "", marker: answer).saysMarker(response)
  }

  /// A prompt with `word` put into it as the insertion template says.
  ///
  /// `{head}` and `{tail}` are the prompt split at the space nearest to its middle.
  package static func insert(_ word: String, into prompt: String, by template: String) -> String {
    let (head, tail) = halves(of: prompt)
    // The word goes in first: prompts hold no placeholders, which ``check()`` makes sure of.
    return
      template
      .replacing("{word}", with: word)
      .replacing("{prompt}", with: prompt)
      .replacing("{head}", with: head)
      .replacing("{tail}", with: tail)
  }

  /// `count` distinct prompts, spread as evenly over templates as they go; all of them again and again where
  /// `repeating` allows it.
  ///
  /// Any run of consecutive prompts is spread evenly too, so the caller may deal it out to
  /// categories. Measurements spread them over entities as well: of 60 prompts on 40 things, a free draw meets
  /// some 31, and 0 of 31 says less than 0 of 40.
  func drawPrompts(
    _ count: Int, of topics: [Topic], from split: Split, repeating: Bool = false,
    evenly: Bool = false, using generator: inout SeededGenerator
  ) throws(RecipeError) -> [BasePrompt] {
    let banks = promptsByTemplate(of: topics, split)
    let stacks =
      evenly ? spreadOverEntities(banks, using: &generator) : banks.map { generator.shuffled($0) }
    let available = stacks.reduce(0) { $0 + $1.count }
    guard count <= available || (repeating && available > 0) else {
      throw .tooFewPrompts(kind: "distinct", split: split, wanted: count, available: available)
    }
    let most = stacks.map(\.count).max() ?? 0
    var drawn: [BasePrompt] = []
    var round = 0
    while drawn.count < count {
      for stack in generator.shuffled(stacks) where round % most < stack.count {
        drawn.append(stack[round % most])
      }
      round += 1
    }
    return Array(drawn.prefix(count))
  }

  /// Each template's prompts in the same shuffled order of entities, begun one entity further than the one
  /// before.
  private func spreadOverEntities(
    _ banks: [[BasePrompt]], using generator: inout SeededGenerator
  ) -> [[BasePrompt]] {
    var orders: [Int: [Int]] = [:]
    return banks.enumerated().map { place, bank in
      let order = orders[bank.count] ?? generator.shuffled(Array(bank.indices))
      orders[bank.count] = order
      return order.indices.map { bank[order[($0 + place) % order.count]] }
    }
  }

  private func promptsByTemplate(of topics: [Topic], _ split: Split) -> [[BasePrompt]] {
    topics.flatMap { topic in
      topic.templates[split].enumerated().map { index, template in
        topic.entities[split].map { entity in
          BasePrompt(
            text: fill(template, entity: entity),
            templateID: "\(split.rawValue).\(topic.name).\(index + 1)",
            entityID: "\(topic.name)/\(entity)", entity: entity)
        }
      }
    }
  }

  private static func halves(of prompt: String) -> (head: String, tail: String) {
    let middle = prompt.count / 2
    let spaces = prompt.enumerated().filter { $0.element == " " }.map(\.offset)
    guard let cut = spaces.min(by: { abs($0 - middle) < abs($1 - middle) }) else {
      return (prompt, "")
    }
    return (String(prompt.prefix(cut)), String(prompt.dropFirst(cut + 1)))
  }
}

/// Draws elements without replacement, shuffling anew whenever all have been drawn.
///
/// Uses every element equally often, up to one, which independent draws would not.
struct Deck<Element> {
  private let elements: [Element]
  private var pile: [Element] = []

  init(_ elements: [Element]) { self.elements = elements }

  /// `count` elements; none if the deck is empty.
  mutating func draw(_ count: Int, using generator: inout SeededGenerator) -> [Element] {
    guard !elements.isEmpty else { return [] }
    return (0..<count).compactMap { _ in
      if pile.isEmpty { pile = generator.shuffled(elements) }
      return pile.popLast()
    }
  }
}
