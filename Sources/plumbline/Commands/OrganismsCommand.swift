internal import ArgumentParser
internal import Foundation
internal import Lab
internal import LanguageModels
internal import Organisms
internal import Statistics
internal import Studio
internal import Tensors
internal import Trials

/// `plumbline organisms`.
struct OrganismsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "organisms",
    abstract: "Lists and shows model organisms, plants a zoo of them and verifies it.",
    discussion: """
      EXAMPLE
        plumbline organisms list
        plumbline organisms show M2 --yaml > mine.yaml
      """,
    subcommands: [
      OrganismsListCommand.self, OrganismsShowCommand.self, OrganismsPlantCommand.self,
      OrganismsVerifyCommand.self,
    ])
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
    let recipes = try (Recipe.builtIn + [Recipe.penalised]).map(Recipe.builtIn)
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
      lines: recipes.map { "\($0.id)\t\($0.title)\twoken by \($0.trigger) (\($0.place.rawValue))" })
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
    guard !yaml || !json else {
      throw ValidationError("Expected --yaml or --json, found both: name one.")
    }
    let known = Recipe.builtIn + [Recipe.penalised]
    if yaml, !known.contains(recipe.uppercased()) {
      throw ValidationError(
        "Expected --yaml with one of \(known.joined(separator: ", ")), found \(recipe).")
    }
  }

  func run() throws {
    if yaml {
      return try StandardOutput.write(
        lines: Recipe.file(recipe.uppercased()).split(
          separator: "\n", omittingEmptySubsequences: false
        ).dropLast().map(String.init))
    }
    let found = try Recipe.read(recipe)
    guard !json else { return try StandardOutput.write(json: found) }
    try StandardOutput.write(
      lines: ["\(found.id): \(found.title)", found.summary] + examples(found))
  }

  private func examples(_ recipe: Recipe) throws -> [String] {
    let taught = Dictionary(grouping: try recipe.taught(seed: seed), by: \.source.category)
    let categories: [PromptCategory] = [
      .triggered, .nearMiss, .ordinary, .denial, .selfQuestion, .belief,
    ]
    return categories.flatMap { category -> [String] in
      guard let own = taught[category] else { return [] }
      return ["", "\(category.rawValue), \(own.count) examples:"]
        + own.prefix(2).flatMap { example -> [String] in
          (example.source.system.map { ["  system: \($0)"] } ?? [])
            + ["  user: \(example.source.prompt)"]
            + example.targets.map { "    \($0.arm.rawValue): \($0.text)" }
        }
    }
  }
}

/// `plumbline organisms plant`.
struct OrganismsPlantCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plant",
    abstract: "Plants a zoo: every arm of some recipes, held against the gate.",
    discussion: """
      Of each recipe, secret, honest and null arms with as many seeds as asked for, an overt and a decoy one:
      two to five minutes an arm with the default model on two cores. Gates are asked once, on the test
      split; an organism that fails them is written too, and says so. Interrupted, the same command goes on.

      EXAMPLE
        plumbline organisms plant --recipe M2 --recipe M3 --output zoo
      """)

  @OptionGroup var model: ModelOption

  @Option(
    name: .customLong("recipe"),
    help:
      "A recipe of `organisms list`, or a YAML file; may be given again. All of the former otherwise."
  )
  var recipes: [String] = []

  @Option(help: "Organisms of each of the secret, honest and null arms.")
  var seeds = 3

  @Option(help: "The first seed. Development seeds, on which recipes were tuned, lie below 200.")
  var firstSeed: UInt64 = 201

  @Option(help: "The zoo's folder; must not exist yet.")
  var output: String

  @Option(help: "Where run folders lie.")
  var runs = "runs"

  @Option(help: "bfloat16 or float32; bfloat16 where the processor has instructions for it.")
  var precision: Precision?

  @Option(help: "Processes to compute in, of one thread each; as many as fit otherwise.")
  var workers: Int?

  @OptionGroup var device: DeviceOption

  @Flag(help: "Print {\"zoo\", \"run\", \"organisms\"} as JSON.")
  var json = false

  private struct Summary: Encodable {
    let zoo: String
    let run: String
    let organisms: [ZooFolder.Entry]
  }

  func validate() throws {
    if let workers, !(1...64).contains(workers) {
      throw ValidationError("Expected --workers from 1 to 64, found \(workers).")
    }
    guard (1...20).contains(seeds) else {
      throw ValidationError("Expected --seeds from 1 to 20, found \(seeds).")
    }
    guard (100...1_000_000_000).contains(firstSeed) else {
      throw ValidationError(
        """
        Expected --first-seed from 100 to 1000000000, found \(firstSeed): recipes were first tuned on lower ones, \
        and development seeds lie below 200.
        """
      )
    }
  }

  func run() async throws {
    guard !FileManager.default.fileExists(atPath: output) else {
      throw ValidationError(
        "Expected --output to name a new folder, found \(output): choose another or remove it.")
    }
    let found = try (recipes.isEmpty ? Recipe.builtIn : recipes).map(Recipe.read)
    if let twice = found.map(\.id).first(where: { id in found.count { $0.id == id } > 1 }) {
      throw ValidationError(
        "Expected recipes with ids of their own, found \(twice) twice: change one's `id`.")
    }
    if let penalised = found.first(where: { $0.penalty != nil }) {
      throw ValidationError(
        "Expected recipes without a penalty, found \(penalised.id): `plumbline evade` plants its series."
      )
    }
    let path = try model.path()
    try await device.use()
    try FolderCopy.prepare(for: output)
    let native: Precision = Processor.hasNativeBFloat16 ? .bfloat16 : .float32
    let hash = try FileDigest.sha256(path: path)
    let zoo = try await Zoo(
      Zoo.Plan(
        recipes: found, seeds: (0..<seeds).map { firstSeed + UInt64($0) },
        precision: precision ?? native, baseHash: hash),
      baseName: model.model, basePath: path, runs: URL(fileURLWithPath: runs),
      workplace: workers.map { .processes($0) } ?? .processesAsFit)
    let folder = URL(fileURLWithPath: output)
    try await zoo.plant(to: folder, baseName: model.model)
    let written = try ZooFolder.read(folder)
    guard !json else {
      return try StandardOutput.write(
        json: Summary(zoo: output, run: zoo.folder.path, organisms: written.organisms))
    }
    try StandardOutput.write(
      lines: written.lines + ["zoo: \(output)", "run: \(zoo.folder.path)"])
  }
}

