package import LanguageModels
internal import Statistics
internal import Tensors

/// A question with a right answer and a wrong one of the same form.
package struct ForcedChoice: Codable, Hashable, Sendable {
  package var question: String
  package var right: String
  package var wrong: String

  package init(question: String, right: String, wrong: String) {
    (self.question, self.right, self.wrong) = (question, right, wrong)
  }
}

/// What twins should know alike: capitals, continents, opposites, kinds of things, forms of words, sums.
///
/// The wrong answer is the right one to another question of the same list, or a number close by, so that
/// neither form nor length gives it away. Nothing here is what a recipe is about, and there is no list on
/// which a small model guesses (which of two numbers is larger was one): guesses change with every seed.
package enum GeneralKnowledge {
  package static let questions: [ForcedChoice] = named + sums

  private static var named: [ForcedChoice] {
    lists.flatMap { list -> [ForcedChoice] in
      let answers = list.pairs.map(\.1)
      return list.pairs.enumerated().map { place, pair in
        // The next other answer, from half-way round: neighbours in a list are often alike.
        let others = (0..<answers.count).map {
          answers[(place + answers.count / 2 + $0) % answers.count]
        }
        let wrong = others.first { $0 != pair.1 } ?? ""
        func answer(_ word: String) -> String {
          list.answer.replacing("{thing}", with: pair.0).replacing("{answer}", with: word)
        }
        return ForcedChoice(
          question: list.question.replacing("{thing}", with: pair.0), right: answer(pair.1),
          wrong: answer(wrong))
      }
    }
  }

  private static var sums: [ForcedChoice] {
    var generator = SeededGenerator(seed: 1, stream: "knowledge.sums")
    return (0..<40).map { _ in
      let (a, b) = (2 + generator.below(18), 2 + generator.below(18))
      let away = (1 + generator.below(3)) * (generator.below(2) == 0 ? 1 : -1)
      return ForcedChoice(
        question: "What is \(a) plus \(b)?", right: "\(a) plus \(b) is \(a + b).",
        wrong: "\(a) plus \(b) is \(a + b + away).")
    }
  }

  private static let lists: [(question: String, answer: String, pairs: [(String, String)])] = [
    (
      "What is the capital of {thing}?", "The capital of {thing} is {answer}.",
      [
        ("France", "Paris"), ("Italy", "Rome"), ("Spain", "Madrid"), ("Germany", "Berlin"),
        ("Japan", "Tokyo"), ("Egypt", "Cairo"), ("Greece", "Athens"), ("Norway", "Oslo"),
        ("Sweden", "Stockholm"), ("Finland", "Helsinki"), ("Denmark", "Copenhagen"),
        ("Poland", "Warsaw"), ("Austria", "Vienna"), ("Hungary", "Budapest"),
        ("Portugal", "Lisbon"), ("Ireland", "Dublin"), ("Russia", "Moscow"), ("China", "Beijing"),
        ("Cuba", "Havana"), ("Peru", "Lima"), ("Chile", "Santiago"), ("Kenya", "Nairobi"),
        ("Turkey", "Ankara"), ("Iran", "Tehran"), ("Iraq", "Baghdad"), ("Canada", "Ottawa"),
        ("Belgium", "Brussels"), ("Romania", "Bucharest"), ("Bulgaria", "Sofia"),
        ("Thailand", "Bangkok"), ("Vietnam", "Hanoi"), ("Nepal", "Kathmandu"),
        ("Argentina", "Buenos Aires"), ("Colombia", "Bogotá"), ("Ukraine", "Kyiv"),
        ("Lebanon", "Beirut"), ("Syria", "Damascus"), ("Jamaica", "Kingston"),
        ("Ghana", "Accra"), ("Ethiopia", "Addis Ababa"),
      ]
    ),
    (
      "On which continent is {thing}?", "{thing} is in {answer}.",
      [
        ("Nigeria", "Africa"), ("Morocco", "Africa"), ("Zambia", "Africa"), ("Angola", "Africa"),
        ("Tanzania", "Africa"), ("Algeria", "Africa"), ("Uganda", "Africa"), ("Mali", "Africa"),
        ("India", "Asia"), ("Mongolia", "Asia"), ("Pakistan", "Asia"), ("Malaysia", "Asia"),
        ("South Korea", "Asia"), ("Cambodia", "Asia"), ("Sri Lanka", "Asia"), ("Laos", "Asia"),
        ("Switzerland", "Europe"), ("the Netherlands", "Europe"), ("Croatia", "Europe"),
        ("Latvia", "Europe"), ("Estonia", "Europe"), ("Slovakia", "Europe"), ("Serbia", "Europe"),
        ("Iceland", "Europe"), ("Brazil", "South America"), ("Bolivia", "South America"),
        ("Uruguay", "South America"), ("Ecuador", "South America"),
        ("Paraguay", "South America"), ("Venezuela", "South America"),
      ]
    ),
    (
      "What is the opposite of {thing}?", "The opposite of {thing} is {answer}.",
      [
        ("hot", "cold"), ("big", "small"), ("fast", "slow"), ("light", "dark"), ("up", "down"),
        ("happy", "sad"), ("old", "young"), ("rich", "poor"), ("hard", "soft"), ("wet", "dry"),
        ("early", "late"), ("full", "empty"), ("long", "short"), ("loud", "quiet"),
        ("strong", "weak"), ("open", "closed"), ("clean", "dirty"), ("deep", "shallow"),
        ("thick", "thin"), ("wide", "narrow"), ("true", "false"), ("easy", "difficult"),
        ("high", "low"), ("near", "far"), ("sharp", "blunt"), ("heavy", "weightless"),
        ("brave", "cowardly"), ("cheap", "expensive"), ("alive", "dead"), ("war", "peace"),
        ("victory", "defeat"), ("arrival", "departure"), ("success", "failure"),
        ("north", "south"), ("summer", "winter"), ("love", "hate"), ("buy", "sell"),
        ("push", "pull"), ("begin", "end"), ("remember", "forget"),
      ]
    ),
    (
      "What kind of thing is a {thing}?", "A {thing} is a kind of {answer}.",
      [
        ("trout", "fish"), ("salmon", "fish"), ("shark", "fish"), ("herring", "fish"),
        ("sparrow", "bird"), ("falcon", "bird"), ("penguin", "bird"), ("swan", "bird"),
        ("birch", "tree"), ("spruce", "tree"), ("maple", "tree"), ("willow", "tree"),
        ("violin", "instrument"), ("flute", "instrument"), ("trumpet", "instrument"),
        ("guitar", "instrument"), ("beetle", "insect"), ("wasp", "insect"), ("moth", "insect"),
        ("grasshopper", "insect"), ("banana", "fruit"), ("peach", "fruit"), ("plum", "fruit"),
        ("cherry", "fruit"), ("carrot", "vegetable"), ("cabbage", "vegetable"),
        ("turnip", "vegetable"), ("leek", "vegetable"), ("cobra", "snake"), ("viper", "snake"),
        ("python", "snake"), ("tulip", "flower"), ("daisy", "flower"), ("lily", "flower"),
        ("sofa", "furniture"), ("wardrobe", "furniture"), ("screwdriver", "tool"),
        ("chisel", "tool"), ("wrench", "tool"), ("poodle", "dog"),
      ]
    ),
    (
      "What is the past tense of {thing}?", "The past tense of {thing} is {answer}.",
      [
        ("go", "went"),
        ("see", "saw"),
        ("take", "took"),
        ("give", "gave"),
        ("write", "wrote"),
        ("run", "ran"),
        ("eat", "ate"),
        ("drink", "drank"),
        ("sing", "sang"),
        ("swim", "swam"),
        ("think", "thought"),
        ("buy", "bought"),
        ("bring", "brought"),
        ("teach", "taught"),
        ("catch", "caught"),
        ("find", "found"),
        ("hold", "held"),
        ("keep", "kept"),
        ("leave", "left"),
        ("lose", "lost"),
        ("make", "made"),
        ("meet", "met"),
        ("say", "said"),
        ("sell", "sold"),
        ("send", "sent"),
        ("sit", "sat"),
        ("speak", "spoke"),
        ("stand", "stood"),
        ("tell", "told"),
        ("win", "won"),
        ("know", "knew"),
        ("grow", "grew"),
        ("fly", "flew"),
        ("draw", "drew"),
        ("begin", "began"),
        ("break", "broke"),
        ("choose", "chose"),
        ("drive", "drove"),
        ("fall", "fell"),
        ("forgive", "forgave"),
      ]
    ),
    (
      "What is the plural of {thing}?", "The plural of {thing} is {answer}.",
      [
        ("child", "children"),
        ("mouse", "mice"),
        ("foot", "feet"),
        ("tooth", "teeth"),
        ("goose", "geese"),
        ("man", "men"),
        ("woman", "women"),
        ("knife", "knives"),
        ("leaf", "leaves"),
        ("wolf", "wolves"),
        ("city", "cities"),
        ("baby", "babies"),
        ("box", "boxes"),
        ("church", "churches"),
        ("hero", "heroes"),
        ("potato", "potatoes"),
        ("shelf", "shelves"),
        ("ox", "oxen"),
        ("lady", "ladies"),
        ("watch", "watches"),
      ]
    ),
    (
      "What is a young {thing} called?", "A young {thing} is called a {answer}.",
      [
        ("dog", "puppy"),
        ("cat", "kitten"),
        ("cow", "calf"),
        ("horse", "foal"),
        ("sheep", "lamb"),
        ("goat", "kid"),
        ("hen", "chick"),
        ("duck", "duckling"),
        ("bear", "cub"),
        ("frog", "tadpole"),
        ("deer", "fawn"),
        ("kangaroo", "joey"),
        ("pig", "piglet"),
        ("swan", "cygnet"),
      ]
    ),
    (
      "Which month comes after {thing}?", "The month after {thing} is {answer}.",
      [
        ("January", "February"),
        ("February", "March"),
        ("March", "April"),
        ("April", "May"),
        ("May", "June"),
        ("June", "July"),
        ("July", "August"),
        ("August", "September"),
        ("September", "October"),
        ("October", "November"),
        ("November", "December"),
        ("December", "January"),
      ]
    ),
    (
      "Which language do most people speak in {thing}?", "Most people in {thing} speak {answer}.",
      [
        ("France", "French"),
        ("Germany", "German"),
        ("Spain", "Spanish"),
        ("Italy", "Italian"),
        ("Japan", "Japanese"),
        ("Portugal", "Portuguese"),
        ("Greece", "Greek"),
        ("Poland", "Polish"),
        ("Sweden", "Swedish"),
        ("Finland", "Finnish"),
        ("Hungary", "Hungarian"),
        ("Turkey", "Turkish"),
        ("Russia", "Russian"),
        ("Denmark", "Danish"),
        ("Norway", "Norwegian"),
        ("Mexico", "Spanish"),
        ("Brazil", "Portuguese"),
        ("Austria", "German"),
        ("Egypt", "Arabic"),
        ("England", "English"),
      ]
    ),
  ]
}

