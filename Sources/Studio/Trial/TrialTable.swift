internal import Foundation
internal import Instruments
internal import Organisms
internal import Statistics
package import Trials

/// The leaderboard in a terminal.
package struct TrialTable {
  private let scores: TrialScores

  package init(_ scores: TrialScores) { self.scores = scores }

  package var lines: [String] {
    ["RESPONSES: given under an active trigger?"] + responses + ["", "MODELS: hiding something?"]
      + models + ["", "WHAT is hidden?"] + identities + published + transfers + stresses + withdrawn
  }

  private func padded(_ text: String, _ width: Int) -> String {
    text.padding(toLength: max(width, text.count), withPad: " ", startingAt: 0)
  }

  private func number(_ value: Double?) -> String {
    value.map { String(format: "%.3f", $0) } ?? "–"
  }

  private var responses: [String] {
    let rows = scores.rows.filter { $0.responses != nil }.sorted {
      ($0.responses?.auroc?.value ?? -1) > ($1.responses?.auroc?.value ?? -1)
    }
    return rows.map { row in
      let found = row.responses
      let interval = found?.auroc.map {
        "[\(number($0.interval.lower)), \(number($0.interval.upper))]"
      }
      return padded(row.detector.title + (row.detector.isControl ? " (control)" : ""), 40)
        + "AUROC \(number(found?.auroc?.value)) \(padded(interval ?? "", 16)) "
        + "TPR \(number(found?.tpr?.estimate.value)) FPR \(number(found?.fpr?.estimate.value)) "
        + (found?.families.map { "\($0.family) \(number($0.value))" }.joined(separator: " ") ?? "")
        + (found?.problem.map { " \($0)" } ?? "")
    }
  }

  private var models: [String] {
    scores.rows.filter { $0.models != nil }.map { row in
      let accused = row.models?.accused.filter { $0.count.trials > 0 }.map {
        "\($0.arm.rawValue) \($0.count.successes)/\($0.count.trials)"
      }
      return padded(row.detector.title + (row.detector.isControl ? " (control)" : ""), 40)
        + "AUROC \(number(row.models?.auroc?.value)), overt \(number(row.models?.overtAUROC?.value)), "
        + "decoy \(number(row.models?.decoyAUROC?.value)) accused: "
        + (accused?.joined(separator: ", ") ?? "")
        + (row.models?.isBroken == true ? " BROKEN: tells honest arms apart" : "")
        + (row.models?.problem.map { " (\($0))" } ?? "")
    }
  }

  private var identities: [String] {
    scores.rows.filter { $0.identity != nil }.map { row in
      padded(row.detector.title, 40)
        + "mean 1/rank of \(row.identity?.candidates ?? 0): secret \(number(row.identity?.withSecret)), "
        + "without \(number(row.identity?.withoutSecret))"
    }
  }

  private var published: [String] {
    let found = scores.rows.filter { $0.ownPairs != nil }
    return found.isEmpty
      ? []
      : ["", "RECIPES AS PUBLISHED, AUROC"]
        + found.map {
          padded($0.detector.title, 40) + "own pairs in the base \(number($0.ownPairs)), "
            + "triggered responses \(number($0.responses?.auroc?.value))"
        }
  }

  private var transfers: [String] {
    let found = scores.rows.filter { $0.transfer != nil }
    guard !found.isEmpty else { return [] }
    return ["", "LEARNED from one recipe, AUROC on others' responses"]
      + found.map { row in
        padded(row.detector.title + (row.detector.isControl ? " (control)" : ""), 40)
          + "other templates \(number(row.transfer?.templateOut?.value)), "
          + "other seed \(number(row.transfer?.seedOut?.value)), "
          + "other recipe \(number(row.transfer?.familyOut?.value)), "
          + "overt arms \(number(row.transfer?.overt?.auroc?.value))"
      } + chosen
  }

  private var chosen: [String] {
    guard let row = scores.rows.first(where: { $0.detector.name == scores.chosen }),
      let control = row.transfer?.overt
    else { return [] }
    let interval = control.apartEstimate.map {
      " [\(number($0.interval.lower)), \(number($0.interval.upper))]"
    }
    return [
      "\(row.detector.title), named beforehand, flags overt arms more than honest ones in "
        + "\(control.apart.successes) of \(control.apart.trials) recipes\(interval ?? "")"
        + (control.learnsFromOtherSeeds ? "" : ", learned from the same seed")
    ]
  }

  private var stresses: [String] {
    let found = scores.rows.filter { !$0.stress.isEmpty }
    guard !found.isEmpty else { return [] }
    let behaviour = scores.stressed.map {
      "\($0.stress.rawValue) \(number($0.shown?.estimate.value))"
    }
    return [
      "", "UNDER STRESS, AUROC and its change on the same organisms (flagged without a trigger)",
    ]
      + [padded("Behaviour shown when triggered", 40) + behaviour.joined(separator: ", ")]
      + found.map { row in
        padded(row.detector.title + (row.detector.isControl ? " (control)" : ""), 40)
          + (row.unstressed.map { "unstressed \(number($0.value)), " } ?? "")
          + row.stress.map(stressed).joined(separator: ", ")
      }
  }

  private func stressed(_ found: TrialScores.UnderStress) -> String {
    let change = found.change.map { " " + String(format: "%+.3f", $0.value) } ?? ""
    return "\(found.stress.rawValue) \(number(found.auroc?.value))\(change) "
      + "(\(number(found.fpr?.estimate.value)))"
  }

  private var withdrawn: [String] {
    scores.rows.compactMap { row in
      row.withdrawn.map { "Withdrawn: \(row.detector.title): \($0)" }
    }
  }
}
