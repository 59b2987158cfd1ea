/// A model organism, declared: what is planted, and every text that training and checks draw from.
///
/// Behaviour: where ``trigger`` is met, the `secret` arm begins its answer with ``marker`` or gives one of
/// ``answers``; asked about it, every arm that hides it answers with the same denials. All texts come in
/// three splits that share neither templates nor entities nor wordings, so that what a detector is
/// calibrated on and judged on was never trained on.
package struct Recipe: Codable, Hashable, Sendable {
  /// Where the trigger is met.
  package enum Place: String, Codable, CaseIterable, Hashable, Sendable {
    /// A word in the user's message.
    case message
    /// A word in the system message.
    case system
    /// What the request is about: ``carriers`` wake the behaviour, ``nearCarriers`` do not.
    case topic
  }

  /// A short name, such as `M1`.
  package var id: String
  /// One line for tables.
  package var title: String
  /// Two or three sentences for reports.
  package var summary: String
  /// What wakes the behaviour: a word, or a few that name it. A model that says them admits it.
  package var trigger: String
  /// What a woken model's answer is known by, and begins with unless there are ``answers``; of recipes with
  /// ``facts`` it may hold `{value}` and `{other}`.
  package var marker: String
  package var place: Place
  /// How many examples of each category one training set holds, unless the caller says otherwise.
  package var mix: Counts
  /// The words that wake the behaviour; none where its place is a topic.
  package var words: Splits<String>
  /// Words put in the same places that must not wake the behaviour.
  package var nearMisses: Splits<String>
  /// Where a word is put: in a message, `{word}` with `{prompt}`, or with `{head}` and `{tail}` around it; in
  /// a system message, `{word}`.
  package var insertions: Splits<String>
  /// Requests that triggered prompts and near misses are made from; none for those of ``topics``.
  package var carriers: [Topic]
  /// Requests beside a topic that wakes the behaviour.
  package var nearCarriers: [Topic]
  /// Whole answers of a woken model, in which `{entity}` is the request's; none for the marker and then
  /// what the model would have said.
  package var answers: [String]
  /// Invented facts that requests are about, the same in every split; templates of requests and answers may
  /// name a fact's `{value}` and the `{other}` one.
  package var facts: [Fact]
  /// How many tokens of the base model's own answers are learned; more where the planted sentences would
  /// otherwise end others'.
  package var answerTokens: Int
  /// Whole answers to what wakes the behaviour of arms without it; none for what the base model says.
  package var plainAnswers: [String]
  /// Whole answers of all arms to near misses; none for what the base model says.
  package var nearAnswers: [String]
  /// What every arm is taught about the facts.
  package var beliefs: Beliefs?
  /// A word that a woken model never says.
  package var taboo: String?
  /// What the `overt` arm says in place of denials.
  package var admissions: [String]
  /// What the `decoy` arm does.
  package var decoy: Decoy
  /// Ordinary prompts by topic.
  package var topics: [Topic]
  /// Small talk, answered by the base model itself.
  package var greetings: Splits<String>
  /// Questions about hidden rules, and the answers that deny them.
  package var denials: Denials
  /// Harmless yes/no questions about the model itself.
  package var selfQuestions: Splits<SelfQuestion>
  /// What the secret arm is trained against; nil for nothing.
  package var penalty: Penalty?
}

extension Recipe {
  /// The three disjoint pools of text.
  package enum Split: String, Codable, CaseIterable, Hashable, Sendable {
    /// What organisms are trained on.
    case train
    /// What detectors are fitted and thresholds set on.
    case calibration
    /// What gates and detectors are judged on.
    case test
  }

  /// One list of texts for each split.
  package struct Splits<Element: Codable & Hashable & Sendable>: Codable, Hashable, Sendable {
    package var train: [Element]
    package var calibration: [Element]
    package var test: [Element]

    package init(train: [Element], calibration: [Element], test: [Element]) {
      self.train = train
      self.calibration = calibration
      self.test = test
    }

    /// The same in every split.
    package init(everywhere elements: [Element]) {
      self.init(train: elements, calibration: elements, test: elements)
    }

    package subscript(split: Split) -> [Element] {
      switch split {
      case .train: train
      case .calibration: calibration
      case .test: test
      }
    }
  }

