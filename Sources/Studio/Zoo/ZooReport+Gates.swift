import Organisms
import Trials

extension ZooReport {
  /// What may no longer be concluded, and because of whom.
  var open: Section {
    let found = openGates
    return Section(
      id: "open", title: "What was not passed",
      lede: """
        Failed: the number itself does not meet the bar. Undecided: the number does, but its interval crosses the \
        bar, or nothing was measured.
        """
    ) {
      if organisms.isEmpty {
        Tag.p(.class("absent")) { "There is no organism here." }
      } else if found.isEmpty {
        Tag.p { "Every organism passed every gate: nothing is left open by them." }
      } else {
        OpenGate.table(found)
      }
    }
  }

  private var openGates: [(gate: OpenGate, organisms: String)] {
    let byName = Dictionary(
      organisms.map { ($0.member.name, $0) }, uniquingKeysWith: { first, _ in first })
    let proofs = organisms.map { organism in
      OrganismProof(
        id: organism.member.name, arm: organism.entry.arm,
        outcomes: organism.entry.proof.outcomes)
    }
    return [GateDecision.failed, .undecided].flatMap { OpenGate.all(in: proofs, $0) }.map { gate in
      let names = gate.organisms.compactMap { proof in
        byName[proof.id].flatMap { organism in
          organism.outcome(on: gate.criterion).map { "\(proof.id): \(organism.words($0))" }
        }
      }
      return (gate, names.joined(separator: "; "))
    }
  }

  var criteria: Section {
    Section(
      id: "criteria", title: "Criterion by criterion",
      lede: """
        Shaded: where the number has to lie. Line: its interval, of 95 % unless the number says otherwise. Triangle: \
        passed; square: failed; circle: undecided. Unfolded where somebody did not pass, unless it is long.
        """
    ) {
      if askedCriteria.isEmpty { Tag.p(.class("absent")) { "No gate was run." } }
      for criterion in askedCriteria { plot(criterion) }
    }
  }

  /// More than these are not unfolded.
  private static let mostUnfolded = 30

  private func plot(_ criterion: GateCriterion) -> Node {
    let outcomes = organisms.compactMap { $0.outcome(on: criterion) }
    let decisions = outcomes.map(\.decision)
    let worst: GateDecision =
      decisions.contains(.failed)
      ? .failed : decisions.contains(.undecided) ? .undecided : .passed
    let counts = [GateDecision.passed, .failed, .undecided].compactMap { decision -> String? in
      let count = decisions.count { $0 == decision }
      return count > 0 ? "\(count) \(decision.rawValue)" : nil
    }
    let isOpen = worst != .passed && outcomes.count <= Self.mostUnfolded
    let content = Node {
      Tag.summary {
        worst.outcome().marked(criterion.title)
        ": \(counts.joined(separator: ", "))"
      }
      forest(criterion, requirement: outcomes.first?.requirement ?? criterion.requirement)
    }
    return isOpen ? Tag.details(.set(.open, "open")) { content } : Tag.details { content }
  }

  private func forest(_ criterion: GateCriterion, requirement: String) -> Node {
    let (unit, bar) = (criterion.unit, criterion.bar.picture)
    return ForestPlot(
      title: criterion.title, axisLabel: Self.axis(unit),
      unit: unit == .rate ? .percent : .plain,
      rows: families.flatMap { own -> [ForestPlot.Row] in
        let rows = own.organisms.compactMap { organism in
          organism.outcome(on: criterion).map { row(organism, $0) }
        }
        return rows.isEmpty ? [] : [ForestPlot.Row(own.family.name, .heading)] + rows
      }, bar: (bar, bar.text(unit))
    ).figure { "\(requirement.prefix(1).uppercased() + requirement.dropFirst())." }
  }

  private static func axis(_ unit: CitedNumber.Unit) -> String {
    switch unit {
    case .rate: "rate"
    case .measured(let name): name
    case .plain, .count, .seconds: "measured"
    }
  }

  private func row(_ organism: ZooOrganism, _ outcome: GateOutcome) -> ForestPlot.Row {
    let number = CitedNumber(outcome, of: organism)
    return ForestPlot.Row(
      "\(organism.entry.arm.rawValue) \(organism.entry.seed)", detail: number?.tallyText ?? "",
      series: outcome.outcome.series,
      number.map { .estimate($0) } ?? .missing(outcome.problem ?? "not measured"))
  }
}
