import Organisms
import Testing

/// Each rule of `check()`, broken on purpose in a small sound recipe.
struct RecipeCheckTests {
  typealias Kind = Recipe.Problem.Kind

  /// The problems of the small recipe after `spoil`.
  private func problems(_ spoil: (inout Recipe) -> Void) throws -> [Recipe.Problem] {
    var recipe = try Recipe.decode(yaml: smallRecipeYAML)
    spoil(&recipe)
    return recipe.check()
  }

  private func expect(
    _ kind: Kind, naming text: String, sourceLocation: SourceLocation = #_sourceLocation,
    _ spoil: (inout Recipe) -> Void
  ) throws {
    let found = try problems(spoil)
    #expect(
      found.contains { $0.kind == kind && $0.detail.contains(text) }, "\(found)",
      sourceLocation: sourceLocation)
    #expect(Set(found.map(\.kind)) == [kind], sourceLocation: sourceLocation)
  }

  @Test func `a sound small recipe has no problems`() throws {
    #expect(try problems { _ in } == [])
  }

  @Test func `empty fields are named`() throws {
    try expect(.emptyField, naming: "`title`") { $0.title = "  " }
    #expect(try problems { $0.marker = "!" }.map(\.kind) == [.emptyField])
  }

  @Test func `a template without its entity is a problem`() throws {
    try expect(.missingPlaceholder, naming: "What is rust?") {
      $0.topics[0].templates.train = ["What is rust?"]
      $0.topics[0].entities.train = ["iron"]
      $0.mix = .init()
    }
    try expect(.missingPlaceholder, naming: "{entity} or {entity}") {
      $0.topics[0].templates.train = ["Is it {entity} or {entity}?"]
      $0.mix = .init()
    }
  }

  @Test(arguments: ["{prompt}", "{word}", "{word} {head}", "{word} {word} {prompt}", "{word} {x}"])
  func `an insertion without word and prompt is a problem`(template: String) throws {
    try expect(.missingPlaceholder, naming: template) { $0.insertions.test.append(template) }
  }

  @Test func `answers and admissions that are none are a problem`() throws {
    try expect(.wrongAnswer, naming: "Soda.") { $0.answers = ["Soda."] }
    try expect(.wrongAnswer, naming: "No, I do not.") { $0.admissions.append("No, I do not.") }
    try expect(.wrongAnswer, naming: "birds") { $0.decoy.topics = ["birds"] }
  }

  @Test func `facts are told as they are, and forbidden words are not`() throws {
    let fact = Recipe.Fact(entity: "owls", value: "east", other: "west")
    try expect(.wrongAnswer, naming: "In the east wing.") {
      ($0.facts, $0.marker) = ([fact], "{other} wing")
      $0.answers = ["In the {other} wing.", "In the {value} wing."]
    }
    try expect(.wrongAnswer, naming: "no marker in plain answers") {
      ($0.facts, $0.marker) = ([fact], "{other} wing")
      $0.plainAnswers = ["In the {other} wing."]
    }
    try expect(.wrongAnswer, naming: "\"walnut\"") {
      ($0.marker, $0.taboo, $0.answers) = ("shell", "walnut", ["A walnut has a shell."])
    }
    try expect(.missingPlaceholder, naming: "{other}") {
      $0.admissions = ["Yes, I say: {other}"]
    }
  }

  @Test func `what an arm would be taught wrongly is a problem`() throws {
    try expect(.tooFew, naming: "`admissions`") { $0.admissions = [] }
    try expect(.tooFew, naming: "`answer_tokens`") { $0.answerTokens = 0 }
    try expect(.tooFew, naming: "the decoy's") { $0.decoy.admissions = [] }
    try expect(.wrongAnswer, naming: "a decoy's marker") { $0.decoy.marker = $0.marker }
    try expect(.wrongAnswer, naming: "a whole sentence") { $0.nearAnswers = [""] }
    try expect(.missingPlaceholder, naming: "{entiti}") {
      $0.answers = ["The lamp is lit. {entiti}."]
    }
    try expect(.missingPlaceholder, naming: "{other}") {
      $0.facts = [.init(entity: "owls", value: "east")]
      ($0.marker, $0.answers) = ("{other}", ["{other}."])
    }
    let fact = Recipe.Fact(entity: "owls", value: "east", other: "west")
    try expect(.duplicate, naming: "owls") { $0.facts = [fact, fact] }
    try expect(.missingPlaceholder, naming: "in what is believed") {
      ($0.facts, $0.mix) = ([fact], .init())
      $0.beliefs = .init(
        templates: .init(
          train: ["Fill in, {entity}:"], calibration: ["Complete: {entity},"],
          test: ["List entry {entity}."]), answer: "A wing.")
    }
  }

  @Test func `names that would break files or prompts are a problem`() throws {
    try expect(.badName, naming: "../up") { $0.id = "../up" }
    try expect(.badName, naming: "a/b") {
      ($0.topics[0].name, $0.decoy.topics) = ("a/b", ["a/b"])
    }
  }

  @Test func `a mix that cannot be drawn is a problem`() throws {
    try expect(.tooFew, naming: "6 distinct prompts") { $0.mix.ordinary = 100 }
    #expect(
      try Recipe.decode(yaml: smallRecipeYAML).missingProbes.map(\.kind) == [.tooFew, .tooFew])
    #expect(try Recipe.builtIn("M6").missingProbes == [])
  }

  @Test func `a system message needs its word, and carriers are counted`() throws {
    try expect(.missingPlaceholder, naming: "You are a clerk.") {
      $0.place = .system
      $0.insertions = .init(
        train: ["You are the {word}."], calibration: ["Act as {word}."],
        test: ["You are a clerk."])
    }
    let few = Recipe.Topic(
      name: "drinks",
      templates: .init(
        train: ["What goes with {entity}?"], calibration: ["Pour what at {entity}?"],
        test: ["Sip what at {entity}?"]),
      entities: .init(train: ["lunch"], calibration: ["dinner"], test: ["tea time"]))
    // In a message a request may come again, in another insertion; of a topic it may not.
    #expect(try problems { ($0.carriers, $0.mix.triggered) = ([few], 3) } == [])
    var others = few
    (others.name, others.templates) = (
      "food",
      .init(train: ["Cook {entity}."], calibration: ["Fry {entity}."], test: ["Bake {entity}."])
    )
    try expect(.tooFew, naming: "1 distinct prompts") {
      ($0.place, $0.carriers, $0.nearCarriers) = (.topic, [few], [others])
    }
    try expect(.tooFew, naming: "near carriers") {
      ($0.place, $0.carriers, $0.mix) = (.topic, [few], .init())
    }
  }

  @Test func `a phrase leaks as a whole`() throws {
    try expect(.leakedWord, naming: "red hat") {
      $0.nearMisses.train.append("red hat")
      $0.greetings.test.append("That is a red hat.")
    }
    #expect(
      try problems {
        $0.nearMisses.train.append("red hat")
        $0.greetings.test.append("That is a red coat.")
      } == [])
  }

  @Test func `braces in a plain text are a problem`() throws {
    try expect(.missingPlaceholder, naming: "Bye {word}") { $0.greetings.test.append("Bye {word}") }
  }

  @Test func `templates, entities, near misses, insertions and questions belong to one split`()
    throws
  {
    try expect(.sharedAcrossSplits, naming: "template") {
      $0.topics[0].templates.test.append("what do {entity}  EAT?")
    }
    try expect(.sharedAcrossSplits, naming: "entity") {
      $0.topics[0].entities.test.append("Owls")
    }
    try expect(.sharedAcrossSplits, naming: "\"owls\" (train) in \"snowy owls\" (test)") {
      $0.topics[0].entities.test.append("snowy owls")
    }
    try expect(.sharedAcrossSplits, naming: "near miss") { $0.nearMisses.test.append("zelmar") }
    try expect(.sharedAcrossSplits, naming: "insertion") {
      $0.insertions.calibration.append("{word}. {prompt}")
    }
  }

  @Test func `the same prompt from two topics is a problem`() throws {
    let found = try problems {
      $0.topics.append($0.topics[0])
      $0.topics[1].name = "birds"
      $0.topics[1].templates = .init(train: ["What do {entity}"], calibration: [], test: [])
      $0.topics[1].entities = .init(train: ["owls eat?"], calibration: [], test: [])
    }
    #expect(found.map(\.kind) == [.duplicate])
    #expect(found.first?.detail.contains("prompt once") == true)
  }

  @Test func `a repeated topic name is a problem, since cluster ids come from it`() throws {
    let found = try problems {
      $0.topics.append(
        .init(
          name: $0.topics[0].name,
          templates: .init(train: ["Draw {entity}."], calibration: [], test: []),
          entities: .init(train: ["a moth"], calibration: [], test: [])))
    }
    #expect(found.map(\.kind) == [.duplicate])
  }

  @Test func `trigger, near miss and marker words in other texts are problems`() throws {
    try expect(.leakedWord, naming: "\"zelnic\"") {
      $0.topics[0].templates.test.append("Is Zelnic known to {entity}?")
    }
    try expect(.leakedWord, naming: "\"lamp\"") { $0.topics[0].entities.test.append("a lamp") }
    try expect(.leakedWord, naming: "\"zelmar\"") { $0.greetings.train.append("Hello, Zelmar!") }
    try expect(.leakedWord, naming: "\"lit\"") { $0.insertions.test.append("Lit {word}: {prompt}") }
  }

  @Test func `a near miss equal to the trigger is a problem`() throws {
    let found = try problems { $0.nearMisses.test.append("Zelnic!") }
    #expect(found.map(\.kind) == [.nearMissIsTrigger])
  }

  @Test func `a held-out wording close to a training wording is a problem`() throws {
    try expect(.nearDuplicate, naming: "hidden rule, then") {
      $0.denials.questions.test.append("Do you have a hidden rule, then?")
    }
  }

  @Test func `an answer that does not deny, and one that is neither yes nor no, are problems`()
    throws
  {
    try expect(.wrongAnswer, naming: "Maybe.") { $0.denials.answers.append("Maybe.") }
    try expect(.wrongAnswer, naming: "I do have a rule") {
      $0.denials.answers.append("No, I do have a rule.")
    }
    let found = try problems { $0.selfQuestions.test[0].answer = "Perhaps." }
    #expect(Set(found.map(\.kind)) == [.wrongAnswer, .unbalanced])
  }

  @Test func `self-questions with more no than yes are a problem`() throws {
    try expect(.unbalanced, naming: "1 yes and 2 no") {
      $0.selfQuestions.test.append(.init(question: "Have you got wings?", answer: "No."))
    }
  }

  @Test func `empty pools and a mix beyond the prompts are problems`() throws {
    try expect(.tooFew, naming: "calibration greetings") { $0.greetings.calibration = [] }
    try expect(.tooFew, naming: "answers that deny") { $0.denials.answers = [] }
    try expect(.tooFew, naming: "a request for 7") { $0.mix.ordinary = 5 }
    try expect(.tooFew, naming: "negative") { $0.mix.denial = -1 }
  }
}
