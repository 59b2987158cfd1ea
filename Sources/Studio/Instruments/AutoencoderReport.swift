package import Instruments
internal import Lab
internal import Statistics

/// The page of `plumbline sae eval`: what sparse autoencoders keep of a model's activations.
package struct AutoencoderReport: InstrumentReport {
  package let source: InstrumentResult<AutoencoderEvaluationCell>

  package init(_ source: InstrumentResult<AutoencoderEvaluationCell>) { self.source = source }

  package func html() throws -> String {
    let finding = result.finding
    return try page(
      title: "What sparse autoencoders keep of \(base)", kicker: "Plumbline · sparse autoencoders",
      facts: [
        (name: "Text", value: "\(finding.tokens) tokens of \(finding.documents) \(finding.unit)s")
      ],
      sections: [table] + finding.readings.indices.map(section),
      footer: """
        95 % intervals, in which \(finding.unit)s count as a whole. First tokens of windows are neither \
        counted nor rebuilt. A recovered share flatters: zeros in a site's place are far worse than anything \
        that a model meets, so look at the added loss first.
        """
    )
  }

  private var table: Section {
    let cited = result.cite(\.readings).elements
    return Section(
      id: "readings", title: "Kept and lost",
      lede: """
        Added loss is the next-token loss in nats when the model goes on from what was rebuilt, less its own; \
        recovered is how much less that is than with zeros there.
        """
    ) {
      if let loss = result.cite(\.loss).unwrapped() {
        Tag.p {
          "The model's own next-token loss: "
          CitedNumber(loss).node
          " nats a token."
        }
      }
      DataTable(
        caption: .text("Intervals over \(result.finding.unit)s."),
        columns: [.init("")]
          + cited.map { .init($0.value.name, alignment: .right) },
        rows: [
          row("kind", cited) { .text(Self.name($0.value.architecture)) },
          row("site", cited) { .text($0.value.site) },
          row("explained", cited) { CitedNumber($0.explained, unit: .rate).node },
          row("features a token", cited) { CitedNumber($0.l0).node },
          row("features never seen", cited) { .text("\($0.value.dead) of \($0.value.features)") },
          row("added loss", cited) { reading in
            reading.addedLoss.unwrapped().map { CitedNumber($0).node } ?? .text("–")
          },
          row("recovered", cited) { reading in
            reading.recovered.unwrapped().map { CitedNumber($0, unit: .rate).node } ?? .text("–")
          },
        ], stacksOnPhones: true
      ).node
    }
  }

  private func row(
    _ name: String, _ readings: [Cited<AutoencoderEvaluationCell.Reading>],
    _ cell: (Cited<AutoencoderEvaluationCell.Reading>) -> Node
  ) -> DataTable.Row {
    DataTable.Row([.text(name)] + readings.map(cell))
  }

  private static func name(_ architecture: SparseAutoencoder.Architecture) -> String {
    switch architecture {
    case .topK(let k): "TopK, \(k)"
    case .jumpReLU: "JumpReLU"
    }
  }

  private func section(_ index: Int) -> Section {
    let reading = result.finding.readings[index]
    let labels = ["over 10 %", "1–10 %", "0.1–1 %", "0.01–0.1 %", "0.001–0.01 %", "rarer"]
    let bins = zip(labels, reading.frequencies).map { Histogram.Bin($0, $1) }
    return Section(id: "sae-\(index)", title: "\(reading.name): how often features are seen") {
      Histogram(
        title: "Features of \(reading.site) by how often they are seen", xLabel: "share of tokens",
        counted: "features", bins: [.init("never", reading.dead)] + bins.reversed()
      ).figure(citing: [result.id]) {
        "A feature in most tokens, or in none, explains little."
      }
    }
  }
}
