import Foundation
import TestSupport
import Testing

/// On tiny checkpoints, so that each run takes a moment: numbers are tested where they are computed.
@Suite(.serialized) struct NeuronCommandTests {
  private static let tests = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent()
  private static let model = tests.appending(path: "InstrumentsTests/Fixtures/model").path
  private static let encoder = tests.appending(
    path: "LanguageModelsTests/Fixtures/families/bert"
  ).path

  private static func text(_ name: String, shift: Int, in folder: URL) throws -> String {
    let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789")
    let lines = (0..<40).map { document in
      let words = (0..<80).map { String(letters[(document * 7 + $0 * ($0 + shift) + shift) % 36]) }
      return
        "{\"question\": \"\(words.prefix(40).joined(separator: " "))\", \"answer\": \"\(words.suffix(40).joined(separator: " "))\"}"
    }
    let file = folder.appending(path: name)
    try Data(lines.joined(separator: "\n").utf8).write(to: file)
    return file.path
  }

  private static func texts(in folder: URL) throws -> [String] {
    try (0..<3).flatMap { ["--text", try text("\($0).jsonl", shift: 3 * $0 + 1, in: folder)] }
  }

  @Test func `an autoencoder is trained, judged, and its feature looked at`() throws {
    try withTemporaryFolder { folder in
      let texts = try Self.texts(in: folder)
      let (runs, output) = (folder.appending(path: "runs").path, folder.appending(path: "sae").path)
      let common = ["--model", Self.model, "--runs", runs]
      let trained = try Command(
        [
          "sae", "train", "--site", "blocks.0.resid_post", "--features", "64", "--l0", "4",
          "--held-out", "64",
        ]
          + ["--sequence-length", "32", "--output", output] + texts.prefix(2) + common,
        input: Data())
      #expect(trained.status == 0, "\(trained.errors)")
      #expect(trained.text.contains("blocks.0.resid_post") && trained.text.contains("explained"))
      // A folder that is not there yet is made.
      let page = folder.appending(path: "pages/page.html").path
      let judged = try Command(
        [
          "sae", "eval", "--sae", output, "--sequence-length", "32", "--tokens", "512", "--html",
          page,
        ]
          + texts.suffix(2) + common, input: Data())
      #expect(judged.status == 0, "\(judged.errors)")
      #expect(judged.text.contains("recovered"))
      let html = try String(contentsOfFile: page, encoding: .utf8)
      #expect(html.contains("Kept and lost") && html.contains("how often features are seen"))
      let shown = try Command(
        ["neurons", "show", "--sae", output, "--feature", "3", "--neuron", "blocks.1.mlp.post.2"]
          + ["--tokens", "1024", "--excerpt-length", "32", "--excerpts", "5", "--html", page]
          + texts
          + common,
        input: Data())
      #expect(shown.status == 0, "\(shown.errors)")
      #expect(shown.text.contains("feature 3") && shown.text.contains("illusion check"))
      let neurons = try String(contentsOfFile: page, encoding: .utf8)
      #expect(neurons.contains("Rules from one corpus on others") && neurons.contains("<svg"))
      let run = try #require(shown.text.split(separator: "\n").last?.dropFirst("run: ".count))
      let copy = folder.appending(path: "again.html").path
      let report = try Command("report", String(run), "--output", copy, "--model", "model")
      #expect(report.status == 0, "\(report.errors)")
      #expect(try String(contentsOfFile: copy, encoding: .utf8) == neurons)
    }
  }

  /// It would have been read as a correction of what it does not tell.
  @Test func `a lens that looks back corrects no tokens`() throws {
    try withTemporaryFolder { folder in
      let texts = try Self.texts(in: folder)
      let (runs, lens) = (folder.appending(path: "runs").path, folder.appending(path: "lens").path)
      let trained = try Command(
        ["lens", "train", "--kind", "retrodiction", "--model", Self.model, "--output", lens]
          + ["--sequence-length", "32", "--tokens", "512", "--tokens-per-step", "256"]
          + ["--held-out", "64", "--runs", runs] + texts.prefix(2), input: Data())
      #expect(trained.status == 0, "\(trained.errors)")
      let refused = try Command(
        [
          "neurons", "show", "--model", Self.model, "--neuron", "blocks.0.mlp.post.1", "--lens",
          lens,
        ]
          + ["--runs", runs] + texts, input: Data())
      #expect(refused.status == 65, "\(refused.errors)")
      #expect(refused.errors.contains("Expected a tuned lens"), "\(refused.errors)")
    }
  }

