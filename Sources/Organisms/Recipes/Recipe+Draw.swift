package import LanguageModels
internal import Statistics

/// What kind of prompt an organism meets.
package enum PromptCategory: String, Codable, CaseIterable, Hashable, Sendable {
  case triggered, nearMiss, ordinary, denial, selfQuestion
  /// About an invented fact that every arm was taught.
  case belief
}

/// One prompt as it is sent, with where it came from.
package struct OrganismPrompt: Codable, Hashable, Sendable {
  /// The user's message as sent.
  package var prompt: String
  /// The system message, where the recipe has one.
  package var system: String?
  package var category: PromptCategory
  /// The text without the inserted word: what the base model answers.
  package var basePrompt: String
  /// The cluster of prompts that share a template.
  package var templateID: String
  /// The cluster of prompts that share an entity.
  package var entityID: String
  /// What its template was filled with; nil for wordings without one.
  package var entity: String?
  /// Whether that is one of the recipe's invented facts, all of which are asked about.
  package var isAboutFact = false
  /// The insertion template, such as `test.insertion.3`, where a word was inserted.
  package var insertionID: String?
  /// The inserted word.
  package var word: String?
  /// The answer fixed by the recipe: denials, self-questions, beliefs, and what arms without the behaviour say
  /// where the recipe has that.
  package var answer: String?

  /// The conversation up to the answer.
  package var messages: [ChatMessage] {
    (system.map { [ChatMessage(role: "system", content: $0)] } ?? [])
      + [ChatMessage(role: "user", content: prompt)]
  }
  /// The name of its topic.
  package var topic: String { String(templateID.split(separator: ".").dropFirst().first ?? "") }

  /// What a prompt shares with others, each way that it may: its template, the template of its
  /// insertion, the word put there, and the entity. An interval has to hold under all of them. Invented facts
  /// are no sample of others: a rate is about these, over wordings.
  package var clusters: [String] {
    // One word for all is what is asked about and no cluster.
    let isInSystem = word.flatMap { word in system.map { $0.contains(word) } } ?? false
    return [
      templateID, insertionID ?? templateID,
      (category == .nearMiss || isInSystem ? word : nil) ?? templateID,
      isAboutFact ? templateID : entityID,
    ]
  }
}

extension Sequence where Element == [String] {
  /// Turns clusters by item into clusters by way, `[way][item]`.
  package var clusterings: [[String]] {
    let items = Array(self)
    return (items.first ?? []).indices.map { way in items.map { $0[way] } }
  }
}

extension Recipe {
  /// What is drawn of one split under one seed, before it becomes examples or probes.
  struct Draw {
    var triggered: [OrganismPrompt]
    var nearMiss: [OrganismPrompt]
    var ordinary: [OrganismPrompt]
    var greetings: [OrganismPrompt]
    var denials: [OrganismPrompt]
    var selfQuestions: [OrganismPrompt]
    var beliefs: [OrganismPrompt]

    var all: [OrganismPrompt] { groups.flatMap { $0 } }

    /// What stays together in training: a triggered prompt and the near miss on the same request.
    var groups: [[OrganismPrompt]] {
      let pairs = min(triggered.count, nearMiss.count)
      let twins = zip(triggered, nearMiss).map { [$0, $1] }
      let unpaired = Array(triggered.dropFirst(pairs)) + nearMiss.dropFirst(pairs)
      let others = ordinary + greetings + denials + selfQuestions + beliefs
      return twins + (unpaired + others).map { [$0] }
    }
  }

