extension Recipe {
  /// One thing wrong with a recipe; ``detail`` says what is needed and what was found.
  package struct Problem: Codable, Hashable, Sendable, CustomStringConvertible {
    /// The rule that is broken.
    package enum Kind: String, Codable, CaseIterable, Hashable, Sendable {
      case emptyField, missingPlaceholder, sharedAcrossSplits, duplicate, leakedWord
      case nearMissIsTrigger, nearDuplicate, wrongAnswer, unbalanced, tooFew, badName
    }

    package var kind: Kind
    package var detail: String
    package var description: String { "\(kind.rawValue): \(detail)" }
  }

  /// Everything that would make an organism or its measurement meaningless; empty for a sound
  /// recipe.
  package func check() -> [Problem] {
    var checker = RecipeChecker(recipe: self)
    checker.checkFields()
    checker.checkPlaceholders()
    checker.checkSplits()
    checker.checkLeaks()
    checker.checkNearMisses()
    checker.checkNearDuplicates()
    checker.checkAnswers()
    checker.checkCounts()
    return checker.problems
  }

  /// Two wordings are near duplicates when they share this much of their words (Jaccard index).
  package static let nearDuplicateOverlap = 0.7
}

/// Collects a recipe's problems; its facets are in extensions of their own.
struct RecipeChecker {
  let recipe: Recipe
  var problems: [Recipe.Problem] = []

  mutating func report(_ kind: Recipe.Problem.Kind, expected: String, found: String) {
    problems.append(Recipe.Problem(kind: kind, detail: "Expected \(expected), found \(found)."))
  }

  mutating func checkFields() {
    let fields = [
      ("id", recipe.id), ("title", recipe.title), ("summary", recipe.summary),
      ("trigger", recipe.trigger), ("marker", recipe.marker),
    ]
    for (name, value) in fields where ResponseGrader.words(value).isEmpty {
      report(.emptyField, expected: "words in `\(name)`", found: "none")
    }
    // It names folders.
    let isPlain = recipe.id.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }
    if !isPlain || recipe.id.count > 64 {
      report(
        .badName, expected: "at most 64 letters, digits and - in `id`", found: "\"\(recipe.id)\"")
    }
    // It parts what prompts are known by.
    for topic in recipe.topics + recipe.carriers + recipe.nearCarriers
    where topic.name.isEmpty || topic.name.contains(where: { "/.".contains($0) }) {
      report(.badName, expected: "topics' names without / and .", found: "\"\(topic.name)\"")
    }
    if recipe.place != .topic, !recipe.nearCarriers.isEmpty {
      report(.badName, expected: "`near_carriers` with place: topic only", found: "some")
    }
    if !(1...64).contains(recipe.answerTokens) {
      report(.tooFew, expected: "`answer_tokens` from 1 to 64", found: "\(recipe.answerTokens)")
    }
    if recipe.taboo != nil, recipe.answers.isEmpty {
      report(.emptyField, expected: "`answers` beside `taboo`", found: "none")
    }
  }

  mutating func checkCounts() {
    for split in Recipe.Split.allCases {
      let inserted =
        recipe.place == .topic
        ? [
          ("carriers", recipe.carriers.count), ("near carriers", recipe.nearCarriers.count),
        ]
        : [
          ("words", recipe.words[split].count), ("near misses", recipe.nearMisses[split].count),
          ("insertions", recipe.insertions[split].count),
        ]
      let counts: [(String, Int)] =
        inserted + [
          ("ordinary prompts", recipe.promptBank(split).count),
          ("greetings", recipe.greetings[split].count),
          ("denial questions", recipe.denials.questions[split].count),
          ("self-questions", recipe.selfQuestions[split].count),
        ]
      for (name, count) in counts where count == 0 {
        report(.tooFew, expected: "\(split.rawValue) \(name)", found: "none")
      }
    }
    if recipe.denials.answers.isEmpty {
      report(.tooFew, expected: "answers that deny", found: "none")
    }
    checkMix()
  }

  private mutating func checkMix() {
    let mix = recipe.mix
    let counts = [
      mix.triggered, mix.nearMiss, mix.ordinary, mix.greeting, mix.denial, mix.selfQuestion,
      mix.belief,
    ]
    if counts.contains(where: { $0 < 0 }) {
      return report(.tooFew, expected: "counts of at least 0 in `mix`", found: "a negative one")
    }
    if recipe.beliefs != nil, mix.belief == 0, mix != Recipe.Counts() {
      report(.tooFew, expected: "examples of `belief` in `mix`", found: "none")
    }
    do throws(RecipeError) {
      _ = try recipe.draw(mix, from: .train, seed: 1, training: true)
    } catch {
      problems.append(Recipe.Problem(kind: .tooFew, detail: "\(error)"))
    }
  }
}
