package import Instruments
internal import Lab
internal import Statistics

/// The page of `plumbline patch`: effects by block and position, or by block and head.
package struct PatchReport: InstrumentReport {
  package let source: InstrumentResult<PatchCell>

  package init(_ source: InstrumentResult<PatchCell>) { self.source = source }

  package func html() throws -> String {
    let finding = result.finding
    let components = PatchPlace.Component.allCases.filter { component in
      finding.effects.contains { $0.place.component == component }
    }
    return try page(
      title: "Where \(base)'s answer comes from", kicker: "Plumbline · patching",
      facts: [(name: "Pairs of prompts", value: "\(finding.prompts)")],
      sections: [summary] + components.flatMap(sections),
      footer: """
        An effect says what a place is enough for, or what the answer cannot do without, in these prompts; \
        other places may do the same.
        """
    )
  }

  private var unit: String { PromptPairs.unit(hasDistractor: result.finding.hasDistractor) }

  private var summary: Section {
    let effects = result.cite(\.effects).elements.filter { $0.value.standsOut }
      .sorted { abs($0.value.effect.value) > abs($1.value.effect.value) }
    return Section(
      id: "summary", title: "What stands out",
      lede: """
        Places whose effect exceeds that of a random change as large, with the intervals of all places \
        holding together at 95 %, and is at least a twentieth of the difference between clean and corrupt.
        """
    ) {
      DataTable(
        caption: .text("The answer, in \(unit); means over prompts."),
        columns: [.init("prompt"), .init("answer", alignment: .right)],
        rows: [
          .init(["clean", CitedNumber(result.cite(\.clean)).node]),
          .init(["corrupt", CitedNumber(result.cite(\.corrupt)).node]),
        ]
      ).node
      DataTable(
        caption: .text(
          "Effects, in \(unit): the \(min(effects.count, 12)) largest of \(effects.count) that stand out."
        ),
        columns: [
          .init("place"), .init("effect", alignment: .right),
          .init("random change", alignment: .right),
        ],
        rows: effects.prefix(12).map {
          .init([
            .text("\($0.value.place)"), CitedNumber($0.effect).node, CitedNumber($0.control).node,
          ])
        }
      ).node
    }
  }

  private func sections(_ component: PatchPlace.Component) -> [Section] {
    let own = result.finding.effects.filter { $0.place.component == component }
    let most = own.map { abs($0.effect.value) }.max() ?? 1
    let title =
      switch component {
      case .resid: "Residual stream"
      case .attn: "Attention"
      case .mlp: "MLP"
      case .head: "Heads"
      }
    let isByPosition = own.contains { $0.place.position != nil }
    guard component == .head, isByPosition else {
      return [
        Section(id: component.rawValue, title: title) {
          table(own, title, most, byHead: component == .head)
        }
      ]
    }
    // One table a head would be many; heads by block at the position where each does most.
    let heads = Dictionary(grouping: own) { [$0.place.block, $0.place.head ?? 0] }
    let strongest = heads.values.compactMap { effects in
      effects.max { abs($0.effect.value) < abs($1.effect.value) }
    }
    let ordered = strongest.sorted { abs($0.effect.value) > abs($1.effect.value) }.prefix(12)
    return [
      Section(
        id: component.rawValue, title: title,
        lede: "The twelve heads with the largest effect at any position."
      ) {
        table(
          own.filter { effect in
            ordered.contains {
              $0.place.block == effect.place.block && $0.place.head == effect.place.head
            }
          }, title, most, byHead: false)
      }
    ]
  }

  /// Rows are blocks, or a block's heads; columns positions, or heads.
  private func table(
    _ effects: [PatchCell.Effect], _ title: String, _ most: Double, byHead: Bool
  ) -> Node {
    let tokens = result.finding.tokens
    let isByPosition = effects.contains { $0.place.position != nil }
    let rows = Dictionary(grouping: effects) { effect in
      [effect.place.block, byHead ? 0 : effect.place.head ?? 0]
    }.sorted { ($0.key[0], $0.key[1]) > ($1.key[0], $1.key[1]) }
    let columns =
      isByPosition
      ? tokens : byHead ? Set(effects.compactMap(\.place.head)).sorted().map { "H\($0)" } : ["all"]
    return HeatTable(
      title: "\(title): effect by place",
      legend:
        "In \(unit). Blue brings the answer up, orange takes it down; a dot marks what stands out.",
      axes: (row: "block", column: isByPosition ? "token" : byHead ? "head" : "position"),
      columns: columns,
      rows: rows.map { key, effects in
        (
          name: byHead || effects[0].place.head == nil ? "\(key[0])" : "L\(key[0])H\(key[1])",
          cells: effects.map { cell($0, most) }
        )
      }, cell: result.id
    ).node
  }

  private func cell(_ effect: PatchCell.Effect, _ most: Double) -> HeatTable.Cell {
    func text(_ estimate: Estimate) -> String {
      "\(NumberFormat.fixed(estimate.value, places: 3)) "
        + "[\(NumberFormat.fixed(estimate.interval.lower, places: 3)), "
        + "\(NumberFormat.fixed(estimate.interval.upper, places: 3))]"
    }
    let token = effect.place.position.map { " (\(HeatTable.visible(result.finding.tokens[$0])))" }
    return HeatTable.Cell(
      NumberFormat.fixed(effect.effect.value, places: 2) + (effect.standsOut ? "•" : ""),
      strength: most > 0 ? effect.effect.value / most : 0,
      detail: "\(effect.place)\(token ?? ""): effect \(text(effect.effect)), random change "
        + "\(text(effect.control))" + (effect.standsOut ? "; stands out" : ""))
  }
}