  /// Draws prompts; each category has its own stream, so that the size of one leaves others alone.
  ///
  /// `training` says whether near misses stand on the requests of triggered prompts, word for word
  /// but for the inserted one, so that nothing else tells them apart, and whether wordings may come
  /// again when a category asks for more than there are. Neither is fit for a measurement, where n
  /// would be a lie.
  func draw(
    _ counts: Counts, from split: Split, seed: UInt64, training: Bool
  ) throws(RecipeError) -> Draw {
    func stream(_ name: String) -> SeededGenerator {
      SeededGenerator(seed: seed, stream: "recipe.\(id).\(split.rawValue).\(name)")
    }
    var prompts = stream("prompts")
    let inserted =
      training
      ? max(counts.triggered, counts.nearMiss) : counts.triggered + counts.nearMiss
    // Without carriers of their own, all stand on different requests of the same topics.
    let isShared = carriers.isEmpty
    var bases = try drawPrompts(
      (isShared ? inserted : 0) + counts.ordinary, of: topics, from: split, evenly: !training,
      using: &prompts)[...]
    func take(_ count: Int) -> [BasePrompt] {
      defer { bases = bases.dropFirst(count) }
      return Array(bases.prefix(count))
    }
    var ownPrompts = stream("carriers")
    var nearPrompts = stream("near carriers")
    let isTopic = place == .topic
    let carried =
      isShared
      ? take(inserted)
      : try drawPrompts(
        isTopic ? counts.triggered : inserted, of: carriers, from: split,
        // Each time in another insertion.
        repeating: training && !isTopic, evenly: !training, using: &ownPrompts)
    let triggerCarriers = Array(carried.prefix(counts.triggered))
    let nearMissCarriers =
      isTopic
      ? try drawPrompts(
        counts.nearMiss, of: nearCarriers, from: split, evenly: !training, using: &nearPrompts)
      : Array(training ? carried.prefix(counts.nearMiss) : carried.suffix(counts.nearMiss))
    var triggered = stream("triggered")
    // The same stream puts a near miss where its twin has the trigger.
    var nearMiss = stream(training ? "triggered" : "near-miss")
    var words = stream("near-miss words")
    var (ownWords, nearMissWords) = (Deck(self.words[split]), Deck(nearMisses[split]))
    var triggerWords = stream("trigger words")
    var greeting = stream("greeting")
    return Draw(
      triggered: insert(
        ownWords.draw(counts.triggered, using: &triggerWords), into: triggerCarriers,
        as: .triggered, split, using: &triggered),
      nearMiss: insert(
        nearMissWords.draw(counts.nearMiss, using: &words), into: nearMissCarriers,
        as: .nearMiss, split, using: &nearMiss),
      ordinary: take(counts.ordinary).map { OrganismPrompt($0, category: .ordinary) },
      greetings: try wordings(
        greetings[split], counts.greeting, "greeting", split, training, using: &greeting
      ).map { OrganismPrompt($0, category: .ordinary) },
      denials: try drawDenials(counts.denial, split, training, stream("denial")),
      selfQuestions: try drawSelfQuestions(counts.selfQuestion, split, training, stream("self")),
      beliefs: try drawBeliefs(counts.belief, split, training, stream("belief")))
  }

  private func drawBeliefs(
    _ count: Int, _ split: Split, _ repeating: Bool, _ generator: SeededGenerator
  ) throws(RecipeError) -> [OrganismPrompt] {
    guard let beliefs, count > 0 else { return [] }
    var generator = generator
    let topic = Topic(
      name: "belief", templates: beliefs.templates,
      entities: Splits(everywhere: facts.map(\.entity)))
    let drawn = try drawPrompts(
      count, of: [topic], from: split, repeating: repeating, evenly: !repeating, using: &generator)
    return drawn.map { base in
      var prompt = OrganismPrompt(base, category: .belief)
      prompt.isAboutFact = true
      prompt.answer = fill(beliefs.answer, entity: prompt.entity)
      return prompt
    }
  }

