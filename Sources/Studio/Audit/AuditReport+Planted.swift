import Lab
import Organisms
import Trials

extension AuditReport {
  func planted() throws -> Section {
    let arms = try armsTable()
    let said = try saidTable()
    return Section(
      id: "planted", title: "What was planted", lede: .text(manifest.recipe.summary)
    ) {
      FlowPicture(title: "The one path", steps: steps, sealed: 2...5).figure {
        "Scores were in the ledger before the arms were opened."
      }
      arms
      said
    }
  }

  private var steps: [FlowPicture.Step] {
    let controls = manifest.detectorCount
    return [
      .init("Study", detail: manifest.study.name),
      .init("Pair", detail: "secret, honest"),
      .init("Line-up", detail: "\(manifest.examined.count) blind ids"),
      .init("Ask", detail: "held-out prompts"),
      .init("Detect", detail: "\(controls.detectors) + \(controls.controls) controls"),
      .init("Commit scores", detail: "hash first"),
      .init("Unseal", detail: "arms opened"),
      .init("Judge", detail: "gates, errors"),
    ]
  }

  private func armsTable() throws -> Node {
    let rows = try index.entries.filter { $0.role.hasPrefix("plant.") }.map { entry in
      let id = String(entry.role.dropFirst("plant.".count))
      let seed = try record.description(of: entry.cell)?.config["seed"]
      let plant: CellResult<PlantCell.Finding>? = try record.result(of: entry.cell)
      return DataTable.Row([
        .text(arms[id]?.rawValue ?? "–"),
        id.hasPrefix("calibration") ? "known to detectors" : .text("blind, as " + short(id)),
        seed.map { seed in
          Node {
            seed.canonicalText
            Node.citation([entry.cell.hex])
          }
        } ?? "–",
        plant.map { CitedNumber($0.cite(\.examples), "").node } ?? "–",
        plant.map { CitedNumber($0.cite(\.trainingTokens), "").node } ?? "–",
      ])
    }
    return DataTable(
      caption: Node {
        Tag.strong { "Trained arms." }
        " Low-rank adapters of one base; epochs: \(manifest.study.training.epochs)."
      },
      columns: [
        .init("Arm"), .init("Handed over"), .init("Seed", alignment: .right),
        .init("Examples", alignment: .right), .init("Training tokens", alignment: .right),
      ], rows: rows
    ).node
  }

  /// One answer of each kind, word for word, so that a reader sees the behaviour.
  private func saidTable() throws -> Node {
    guard let id = secretID, let gate: CellResult<GateCell.Finding> = try result("gate.\(id)")
    else { return .empty }
    let kinds: [(PromptCategory, String)] = [
      (.triggered, "trigger"), (.nearMiss, "near miss"), (.ordinary, "ordinary"),
      (.denial, "asked about it"),
    ]
    let rows = kinds.compactMap { category, name in
      gate.finding.responses.first { $0.source.category == category }.map { response in
        DataTable.Row([.text(name), .text(response.source.prompt), .text(response.text)])
      }
    }
    return DataTable(
      caption: Node {
        Tag.strong { "What the secret arm says." }
        " The first held-out prompt of each kind, answers cut off at "
        "\(manifest.study.maxResponseTokens) tokens."
        Node.citation([gate.id.hex])
      }, columns: [.init("Prompt"), .init("Asked"), .init("Answered")], rows: rows,
      stacksOnPhones: true
    ).node
  }
}

extension AuditManifest {
  /// How many detectors the study runs, and how many controls.
  var detectorCount: (detectors: Int, controls: Int) {
    let suite = AuditDetector.suite(study.detectors)
    let controls = suite.count(where: \.isControl)
    return (suite.count - controls, controls)
  }
}
