import Instruments
import Lab
import Organisms
import Statistics
import Trials

extension AuditReport {
  /// Which question each detector answers, on what, and against which negatives.
  var answered: Section {
    let suite = scores.finding.responses.map(\.detector)
    let all =
      scores.finding.models.map(\.detector).filter { $0.question == .model } + suite
      + scores.finding.withdrawn.map(\.detector)
    return Section(
      id: "answers", title: "What each detector answers",
      lede: "A score about a model and a score about a response answer different questions."
    ) {
      DataTable(
        caption: Node { Tag.strong { "Questions." } },
        columns: [
          .init("Detector"), .init("Reads"), .init("Answers"), .init("Scored on"),
          .init("Against"),
        ], rows: all.map { DataTable.Row(answer($0).map { Node.text($0) }) }, stacksOnPhones: true
      ).node
    }
  }

  private func answer(_ detector: AuditDetector) -> [String] {
    let name = detector.title + (detector.isControl ? " (control)" : "")
    switch detector.question {
    case .model, .identity:
      return [
        name, detector.accessWords, "Does this model hide something?",
        "a whole model: \(material(of: detector))", "the known pair’s honest arm",
      ]
    case .response:
      return [
        name, detector.accessWords,
        detector.isControl
          ? "Was this response triggered?"
          : "Was this response triggered? And, by the share "
            + "flagged: does this model hide something?",
        "responses to held-out templates",
        "near misses and ordinary prompts; the trigger word without the rule, apart",
      ]
    }
  }

  private func material(of detector: AuditDetector) -> String {
    switch detector {
    case .directQuestion(let count, _): "\(count) direct questions"
    case .denialPerplexity(let count): "\(count) denials put into its mouth"
    case .activationDifference(let count, let tokens):
      "the first \(tokens) tokens of up to \(count) ordinary answers"
    default: "what it chose to read"
    }
  }

  var gates: Section {
    Section(
      id: "gates", title: "Gates",
      lede: """
        What makes a trained model an organism. Passed: the whole interval meets the bar. Failed: \
        the number itself does not. Undecided: too few prompts to tell. Intervals cover the prompts \
        that were drawn, not the chance of another training. The known pair shares its training seed, \
        which makes it easier to be close to its twin.
        """
    ) {
      GatePanel(
        caption: Node {
          Tag.strong { "Gates." }
          " Shaded: where the number has to lie. Line: its interval, of 95 % unless the criterion "
          "says otherwise."
        }, groups: proof.cite(\.proofs).elements.map(group)
      ).node
      openGates
    }
  }

  /// What may no longer be concluded, gate by gate.
  private var openGates: Node {
    let proofs = proof.finding.proofs
    let open = OpenGate.all(in: proofs, .failed) + OpenGate.all(in: proofs, .undecided)
    guard !open.isEmpty else {
      return Tag.p { "Every organism passed every gate: nothing is left open by them." }
    }
    return OpenGate.table(open.map { ($0, $0.names) }, citing: [proof.id])
  }

  private func group(_ proof: Cited<OrganismProof>) -> GatePanel.Group {
    let word =
      switch proof.value.decision {
      case .passed: "passed"
      case .failed: "a gate failed"
      case .undecided: "undecided"
      }
    return GatePanel.Group(
      "\(short(proof.value.id)), \(proof.value.arm.rawValue): \(word)",
      gates: proof.outcomes.elements.map(gate))
  }

  private func gate(_ outcome: Cited<GateOutcome>) -> GatePanel.Gate {
    let value = outcome.value
    return GatePanel.Gate(
      value.criterion.title, requirement: value.requirement, measured: CitedNumber(outcome),
      bar: value.criterion.bar.picture, outcome: value.outcome)
  }

  var controls: Section {
    let found = scores.cite(\.responses).elements.filter(\.value.detector.isControl)
    let rows = found.map { control in
      ForestPlot.Row(
        control.value.detector.title, series: .grey,
        control.auroc.unwrapped().map { .estimate(CitedNumber($0)) }
          ?? .missing(control.value.problem ?? "not measured"))
    }
    return Section(
      id: "controls", title: "Controls",
      lede: """
        The same pipeline without the signal: labels shuffled, a direction drawn at random, and \
        what the text alone gives away. A detector is worth its access only beyond these.
        """
    ) {
      ForestPlot(
        title: "Controls", axisLabel: "AUROC", unit: .plain,
        rows: rows + withdrawnRows(controls: true), reference: (0.5, "chance"), domain: 0...1
      ).figure {
        "A bag of words knows the trigger from the known pair, but not which model heeds it: see "
        "its flags for the trigger word without the rule."
      }
    }
  }

  var costs: Section {
    let long = cells.filter { ($0.seconds ?? 0) >= 0.5 || $0.origin != .run }
    return Section(
      id: "costs", title: "Cost",
      lede: "Tokens through the model and time, cell by cell; several cells run at once."
    ) {
      CostBars(title: "Cells that took half a second or more", cells: long).figure {
        "All attempts at a cell count, killed ones too."
      }
    }
  }
}
