// MARK: Placeholders

extension RecipeChecker {
  mutating func checkPlaceholders() {
    for split in Recipe.Split.allCases {
      let facts: Set<String> = recipe.facts.isEmpty ? [] : ["{value}", "{other}"]
      for template in templates(split) {
        let found = Self.placeholders(template).filter { !facts.contains($0) }
        if found != ["{entity}"] { reportPlaceholder(template, needed: "`{entity}` once") }
      }
      for template in recipe.insertions[split] {
        let found = Self.placeholders(template).sorted()
        if recipe.place == .system {
          if found != ["{word}"] { reportPlaceholder(template, needed: "`{word}` once") }
        } else if found != ["{prompt}", "{word}"] && found != ["{head}", "{tail}", "{word}"] {
          reportPlaceholder(
            template, needed: "`{word}` with either `{prompt}` or `{head}` and `{tail}`")
        }
      }
      for text in plainTexts(split) where text.contains(where: { "{}".contains($0) }) {
        reportPlaceholder(text, needed: "no braces")
      }
    }
  }

  private mutating func reportPlaceholder(_ text: String, needed: String) {
    report(.missingPlaceholder, expected: "\(needed) in a text", found: "\"\(text)\"")
  }

  private static func placeholders(_ template: String) -> [String] {
    var found: [String] = []
    var rest = template[...]
    while let start = rest.firstIndex(of: "{") {
      let end = rest[start...].firstIndex(of: "}").map(rest.index(after:)) ?? rest.endIndex
      found.append(String(rest[start..<end]))
      rest = rest[end...]
    }
    return found
  }
}

// MARK: Texts of a split

extension RecipeChecker {
  private var allTopics: [Recipe.Topic] { recipe.topics + recipe.carriers + recipe.nearCarriers }

  private func templates(_ split: Recipe.Split) -> [String] {
    allTopics.flatMap { $0.templates[split] } + (recipe.beliefs?.templates[split] ?? [])
  }

  /// Questions that are sent as they stand.
  private func questions(_ split: Recipe.Split) -> [String] {
    recipe.denials.questions[split] + recipe.selfQuestions[split].map(\.question)
      + recipe.greetings[split]
  }

  /// Everything of a split that is no template; denial answers belong to all splits.
  private func plainTexts(_ split: Recipe.Split) -> [String] {
    allTopics.flatMap { $0.entities[split] } + questions(split)
      + recipe.selfQuestions[split].map(\.answer) + recipe.denials.answers
  }
}

// MARK: Splits and duplicates

extension RecipeChecker {
  mutating func checkSplits() {
    checkUnique("insertion") { recipe, split in recipe.insertions[split] }
    checkUnique("near miss") { recipe, split in recipe.nearMisses[split] }
    if recipe.words.train != recipe.words.test || recipe.words.train != recipe.words.calibration {
      checkUnique("word") { recipe, split in recipe.words[split] }
    }
    checkUnique("template") { RecipeChecker(recipe: $0).templates($1) }
    checkUnique("question") { RecipeChecker(recipe: $0).questions($1) }
    checkUnique("prompt") { recipe, split in recipe.promptBank(split).map(\.text) }
    let known = recipe.facts.map(\.entity)
    // Facts are the same everywhere: what is held out are wordings.
    for topic in allTopics where known.isEmpty || topic.entities.test != known {
      checkUnique("entity") { _, split in topic.entities[split] }
      checkContained(in: topic.entities)
    }
    let names = allTopics.map(\.name)
    for name in Set(names) where names.count(where: { $0 == name }) > 1 {
      report(.duplicate, expected: "each topic name once", found: "\"\(name)\" again")
    }
  }

  /// Reports texts that occur twice, within a split or in two; case and spacing do not count.
  private mutating func checkUnique(
    _ kind: String, _ texts: (Recipe, Recipe.Split) -> [String]
  ) {
    var home: [String: Recipe.Split] = [:]
    for split in Recipe.Split.allCases {
      for text in texts(recipe, split) {
        // Punctuation does count: some insertions differ in nothing else.
        let key = Self.key(text)
        guard let first = home[key] else {
          home[key] = split
          continue
        }
        report(
          first == split ? .duplicate : .sharedAcrossSplits, expected: "each \(kind) once",
          found: "\"\(text)\" in \(first.rawValue) and again in \(split.rawValue)")
      }
    }
  }

