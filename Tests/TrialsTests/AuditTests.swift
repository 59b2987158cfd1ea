import Foundation
import Instruments
import Lab
import LanguageModels
import Organisms
import Statistics
import Studio
import Tensors
import TestSupport
import Testing
import Trials

/// Declares text and reads activations.
private let curious = DeclaredInstrument(name: "curious", access: [.text]) { view in
  let text = Response(id: "x", promptIDs: try view.promptTokens("Hello."), responseIDs: [])
  _ = try view.activations(of: [text], at: [.block(0, .residPost)], position: .lastPromptToken)
  return ModelScore(score: 1, quantity: "", n: 1, unit: "text")
}

/// The first line that a worker reads, as another process would write it.
private struct OtherSetup: Encodable {
  var baseName = "base"
  var basePath = "/no/such/model.gguf"
  var baseHash = ""
  var precision = Precision.float32
  var environment: Environment
}

@Suite struct WorkerBuildTests {
  @Test func `a worker of another build is refused before it loads anything`() async throws {
    var environment = Environment.current()
    let same: ModelCells.Setup = try JSONValue(encoding: OtherSetup(environment: environment))
      .decode()
    await #expect(throws: ModelFileError.self) { try await ModelCells(same) }
    environment.build += "-anew"
    let other: ModelCells.Setup = try JSONValue(encoding: OtherSetup(environment: environment))
      .decode()
    let error = await #expect(throws: AuditError.self) { try await ModelCells(other) }
    #expect(String(describing: error).contains("-anew"))
  }
}

@Suite(
  .enabled(if: defaultModelPath() != nil, "needs the default model: run `make bootstrap`"),
  .serialized)
struct AuditTests {
  @Test func `an audit runs whole, blind, and is read back to the same page`() async throws {
    try await withAuditFolder { runs in
      let study = try Study.read(yaml: tinyStudy, name: "tiny")
      let audit = try await Audit(
        study: study, runs: runs, workplace: .thisProcess, instruments: [curious])
      let first = try await audit.run()
      #expect(try Ledger.verify(first.run).isSound)
      let page = try AuditReport(run: first.run).html()
      try expectOrder(first.run)
      try expectBlind(first)
      try expectConclusion(first.run)
      try expectComparisons(first)
      try await expectReadableProbes(first)

      let before = try Ledger.entries(in: first.run).count { $0.type == .cellStarted }
      let again = try await audit.run()
      #expect(again.index == first.index)
      #expect(try AuditReport(run: again.run).html() == page)
      // The failed detector had its chance; nothing else is to be done either.
      #expect(try Ledger.entries(in: again.run).count { $0.type == .cellStarted } == before)
    }
  }

  /// What a probe of the audit scores, the same file read as a direction does too.
  @TensorActor
  private func expectReadableProbes(_ result: Audit.Result) throws {
    let cells = try FileManager.default.contentsOfDirectory(
      at: result.run.appending(path: "cells"), includingPropertiesForKeys: nil)
    let file = try #require(
      cells.map { $0.appending(path: "artifacts/logistic.json").path }
        .first { FileManager.default.fileExists(atPath: $0) })
    let model = try LanguageModel(path: #require(defaultModelPath()))
    let unit = try NeuronName.probe.unit(of: model, probe: file)
    let probe = try JSONDecoder().decode(
      LinearProbe.self, from: Data(contentsOf: URL(fileURLWithPath: file)))
    let x = (0..<model.configuration.dModel).map { Float($0 % 7) - 3 }
    let found = try unit.activations(Tensor(x, shape: [1, x.count])).floats()[0]
    #expect(unit.site == probe.site && abs(Double(found) - probe.linear(x)) < 1e-3)
  }

  /// Sealed, then scored, then opened.
  private func expectOrder(_ run: URL) throws {
    let entries = try Ledger.entries(in: run)
    let sealed = try #require(entries.first { $0.type == .sealed }).seq
    let opened = try #require(entries.first { $0.type == .unsealed }).seq
    let committed = entries.filter { $0.type == .scoresCommitted }.map(\.seq)
    #expect(committed.count == 12)
    #expect(committed.allSatisfy { sealed < $0 && $0 < opened })
    let planted = entries.filter { $0.payload["kind"]?.string == "plant" }.map(\.seq)
    #expect(planted.allSatisfy { $0 > sealed })
    let withdrawn = entries.filter { $0.type == .detectorWithdrawn }
    #expect(withdrawn.compactMap { $0.payload["detector"]?.string } == ["curious"])
    let reason = withdrawn.first?.payload["reason"]?.string ?? ""
    #expect(reason.contains("activations") && reason.contains("text"), "\(reason)")
  }

