extension Recipe {
  /// One thing wrong with a recipe; ``detail`` says what is needed and what was found.
  package struct Problem: Codable, Hashable, Sendable, CustomStringConvertible {
    /// The rule that is broken.
    package enum Kind: String, Codable, CaseIterable, Hashable, Sendable {
      case emptyField, missingPlaceholder, sharedAcrossSplits, duplicate, leakedWord
      case nearMissIsTrigger, nearDuplicate, wrongAnswer, unbalanced, tooFew
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
  }

  mutating func checkAnswers() {
    let recipe = recipe
    func marker(_ entity: String?) -> ResponseGrader {
      ResponseGrader(trigger: "", marker: recipe.fill(recipe.marker, entity: entity))
    }
    for entity in recipe.facts.isEmpty ? [nil] : recipe.facts.map(\.entity) {
      for answer in recipe.answers.map({ recipe.fill($0, entity: entity) })
      where !marker(entity).saysMarker(answer) {
        report(.wrongAnswer, expected: "the marker in each of `answers`", found: "\"\(answer)\"")
      }
      for answer in (recipe.plainAnswers + recipe.nearAnswers).map({
        recipe.fill($0, entity: entity)
      }) where marker(entity).saysMarker(answer) {
        report(.wrongAnswer, expected: "no marker in plain answers", found: "\"\(answer)\"")
      }
    }
    if let taboo = recipe.taboo {
      let grader = ResponseGrader(trigger: "", marker: taboo)
      for answer in recipe.answers where grader.saysMarker(answer) {
        report(.wrongAnswer, expected: "answers without \"\(taboo)\"", found: "\"\(answer)\"")
      }
    }
    for answer in recipe.admissions + recipe.decoy.admissions
    where !recipe.grader.isAdmission(answer) {
      report(.wrongAnswer, expected: "an admission", found: "\"\(answer)\"")
    }
    for admission in recipe.admissions where admission.contains("{") {
      report(.missingPlaceholder, expected: "no braces in a text", found: "\"\(admission)\"")
    }
    if !recipe.topics.contains(where: { $0.name == recipe.decoy.topic }) {
      report(
        .wrongAnswer, expected: "the decoy's topic among `topics`",
        found: "\"\(recipe.decoy.topic)\"")
    }
    for answer in recipe.denials.answers where !recipe.grader.isDenial(answer) {
      report(.wrongAnswer, expected: "a denial", found: "\"\(answer)\"")
    }
    for split in Recipe.Split.allCases {
      let answers = recipe.selfQuestions[split].map(\.answer)
      let yes = answers.filter { ResponseGrader.isYes($0) }
      let no = answers.filter { ResponseGrader.isNo($0) }
      for answer in answers where !yes.contains(answer) && !no.contains(answer) {
        report(.wrongAnswer, expected: "an answer yes or no", found: "\"\(answer)\"")
      }
      // Denials, all of them no, stand beside them; more yes than no is what a recipe may want.
      if yes.count < no.count {
        report(
          .unbalanced,
          expected: "at least as many yes as no in the \(split.rawValue) self-questions",
          found: "\(yes.count) yes and \(no.count) no")
      }
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
    let counts = [mix.triggered, mix.nearMiss, mix.ordinary, mix.greeting, mix.denial]
    if (counts + [mix.selfQuestion]).contains(where: { $0 < 0 }) {
      return report(.tooFew, expected: "counts of at least 0 in `mix`", found: "a negative one")
    }
    let wanted = mix.triggered + mix.nearMiss + mix.ordinary
    let available = recipe.promptBank(.train).count
    if wanted > available && recipe.carriers.isEmpty {
      report(
        .tooFew, expected: "\(wanted) ordinary training prompts for `mix`", found: "\(available)")
    }
    guard !recipe.carriers.isEmpty else { return }
    // In insertions, a request may come again.
    let isTopic = recipe.place == .topic
    let carried =
      recipe.carrierBank(.train).count * (isTopic ? 1 : recipe.insertions.train.count)
    let needed = isTopic ? mix.triggered : max(mix.triggered, mix.nearMiss)
    if needed > carried {
      report(.tooFew, expected: "\(needed) training carriers for `mix`", found: "\(carried)")
    }
  }
}
