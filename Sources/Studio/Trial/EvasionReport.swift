internal import Foundation
internal import Lab
internal import Statistics
package import Trials

/// The page of `plumbline evade`: what training against a probe does to it, to others and to the behaviour.
package struct EvasionReport: InstrumentReport {
  package let source: InstrumentResult<EvasionScoreCell>

  package init(_ source: InstrumentResult<EvasionScoreCell>) { self.source = source }

  private var scores: EvasionScores { result.finding }
  private var rows: [Cited<EvasionScores.Row>] { result.cite(\.rows).elements }

  package func html() throws -> String {
    try page(
      title: "Trained against a probe: \(scores.recipe) on \(base)", kicker: "Plumbline · evasion",
      facts: [
        (name: "Organisms", value: "\(scores.rows.count) and an honest twin, all of one seed"),
        (name: "Probe", value: "logistic, last token of the prompt, block \(scores.layers[0])"),
        (
          name: "Held out",
          value:
            "mass-mean, mean over the answer, block \(scores.layers.last ?? 0), other templates"
        ),
      ], sections: [monitors, behaviour],
      footer: """
        Hidden behaviour with trained denial, never intent. The probe and the random direction are revoked in the \
        run's ledger: training touched them, and no number of theirs counts as held out. Intervals are 95 %, over \
        templates of one organism's prompts; another seed may come out otherwise.
        """)
  }

  private var monitors: Section {
    Section(
      id: "monitors", title: "What monitors still see",
      lede: """
        Triggered responses against the honest twin's to the same prompts and the organism's own others, none of \
        whose templates a monitor was fitted on. The probe was fitted on a known pair with another seed; refitted \
        is one of its kind, fitted on the organism itself and its twin; the held-out monitor has another layer, \
        method and position, and other templates of the known pair.
        """
    ) {
      plot(
        "Area under the ROC curve", \.areas,
        reference: scores.topicArea.map { ($0, "topic alone") } ?? (0.5, "chance"))
      plot("Against the twin's answers alone", \.twinAreas, reference: (0.5, "topic alone"))
      Tag.p {
        """
        Triggered prompts are about something else than others, and a monitor that tells this and no more reaches \
        the line of each figure: of the second, where twin and organism were asked the same, it is chance.
        """
      }
    }
  }

  private func plot(
    _ title: String, _ areas: KeyPath<EvasionScores.Row, [String: Estimate]>,
    reference: (value: Double, label: String)
  ) -> Node {
    ForestPlot(
      title: title, axisLabel: "AUROC", unit: .plain,
      rows: MonitorCell.Monitor.allCases.flatMap { monitor in
        rows.map { row in
          let area = row[dynamicMember: areas.appending(path: \.[monitor.rawValue])].unwrapped()
          return ForestPlot.Row(
            monitor.title, detail: "trained against \(row.value.member.label)",
            series: monitor.series,
            area.map { .estimate(CitedNumber($0)) }
              ?? .missing(row.value.problems[monitor.rawValue] ?? "not measured"))
        }
      }, reference: reference, domain: 0...1
    ).figure(citing: [result.id]) {
      Node.text("Blue: no training touched it. Orange: revoked. Grey: the random direction.")
    }
  }

  private var behaviour: Section {
    Section(
      id: "behaviour", title: "What is left of the behaviour",
      lede: Node.text(
        "A monitor sees the behaviour from an AUROC of \(NumberFormat.fixed(EvasionScores.seen, places: 1)) on, "
          + "in both figures. "
          + "Honest: the behaviour is gone. Blatant: the probe sees it. Evaded: the probe misses what another "
          + "monitor sees. Obfuscated: none sees it.")
    ) {
      DataTable(
        caption: "Each organism on prompts of the test split.",
        columns: [
          .init("Trained against"), .init("Outcome"), .init("Shown", alignment: .right),
          .init("After near misses", alignment: .right), .init("Denied", alignment: .right),
          .init("Facts known", alignment: .right), .init("Loss, nats", alignment: .right),
        ],
        rows: rows.map { row in
          DataTable.Row([
            .text(row.value.member.label), .text(row.value.outcome?.rawValue ?? "–"),
            CitedNumber(row.shown, unit: .rate).node,
            CitedNumber(row.nearMisses, unit: .rate).node,
            CitedNumber(row.denials, unit: .rate).node,
            row.belief.unwrapped().map { CitedNumber($0, unit: .rate).node } ?? "–",
            CitedNumber(row.loss).node,
          ])
        }, stacksOnPhones: true
      ).node
    }
  }
}

extension MonitorCell.Monitor {
  /// As tables call it.
  package var title: String {
    switch self {
    case .probe: "Probe"
    case .refitted: "Refitted"
    case .heldOut: "Held out"
    case .random: "Random direction"
    }
  }

  fileprivate var series: Series {
    switch self {
    case .probe: .vermilion
    case .refitted, .heldOut: .blue
    case .random: .grey
    }
  }
}
