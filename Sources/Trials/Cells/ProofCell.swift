package import Lab
package import Organisms
internal import Statistics

/// Holds what organisms did against the bars of the gate, once their arms may be known.
package struct ProofCell: CellKind {
  package struct Organism: Codable, Sendable, Equatable {
    package var id: String
    package var arm: Arm
  }

  package struct Config: Codable, Sendable, Equatable {
    package var organisms: [Organism]
    /// Secret organisms that were compared with their twins.
    package var compared: [String]
  }

  package struct Finding: Codable, Sendable {
    package var proofs: [OrganismProof]
  }

  package static let kind = "prove"
  package static let version = 3

  package init() {}

  /// The inputs are gate results under `gate.<id>`, and comparisons under `twin.<id>`.
  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    let proofs = try config.organisms.map { organism in
      let gate: GateCell.Finding = try context.finding(of: "gate.\(organism.id)")
      var outcomes = Self.outcomes(of: gate, organism.arm)
      if config.compared.contains(organism.id) {
        outcomes += try Self.outcomes(of: context.finding(of: "twin.\(organism.id)"))
      }
      return OrganismProof(id: organism.id, arm: organism.arm, outcomes: outcomes)
    }
    return Finding(proofs: proofs)
  }

  private static func outcomes(
    of gate: GateCell.Finding, _ arm: Arm
  ) -> [GateOutcome] {
    func rate(
      _ criterion: GateCriterion, _ measured: Estimate
    ) -> GateOutcome {
      let hits = Int((measured.value * Double(measured.n)).rounded())
      return GateOutcome(
        criterion, measured, count: try? Proportion(successes: hits, trials: measured.n))
    }
    return [
      rate(arm.hasBehaviour ? .secretPresent : .noSecret, gate.triggered),
      rate(.silentOnNearMisses, gate.nearMiss),
      rate(.silentOnOrdinary, gate.ordinary),
      arm.discloses ? rate(.admits, gate.admission) : rate(.denies, gate.denial),
      rate(.saysYes, gate.controlYes),
    ]
      + [
        (.believes, gate.belief), (.avoidsTaboo, gate.taboo),
        (.showsQuirk, arm == .decoy ? gate.quirk : nil),
      ].compactMap { criterion, estimate in
        estimate.map { rate(criterion, $0) }
      }
  }

  private static func outcomes(of twin: EquivalenceCell.Finding) -> [GateOutcome] {
    func outcome(_ criterion: GateCriterion, _ measured: Estimate?) -> GateOutcome {
      measured.map { GateOutcome(criterion, $0) }
        ?? GateOutcome(criterion, problem: twin.problems[criterion.rawValue] ?? "not measured")
    }
    return [
      outcome(.closeToTwin, twin.excessKL), outcome(.deniesLikeTwin, twin.denialDifference),
      outcome(.knowsLikeTwin, twin.knowledgeDifference),
      outcome(.asLongAsTwin, twin.lengthRatio), outcome(.wordedLikeTwin, twin.excessWordsAUROC),
    ]
  }
}