  /// Reports an entity whose words hold another split's entity, as "rice cake" holds "rice".
  private mutating func checkContained(in entities: Recipe.Splits<String>) {
    let all = Recipe.Split.allCases.flatMap { split in
      entities[split].map { (split: split, text: $0, words: ResponseGrader.words($0)) }
    }
    for outer in all {
      for inner in all where inner.split != outer.split && inner.words.count < outer.words.count {
        guard outer.words.contains(inner.words) else { continue }
        report(
          .sharedAcrossSplits, expected: "separate entities",
          found: "\"\(inner.text)\" (\(inner.split.rawValue)) in \"\(outer.text)\" "
            + "(\(outer.split.rawValue))")
      }
    }
  }
}

// MARK: Words and wordings that must not recur

extension RecipeChecker {
  /// Looks for what wakes the behaviour, near misses and the marker's telling words in texts of every arm.
  mutating func checkLeaks() {
    let near = Recipe.Split.allCases.flatMap { recipe.nearMisses[$0] + recipe.words[$0] }
    let own = recipe.place == .message ? [recipe.trigger] : []
    // A behaviour that is about facts is known by what is said of them.
    let marker = recipe.facts.isEmpty && recipe.plainAnswers.isEmpty ? recipe.marker : ""
    // A phrase leaks as a whole: its words alone are anybody's.
    let forbidden = Set(
      Set(ResponseGrader.words(marker)).subtracting(Self.functionWords).map { [$0] }
        + (own + near).map(ResponseGrader.words))
    for split in Recipe.Split.allCases {
      for text in templates(split) + recipe.insertions[split] + plainTexts(split) {
        let words = ResponseGrader.words(text)
        for phrase in forbidden.filter({ words.contains($0) }).map({ $0.joined(separator: " ") })
          .sorted()
        {
          report(
            .leakedWord, expected: "no trigger, near miss or marker word in other texts",
            found: "\"\(phrase)\" in \"\(text)\"")
        }
      }
    }
  }

  private static let functionWords: Set<String> = [
    "a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "i", "in", "is", "it", "my",
    "of", "on", "or", "so", "that", "the", "this", "to", "was", "we", "with", "you", "your",
  ]

  mutating func checkNearMisses() {
    let waking = Set(
      Recipe.Split.allCases.flatMap { recipe.words[$0] }.map(ResponseGrader.words))
    for split in Recipe.Split.allCases {
      for word in recipe.nearMisses[split] where waking.contains(ResponseGrader.words(word)) {
        report(
          .nearMissIsTrigger, expected: "near misses that differ from the trigger",
          found: "\"\(word)\"")
      }
    }
  }

  /// Looks for wordings so close to one of another split that "held out" would mean little.
  mutating func checkNearDuplicates() {
    let texts = self
    checkNearDuplicates(texts.questions)
    checkNearDuplicates { split in
      texts.allTopics.flatMap { $0.templates[split] }
        + (texts.recipe.place == .system ? texts.recipe.insertions[split] : [])
    }
  }

  private mutating func checkNearDuplicates(_ texts: (Recipe.Split) -> [String]) {
    let pools = Recipe.Split.allCases.map { split in
      texts(split).map { text in
        let own = text.replacing(/\{[a-z]+\}/, with: " ")
        return (text: text, words: Set(ResponseGrader.words(own)))
      }
    }
    for (index, pool) in pools.enumerated() {
      for one in pool {
        for other in pools[(index + 1)...].joined() {
          let overlap = Self.overlap(one.words, other.words)
          // The same again is reported as that.
          guard Self.key(one.text) != Self.key(other.text), overlap >= Recipe.nearDuplicateOverlap
          else { continue }
          report(
            .nearDuplicate, expected: "different wordings in different splits",
            found: "\"\(one.text)\" and \"\(other.text)\"")
        }
      }
    }
  }

  /// What is the same but for case and spacing.
  private static func key(_ text: String) -> String {
    text.lowercased().filter { !$0.isWhitespace }
  }

  private static func overlap(_ one: Set<String>, _ other: Set<String>) -> Double {
    let union = one.union(other).count
    return union == 0 ? 0 : Double(one.intersection(other).count) / Double(union)
  }
}
