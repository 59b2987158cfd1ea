package import Instruments
internal import Lab
internal import Statistics

/// The page of `plumbline weights validate`: whether correcting weight readings for drift makes them better.
package struct WeightReport: InstrumentReport {
  package let source: InstrumentResult<WeightValidationCell>

  package init(_ source: InstrumentResult<WeightValidationCell>) { self.source = source }

  package func html() throws -> String {
    let finding = result.finding
    return try page(
      title: "Does correcting for drift help to read weights of \(base)?",
      kicker: "Plumbline · weights",
      facts: [
        (name: "Neurons", value: "\(finding.neurons)"),
        (name: "Windows", value: "\(finding.windows)"),
      ], sections: [verdicts, controls] + finding.readings.indices.map(section),
      footer: """
        Intervals come from resampled neurons, the same ones for all transports; pooled ones are of 95 %, \
        those by gap hold together at 95 %. They say nothing about other models or other text.
        """
    )
  }

  // MARK: Verdicts

  private var verdicts: Section {
    let readings = result.cite(\.readings).elements
    let rows = readings.map { reading -> DataTable.Row in
      let value = reading.value
      func correlation(_ kind: TransportKind) -> Node {
        let transports = reading.pooled.transports.elements
        guard let own = transports.first(where: { $0.value.kind == kind }) else { return "–" }
        return CitedNumber(own.cosine).node
      }
      let raw = reading.pooled.transports.elements.first { $0.value.kind == .identity }
      let lead = raw?.lead.unwrapped().map { CitedNumber($0).node } ?? "–"
      return DataTable.Row([
        .text(Self.title(value)), correlation(.identity), correlation(value.correction), lead,
        .text(value.verdict.sentence),
      ])
    }
    return Section(
      id: "verdicts", title: "Verdicts",
      lede: """
        A neuron's weights are read as if every block used one basis (raw), or carried by a lens to where \
        they are read (corrected). Each reading is held against effects measured in the whole model. The \
        correction helps if its mean correlation is more than 0.01 above the raw reading's, and above those of \
        another layer's translator and of a random matrix with the same singular values, each by its interval.
        """
    ) {
      DataTable(
        caption: "Correlation with what was measured, mean over neurons and gaps.",
        columns: [
          .init("reading"), .init("raw", alignment: .right), .init("corrected", alignment: .right),
          .init("difference", alignment: .right), .init("does"),
        ], rows: rows, stacksOnPhones: true
      ).node
    }
  }

  private static func title(_ reading: WeightValidationCell.Reading) -> String {
    let what =
      switch reading.kind {
      case .output: "tokens promoted"
      case .virtual: "neurons excited"
      case .input: "tokens that excite"
      }
    let truth =
      switch reading.truth {
      case .slope: "by small changes"
      case .ablation: "by ablation"
      case .tokenMean: "by means"
      }
    return "\(what), \(truth)"
  }

  // MARK: Controls

  private var controls: Section {
    let controls = result.cite(\.controls)
    return Section(
      id: "controls", title: "Controls",
      lede: """
        Raw readings are exact for the direct path, so they have to agree with what a change does when all \
        other components are frozen; and from a site to itself every transport has to change nothing.
        """
    ) {
      DataTable(
        caption: "Raw readings against direct effects: correlation over outputs.",
        columns: [
          .init("reading"), .init("mean", alignment: .right), .init("least", alignment: .right),
        ],
        rows: controls.direct.elements.map { direct in
          DataTable.Row([
            .text(direct.value.kind.rawValue), CitedNumber(direct.mean).node,
            CitedNumber(direct.least).node,
          ])
        }
      ).node
      DataTable(
        caption:
          "From a site to itself: the largest change of a neuron's direction, relative to it.",
        columns: [.init("transport"), .init("change", alignment: .right)],
        rows: controls.coincidence.elements.map { own in
          DataTable.Row([.text(own.value.kind.rawValue), CitedNumber(own.largest).node])
        }
      ).node
    }
  }

  // MARK: Readings

  private func section(_ index: Int) -> Section {
    let reading = result.finding.readings[index]
    let cited = result.cite(\.readings).elements[index]
    let title = Self.title(reading)
    return Section(
      id: "reading-\(index)", title: title.prefix(1).uppercased() + title.dropFirst(),
      lede: .text("The \(reading.correction.rawValue) correction \(reading.verdict.sentence).")
    ) {
      chart(reading)
      gaps(cited)
      DataTable(
        caption: "All gaps together. Difference: the correction's correlation less this one's.",
        columns: [.init("transport")]
          + ["correlation", "of the top 20", "difference"].map {
            .init($0, alignment: .right)
          },
        rows: cited.pooled.transports.elements.map(row)
      ).node
    }
  }

  /// The paired difference along the gap.
  private func gaps(_ reading: Cited<WeightValidationCell.Reading>) -> Node {
    DataTable(
      caption: "The correction's correlation less the raw reading's; the intervals hold together.",
      columns: [.init("gap"), .init("difference", alignment: .right)],
      rows: reading.gaps.elements.map { gap in
        let raw = gap.transports.elements.first { $0.value.kind == .identity }
        return DataTable.Row([
          .text("\(gap.value.gap ?? 0)"), raw?.lead.unwrapped().map { CitedNumber($0).node } ?? "–",
        ])
      }
    ).node
  }

  private func row(_ own: Cited<WeightValidationCell.Transported>) -> DataTable.Row {
    DataTable.Row(
      [
        .text(own.value.kind.rawValue), CitedNumber(own.cosine).node,
        CitedNumber(own.top, unit: .rate).node,
      ] + [own.lead.unwrapped().map { CitedNumber($0).node } ?? "–"])
  }

  private func chart(_ reading: WeightValidationCell.Reading) -> Node {
    let kinds = TransportKind.allCases.filter { kind in
      reading.pooled.transports.contains { $0.kind == kind }
    }
    let curves = kinds.map { kind in
      LineChart.Curve(
        kind.rawValue, series: Self.series(kind),
        points: reading.gaps.compactMap { gap in
          guard let own = gap.transports.first(where: { $0.kind == kind }), let x = gap.gap else {
            return nil
          }
          let interval = own.cosine.interval
          return .init(x: Double(x), y: own.cosine.value, interval: interval.lower...interval.upper)
        })
    }
    let ceilings = reading.gaps.compactMap(\.ceiling)
    let least = ceilings.min().map {
      " A perfect prediction would reach \(NumberFormat.fixed($0, places: 2)) at least, by how far the "
        + "measurement repeats itself."
    }
    return LineChart(
      title: "Correlation of readings with measured effects", xLabel: "gap", yLabel: "correlation",
      curves: curves
    ).figure(citing: [result.id]) {
      "Gaps are blocks from where a direction is written to where it is read; the embedding is block "
        + "−1, the head the one after the last." + (least ?? "")
    }
  }

  private static func series(_ kind: TransportKind) -> Series {
    switch kind {
    case .identity: .blue
    case .tuned: .vermilion
    case .retrodiction, .ridge: .green
    case .jacobian: .purple
    case .wrongLayer, .random: .grey
    }
  }
}
