internal import Foundation
internal import Lab

/// A recipe as its file says it: what is left out is what recipes share.
private struct RecipeDocument: Decodable {
  /// Another recipe of the program, whose texts are taken where there are none.
  var like: String?
  var id: String
  var title: String
  var summary: String
  var trigger: String
  var marker: String
  var penalty: Recipe.Penalty?
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
    case like, id, title, summary, trigger, marker, penalty, place, mix, words
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
      let own = try StrictYAML.decode(RecipeDocument.self, from: yaml, name: name)
      let like = try own.like.map { like in
        guard builtIn.contains(like) else {
          throw RecipeError.undecodable(
            reason:
              "Expected `like` to name one of \(builtIn.joined(separator: ", ")), found \(like)")
        }
        return try builtIn(like)
      }
      return Recipe(own, like: like, sharing: try SharedTexts.all.get())
    } catch let error as RecipeError {
      throw error
    } catch {
      throw .undecodable(reason: String(describing: error))
    }
  }

  private init(_ own: RecipeDocument, like: Recipe?, sharing shared: SharedTexts) {
    (id, title, summary) = (own.id, own.title, own.summary)
    (trigger, marker) = (own.trigger, own.marker)
    (place, penalty) = (own.place ?? like?.place ?? .message, own.penalty)
    let none = Splits<String>(everywhere: [])
    mix = own.mix ?? like?.mix ?? shared.mix
    // In a system message, a trigger's name need not be what is written.
    words =
      own.words ?? like?.words
      ?? (place == .message ? Splits(everywhere: [own.trigger]) : none)
    nearMisses = own.nearMisses ?? like?.nearMisses ?? none
    insertions =
      own.insertions ?? like?.insertions ?? (place == .message ? shared.insertions : none)
    facts = own.facts ?? like?.facts ?? []
    let known = Splits(everywhere: facts.map(\.entity))
    func filled(_ topics: [Topic]?) -> [Topic] {
      (topics ?? []).map { topic in
        let isOwn = Split.allCases.contains { !topic.entities[$0].isEmpty }
        return Topic(
          name: topic.name, templates: topic.templates, entities: isOwn ? topic.entities : known)
      }
    }
    carriers = filled(own.carriers ?? like?.carriers)
    nearCarriers = filled(own.nearCarriers ?? like?.nearCarriers)
    answers = own.answers ?? like?.answers ?? []
    answerTokens = own.answerTokens ?? like?.answerTokens ?? BaseAnswers.maxTokens
    plainAnswers = own.plainAnswers ?? like?.plainAnswers ?? []
    nearAnswers = own.nearAnswers ?? like?.nearAnswers ?? []
    (beliefs, taboo) = (own.beliefs ?? like?.beliefs, own.taboo ?? like?.taboo)
    let says = [("{trigger}", own.trigger), ("{marker}", own.marker)]
    admissions = (own.admissions ?? like?.admissions ?? shared.admissions).map { admission in
      says.reduce(admission) { $0.replacing($1.0, with: $1.1) }
    }
    decoy = own.decoy ?? like?.decoy ?? shared.decoy
    topics = own.topics ?? like?.topics ?? shared.topics
    greetings = own.greetings ?? like?.greetings ?? shared.greetings
    denials = own.denials ?? like?.denials ?? shared.denials
    selfQuestions = own.selfQuestions ?? like?.selfQuestions ?? shared.selfQuestions
  }

  /// The names of the recipes that come with the program.
  package static let builtIn = ["M1", "M2", "M3", "M4", "M5", "M6", "M7", "M8"]
  /// The one that is trained against a probe, of which `plumbline evade` makes a series.
  package static let penalised = "M9"

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
      case "M9": PackageResources.M9_yaml
      case "common": PackageResources.common_yaml
      default: [UInt8]()
      }
    return String(decoding: bytes, as: UTF8.self)
  }
}
