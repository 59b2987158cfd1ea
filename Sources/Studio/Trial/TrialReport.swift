internal import Foundation
internal import Instruments
internal import Lab
internal import Organisms
internal import Statistics
package import Trials

/// The page of `plumbline trial`: which technique would have caught which kind of hidden behaviour.
package struct TrialReport: InstrumentReport {
  package let source: InstrumentResult<TrialScoreCell>

  package init(_ source: InstrumentResult<TrialScoreCell>) { self.source = source }

  private var scores: TrialScores { result.finding }
  private var rows: [Cited<TrialScores.Row>] { result.cite(\.rows).elements }

  package func html() throws -> String {
    let counts = Arm.allCases.compactMap { arm in
      scores.organisms[arm.rawValue].flatMap { $0 > 0 ? "\($0) \(arm.rawValue)" : nil }
    }
    return try page(
      title: "Blind trial on \(base)", kicker: "Plumbline · trial",
      facts: [
        (name: "Recipes", value: scores.families.joined(separator: ", ")),
        (name: "Organisms", value: counts.joined(separator: ", ")),
        (name: "Gates, all judged", value: gates),
      ],
      sections: [
        responses, families, published, transfer, stress, models, identities, passing, withdrawn,
      ]
      .compactMap(\.self),
      footer: """
        Hidden behaviour with trained denial, never intent. Detectors that learn did so on other recipes than \
        they judged. Intervals of the leaderboard hold for all its detectors together; others are 95 %.
        """)
  }

  private var gates: String {
    ["passed", "undecided", "failed"].compactMap { decision in
      scores.gates[decision].map { "\($0) \(decision)" }
    }.joined(separator: ", ")
  }

  private func name(_ row: TrialScores.Row) -> String {
    row.detector.title + (row.detector.isControl ? " (control)" : "")
  }

  private func reads(_ row: TrialScores.Row) -> String {
    row.detector.access.isEmpty
      ? "responses" : row.detector.access.map(\.rawValue).joined(separator: ", ")
  }

  // MARK: Responses

  private var ranked: [Cited<TrialScores.Row>] {
    rows.filter { $0.value.responses != nil }.sorted {
      ($0.value.responses?.auroc?.value ?? -1) > ($1.value.responses?.auroc?.value ?? -1)
    }
  }

  private var responses: Section {
    Section(
      id: "responses", title: "This response: given under an active trigger?",
      lede: """
        Triggered responses of secret arms against near misses and ordinary ones of the same organism, judged by \
        detectors that never saw its recipe. The threshold was set on harmless prompts to other recipes' \
        organisms, its false positives counted on harmless prompts to this one's.
        """
    ) {
      ForestPlot(
        title: "Area under the ROC curve, leaving the recipe out", axisLabel: "AUROC", unit: .plain,
        rows: ranked.map { row in
          let series: Series =
            row.value.detector.isControl
            ? .grey : row.value.detector.isTextOnly ? .vermilion : .blue
          let auroc = row.responses.unwrapped()?.auroc.unwrapped()
          return ForestPlot.Row(
            name(row.value), detail: reads(row.value), series: series,
            auroc.map { .estimate(CitedNumber($0)) }
              ?? .missing(row.value.responses?.problem ?? "not measured"))
        }, reference: (0.5, "chance"), domain: 0...1
      ).figure(citing: [result.id]) {
        Node.text(
          "Controls are grey. Intervals: "
            + NumberFormat.rate(scores.simultaneousLevel, interval: nil)
            + " each, so that all hold together with 95 %; families are what is drawn anew, and there are "
            + "\(scores.families.count).")
      }
      DataTable(
        caption: "Both errors at one threshold, and what looking inside adds to the text.",
        columns: [
          .init("Detector"), .init("Reads"), .init("TPR", alignment: .right),
          .init(
            "FPR, set for \(NumberFormat.rate(scores.targetFPR, interval: nil))", alignment: .right),
          .init("Missed", alignment: .right), .init("Beyond text", alignment: .right),
          .init("Overt, other recipes", alignment: .right), .init("Tokens each", alignment: .right),
          .init("Seconds each", alignment: .right),
        ], rows: ranked.map(errors), stacksOnPhones: true
      ).node
      Tag.p { textWords }
    }
  }

  private var textWords: String {
    let best = scores.rows.first { $0.detector.name == scores.bestText }?.detector.title
    return "“Beyond text” is the AUROC less that of the best detector that reads text alone"
      + (best.map { ", here \($0.lowercased())" } ?? "")
      + "."
  }

  private func errors(_ row: Cited<TrialScores.Row>) -> DataTable.Row {
    let found = row.responses.unwrapped()
    return DataTable.Row([
      .text(name(row.value)), .text(reads(row.value)), rate(found?.tpr), rate(found?.fpr),
      rate(found?.fnr), plain(found?.gain), plain(found?.overtAUROC),
      row.tokensPerDecision.unwrapped().map { CitedNumber($0, unit: .count("")).node } ?? "–",
      row.secondsPerDecision.unwrapped().map { CitedNumber($0).node } ?? "–",
    ])
  }

  // MARK: Families

  private var families: Section {
    let shown = scores.shown.map { "\($0.family) \(NumberFormat.rate($0.value, interval: nil))" }
    return Section(
      id: "families", title: "Which kind of behaviour",
      lede: Node.text(
        "AUROC on each recipe by what was learned on all others. Secret arms showed their behaviour under the "
          + "trigger in " + shown.joined(separator: ", ") + " of responses.")
    ) {
      HeatTable(
        title: "Leaving one recipe out",
        legend: "Darker is further from chance; below it in another colour.",
        axes: (row: "detector", column: "recipe judged"), columns: scores.families,
        rows: ranked.map { row in
          let values = row.value.responses?.families ?? []
          return (
            name: name(row.value),
            cells: scores.families.map { family in
              cell(
                values.first { $0.family == family }?.value, "\(name(row.value)) on \(family)")
            }
          )
        }, cell: result.id
      ).node
    }
  }

  // MARK: Published recipes

  /// What was reported of recipes that detectors follow, and of which models.
  private static let reported = [
    "instructed-pairs-probe": (
      "0.96–0.999 on answers that it was told to deceive in", "Llama of 70B, arXiv 2502.03407"
    ),
    "defection-probe": (
      "above 0.99 on sleeper agents", "assistants of a larger scale, Anthropic 2024"
    ),
  ]

  private var published: Section? {
    let found = rows.filter { $0.value.ownPairs != nil }
    guard !found.isEmpty else { return nil }
    return Section(
      id: "published", title: "Recipes as published",
      lede: """
        Whether a recipe works at all on this model where it is told what to find, pairs of its own kind that it was \
        not fitted on, beside what it makes of organisms. What was reported is of much larger models and of other \
        behaviours: a shape to compare with, not a number.
        """
    ) {
      DataTable(
        caption: "AUROC.",
        columns: [
          .init("Detector"), .init("Reported"), .init("Of"),
          .init("Own pairs, base", alignment: .right),
          .init("Triggered responses", alignment: .right),
        ],
        rows: found.map { row in
          let reported = Self.reported[row.value.detector.name]
          return DataTable.Row([
            .text(name(row.value)), .text(reported?.0 ?? "–"), .text(reported?.1 ?? "–"),
            row.ownPairs.unwrapped().map { CitedNumber($0).node } ?? "–",
            plain(row.responses.unwrapped()?.auroc),
          ])
        }, stacksOnPhones: true
      ).node
    }
  }

  // MARK: Transfer

  private var transfer: Section? {
    let learned = ranked.filter { $0.value.transfer != nil }
    guard !learned.isEmpty else { return nil }
    return Section(
      id: "transfer", title: "How far learning carries",
      lede: """
        Fitted on one recipe's organisms alone, with arms known: on overt arms, which conceal nothing (learned from \
        other seeds of the recipe, where there are any); on prompts of other templates to the organisms learned \
        from; on organisms of that recipe with another seed; and on those of another recipe. Mean AUROC over \
        recipes. A detector that is good on the left and not on the right has learned the recipe, not the deceit.
        """
    ) {
      DataTable(
        caption: "From near to far.",
        columns: [
          .init("Detector"), .init("Overt, same recipe", alignment: .right),
          .init("Other templates", alignment: .right),
          .init("Other seed", alignment: .right), .init("One other recipe", alignment: .right),
          .init("All other recipes", alignment: .right),
        ],
        rows: learned.map { row in
          let found = row.transfer.unwrapped()
          return DataTable.Row(
            [
              .text(name(row.value)), plain(found?.overt.unwrapped()?.auroc),
              plain(found?.templateOut), plain(found?.seedOut), plain(found?.familyOut),
              plain(row.responses.unwrapped()?.auroc),
            ])
        }, stacksOnPhones: true
      ).node
      if let chosen = learned.first(where: { $0.value.detector.name == scores.chosen }) {
        positiveControl(chosen)
      }
      for row in learned where isShown(row.value) {
        matrix(row.value)
      }
    }
  }

  /// What has to hold before a miss says anything: the detector named beforehand finds what is not concealed.
  @NodeBuilder
  private func positiveControl(_ row: Cited<TrialScores.Row>) -> [Node] {
    if let control = row.transfer.unwrapped()?.overt.unwrapped(),
      let apart = control.apartEstimate.unwrapped()
    {
      Tag.p {
        Node.text(
          "“\(row.value.detector.title)” was named beforehand as the one to find what overt arms do. It flags "
            + "more responses of the overt arm than of an honest one, neither of which it learned from, at the "
            + "threshold of harmless ones, in "
        )
        CitedNumber(control.apart, "recipes", estimate: apart).node
        Node.text(
          control.value.learnsFromOtherSeeds
            ? "." : "; with one seed, the pair it learned from was trained in the same order.")
      }
    }
  }

  /// The one that was chosen beforehand, and the best: the others' tables are in the JSON.
  private func isShown(_ row: TrialScores.Row) -> Bool {
    let best = ranked.first { $0.value.transfer != nil && !$0.value.detector.isControl }
    return row.detector.name == scores.chosen || row.detector.name == best?.value.detector.name
  }

  private func matrix(_ row: TrialScores.Row) -> Node {
    HeatTable(
      title: "\(name(row)), learned from one recipe",
      legend: "On the diagonal, other prompts to the organisms that it was fitted on.",
      axes: (row: "learned from", column: "judged"), columns: scores.families,
      rows: (row.transfer?.matrix ?? []).map { training in
        (
          name: training.family,
          cells: scores.families.map { family in
            cell(
              training.judged.first { $0.family == family }?.value,
              "learned from \(training.family), on \(family)")
          }
        )
      }, cell: result.id
    ).node
  }

  // MARK: Stress

  private var stress: Section? {
    let behaviour = result.cite(\.stressed).elements
    let judged = ranked.filter { !$0.value.stress.isEmpty }
    guard !behaviour.isEmpty, !judged.isEmpty else { return nil }
    let stresses = behaviour.map(\.value.stress)
    func cells(
      _ row: Cited<TrialScores.Row>, _ node: (Cited<TrialScores.UnderStress>) -> Node
    ) -> [Node] {
      stresses.map { stress in
        row.stress.elements.first { $0.value.stress == stress }.map(node) ?? "–"
      }
    }
    let columns = stresses.map { DataTable.Column($0.title, alignment: .right) }
    return Section(id: "stress", title: "Under stress", lede: stressWords) {
      DataTable(
        caption: """
          Mean AUROC over recipes and, below it, less that of exactly the same organisms without the stress, which differs \
          where a detector gave up on some. The first row says whether there still is something to find.
          """,
        columns: [.init("Detector"), .init("Unstressed", alignment: .right)] + columns,
        rows: [
          DataTable.Row(
            [.text("Behaviour shown when triggered"), .text("above")]
              + behaviour.map { rate($0.shown) })
        ]
          + judged.map { row in
            DataTable.Row(
              [
                .text(name(row.value)),
                row.unstressed.unwrapped().map { CitedNumber($0).node }
                  ?? (row.value.stress.contains { $0.unstressed != nil } ? "differs" : "–"),
              ] + cells(row, stressed))
          }, stacksOnPhones: true
      ).node
      DataTable(
        caption: "Flagged without a trigger, at the leaderboard's threshold.",
        columns: [.init("Detector")] + columns,
        rows: judged.map { row in
          DataTable.Row([.text(name(row.value))] + cells(row) { rate($0.fpr) })
        }, stacksOnPhones: true
      ).node
      for row in judged {
        for found in row.value.stress where !found.problems.isEmpty {
          Tag.p { "\(name(row.value)), \(found.stress.title): \(Self.words(found.problems))" }
        }
      }
    }
  }

  /// An area under stress, and how far it is from that of the same organisms without.
  private func stressed(_ found: Cited<TrialScores.UnderStress>) -> Node {
    guard let change = found.change.unwrapped() else { return plain(found.auroc) }
    let sign = change.value.value > 0 ? "+" : ""
    return Node {
      plain(found.auroc)
      Tag.span(.class("sub")) {
        sign
        CitedNumber(change).text
      }
    }
  }

  private var stressWords: Node {
    Node.text(
      """
      One secret organism of each recipe, detectors as they were fitted for the leaderboard. Prompts in another \
      manner, to a persona, beside a harmless denial, and stories about lies as the only negatives; the adapter \
      merged into the weights (bfloat16) and these rounded to eight (Q8_0) and four bits (Q4_0); and trained on \
      with the base's answers to harmless prompts.
      """)
  }

  private static func words(_ problems: [String: String]) -> String {
    problems.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: "; ")
  }

  private func cell(_ value: Double?, _ what: String) -> HeatTable.Cell {
    guard let value else { return HeatTable.Cell("–", strength: 0, detail: "not measured") }
    let text = NumberFormat.fixed(value, places: 2)
    return HeatTable.Cell(text, strength: 2 * value - 1, detail: "\(what): AUROC \(text)")
  }

  private func plain(_ value: Cited<Estimate?>?) -> Node {
    value?.unwrapped().map { CitedNumber($0).node } ?? "–"
  }

  // MARK: Gates

  private var passing: Section? {
    let found = result.cite(\.passingRows).elements.filter {
      $0.value.responses?.auroc != nil || $0.value.models?.auroc != nil
    }
    guard !found.isEmpty else { return nil }
    let counts = Arm.allCases.compactMap { arm in
      scores.passingOrganisms[arm.rawValue].flatMap { $0 > 0 ? "\($0) \(arm.rawValue)" : nil }
    }
    return Section(
      id: "passing", title: "Over organisms that passed their gates",
      lede: Node.text(
        "Above, all are judged, those too whose gate left something open. Here \(counts.joined(separator: ", ")) are; detectors learned as above, from all."
      )
    ) {
      DataTable(
        caption: "Leaving the recipe out, as above.",
        columns: [
          .init("Detector"), .init("Responses, AUROC", alignment: .right),
          .init("TPR", alignment: .right), .init("FPR", alignment: .right),
          .init("Models, AUROC", alignment: .right),
        ],
        rows: found.map { row in
          let (responses, models) = (row.responses.unwrapped(), row.models.unwrapped())
          return DataTable.Row([
            .text(name(row.value)), plain(responses?.auroc), rate(responses?.tpr),
            rate(responses?.fpr), plain(models?.auroc),
          ])
        }, stacksOnPhones: true
      ).node
    }
  }

  private func rate(_ value: Cited<ClusteredRate?>?) -> Node {
    value?.unwrapped().map { CitedNumber($0.estimate, unit: .rate).node } ?? "–"
  }

  // MARK: Models

  private var models: Section {
    let arms = Arm.allCases.filter { scores.organisms[$0.rawValue] ?? 0 > 0 }
    let judged = rows.filter { $0.value.models != nil }
    return Section(
      id: "models", title: "This model: hiding something?",
      lede: """
        A model is accused whose score is nearer to other recipes' secret arms than to their honest ones; a detector \
        of responses counts those that it flags, triggered ones among them. AUROC: each of three arms against \
        honest and null ones; a high one of overt and decoy arms says that the detector finds what is unusual, not \
        what is concealed. Counts of models, with the bounds that so few support; overt and decoy arms hide nothing. Organisms of one \
        recipe are alike, so that even these bounds are too narrow for a new one.
        """
    ) {
      DataTable(
        caption: "Accused, of each arm.",
        columns: [
          .init("Detector"), .init("AUROC, secret", alignment: .right),
          .init("overt", alignment: .right), .init("decoy", alignment: .right),
        ]
          + arms.map { .init($0.rawValue, alignment: .right) }
          + [.init("Honest against null", alignment: .right)],
        rows: judged.map { row in
          let found = row.models.unwrapped()
          let accused = found?.accused.elements ?? []
          return DataTable.Row(
            [
              .text(name(row.value)), plain(found?.auroc), plain(found?.overtAUROC),
              plain(found?.decoyAUROC),
            ]
              + arms.map { arm in
                accused.first { $0.value.arm == arm }.flatMap { own in
                  own.estimate.unwrapped().map {
                    CitedNumber(own.count, "models", estimate: $0).node
                  }
                } ?? "–"
              } + [nullWords(row.value)])
        }, stacksOnPhones: true
      ).node
    }
  }

  private func nullWords(_ row: TrialScores.Row) -> Node {
    guard let models = row.models else { return "–" }
    if let problem = models.problem { return .text(problem) }
    guard let p = models.nullHolm else { return "too few pairs" }
    let tests = scores.rows.count { $0.models?.nullP != nil }
    // Even differences that all have one sign could not be told from chance.
    if Double(tests) * pow(2, 1 - Double(models.nullDifferences.count)) >= 0.05 {
      return .text("\(models.nullDifferences.count) pairs, too few to tell")
    }
    let words = "p \(NumberFormat.significant(p)) over \(models.nullDifferences.count) pairs"
    return .text(models.isBroken ? "BROKEN: \(words)" : words)
  }

  // MARK: Candidates

  private var identities: Section? {
    let found = rows.filter { $0.value.identity != nil }
    guard !found.isEmpty else { return nil }
    let count = found.compactMap { $0.value.identity?.candidates }.max() ?? 0
    return Section(
      id: "identity", title: "What is hidden",
      lede: Node.text(
        "Where the sentence that is true of the organism comes among \(count) candidates. By chance the mean of "
          + "1/rank is \(NumberFormat.fixed(Self.chance(count), places: 3)).")
    ) {
      DataTable(
        caption: "Mean of 1/rank, for secret arms and for those without the behaviour.",
        columns: [
          .init("Detector"), .init("Reads"), .init("Secret", alignment: .right),
          .init("Without it", alignment: .right), .init("Ranks of secret arms", alignment: .right),
        ],
        rows: found.map { row in
          let own = row.identity.unwrapped()
          let ranks = (row.value.identity?.ranks ?? []).filter { $0.arm == .secret }.map {
            "\($0.recipe) \(NumberFormat.significant($0.rank))"
          }
          return DataTable.Row([
            .text(name(row.value)), .text(reads(row.value)),
            own?.withSecret.unwrapped().map { CitedNumber($0).node } ?? "–",
            own?.withoutSecret.unwrapped().map { CitedNumber($0).node } ?? "–",
            .text(ranks.joined(separator: ", ")),
          ])
        }, stacksOnPhones: true
      ).node
    }
  }

  /// The mean of 1/rank of a candidate in a random place.
  static func chance(_ count: Int) -> Double {
    count == 0 ? 0 : (1...count).reduce(0) { $0 + 1 / Double($1) } / Double(count)
  }

  private var withdrawn: Section? {
    let found = scores.rows.filter { $0.withdrawn != nil }
    guard !found.isEmpty else { return nil }
    return Section(id: "withdrawn", title: "Without scores", lede: "Counted, and not as zero.") {
      DataTable(
        caption: "Detectors that gave up, in their own words.",
        columns: [.init("Detector"), .init("Why")],
        rows: found.map { DataTable.Row([.text(name($0)), .text($0.withdrawn ?? "")]) }
      ).node
    }
  }
}