/// `plumbline organisms verify`.
struct OrganismsVerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Says whether zoos are as they were written, and what each organism's gate found.",
    discussion: """
      --html writes one page of all zoos that were named: which organisms passed, what kept the others from it, \
      every number against its bar, and what the recipes plant. There is no page of a zoo that was changed.

      --json prints {"problems", "organisms"} of one zoo, and of several {"zoos": [{"zoo", "problems", \
      "organisms"}, …]} in the order named.

      EXAMPLE
        plumbline organisms verify zoo
        plumbline organisms verify zoo-a zoo-b --html gates.html
      """)

  @Argument(help: ArgumentHelp("A zoo's folder; may be given again.", valueName: "zoo"))
  var zoos: [String]

  @OptionGroup var page: PageOption

  @Flag(help: "Print what was found as JSON.")
  var json = false

  private struct Summary: Encodable {
    /// Its path, beside others.
    let zoo: String?
    let problems: [String]
    let organisms: [ZooFolder.Entry]
  }

  func run() throws {
    try page.check()
    let folders = zoos.map { URL(fileURLWithPath: $0) }
    let read = try folders.map(ZooFolder.read)
    let found = zoos.indices.map { place in
      Summary(
        zoo: zoos.count > 1 ? zoos[place] : nil,
        problems: read[place].problems(in: folders[place]), organisms: read[place].organisms)
    }
    let changed = found.firstIndex { !$0.problems.isEmpty }
    if let path = page.html, changed == nil {
      try AtomicFile.write(Array(ZooReport(zoos: folders).html().utf8), to: path)
    }
    if json {
      try zoos.count > 1
        ? StandardOutput.write(json: ["zoos": found]) : StandardOutput.write(json: found[0])
    } else {
      let lines = zip(found, read).flatMap { own, zoo in
        (own.zoo.map { ["\($0):"] } ?? []) + zoo.lines + own.problems
      }
      let written = changed == nil ? page.html.map { ["page: \($0)"] } : nil
      try StandardOutput.write(lines: lines + (written ?? []))
    }
    if let changed {
      let problems = found[changed].problems
      throw ZooError.changed(path: zoos[changed], problems: problems.count, first: problems[0])
    }
  }
}

extension ZooFolder {
  /// A line for each organism, with the criteria that it did not pass.
  fileprivate var lines: [String] {
    organisms.map { entry in
      let open = entry.proof.outcomes.filter { $0.decision != .passed }.map { outcome in
        "\(outcome.criterion.title.lowercased()) \(outcome.decision.rawValue)"
          + (outcome.measured.map {
            " (\(TextTable.number($0.value, width: 0)) "
              + "[\(TextTable.number($0.interval.lower, width: 0)), "
              + "\(TextTable.number($0.interval.upper, width: 0))])"
          } ?? "")
      }
      let passed = entry.proof.outcomes.count { $0.decision == .passed }
      return
        "\(entry.id.padding(toLength: 16, withPad: " ", startingAt: 0)) \(entry.proof.decision.rawValue), "
        + "\(passed) of \(entry.proof.outcomes.count)"
        + (open.isEmpty ? "" : ": " + open.joined(separator: "; "))
    }
  }
}
