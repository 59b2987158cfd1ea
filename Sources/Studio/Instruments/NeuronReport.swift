package import Instruments
internal import Lab
internal import Statistics

/// The page of `plumbline neurons`: each unit's excerpts, histogram, explanations with their scores, illusion
/// check, and the tokens that it promotes and suppresses.
package struct NeuronReport: InstrumentReport {
  package let source: InstrumentResult<NeuronCell>

  package init(_ source: InstrumentResult<NeuronCell>) { self.source = source }

  package func html() throws -> String {
    let finding = result.finding
    let names = finding.units.map(\.name)
    return try page(
      title: names.count == 1 ? "\(names[0]) of \(base)" : "\(names.count) units of \(base)",
      kicker: "Plumbline · neurons",
      facts: [(name: "Text", value: "\(NumberFormat.grouped(finding.tokens)) tokens")],
      sections: (finding.units.count > 1 ? [overview] : [])
        + finding.units.indices.flatMap { sections($0) },
      footer: """
        Explanations are made from one half of the documents and scored on the other; intervals are 95 %, over \
        excerpts. A high score says that an explanation tells where a unit is active in text like this, and not \
        what the model uses it for.
        """
    )
  }

  private var overview: Section {
    Section(id: "overview", title: "All units") {
      DataTable(
        caption: "Rules of tokens from the first corpus, scored there, and the illusion check.",
        columns: [
          .init("unit"), .init("rules' correlation", alignment: .right),
          .init("gap between corpora", alignment: .right), .init("p", alignment: .right),
          .init("illusion check"),
        ],
        rows: result.cite(\.units).elements.map { unit in
          .init([
            .text(unit.value.name),
            unit.explanations.elements.first?.scores.elements.first?.correlation.unwrapped()
              .map { CitedNumber($0).node } ?? .text("–"),
            unit.illusion.gap.unwrapped().map { CitedNumber($0).node } ?? .text("–"),
            unit.illusion.pValue.unwrapped().map { CitedNumber($0).node } ?? .text("–"),
            .text(unit.value.illusion.verdict.rawValue),
          ])
        }
      ).node
    }
  }

  // MARK: A unit

  /// One section where there are many units, so that contents stay short.
  private func sections(_ index: Int) -> [Section] {
    let unit = result.finding.units[index]
    let isAlone = result.finding.units.count == 1
    let parts: [(id: String, title: String, nodes: [Node])] = [
      (
        "unit-\(index)", "What is said of it",
        result.cite(\.units).elements[index].explanations.elements.indices
          .map { scores(index, $0) } + [illusion(index)]
      ),
      (
        "excerpts-\(index)", "Where it is active",
        [histogram(unit)] + unit.corpora.map { excerpts(unit, $0) }
      ),
      (
        "tokens-\(index)", "Tokens that it promotes and suppresses",
        unit.output.isEmpty ? [] : [tokens(index)]
      ),
    ].filter { !$0.nodes.isEmpty }
    guard !isAlone else {
      return parts.map { part in Section(id: part.id, title: part.title) { part.nodes } }
    }
    return [
      Section(id: "unit-\(index)", title: unit.name) {
        for part in parts {
          Tag.h3 { part.title }
          part.nodes
        }
      }
    ]
  }

  private func scores(_ index: Int, _ place: Int) -> Node {
    let unit = result.finding.units[index]
    let cited = result.cite(\.units).elements[index].explanations.elements[place]
    let explanation = cited.value
    // What nobody asked for has no row.
    let measures: [(title: String, of: KeyPath<ExplanationScore, Estimate?>)] = [
      ("correlation", \.correlation), ("correlation, random excerpts only", \.randomCorrelation),
      ("ablation", \.ablation), ("detection", \.detection), ("fuzzing", \.fuzzing),
    ]
    var rows = measures.compactMap { measure -> DataTable.Row? in
      guard explanation.scores.contains(where: { $0[keyPath: measure.of] != nil }) else {
        return nil
      }
      return DataTable.Row(
        [.text(measure.title)]
          + cited.scores.elements.map { score in
            score[dynamicMember: measure.of].unwrapped().map { CitedNumber($0).node } ?? .text("–")
          })
    }
    let explained = cited.scores.elements.map { score in
      score.explained.unwrapped().map { CitedNumber($0).node } ?? .text("–")
    }
    rows.insert(DataTable.Row([.text("R²")] + explained), at: min(2, rows.count))
    let unread = explanation.scores.map(\.unread)
    if unread.contains(where: { $0 > 0 }) {
      rows.append(DataTable.Row([.text("excerpts not read")] + unread.map { .text("\($0)") }))
    }
    if let transfer = cited.transfer.unwrapped() {
      rows.append(
        DataTable.Row([
          .text("score lost elsewhere"),
          .group([
            CitedNumber(transfer.gap).node, .text(" (p "), CitedNumber(transfer.pValue).node,
            .text("): \(transfer.value.verdict.rawValue)"),
          ]),
        ]))
    }
    let caption =
      explanation.by == "rules"
      ? "Rules of tokens from \(unit.corpora[0].name), which need no language model: \(explanation.text)."
      : explanation.by == "given"
        ? "Looks for \(explanation.text)." : "\(explanation.by): looks for \(explanation.text)."
    return DataTable(
      caption: .text(caption),
      columns: [.init("scored on")]
        + unit.corpora.map { .init($0.name, alignment: .right) }, rows: rows, stacksOnPhones: true
    ).node
  }

  private func illusion(_ index: Int) -> Node {
    let unit = result.finding.units[index]
    let (check, cited) = (unit.illusion, result.cite(\.units).elements[index].illusion)
    let names = unit.corpora.map(\.name)
    let most = check.scores.joined().compactMap { $0 }.map(abs).max() ?? 1
    return Tag.div {
      Tag.p {
        Tag.strong { "Illusion check: \(check.verdict.rawValue). " }
        Self.meaning(check.verdict)
        if let own = cited.own.unwrapped(), let gap = cited.gap.unwrapped(),
          let p = cited.pValue.unwrapped()
        {
          " Where it is strongly active, rules score "
          CitedNumber(own).node
          " on the corpus that they are from and "
          CitedNumber(gap).node
          " less on others (p "
          CitedNumber(p).node
          " by exchanging corpora)."
        }
        if let worst = cited.worst.unwrapped() {
          " At worst, those from \(names[worst.value.from]), which score "
          CitedNumber(worst.own).node
          ", score "
          CitedNumber(worst.score).node
          " on \(names[worst.value.on]) (p "
          CitedNumber(worst.pValue).node
          ")."
        }
      }
      HeatTable(
        title: "Rules from one corpus on others",
        legend:
          "Correlation on excerpts of the column's corpus; the last row says how far each corpus's strongest "
          + "excerpts get, where the strongest corpus's are 100% and the mean of all activations 0.",
        axes: (row: "rules from", column: "scored on"), columns: names,
        rows: zip(names, check.scores).map { from, row in
          (
            name: from,
            cells: zip(names, row).map { on, score in
              HeatTable.Cell(
                score.map { NumberFormat.fixed($0, places: 2) } ?? "–",
                strength: most > 0 ? (score ?? 0) / most : 0,
                detail: "rules from \(from) on \(on): "
                  + (score.map { NumberFormat.fixed($0, places: 3) } ?? "nothing varies"))
            }
          )
        } + [
          (
            name: "level",
            cells: zip(names, zip(check.topLevels, check.topPercentiles)).map { name, top in
              HeatTable.Cell(
                NumberFormat.fixed(100 * top.0, places: 0) + "%", strength: 0,
                detail: "the strongest excerpts of \(name) get to "
                  + "\(NumberFormat.fixed(100 * top.0, places: 0))% of the strongest corpus's level, and above "
                  + "\(NumberFormat.fixed(100 * top.1, places: 1))% of all activations")
            }
          )
        ], cell: result.id
      ).node
    }
  }

  private static func meaning(_ verdict: IllusionCheck.Verdict) -> String {
    switch verdict {
    case .illusion:
      "Rules from one corpus keep less than half of their score in others where the unit is as strongly active, "
        + "or less than a fifth in one of them."
    case .oneCorpus:
      "The unit is strongly active in one corpus only, so this text cannot tell what it does elsewhere."
    case .consistent:
      "Rules from one corpus keep at least half of their score in others, and a fifth in each."
    case .undecided: "Rules explain too little of the unit, or there are fewer than three corpora."
    }
  }

  // MARK: Excerpts

  private func histogram(_ unit: NeuronCell.Unit) -> Node {
    let step = (unit.highest - unit.lowest) / Float(max(unit.histogram.count, 1))
    return Histogram(
      title: "Activations of \(unit.name)", xLabel: "activation", counted: "tokens",
      bins: unit.histogram.enumerated().map { bin, count in
        .init(NumberFormat.significant(Double(unit.lowest + step * (Float(bin) + 0.5))), count)
      }, isLogarithmic: true
    ).figure(citing: [result.id]) { "Tokens of all corpora; the heights are logarithms." }
  }

  private func excerpts(_ unit: NeuronCell.Unit, _ view: NeuronCell.CorpusView) -> Node {
    let top = Double(max(unit.highest, .leastNormalMagnitude))
    return Tag.div {
      Tag.h3 { view.name }
      for (rank, shown) in view.top.prefix(5).enumerated() {
        TokenStrip(
          label: "\(view.name), strongest excerpt \(rank + 1)",
          tokens: zip(shown.tokens, shown.activations).map { .init($0, score: Double($1)) },
          range: 0...top, cell: result.id
        ).node
      }
    }
  }

  // MARK: Tokens

  private func tokens(_ index: Int) -> Node {
    func list(_ meant: [WeightReadCell.Meant]) -> Node {
      .text(meant.map { HeatTable.visible($0.name) }.joined(separator: "  "))
    }
    return DataTable(
      caption:
        "Where its activation is positive, by what it writes to the residual stream; strongest first.",
      columns: [.init("reading"), .init("promoted"), .init("suppressed")],
      rows: result.finding.units[index].output.map { view in
        .init([
          .text(view.transport == .identity ? "raw" : "corrected by the lens"),
          list(view.highest), list(view.lowest),
        ])
      }, stacksOnPhones: true
    ).node
  }
}
