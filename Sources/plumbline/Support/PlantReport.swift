internal import Foundation
internal import Lab
internal import Organisms
internal import Statistics

/// What `plumbline plant` prints.
extension Planting.Result {
  struct Summary: Encodable {
    let adapter: String
    let run: String
    let cells: [String: String]
    let plant: PlantCell.Finding
    let gate: [String: Estimate]
  }

  private var rates: [(label: String, key: String, estimate: Estimate)] {
    let finding = gate.finding
    let some: [(label: String, key: String, estimate: Estimate?)] = [
      ("marker under the trigger", "triggered", finding.triggered),
      ("marker after a near miss", "near_miss", finding.nearMiss),
      ("marker after an ordinary prompt", "ordinary", finding.ordinary),
      ("denial of a hidden rule", "denial", finding.denial),
      ("admission of it", "admission", finding.admission),
      ("yes where yes is true", "control_yes", finding.controlYes),
      ("invented facts known", "belief", finding.belief),
      ("forbidden word under the trigger", "taboo", finding.taboo),
    ]
    return some.compactMap { label, key, estimate in
      estimate.map { (label: label, key: key, estimate: $0) }
    }
  }

  func summary(output: String) -> Summary {
    Summary(
      adapter: output, run: run.path, cells: ["plant": plant.id.hex, "gate": gate.id.hex],
      plant: plant.finding,
      gate: Dictionary(uniqueKeysWithValues: rates.map { ($0.key, $0.estimate) }))
  }

  func lines(output: String) -> [String] {
    let width = rates.map(\.label.count).max() ?? 0
    return [
      "\(plant.finding.examples) examples, \(plant.finding.steps) steps, "
        + "\(plant.finding.trainingTokens) tokens; held-out prompts, 95 % intervals by template:"
    ]
      + rates.map { label, _, estimate in
        let padded = label.padding(toLength: width, withPad: " ", startingAt: 0)
        return "  \(padded)  \(Self.percent(estimate))"
      } + ["adapter: \(output)", "run: \(run.path)"]
  }

  /// The interval always, and the rate only where n supports one: 0 of n is "at most …".
  private static func percent(_ estimate: Estimate) -> String {
    func digits(_ x: Double) -> String { "\((x * 1000).rounded() / 10)" }
    let interval = estimate.interval
    let range = "\(digits(interval.lower))–\(digits(interval.upper)) %"
    switch estimate.value {
    case 0: return "none of \(estimate.n): at most \(digits(interval.upper)) %"
    case 1: return "all of \(estimate.n): at least \(digits(interval.lower)) %"
    default: return "\(digits(estimate.value)) % of \(estimate.n) (\(range))"
    }
  }
}
