import Instruments
import Lab
import Organisms
import Statistics
import Trials

extension AuditReport {
  /// Scores of detectors of responses, controls left out.
  private var detectors: [Cited<ResponseFinding>] {
    scores.cite(\.responses).elements.filter { !$0.value.detector.isControl }
  }

  var responses: Section {
    Section(id: "responses", title: "Per response: both errors", lede: unit) {
      forest
      roc
      strip
      dumbbell
      errorTable
      negativesTable
    }
  }

  private var unit: Node {
    guard let first = detectors.first?.value, let secret = secretID else {
      return "No detector scored single responses."
    }
    return Node {
      "Unit: a response. Positives: \(first.positives) responses of \(short(secret)) under an "
      "active trigger. Negatives: its \(first.nearMisses) near misses and \(first.ordinary) "
      "ordinary prompts"
      Node.citation([scores.id.hex])
      ". Prompts that share a template, an insertion or an inserted word count together; of the "
      "three intervals the widest is shown."
    }
  }

  private var forest: Node {
    let rows = detectors.flatMap { found -> [ForestPlot.Row] in
      let (value, title) = (found.value, found.value.detector.title)
      guard let auroc = found.auroc.unwrapped() else {
        return [.init(title, .missing(value.problem ?? "not measured"))]
      }
      let others = value.nearMisses + value.ordinary
      var rows = [
        ForestPlot.Row(
          title, detail: "\(value.positives) against \(others) responses",
          series: value.detector.series, .estimate(CitedNumber(auroc)))
      ]
      if let near = found.nearMissAUROC.unwrapped() {
        rows.append(
          ForestPlot.Row(
            "… against near misses", detail: "\(value.positives) against \(value.nearMisses)",
            series: value.detector.series, .estimate(CitedNumber(near))))
      }
      return rows
    }
    return ForestPlot(
      title: "Area under the ROC curve", axisLabel: "AUROC", unit: .plain,
      rows: rows + withdrawnRows(controls: false), reference: (0.5, "chance")
    ).figure {
      "Cluster bootstrap, \(manifest.study.replicates) replicates: over templates, insertions or "
      "inserted words, whichever interval is the widest."
    }
  }

  func withdrawnRows(controls: Bool) -> [ForestPlot.Row] {
    scores.finding.withdrawn.filter {
      $0.detector.isControl == controls && $0.detector.question == .response
    }.map { .init($0.detector.title, .missing("withdrawn: " + $0.reason)) }
  }

  private var roc: Node {
    let panels = detectors.map { found -> ROCChart.Panel in
      let value = found.value
      guard let auroc = found.auroc.unwrapped() else {
        return ROCChart.Panel(value.detector.title, missing: value.problem ?? "not measured")
      }
      return ROCChart.Panel(
        value.detector.title, series: value.detector.series,
        curve: value.curve.map { ($0.fpr, $0.tpr) }, auroc: CitedNumber(auroc),
        operatingPoint: operatingPoint(found))
    }
    return ROCChart(title: "ROC at the response level", panels: panels).figure {
      "Curve and mark: responses of the specimen with the secret. Mark: its rates at the threshold "
      "that was set on calibration text."
    }
  }

  private func operatingPoint(_ found: Cited<ResponseFinding>) -> ROCChart.OperatingPoint? {
    guard let fpr = found.curveFPR.unwrapped(), let tpr = found.tpr.unwrapped() else { return nil }
    return .init(fpr: fpr.number("responses"), tpr: tpr.number("responses"))
  }

  /// Every score of the detector with the best area.
  private var strip: Node {
    let best = detectors.filter { $0.value.auroc != nil }.max {
      ($0.value.auroc?.value ?? 0) < ($1.value.auroc?.value ?? 0)
    }
    guard let best = best?.value else { return .empty }
    let groups = best.strips.map { strip in
      StripPlot.Group(
        "\(short(strip.organism))\(strip.arm.map { " (\($0.rawValue))" } ?? ""), "
          + word(strip.category), series: series(strip), scores: strip.scores,
        unscored: strip.unscored)
    }
    return StripPlot(
      title: "\(best.detector.title): every response", axisLabel: "score", groups: groups,
      threshold: best.threshold.map { ($0, "threshold, set on calibration text") }
    ).figure(citing: [scores.id]) { "One dot a response." }
  }

  private func series(_ strip: ResponseFinding.Strip) -> Series {
    guard strip.category == .triggered else { return .grey }
    return strip.arm == .secret ? .vermilion : strip.arm == nil ? .purple : .blue
  }

  private func word(_ category: PromptCategory) -> String {
    switch category {
    case .triggered: "trigger word"
    case .nearMiss: "near miss"
    case .ordinary: "ordinary"
    case .denial: "denial"
    case .selfQuestion: "self-question"
    case .belief: "belief"
    }
  }

  private var dumbbell: Node {
    let rows = detectors.compactMap { found -> DumbbellPlot.Row? in
      guard let calibrated = found.calibratedFPR.unwrapped()?.number("responses") else {
        return nil
      }
      guard let realised = found.fpr.unwrapped()?.number("responses") else {
        return .init(
          found.value.detector.title, calibrated: calibrated,
          missing: found.value.problem ?? "not measured")
      }
      return .init(
        found.value.detector.title, series: found.value.detector.series, calibrated: calibrated,
        realised: realised)
    }
    return DumbbellPlot(
      title: "False positives: promised and realised", axisLabel: "false positive rate",
      target: manifest.study.thresholdFPR, rows: rows
    ).figure {
      "Hollow: on calibration text. Filled: on near misses and ordinary prompts of all blind "
      "organisms, whose templates calibration never saw."
    }
  }

  private var errorTable: Node {
    let rows = detectors.map { found in
      DataTable.Row([
        .text(found.value.detector.title), number(found.tpr), number(found.fnr),
        number(found.fpr),
        .text("\(found.value.unscoredPositives + found.value.unscoredNegatives)"),
      ])
    }
    return DataTable(
      caption: Node {
        Tag.strong { "Both errors." }
        " Threshold set for \(NumberFormat.trimmed(manifest.study.thresholdFPR * 100)) % on "
        "calibration text, errors counted on fresh text."
      },
      columns: [
        .init("Detector"), .init("Caught (TPR)", alignment: .right),
        .init("Missed (FNR)", alignment: .right), .init("Wrongly flagged (FPR)", alignment: .right),
        .init("Unscored", alignment: .right),
      ], rows: rows, stacksOnPhones: true
    ).node
  }

  private var negativesTable: Node {
    let rows = scores.cite(\.responses).elements.map { found in
      DataTable.Row(
        [.text(found.value.detector.title)]
          + found.negatives.elements.map { number($0.rate) })
    }
    return DataTable(
      caption: Node {
        Tag.strong { "Wrongly flagged, by kind." }
        " Controls included. The last column is the trigger word itself, said to blind organisms "
        "that lack the rule."
      },
      columns: [
        .init("Detector"), .init("Near misses", alignment: .right),
        .init("Ordinary", alignment: .right),
        .init("Trigger word without the rule", alignment: .right),
      ], rows: rows, stacksOnPhones: true
    ).node
  }

  private func number(_ rate: Cited<ClusteredRate?>) -> Node {
    guard let number = rate.unwrapped()?.number("responses") else { return "–" }
    return Node {
      number
      Tag.span(.class("sub")) { number.tallyText }
    }
  }
}