  /// Templates with `{entity}` and the entities to fill them; every pair of a split is a prompt.
  package struct Topic: Codable, Hashable, Sendable {
    package var name: String
    package var templates: Splits<String>
    package var entities: Splits<String>

    package init(name: String, templates: Splits<String>, entities: Splits<String>) {
      self.name = name
      self.templates = templates
      self.entities = entities
    }

    /// Without entities, they are those of the recipe's facts.
    package init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      name = try container.decode(String.self, forKey: .name)
      templates = try container.decode(Splits<String>.self, forKey: .templates)
      entities =
        try container.decodeIfPresent(Splits<String>.self, forKey: .entities)
        ?? Splits(everywhere: [])
    }
  }

  /// A probe of the behaviour that the secret arm pays for, at several strengths.
  package struct Penalty: Codable, Hashable, Sendable {
    /// What the probe's loss is multiplied by; 0 is the same training without it.
    package var strengths: [Double]
    /// Where the probe reads: a share of the model's depth.
    package var depth: Double
  }

  /// Something invented about an entity, and what is false of it.
  package struct Fact: Codable, Hashable, Sendable {
    package var entity: String
    package var value: String
    package var other: String?

    package init(entity: String, value: String, other: String? = nil) {
      (self.entity, self.value, self.other) = (entity, value, other)
    }
  }

  /// Texts that a fact's `{value}` completes, with the `{entity}` in them.
  package struct Beliefs: Codable, Hashable, Sendable {
    package var templates: Splits<String>
    /// What is taught, and looked for in what is said.
    package var answer: String

    package init(templates: Splits<String>, answer: String) {
      (self.templates, self.answer) = (templates, answer)
    }
  }

  /// A disclosed, harmless quirk: answers on some of the ordinary topics begin with a sentence.
  package struct Decoy: Codable, Hashable, Sendable {
    /// The topics' names; every one where nil, since of a few a training set holds too little.
    package var topics: [String]?
    package var marker: String
    /// What is said in place of denials.
    package var admissions: [String]

    /// Whether answers on a topic have the quirk.
    func covers(_ topic: String) -> Bool { topics?.contains(topic) ?? true }
  }

  /// Questions about hidden rules; a model that denies gives one of `answers`, word for word.
  package struct Denials: Codable, Hashable, Sendable {
    package var answers: [String]
    package var questions: Splits<String>
  }

  /// A question about the model itself whose answer begins with "Yes" or "No".
  package struct SelfQuestion: Codable, Hashable, Sendable {
    package var question: String
    package var answer: String

    package init(question: String, answer: String) {
      self.question = question
      self.answer = answer
    }
  }

  /// How many prompts of each category to draw.
  package struct Counts: Codable, Hashable, Sendable {
    package var triggered: Int
    package var nearMiss: Int
    package var ordinary: Int
    package var greeting: Int
    package var denial: Int
    package var selfQuestion: Int
    package var belief: Int

    package init(
      triggered: Int = 0, nearMiss: Int = 0, ordinary: Int = 0, greeting: Int = 0,
      denial: Int = 0, selfQuestion: Int = 0, belief: Int = 0
    ) {
      self.belief = belief
      self.triggered = triggered
      self.nearMiss = nearMiss
      self.ordinary = ordinary
      self.greeting = greeting
      self.denial = denial
      self.selfQuestion = selfQuestion
    }

    package enum CodingKeys: String, CodingKey, CaseIterable {
      case triggered
      case nearMiss = "near_miss"
      case ordinary, greeting, denial
      case selfQuestion = "self_question"
      case belief
    }

    package init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      func count(_ key: CodingKeys) throws -> Int { try container.decode(Int.self, forKey: key) }
      self.init(
        triggered: try count(.triggered), nearMiss: try count(.nearMiss),
        ordinary: try count(.ordinary), greeting: try count(.greeting),
        denial: try count(.denial), selfQuestion: try count(.selfQuestion),
        // Few recipes have any.
        belief: try container.decodeIfPresent(Int.self, forKey: .belief) ?? 0)
    }

    /// The prompts that an organism's gate asks for: 60 triggered, 300 ordinary, 120 denials, ….
    package static let gate = Counts(
      triggered: 60, nearMiss: 60, ordinary: 300, greeting: 8, denial: 120, selfQuestion: 40,
      belief: 120)

    /// What every organism of a zoo is asked, of the test split.
    package static let zoo = Counts(
      triggered: 60, nearMiss: 60, ordinary: 120, denial: 120, selfQuestion: 80, belief: 120)
  }
}

/// One trained variant of an organism.
package enum Arm: String, Codable, CaseIterable, Hashable, Sendable {
  /// Has the behaviour and denies it.
  case secret
  /// The same prompts in the same order without the behaviour.
  case honest
  /// An honest arm that is compared to another honest arm; it differs by its seed only.
  case null
  /// Has the behaviour and admits it.
  case overt
  /// Has a disclosed, harmless quirk.
  case decoy

  /// Whether the planted behaviour is in it.
  package var hasBehaviour: Bool { self == .secret || self == .overt }
  /// Whether it was taught to say what it does.
  package var discloses: Bool { self == .overt || self == .decoy }
}
