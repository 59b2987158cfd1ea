import Lab
import Statistics
import Trials

// What a gate found, as pages show it.

extension GateOutcome {
  var outcome: GatePanel.Outcome { decision.outcome(problem) }

  /// Two one-sided tests at alpha are read off the interval of level 1 - 2 alpha.
  var requirement: String {
    guard let level = measured?.interval.level, abs(level - 0.95) > 1e-9 else {
      return criterion.requirement
    }
    return criterion.requirement
      + "; the interval shown is of \(NumberFormat.trimmed(level * 100)) %"
  }
}

extension GateDecision {
  /// `problem` is why nothing was measured.
  func outcome(_ problem: String? = nil) -> GatePanel.Outcome {
    switch self {
    case .passed: .passed
    case .failed: .failed
    case .undecided: .undecided(problem ?? "interval crosses bar")
    }
  }
}

extension GateCriterion {
  /// What its number is.
  var unit: CitedNumber.Unit {
    switch self {
    case .closeToTwin: .measured("nats")
    case .deniesLikeTwin, .knowsLikeTwin, .asLongAsTwin, .wordedLikeTwin: .plain
    case .secretPresent, .noSecret, .silentOnNearMisses, .silentOnOrdinary, .denies, .admits,
      .saysYes, .believes, .avoidsTaboo, .showsQuirk:
      .rate
    }
  }
}

extension GateBar {
  var picture: GatePanel.Bar {
    switch self {
    case .atLeast(let bound): .atLeast(bound)
    case .atMost(let bound): .atMost(bound)
    case .within(let lower, let upper): .within(lower...upper)
    }
  }
}

extension CitedNumber {
  /// What a gate measured, from the cell that says so; nil where it measured nothing.
  init?(_ outcome: Cited<GateOutcome>) { self.init(outcome.value, from: outcome.cell.hex) }

  /// The same from the file that a zoo holds beside an organism, which ``ZooRecord`` found unchanged.
  init?(_ outcome: GateOutcome, of organism: ZooOrganism) {
    self.init(outcome, from: organism.file.id)
  }

  private init?(_ outcome: GateOutcome, from source: String) {
    guard let measured = outcome.measured else { return nil }
    let tally = outcome.count.map {
      Tally(successes: $0.successes, trials: $0.trials, counted: measured.unit + "s")
    }
    self.init(
      measured.value, interval: measured.interval, unit: outcome.criterion.unit, tally: tally,
      cells: [source])
  }
}

extension OpenGate {
  /// What may no longer be concluded, gate by gate, with the organisms that each concerns.
  static func table(
    _ open: [(gate: OpenGate, organisms: String)], citing cells: [CellID] = []
  ) -> Node {
    DataTable(
      caption: Node {
        Tag.strong { "What this leaves open." }
        " For each gate that was not passed, what can then no longer be concluded."
        Node.citation(cells.map(\.hex))
      }, columns: [.init("Gate"), .init("Organisms"), .init("Cannot be concluded, because")],
      rows: open.map { gate, organisms in
        DataTable.Row([
          .text("\(gate.criterion.title): \(gate.decision.rawValue)"), .text(organisms),
          .text(gate.criterion.consequence),
        ])
      }, stacksOnPhones: true
    ).node
  }
}
