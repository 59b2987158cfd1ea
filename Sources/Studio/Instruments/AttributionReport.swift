package import Instruments
internal import Lab
internal import Statistics

/// The page of `plumbline attribute`: what an answer's logit is made of.
package struct AttributionReport: InstrumentReport {
  package let source: InstrumentResult<AttributionCell>

  package init(_ source: InstrumentResult<AttributionCell>) { self.source = source }

  package func html() throws -> String {
    let finding = result.finding
    return try page(
      title: "What \(base)'s answer is made of", kicker: "Plumbline · attribution",
      facts: [(name: "Pairs of prompts", value: "\(finding.prompts)")],
      sections: (finding.direct.map { [section($0)] } ?? [])
        + finding.gradients.indices.map(section),
      footer: """
        Shares are what a component writes along the answer's direction; that others would do the same without \
        it, patching tells.
        """
    )
  }

  private var unit: String { PromptPairs.unit(hasDistractor: result.finding.hasDistractor) }

  // MARK: Direct

  private func section(_ direct: AttributionCell.Direct) -> Section {
    let cited = result.cite(\.direct).unwrapped()
    let heads = Dictionary(grouping: direct.heads) { $0.block ?? 0 }
    let most = (direct.heads + direct.mlps).map { abs($0.share.value) }.max() ?? 1
    let count = heads.values.map(\.count).max() ?? 0
    let rows = direct.mlps.reversed().map { mlp in
      let block = mlp.block ?? 0
      return (
        name: "\(block)",
        cells: ((heads[block] ?? []) + [mlp]).map { Self.cell($0.name, $0.share, most) }
      )
    }
    return Section(
      id: "direct", title: "Direct logit attribution",
      lede: """
        What each component adds to the answer's logit\
        \(result.finding.hasDistractor ? " over the distractor's" : "") in the clean prompts, the last \
        norm's division held at what it was.
        """
    ) {
      HeatTable(
        title: "Shares by block",
        legend: "In logits. Blue speaks for the answer, orange against it.",
        axes: (row: "block", column: "component"),
        columns: (0..<count).map { "H\($0)" } + ["MLP"], rows: rows, cell: result.id
      ).node
      if let cited {
        DataTable(
          caption: "The rest, and how far a logit's parts miss it at most.",
          columns: [.init("part"), .init("logits", alignment: .right)],
          rows: [
            .init(["embedding", CitedNumber(cited.embedding.share).node]),
            .init(["biases", CitedNumber(cited.biases.share).node]),
            .init(["largest error", CitedNumber(cited.largestError).node]),
          ]
        ).node
        DataTable(
          caption: "The neurons with the largest shares, as block.number.",
          columns: [.init("neuron"), .init("logits", alignment: .right)],
          rows: cited.neurons.elements.map {
            .init([.text($0.value.name), CitedNumber($0.share).node])
          }
        ).node
      }
    }
  }

  private static func cell(_ name: String, _ share: Estimate, _ most: Double) -> HeatTable.Cell {
    HeatTable.Cell(
      NumberFormat.fixed(share.value, places: 2), strength: most > 0 ? share.value / most : 0,
      detail: "\(name): \(NumberFormat.fixed(share.value, places: 3)) "
        + "[\(NumberFormat.fixed(share.interval.lower, places: 3)), "
        + "\(NumberFormat.fixed(share.interval.upper, places: 3))]")
  }

  // MARK: Gradients

  private func section(_ index: Int) -> Section {
    let gradient = result.finding.gradients[index]
    let cited = result.cite(\.gradients).elements[index]
    return Section(
      id: gradient.method.rawValue,
      title: gradient.method == .integrated ? "Integrated gradients" : "Activation times gradient",
      lede: "What patching each place from the clean prompt would bring, to first order."
    ) {
      if !gradient.agreements.isEmpty {
        DataTable(
          caption: "Correlation with the effects that patching measured, by kind of place.",
          columns: [
            .init("place"), .init("a prompt", alignment: .right),
            .init("of means", alignment: .right),
          ],
          rows: cited.agreements.elements.map {
            .init([
              .text($0.value.component.rawValue), CitedNumber($0.correlation).node,
              CitedNumber($0.correlationOfMeans).node,
            ])
          }
        ).node
      }
      table(gradient.shares.filter { $0.place.position == nil }, "component") { place in
        place.head.map { "H\($0)" } ?? place.component.rawValue
      }
      table(gradient.shares.filter { $0.place.position != nil }, "position of the residual stream")
      {
        "\($0.position ?? 0)"
      }
    }
  }

  private func table(
    _ shares: [AttributionCell.Gradient.PlaceShare], _ what: String,
    _ name: (PatchPlace) -> String
  ) -> Node {
    let most = shares.map { abs($0.share.value) }.max() ?? 1
    let rows = Dictionary(grouping: shares, by: \.place.block).sorted { $0.key > $1.key }
    return HeatTable(
      title: "Estimated effects by block and \(what)",
      legend: "In \(unit). Blue brings the answer up.", axes: (row: "block", column: what),
      columns: (rows.last?.value ?? []).map { name($0.place) },
      rows: rows.map { block, own in
        (name: "\(block)", cells: own.map { Self.cell("\($0.place)", $0.share, most) })
      }, cell: result.id
    ).node
  }
}
