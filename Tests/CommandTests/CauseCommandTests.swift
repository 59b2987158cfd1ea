import Foundation
import TestSupport
import Testing

/// On a tiny checkpoint, so that each run takes a moment: numbers are tested where they are computed.
@Suite(.serialized) struct CauseCommandTests {
  private static let tests = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent()
  private static let model = tests.appending(path: "InstrumentsTests/Fixtures/model").path
  private static let encoder = tests.appending(
    path: "LanguageModelsTests/Fixtures/families/bert"
  ).path

  private static func write(_ text: String, _ name: String, in folder: URL) throws -> String {
    let file = folder.appending(path: name)
    try Data(text.utf8).write(to: file)
    return file.path
  }

  private static func prompts(in folder: URL) throws -> String {
    let pairs = [("cab", "dab", "e", "f"), ("fed", "bed", "a", "b"), ("had", "gad", "c", "d")]
    let lines = pairs.map {
      "{\"clean\": \"\($0)\", \"corrupt\": \"\($1)\", \"answer\": \"\($2)\", \"distractor\": \"\($3)\"}"
    }
    return try write(lines.joined(separator: "\n"), "prompts.jsonl", in: folder)
  }

  private static func text(_ name: String, shift: Int, in folder: URL) throws -> String {
    let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789")
    let lines = (0..<60).map { document in
      let words = (0..<40).map { String(letters[(document * 7 + $0 * ($0 + shift) + shift) % 36]) }
      return "{\"text\": \"\(words.joined())\"}"
    }
    return try write(lines.joined(separator: "\n"), name, in: folder)
  }

  private struct Answer<Finding: Decodable>: Decodable {
    let run: String
    let finding: Finding
  }

  private static func decode<Finding: Decodable>(_ command: Command) throws -> Answer<Finding> {
    try #require(command.status == 0, "\(command.errors)")
    return try JSONDecoder().decode(Answer<Finding>.self, from: command.output)
  }

  private struct Patched: Decodable {
    struct Place: Decodable {
      let component: String
      let block: Int
      let position: Int?
    }
    struct Effect: Decodable { let place: Place }
    let effects: [Effect]
    let prompts: Int
  }

  @Test func `places are exchanged and drawn`() throws {
    try withTemporaryFolder { folder in
      let prompts = try Self.prompts(in: folder)
      let page = folder.appending(path: "page.html").path
      let common = [
        "--model", Self.model, "--prompts", prompts, "--runs", folder.appending(path: "runs").path,
      ]
      let text = try Command(
        ["patch", "--component", "head", "--component", "mlp", "--html", page] + common,
        input: Data())
      #expect(text.status == 0, "\(text.errors)")
      #expect(text.text.contains("places stand out") && text.text.contains("L1H"))
      let html = try String(contentsOfFile: page, encoding: .utf8)
      #expect(html.contains("role=\"grid\"") && html.contains("random change"))
      let run = try #require(text.text.split(separator: "\n").last?.dropFirst("run: ".count))
      let copy = folder.appending(path: "again.html").path
      let report = try Command("report", String(run), "--output", copy, "--model", "model")
      #expect(report.status == 0, "\(report.errors)")
      #expect(try String(contentsOfFile: copy, encoding: .utf8) == html)
      let json: Answer<Patched> = try Self.decode(
        Command(
          ["patch", "--component", "resid", "--by-position", "--source", "corrupt", "--json"]
            + common,
          input: Data()))
      #expect(json.finding.prompts == 3)
      #expect(Set(json.finding.effects.map(\.place.component)) == ["resid"])
      #expect(Set(json.finding.effects.map(\.place.position)) == [0, 1, 2])
      let path = try Command(
        ["patch", "--component", "attn", "--receiver", "logits"] + common, input: Data())
      #expect(path.status == 0, "\(path.errors)")
    }
  }

  private struct Attributed: Decodable {
    struct Direct: Decodable { let largestError: Double }
    struct Gradient: Decodable {
      struct Agreement: Decodable { let component: String }
      let method: String
      let agreements: [Agreement]
    }
    let direct: Direct?
    let gradients: [Gradient]
  }

