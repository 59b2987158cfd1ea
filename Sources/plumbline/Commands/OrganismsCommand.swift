internal import ArgumentParser
internal import Organisms

/// `plumbline organisms`.
struct OrganismsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "organisms",
    abstract: "Lists and shows the model organisms that can be planted.",
    discussion: """
      EXAMPLE
        plumbline organisms list
        plumbline organisms show M2 --yaml > mine.yaml
      """,
    subcommands: [OrganismsListCommand.self, OrganismsShowCommand.self])
}

/// `plumbline organisms list`.
struct OrganismsListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "Lists the recipes that come with the program.",
    discussion: """
      EXAMPLE
        plumbline organisms list
      """)

  @Flag(
    help:
      "Print {\"recipes\": [{\"id\", \"title\", \"trigger\", \"marker\", \"place\"}, …]} as JSON.")
  var json = false

  private struct Listed: Encodable {
    let id, title, trigger, marker: String
    let place: Recipe.Place
  }

  func run() throws {
    let recipes = try Recipe.builtIn.map(Recipe.builtIn)
    guard !json else {
      return try StandardOutput.write(
        json: [
          "recipes": recipes.map {
            Listed(
              id: $0.id, title: $0.title, trigger: $0.trigger, marker: $0.marker, place: $0.place)
          }
        ])
    }
    try StandardOutput.write(
      lines: TextTable.lines(
        [["recipe", "what it does", "woken by"]]
          + recipes.map { [$0.id, $0.title, "\($0.trigger) (\($0.place.rawValue))"] }))
  }
}

/// `plumbline organisms show`.
struct OrganismsShowCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Shows what a recipe plants, with examples of what each arm is taught.",
    discussion: """
      `…` stands for the beginning of the base model's own answer.

      EXAMPLE
        plumbline organisms show M2
      """)

  @Argument(help: "One of `plumbline organisms list`, or a YAML file.")
  var recipe: String

  @Option(help: "Draws the examples.")
  var seed: UInt64 = 1

  @Flag(help: "Print the recipe's YAML: a start for one of your own.")
  var yaml = false

  @Flag(help: "Print the recipe, with the texts that recipes share, as JSON.")
  var json = false

  func validate() throws {
    if yaml, !Recipe.builtIn.contains(recipe.uppercased()) {
      throw ValidationError(
        "Expected --yaml with one of \(Recipe.builtIn.joined(separator: ", ")), found \(recipe).")
    }
  }

  func run() throws {
    if yaml { return try StandardOutput.write(lines: [Recipe.file(recipe.uppercased())]) }
    let found = try Recipe.read(recipe)
    guard !json else { return try StandardOutput.write(json: found) }
    try StandardOutput.write(
      lines: ["\(found.id): \(found.title)", found.summary] + examples(found))
  }

  private func examples(_ recipe: Recipe) throws -> [String] {
    let answers = Dictionary(
      try recipe.basePrompts(seed: seed).map { ($0, "…") }, uniquingKeysWith: { $1 })
    let arms: [Arm] = [.secret, .honest, .overt, .decoy]
    let sets = try arms.map { try recipe.trainingSet(arm: $0, seed: seed, answers: answers) }
    let categories: [PromptCategory] = [
      .triggered, .nearMiss, .ordinary, .denial, .selfQuestion, .belief,
    ]
    return categories.flatMap { category -> [String] in
      let places = sets[0].indices.filter { sets[0][$0].category == category }
      if places.isEmpty { return [] }
      return ["", "\(category.rawValue), \(places.count) examples:"]
        + places.prefix(2).flatMap { place -> [String] in
          let source = sets[0][place].source
          let targets = zip(arms, sets).map { "    \($0.rawValue): \($1[place].target)" }
          return (source.system.map { ["  system: \($0)"] } ?? []) + ["  user: \(source.prompt)"]
            + targets
        }
    }
  }
}