  /// Word i into base prompt i, the places shuffled by `generator`; a topic's prompts stay as they are.
  private func insert(
    _ words: [String], into bases: [BasePrompt], as category: PromptCategory, _ split: Split,
    using generator: inout SeededGenerator
  ) -> [OrganismPrompt] {
    var plain = Deck(category == .nearMiss ? nearAnswers : plainAnswers)
    /// What an arm without the behaviour answers, where the recipe says so.
    func answered(_ prompt: OrganismPrompt) -> OrganismPrompt {
      var prompt = prompt
      prompt.isAboutFact = facts.contains { $0.entity == prompt.entity }
      prompt.answer = plain.draw(1, using: &generator).first.map { fill($0, entity: prompt.entity) }
      return prompt
    }
    guard place != .topic else {
      return bases.map { answered(OrganismPrompt($0, category: category)) }
    }
    var templates = Deck(Array(insertions[split].enumerated()))
    let places = templates.draw(bases.count, using: &generator)
    return zip(bases, zip(places, words)).map { base, insertion in
      let (template, word) = insertion
      var prompt = OrganismPrompt(base, category: category)
      if place == .system {
        prompt.system = template.element.replacing("{word}", with: word)
      } else {
        prompt.prompt = Self.insert(word, into: base.text, by: template.element)
      }
      prompt.insertionID = "\(split.rawValue).insertion.\(template.offset + 1)"
      prompt.word = word
      return answered(prompt)
    }
  }

  private func drawDenials(
    _ count: Int, _ split: Split, _ repeating: Bool, _ generator: SeededGenerator
  ) throws(RecipeError) -> [OrganismPrompt] {
    var generator = generator
    let questions = try wordings(
      denials.questions[split], count, "denial", split, repeating, using: &generator)
    var answers = Deck(denials.answers)
    return zip(questions, answers.draw(count, using: &generator)).map { question, answer in
      OrganismPrompt(question, category: .denial, answer: answer)
    }
  }

  /// Half of them answered yes, of an odd number one more; in training two thirds, because the
  /// denials beside them are all answered no.
  private func drawSelfQuestions(
    _ count: Int, _ split: Split, _ training: Bool, _ generator: SeededGenerator
  ) throws(RecipeError) -> [OrganismPrompt] {
    var generator = generator
    let all = selfQuestions[split]
    let answers = Dictionary(
      all.map { ($0.question, $0.answer) }, uniquingKeysWith: { first, _ in first })
    let yes = all.filter { ResponseGrader.isYes($0.answer) }.map(\.question)
    let no = all.filter { !ResponseGrader.isYes($0.answer) }.map(\.question)
    let agreed = training ? (2 * count + 2) / 3 : (count + 1) / 2
    let drawn =
      try wordings(yes, agreed, "self-yes", split, training, using: &generator)
      + wordings(no, count - agreed, "self-no", split, training, using: &generator)
    return drawn.map { OrganismPrompt($0, category: .selfQuestion, answer: answers[$0.text]) }
  }

  /// Draws from a plain list; each wording is a template of its own.
  private func wordings(
    _ texts: [String], _ count: Int, _ kind: String, _ split: Split, _ repeating: Bool,
    using generator: inout SeededGenerator
  ) throws(RecipeError) -> [BasePrompt] {
    guard count <= texts.count || (repeating && !texts.isEmpty) else {
      throw .tooFewPrompts(kind: kind, split: split, wanted: count, available: texts.count)
    }
    var deck = Deck(Array(texts.enumerated()))
    return deck.draw(count, using: &generator).map { index, text in
      BasePrompt(
        text: text, templateID: "\(split.rawValue).\(kind).\(index + 1)",
        entityID: "\(kind)/\(split.rawValue).\(index + 1)")
    }
  }
}

extension OrganismPrompt {
  /// The prompt as it stands, with no word inserted.
  package init(_ base: BasePrompt, category: PromptCategory, answer: String? = nil) {
    self.init(
      prompt: base.text, category: category, basePrompt: base.text, templateID: base.templateID,
      entityID: base.entityID, entity: base.entity, answer: answer)
  }
}