  @Test func `an answer is taken apart`() throws {
    try withTemporaryFolder { folder in
      let common = [
        "attribute", "--model", Self.model, "--prompts", try Self.prompts(in: folder), "--runs",
        folder.appending(path: "runs").path,
      ]
      let page = folder.appending(path: "page.html").path
      let all: Answer<Attributed> = try Self.decode(
        Command(common + ["--compare", "--json", "--html", page], input: Data()))
      #expect(try #require(all.finding.direct).largestError < 1e-4)
      #expect(all.finding.gradients.map(\.method) == ["gradient", "integrated"])
      #expect(all.finding.gradients.allSatisfy { $0.agreements.count == 4 })
      #expect(try String(contentsOfFile: page, encoding: .utf8).contains("Integrated gradients"))
      let one = try Command(common + ["--method", "direct"], input: Data())
      #expect(
        one.status == 0 && one.text.contains("miss a logit by at most 0.0000"), "\(one.text)")
    }
  }

  private struct Weighed: Decodable {
    struct Reading: Decodable {
      let kind: String
      let verdict: String
    }
    let readings: [Reading]
    let neurons: Int
  }

  @Test func `weights are read, and readings judged`() throws {
    try withTemporaryFolder { folder in
      let (fit, text) = (
        try Self.text("fit.jsonl", shift: 0, in: folder),
        try Self.text("text.jsonl", shift: 5, in: folder)
      )
      let runs = ["--runs", folder.appending(path: "runs").path]
      let lens = folder.appending(path: "lens").path
      let trained = try Command(
        [
          "lens", "train", "--mid", "--model", Self.model, "--text", fit, "--tokens", "500",
          "--held-out", "64", "--tokens-per-step", "64", "--sequence-length", "32", "--output",
          lens,
        ] + runs, input: Data())
      try #require(trained.status == 0, "\(trained.errors)")
      let raw = try Command(
        ["weights", "read", "--model", Self.model, "--neuron", "0.3"] + runs, input: Data())
      #expect(raw.status == 0 && raw.text.contains("promotes (raw)"), "\(raw.errors)")
      #expect(!raw.text.contains("tuned"))
      let both = try Command(
        [
          "weights", "read", "--model", Self.model, "--neuron", "0.3", "--neuron", "1.2", "--lens",
          lens, "--fit-text", fit, "--tokens", "1000",
        ] + runs, input: Data())
      #expect(both.status == 0, "\(both.errors)")
      for part in ["promotes (tuned)", "excited by (ridge)", "excites (tuned)", "neuron 1.2"] {
        #expect(both.text.contains(part), "\(part)")
      }
      let page = folder.appending(path: "drift.html").path
      let judged: Answer<Weighed> = try Self.decode(
        Command(
          [
            "weights", "validate", "--model", Self.model, "--lens", lens, "--fit-text", fit,
            "--text",
            text, "--neurons", "6", "--windows", "4", "--sequence-length", "24", "--fit-tokens",
            "1000", "--jacobian-samples", "256", "--input-tokens", "1500", "--minimum-count", "10",
            "--html", page, "--json",
          ] + runs, input: Data()))
      #expect(
        judged.finding.readings.map(\.kind) == ["output", "output", "virtual", "virtual", "input"])
      #expect(judged.finding.neurons == 6)
      let html = try String(contentsOfFile: page, encoding: .utf8)
      #expect(html.contains("correcting for drift") && html.contains("<svg"))
    }
  }

  @Test func `what cannot be done is one sentence, and nothing is written`() throws {
    try withTemporaryFolder { folder in
      let prompts = try Self.prompts(in: folder)
      let runs = folder.appending(path: "runs").path
      func refuse(_ status: Int32, _ part: String, _ arguments: String...) throws {
        try Command(arguments + ["--runs", runs], input: Data()).expectFailure(status, part)
        #expect(!FileManager.default.fileExists(atPath: runs))
      }
      let model = ["--model", Self.model]
      try refuse(66, "no/such.jsonl", "patch", model[0], model[1], "--prompts", "no/such.jsonl")
      try refuse(
        64, "Expected a receiver", "patch", model[0], model[1], "--prompts", prompts, "--receiver",
        "blocks.0.attn.z.0")
      try refuse(
        64, "every path at once", "patch", model[0], model[1], "--prompts", prompts, "--component",
        "resid", "--receiver", "logits")
      try refuse(
        64, "something before it", "patch", model[0], model[1], "--prompts", prompts, "--receiver",
        "blocks.0.attn.q.0")
      try refuse(
        64, "once", "patch", model[0], model[1], "--prompts", prompts, "--receiver", "blocks.1.mlp",
        "--receiver", "blocks.1.mlp")
      let bad = try Self.write("{\"clean\": 3}\n", "bad.jsonl", in: folder)
      try refuse(65, "line 1", "attribute", model[0], model[1], "--prompts", bad)
      for name in ["9.0", "0.99999", "0", "a.b", "-1.2", "0.1.2"] {
        try refuse(
          64, "Expected a neuron", "weights", "read", model[0], model[1], "--neuron=\(name)")
      }
      try refuse(
        65, "norms stand before", "weights", "read", "--model", Self.encoder, "--neuron", "0.1")
      let text = try Self.text("text.jsonl", shift: 1, in: folder)
      try refuse(
        64, "--lens or --backward", "weights", "read", model[0], model[1], "--neuron", "0.1",
        "--fit-text", text)
      try refuse(
        66, "nowhere.txt", "weights", "validate", model[0], model[1], "--lens", folder.path,
        "--text",
        text, "--fit-text", "nowhere.txt")
    }
  }
}