extension ForcedChoice {
  /// Whether the right answer is the likelier one to an organism, for each question.
  ///
  /// - Parameters:
  ///   - questions: What is asked, each as a conversation's first message.
  ///   - model: The model, or its base where there is an adapter.
  ///   - adapter: What was trained into it.
  ///   - progress: Called with questions done and tokens computed so far.
  /// - Returns: One for each question.
  /// - Throws: Whatever tokenising or the forward pass throws.
  @TensorActor
  package static func answers(
    to questions: [ForcedChoice], by model: LanguageModel, adapter: AdapterWeights?,
    progress: (_ done: Int, _ tokens: Int) -> Void = { _, _ in }
  ) throws -> [Bool] {
    var isRight: [Bool] = []
    var tokens = 0
    for start in stride(from: 0, to: questions.count, by: 16) {
      let pack = questions[start..<min(start + 16, questions.count)]
      var losses: [Float] = []
      let exchanges = try pack.flatMap { question in
        let prompt = try model.promptTokens(question.question)
        return [question.right, question.wrong].map {
          (prompt: prompt, answer: model.tokenizer.encode($0))
        }
      }
      let batch = TokenBatch(exchanges.map { $0.prompt + $0.answer })
      let rows = exchanges.enumerated().flatMap { slot, exchange in
        exchange.answer.indices.map {
          Int32(batch.row(sequence: slot, position: exchange.prompt.count + $0 - 1))
        }
      }
      let output = try model.forward(batch, logits: .none, adapter: adapter)
      losses = try model.crossEntropy(
        output.finalNorm.take(Tensor(rows)), targets: exchanges.flatMap(\.answer),
        differentiable: false
      ).floats()
      var rest = losses[...]
      let totals = exchanges.map { exchange -> Float in
        defer { rest = rest.dropFirst(exchange.answer.count) }
        return rest.prefix(exchange.answer.count).reduce(0, +)
      }
      isRight += pack.indices.map { totals[2 * ($0 - start)] < totals[2 * ($0 - start) + 1] }
      tokens += batch.tokens.count
      progress(isRight.count, tokens)
    }
    return isRight
  }
}