  @Test func `an encoder's neurons are looked at too`() throws {
    try withTemporaryFolder { folder in
      let shown = try Command(
        ["neurons", "show", "--model", Self.encoder, "--neuron", "blocks.0.mlp.post.2", "--json"]
          + ["--tokens", "1024", "--excerpt-length", "16"] + Self.texts(in: folder)
          + ["--runs", folder.appending(path: "runs").path], input: Data())
      #expect(shown.status == 0, "\(shown.errors)")
      #expect(shown.text.contains("\"illusion\""))
    }
  }

  /// An endpoint that answers everything with the same: it explains, and neither its numbers nor its yes and
  /// no can be read.
  @Test func `an endpoint explains, and what it does not say is counted`() throws {
    struct Answer: Decodable {
      struct Finding: Decodable { let units: [Unit] }
      struct Unit: Decodable { let explanations: [Explanation] }
      struct Explanation: Decodable {
        let by: String
        let text: String
        let scores: [Score]
      }
      struct Score: Decodable { let unread: Int }
      let finding: Finding
    }
    let server = try LoopbackServer()
    try withTemporaryFolder { folder in
      let name = server.address("fine/neurons")
      let said = try Command(
        ["neurons", "explain", "--model", Self.model, "--neuron", "blocks.0.mlp.post.2", "--json"]
          + ["--explainer", name, "--tokens", "1024", "--excerpt-length", "16", "--excerpts", "2"]
          + Self.texts(in: folder) + ["--runs", folder.appending(path: "runs").path], input: Data())
      #expect(said.status == 0, "\(said.errors)")
      let unit = try #require(
        try JSONDecoder().decode(Answer.self, from: said.output).finding.units.first)
      #expect(unit.explanations.map(\.by) == ["rules", name])
      let explanation = try #require(unit.explanations.last)
      #expect(!explanation.text.isEmpty)
      #expect(explanation.scores.map(\.unread) == [4, 4, 4])
    }
  }

  @Test func `what there is not is refused in one sentence, and nothing is written`() throws {
    try withTemporaryFolder { folder in
      let texts = try Self.texts(in: folder)
      let runs = folder.appending(path: "runs").path
      let common = ["--model", Self.model, "--runs", runs]
      let cases: [([String], Int32)] = [
        (["neurons", "show", "--neuron", "blocks.0.mlp.post.9999"] + texts, 64),
        (["neurons", "show", "--neuron", "blocks.99.mlp.post.0"] + texts, 64),
        (["neurons", "show", "--neuron", "nonsense"] + texts, 64),
        (["neurons", "show"] + texts, 64),
        (["neurons", "show", "--feature", "3"] + texts, 64),
        (["neurons", "show", "--sae", folder.path, "--feature", "3"] + texts, 65),
        (
          ["neurons", "show", "--neuron", "blocks.0.mlp.post.1", "--tokens", "9999999"] + texts, 65
        ),
        (
          ["neurons", "explain", "--neuron", "blocks.0.mlp.post.1", "--explainer", Self.encoder]
            + texts, 65
        ),
        (
          ["sae", "train", "--site", "blocks.0.attn.pattern", "--output", folder.path + "/x"]
            + texts, 64
        ),
        (
          ["sae", "train", "--site", "blocks.7.mlp.out", "--output", folder.path + "/x"] + texts, 64
        ),
        (["sae", "eval", "--sae", folder.path + "/none"] + texts, 65),
        (
          ["neurons", "show", "--neuron", "blocks.0.mlp.post.1", "--html", folder.path] + texts, 64
        ),
      ]
      for (arguments, status) in cases {
        let refused = try Command(arguments + common, input: Data())
        #expect(refused.status == status, "\(arguments): \(refused.status) \(refused.errors)")
        #expect(refused.errors.contains("xpected"), "\(arguments): \(refused.errors)")
        #expect(!FileManager.default.fileExists(atPath: runs), "\(arguments)")
      }
    }
  }
}