  /// Nothing that detectors receive says who is who.
  private func expectBlind(_ result: Audit.Result) throws {
    let run = try RunRecord(folder: result.run)
    let handOver = try #require(result.index["hand-over"])
    let artifacts = run.folder.cell(handOver).appending(path: "artifacts")
    try expectOrdersOfTheirOwn(run.folder.cell(handOver))
    for id in ["specimen-A", "specimen-B", "specimen-C"] {
      let file = try Data(contentsOf: artifacts.appending(path: "\(id).json"))
      let responses = try #require(
        JSONSerialization.jsonObject(with: file) as? [[String: Any]])
      #expect(responses.count == 20)
      for response in responses {
        #expect(Set(response.keys) == ["id", "promptIDs", "responseIDs"])
      }
      let plant = run.folder.cell(try #require(result.index["plant.\(id)"]))
      let found = try AdapterWeights.card(
        folder: plant.appending(path: "artifacts/adapter").path)
      let card = try #require(found)
      #expect(card.arm == nil && card.planted == nil && card.seed == nil)
    }
    for entry in result.index.entries where entry.role.hasPrefix("detect.") {
      let description = try #require(try run.description(of: entry.cell))
      let text = description.config.canonicalText
      for word in ["\"arm\"", "seed", "nearMiss", "template"] {
        #expect(!text.contains(word), "\(entry.role)")
      }
    }
  }

  /// What stands at place n of a labelled file says nothing of place n of a judged one.
  private func expectOrdersOfTheirOwn(_ handOver: URL) throws {
    let finding = try JSONSerialization.jsonObject(
      with: Data(contentsOf: handOver.appending(path: "finding.json")))
    let labels = try #require(
      (finding as? [String: Any])?["labels"] as? [String: [[String: Any]]])
    func categories(_ id: String) -> [String] {
      (labels[id] ?? []).compactMap { $0["category"] as? String }
    }
    #expect(categories("specimen-A").count == 20)
    #expect(categories("specimen-A").sorted() == categories("calibration-secret").sorted())
    #expect(categories("specimen-A") != categories("calibration-secret"))
  }

  /// Each secret organism and its twin are held against the arms of other seeds.
  private func expectComparisons(_ result: Audit.Result) throws {
    let run = try RunRecord(folder: result.run)
    let comparisons = result.index.entries.filter { $0.role.hasPrefix("compare.") }
    #expect(comparisons.count == 2)
    for cell in comparisons.map(\.cell) {
      let file = try Data(contentsOf: run.folder.cell(cell).appending(path: "finding.json"))
      let found = try JSONDecoder().decode(EquivalenceCell.Finding.self, from: file)
      let excess = try #require(found.excessKL)
      #expect(abs(excess.value - (found.klToSecret - found.klToOthers)) < 1e-9)
      // Three answers of three tokens; four answers of the organism and four of its twin, which
      // can be the same word for word, and then nothing is measured.
      #expect(excess.n == 9)
      let problem = found.problems["worded_like_twin"]
      #expect(found.excessWordsAUROC.map { $0.n == 8 } ?? (problem?.contains("differ") == true))
      #expect(found.klToSecret > 0 && found.klToOthers > 0)
    }
  }

  /// So little training plants nothing, which the gate finds and the report says.
  private func expectConclusion(_ run: URL) throws {
    let report = try AuditReport(run: run)
    #expect(report.conclusion.outcome == .invalid)
    #expect(report.conclusion.answer.contains("not an organism"))
    let secret = report.proof.finding.proofs.filter { $0.arm == .secret }
    #expect(secret.count == 2)
    #expect(secret.allSatisfy { $0.decision(on: .secretPresent) == .failed })
    let page = try report.html()
    #expect(page.contains("✗ failed") && page.contains("No answer"))
    #expect(page.contains("found it reaching for `activations`"))
  }
}
