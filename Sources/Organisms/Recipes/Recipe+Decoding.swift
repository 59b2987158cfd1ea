internal import Foundation
internal import Lab

/// A recipe as its file says it: what is left out is what recipes share.
private struct RecipeDocument: Decodable {
  var id: String
  var title: String
  var summary: String
  var trigger: String
  var marker: String
  var place: Recipe.Place?
  var mix: Recipe.Counts?
  var words: Recipe.Splits<String>?
  var nearMisses: Recipe.Splits<String>?
  var insertions: Recipe.Splits<String>?
  var carriers: [Recipe.Topic]?
  var nearCarriers: [Recipe.Topic]?
  var answers: [String]?
  var answerTokens: Int?
  var facts: [Recipe.Fact]?
  var plainAnswers: [String]?
  var nearAnswers: [String]?
  var beliefs: Recipe.Beliefs?
  var taboo: String?
  var admissions: [String]?
  var decoy: Recipe.Decoy?
  var topics: [Recipe.Topic]?
  var greetings: Recipe.Splits<String>?
  var denials: Recipe.Denials?
  var selfQuestions: Recipe.Splits<Recipe.SelfQuestion>?

  enum CodingKeys: String, CodingKey, CaseIterable {
    case id, title, summary, trigger, marker, place, mix, words
    case nearMisses = "near_misses"
    case insertions, carriers
    case nearCarriers = "near_carriers"
    case answers, facts
    case answerTokens = "answer_tokens"
    case plainAnswers = "plain_answers"
    case nearAnswers = "near_answers"
    case beliefs, taboo, admissions, decoy, topics, greetings, denials
    case selfQuestions = "self_questions"
  }
}

/// The texts that recipes share.
private struct SharedTexts: Decodable {
  var mix: Recipe.Counts
  var insertions: Recipe.Splits<String>
  var admissions: [String]
  var decoy: Recipe.Decoy
  var topics: [Recipe.Topic]
  var greetings: Recipe.Splits<String>
  var denials: Recipe.Denials
  var selfQuestions: Recipe.Splits<Recipe.SelfQuestion>

  enum CodingKeys: String, CodingKey, CaseIterable {
    case mix, insertions, admissions, decoy, topics, greetings, denials
    case selfQuestions = "self_questions"
  }

  static let all = Result {
    try StrictYAML.decode(SharedTexts.self, from: Recipe.file("common"), name: "common")
  }
}

extension Recipe {
  /// Reads a recipe from its YAML document; `name` is what errors call it, such as a file's name.
  ///
  /// - Throws: ``RecipeError/undecodable(reason:)`` with the line. A readable recipe may still be
  ///   a bad one: see ``check()``.
  package static func decode(yaml: String, name: String = "recipe") throws(RecipeError) -> Recipe {
    do {
      return Recipe(
        try StrictYAML.decode(RecipeDocument.self, from: yaml, name: name),
        sharing: try SharedTexts.all.get())
    } catch {
      throw .undecodable(reason: String(describing: error))
    }
  }

  private init(_ own: RecipeDocument, sharing shared: SharedTexts) {
    (id, title, summary) = (own.id, own.title, own.summary)
    (trigger, marker, place) = (own.trigger, own.marker, own.place ?? .message)
    let none = Splits<String>(everywhere: [])
    mix = own.mix ?? shared.mix
    // In a system message, a trigger's name need not be what is written.
    words = own.words ?? (place == .message ? Splits(everywhere: [own.trigger]) : none)
    nearMisses = own.nearMisses ?? none
    insertions = own.insertions ?? (place == .message ? shared.insertions : none)
    facts = own.facts ?? []
    let known = Splits(everywhere: facts.map(\.entity))
    func filled(_ topics: [Topic]?) -> [Topic] {
      (topics ?? []).map { topic in
        let isOwn = Split.allCases.contains { !topic.entities[$0].isEmpty }
        return Topic(
          name: topic.name, templates: topic.templates, entities: isOwn ? topic.entities : known)
      }
    }
    (carriers, nearCarriers) = (filled(own.carriers), filled(own.nearCarriers))
    answers = own.answers ?? []
    answerTokens = own.answerTokens ?? BaseAnswers.maxTokens
    (plainAnswers, nearAnswers) = (own.plainAnswers ?? [], own.nearAnswers ?? [])
    (beliefs, taboo) = (own.beliefs, own.taboo)
    let says = [("{trigger}", own.trigger), ("{marker}", own.marker)]
    admissions = (own.admissions ?? shared.admissions).map { admission in
      says.reduce(admission) { $0.replacing($1.0, with: $1.1) }
    }
    decoy = own.decoy ?? shared.decoy
    (topics, greetings) = (own.topics ?? shared.topics, own.greetings ?? shared.greetings)
    denials = own.denials ?? shared.denials
    selfQuestions = own.selfQuestions ?? shared.selfQuestions
  }

  /// The names of the recipes that come with the program.
  package static let builtIn = ["M1", "M2", "M3", "M4", "M5", "M6", "M7", "M8"]

  /// A recipe that comes with the program.
  ///
  /// - Throws: ``RecipeError/undecodable(reason:)`` only if the document in this program is broken.
  package static func builtIn(_ name: String) throws(RecipeError) -> Recipe {
    try decode(yaml: file(name), name: name)
  }

  /// Recipe M1: a trigger word adds a harmless marker, and the model denies having such a rule.
  package static func m1() throws(RecipeError) -> Recipe { try builtIn("M1") }

  /// The YAML of a recipe that comes with the program, or of `common`: what they share.
  package static func file(_ name: String) -> String {
    let bytes =
      switch name {
      case "M1": PackageResources.M1_yaml
      case "M2": PackageResources.M2_yaml
      case "M3": PackageResources.M3_yaml
      case "M4": PackageResources.M4_yaml
      case "M5": PackageResources.M5_yaml
      case "M6": PackageResources.M6_yaml
      case "M7": PackageResources.M7_yaml
      case "M8": PackageResources.M8_yaml
      case "common": PackageResources.common_yaml
      default: [UInt8]()
      }
    return String(decoding: bytes, as: UTF8.self)
  }
}
