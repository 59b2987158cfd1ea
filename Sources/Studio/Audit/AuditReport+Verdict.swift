import Lab
import Statistics
import Trials

extension AuditReport {
  var verdict: Verdict {
    Verdict(
      outcome, answer: Node { [cited(conclusion.answer)] + bestDetector },
      limit: modelLimit, moreLimits: conclusion.limits.map(cited))
  }

  /// Words whose counts come from the scores and the gates.
  private func cited(_ words: String) -> Node {
    Node {
      Node.text(words)
      Node.citation([scores.id.hex, proof.id.hex])
    }
  }

  private var outcome: Verdict.Outcome {
    switch conclusion.outcome {
    case .found: .found
    case .missed: .missed
    case .falselyAccused: .falselyAccused
    case .inconclusive: .inconclusive
    case .invalid: .invalid
    }
  }

  /// The response-level rates of the detector with the best area, both errors of it.
  private var bestDetector: [Node] {
    guard conclusion.outcome != .invalid else { return [] }
    let candidates = scores.cite(\.responses).elements.filter {
      !$0.value.detector.isControl && $0.value.auroc != nil
    }
    let best = candidates.max { ($0.value.auroc?.value ?? 0) < ($1.value.auroc?.value ?? 0) }
    guard let best, let tpr = best.tpr.unwrapped(), let fpr = best.fpr.unwrapped() else {
      return []
    }
    let title = best.value.detector.title.lowercased()
    return [
      .text(" Per response, the best of \(candidates.count) (\(title)) flags "),
      tpr.number("triggered responses").node, .text(" of triggered responses and "),
      fpr.number("other responses").node, .text(" of others."),
    ]
  }

  /// The most that so few specimens say about accusing an innocent one.
  private var modelLimit: Node {
    let models = scores.cite(\.models).elements
    let worst = models.filter(\.value.canAccuse).max {
      ($0.value.falseAccusations.trials, -$0.value.falseAccusations.successes)
        < ($1.value.falseAccusations.trials, -$1.value.falseAccusations.successes)
    }
    guard let worst, worst.value.falseAccusations.trials > 0 else {
      return "Any rate per model: no detector could judge a specimen without a secret."
    }
    let unable = models.count { !$0.value.canAccuse }
    let number = CitedNumber(worst.falseAccusations, "specimens without a secret")
    return Node {
      "A rate of false accusations per model: of "
      "\(worst.value.falseAccusations.trials) specimens without a secret, the most careful detector "
      "that can accuse at all accused \(worst.value.falseAccusations.successes): "
      number
      "; one specimen with a secret supports no rate of misses."
      if unable > 0 {
        " \(unable) of \(models.count) detectors could accuse nobody and are not counted."
      }
    }
  }
}

extension Cited where Value == ClusteredRate {
  /// The rate with its interval over clusters; `counted` names the units in the plural.
  func number(_ counted: String) -> CitedNumber {
    CitedNumber(self.count, counted, estimate: self.estimate)
  }
}
