package import Instruments
internal import Lab
internal import Statistics

/// The page of `plumbline lens eval`: what each lens's reading is worth, by site.
package struct LensReport: InstrumentReport {
  package let source: InstrumentResult<LensEvaluationCell>

  package init(_ source: InstrumentResult<LensEvaluationCell>) { self.source = source }

  package func html() throws -> String {
    let finding = result.finding
    let text = "\(finding.modelEntropy.n) tokens of \(finding.documents) \(finding.unit)s"
    return try page(
      title: "What lenses read in \(base)", kicker: "Plumbline · lens",
      facts: [(name: "Text", value: text)],
      sections: [curves] + finding.lenses.indices.map(section),
      footer: """
        95 % intervals, in which \(finding.unit)s count as a whole. 1 nat a token is \
        \(NumberFormat.fixed(finding.bitsPerByte, places: 3)) bits a byte of this text.
        """
    )
  }

  // MARK: Curves

  private var curves: Section {
    let lenses = result.finding.lenses
    let numbered = Array(lenses.enumerated()).map { ($0.offset, $0.element) }
    return Section(
      id: "curves", title: "By block",
      lede:
        "What goes into each block, read by each lens, against what the model predicts in the end."
    ) {
      chart(
        "KL from the model's own prediction", "nats a token",
        numbered.filter { $0.1.kind.stepsBack == nil },
        reference: nil
      ) { $0.divergence }
      chart(
        "Cross-entropy of the token that each lens names", "nats a token",
        numbered,
        reference: (result.finding.modelCrossEntropy.value, "the model itself")
      ) { $0.crossEntropy }
    }
  }

  private func chart(
    _ title: String, _ unit: String, _ lenses: [(Int, LensEvaluationCell.LensReading)],
    reference: (value: Double, label: String)?,
    _ quantity: (LensEvaluationCell.SiteReading) -> Estimate?
  ) -> Node {
    let curves = lenses.map { index, lens in
      LineChart.Curve(
        lens.title, series: Series.allCases[index % Series.allCases.count],
        points: lens.sites.compactMap { site in
          guard let x = Self.block(site.site), let value = quantity(site) else { return nil }
          return LineChart.Point(
            x: x, y: value.value, interval: value.interval.lower...value.interval.upper)
        })
    }
    // Before block 0 a lens may be far off; the others should still be told apart.
    let rest = curves.flatMap { $0.points.dropFirst().map(\.y) }.max()
    return LineChart(
      title: title, xLabel: "block", yLabel: unit, curves: curves, reference: reference,
      ceiling: rest.map { 1.2 * $0 }
    ).figure(citing: [result.id]) {
      "Bands are 95 % intervals. What exceeds the scale is drawn at its edge; the tables have all."
    }
  }

  /// Where a site lies on the axis of blocks.
  private static func block(_ site: String) -> Double? {
    let parts = site.split(separator: ".")
    guard parts.count == 3, let block = Double(parts[1]) else { return nil }
    return block + (parts[2] == "resid_mid" ? 0.5 : parts[2] == "resid_post" ? 1 : 0)
  }

  // MARK: Tables

  private func section(_ index: Int) -> Section {
    let lens = result.finding.lenses[index]
    let cited = result.cite(\.lenses).elements[index]
    let isForward = lens.kind.stepsBack == nil
    let hasWhole = lens.sites.contains { $0.marginalBias != nil }
    var columns: [DataTable.Column] = [.init("site"), .init("cross-entropy", alignment: .right)]
    columns += isForward ? [.init("KL", alignment: .right)] : []
    columns += [.init("entropy", alignment: .right)]
    columns += isForward ? [.init("same choice", alignment: .right)] : []
    columns += [.init(isForward ? "next token" : "token named", alignment: .right)]
    columns += hasWhole ? [.init("bias of mean", alignment: .right)] : []
    columns +=
      lens.comparedWith.map { [.init("cross-entropy less than \($0)", alignment: .right)] } ?? []
    let rows = cited.sites.elements.map { site in
      var cells: [Node] = [.text(site.value.site), CitedNumber(site.crossEntropy).node]
      cells += site.divergence.unwrapped().map { [CitedNumber($0).node] } ?? []
      cells += [CitedNumber(site.entropy).node]
      cells += site.agreement.unwrapped().map { [CitedNumber($0, unit: .rate).node] } ?? []
      cells += [CitedNumber(site.accuracy, unit: .rate).node]
      cells += site.marginalBias.unwrapped().map { [CitedNumber($0).node] } ?? []
      if lens.comparedWith != nil {
        cells.append(site.lead.unwrapped().map { CitedNumber($0).node } ?? .text("–"))
      }
      return DataTable.Row(cells)
    }
    return Section(id: "lens-\(index)", title: lens.title) {
      DataTable(caption: "Nats a token; rates of tokens.", columns: columns, rows: rows).node
      if let transfer = lens.transfer { table(transfer, lens) }
    }
  }

  private func table(
    _ transfer: LensEvaluationCell.Transfer, _ lens: LensEvaluationCell.LensReading
  ) -> Node {
    let names = lens.sites.map {
      $0.site.replacing("blocks.", with: "").replacing(".resid_pre", with: "")
    }
    let most = transfer.divergence.joined().max() ?? 1
    let rows = transfer.divergence.indices.map { translator in
      (
        name: names[translator],
        cells: transfer.divergence[translator].enumerated().map { site, value in
          HeatTable.Cell(
            NumberFormat.fixed(value, places: 2), strength: most > 0 ? value / most : 0,
            detail: "translator of block \(names[translator]) at block \(names[site]): "
              + "\(NumberFormat.significant(value)) nats from the site's own, cross-entropy "
              + NumberFormat.significant(transfer.crossEntropy[translator][site]))
        }
      )
    }
    return HeatTable(
      title: "Translators at other sites",
      legend:
        "KL from the reading of the site's own translator: rows are translators, columns sites.",
      axes: (row: "translator", column: "site"), columns: names, rows: rows, cell: result.id
    ).node
  }
}
