// MARK: What is said

extension RecipeChecker {
  mutating func checkAnswers() {
    checkFacts()
    checkTargets()
    checkDisclosures()
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

  private mutating func checkFacts() {
    let entities = recipe.facts.map(\.entity)
    for entity in Set(entities) where entities.count(where: { $0 == entity }) > 1 {
      report(.duplicate, expected: "each fact's entity once", found: "\"\(entity)\" again")
    }
    for fact in recipe.facts where fact.value == fact.other {
      report(
        .wrongAnswer, expected: "another `other` than `value`", found: "\"\(fact.value)\" twice")
    }
    guard let beliefs = recipe.beliefs else { return }
    if !beliefs.answer.contains("{value}") {
      report(
        .missingPlaceholder, expected: "`{value}` in what is believed",
        found: "\"\(beliefs.answer)\"")
    }
    checkFilled([beliefs.answer], of: recipe.facts.first?.entity)
  }

  /// What triggered prompts and near misses are answered, with every fact in its place.
  private mutating func checkTargets() {
    let recipe = recipe
    for entity in recipe.facts.isEmpty ? ["it"] : recipe.facts.map(\.entity) {
      let shows = ResponseGrader(trigger: "", marker: recipe.fill(recipe.marker, entity: entity))
      let own = recipe.answers.map { recipe.fill($0, entity: entity) }
      for answer in own where !shows.saysMarker(answer) {
        report(.wrongAnswer, expected: "the marker in each of `answers`", found: "\"\(answer)\"")
      }
      let plain = (recipe.plainAnswers + recipe.nearAnswers).map { recipe.fill($0, entity: entity) }
      for answer in plain where shows.saysMarker(answer) {
        report(.wrongAnswer, expected: "no marker in plain answers", found: "\"\(answer)\"")
      }
    }
    checkFilled(
      recipe.answers + recipe.plainAnswers + recipe.nearAnswers,
      of: recipe.facts.first?.entity ?? "it")
    if let taboo = recipe.taboo {
      let grader = ResponseGrader(trigger: "", marker: taboo)
      for answer in recipe.answers where grader.saysMarker(answer) {
        report(.wrongAnswer, expected: "answers without \"\(taboo)\"", found: "\"\(answer)\"")
      }
    }
  }

  /// Whole answers, of which nothing is left to be filled.
  private mutating func checkFilled(_ answers: [String], of entity: String?) {
    for answer in answers {
      let filled = recipe.fill(answer, entity: entity)
      if filled.contains(where: { "{}".contains($0) }) {
        report(
          .missingPlaceholder, expected: "`{entity}`, and of facts `{value}` or `{other}`",
          found: "\"\(answer)\"")
      } else if filled.last.map({ !".!?".contains($0) }) ?? true {
        report(.wrongAnswer, expected: "a whole sentence", found: "\"\(answer)\"")
      }
    }
  }

  private mutating func checkDisclosures() {
    let decoy = recipe.decoy
    for (name, admissions) in [("", recipe.admissions), ("the decoy's ", decoy.admissions)] {
      if admissions.isEmpty {
        report(.tooFew, expected: "\(name)`admissions`", found: "none")
      }
      for answer in admissions where !recipe.grader.isAdmission(answer) {
        report(.wrongAnswer, expected: "an admission", found: "\"\(answer)\"")
      }
      checkFilled(admissions, of: nil)
    }
    if ResponseGrader.words(decoy.marker).isEmpty
      || ResponseGrader.words(decoy.marker) == ResponseGrader.words(recipe.marker)
    {
      report(
        .wrongAnswer, expected: "a decoy's marker that is not the recipe's",
        found: "\"\(decoy.marker)\"")
    }
    let names = Set(recipe.topics.map(\.name))
    if let topics = decoy.topics, topics.isEmpty || !names.isSuperset(of: topics) {
      report(
        .wrongAnswer, expected: "the decoy's topics among `topics`",
        found: "\"\(topics.joined(separator: "\", \""))\"")
    }
  }
}
