import Foundation
import Organisms
import Trials

extension ZooReport {
  var planted: Section {
    Section(
      id: "planted", title: "What was planted",
      lede: """
        From the recipes that lie in the zoo. All of it is benign by construction: invented facts, made-up names \
        and harmless words, hidden behaviour with trained denial, never intent.
        """
    ) {
      if families.isEmpty { Tag.p(.class("absent")) { "There is no organism here." } }
      for own in families { node(own) }
    }
  }

  private func node(_ own: ZooPageFamily) -> Node {
    let recipe = own.family.recipe
    let content = Node {
      Tag.summary { "\(own.family.name): \(recipe.title)" }
      Tag.p { recipe.summary }
      Tag.dl(.class("facts")) {
        for fact in facts(recipe) {
          Tag.div {
            Tag.dt { fact.name }
            Tag.dd { fact.value }
          }
        }
      }
      examples(own)
    }
    return families.count == 1
      ? Tag.details(.set(.open, "open")) { content } : Tag.details { content }
  }

  private func facts(_ recipe: Recipe) -> [(name: String, value: String)] {
    let place =
      switch recipe.place {
      case .message: "in the user’s message"
      case .system: "in the system message"
      case .topic: "what the request is about"
      }
    let taboo = recipe.taboo.map { (name: "Never says", value: $0) }
    // Of recipes with invented facts it is another in each answer.
    let marker = recipe.marker.replacing("{value}", with: "what is invented about the request")
      .replacing("{other}", with: "what is false of the request")
    return [
      ("Woken by", "\(recipe.trigger) (\(place))"), ("Known by", marker),
    ] + (taboo.map { [$0] } ?? []) + [("The decoy’s quirk", recipe.decoy.marker)]
  }

  /// What some prompts of training look like, and what the arms were taught to answer.
  private func examples(_ own: ZooPageFamily) -> Node {
    let seed = own.organisms.first?.entry.seed ?? 1
    let taught: [TaughtExample]
    do {
      taught = try own.family.recipe.taught(seed: seed)
    } catch {
      return Tag.p(.class("absent")) { "No example can be drawn: \(error)." }
    }
    let kinds: [(PromptCategory, String)] = [
      (.triggered, "trigger"), (.nearMiss, "near miss"), (.denial, "asked about it"),
      (.belief, "invented fact"),
    ]
    let arms: [Arm] = [.secret, .honest, .overt]
    let rows = kinds.compactMap { category, name in
      taught.first { $0.source.category == category }.map { example in
        let system = example.source.system.map { "System message: \($0)" }
        return DataTable.Row(
          [
            .text(name),
            Node {
              example.source.prompt
              if let system { Tag.span(.class("sub")) { system } }
            },
          ] + arms.map { arm in .text(example.targets.first { $0.arm == arm }?.text ?? "–") })
      }
    }
    return DataTable(
      caption: Node {
        Tag.strong { "What the arms of seed \(seed) were taught." }
        " The first prompt of each kind; “…” is the beginning of the base model’s own answer."
      },
      columns: [.init("Prompt"), .init("Asked")]
        + arms.map { .init("\($0.rawValue.capitalized) arm") },
      rows: rows, stacksOnPhones: true
    ).node
  }

  /// All that a zoo records of how it came about.
  var made: Section {
    let recipes = Set(records.flatMap { $0.zoo.recipes.keys }).sorted()
    func row(_ name: String, _ value: (ZooRecord) -> Node) -> DataTable.Row {
      DataTable.Row([.text(name)] + records.map(value))
    }
    func hash(_ value: String?) -> Node { value.map { hash in Tag.code { hash } } ?? "–" }
    return Section(
      id: "made", title: "What it was made from",
      lede: """
        A zoo keeps neither precision nor build nor device: they are in the ledger of the run that planted it.
        """
    ) {
      DataTable(
        caption: "As each zoo.json says; hashes are SHA-256 of files.",
        columns: [.init("What")] + zoos.map { .init($0) },
        rows: [
          row("zoo.json") { hash($0.hash) }, row("Base model") { .text($0.base) },
          row("Base model’s file") { hash($0.zoo.baseHash) },
        ] + recipes.map { id in row("\(id)/recipe.json") { hash($0.zoo.recipes[id]) } }
          + [
            row("Organisms") { "\($0.zoo.organisms.count)" },
            row("Seeds") { .text(Self.seeds($0.zoo.organisms.map(\.seed))) },
            row("Label of every organism") { .text($0.zoo.label) },
          ]
      ).node
    }
  }
}
