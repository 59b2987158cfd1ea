import Foundation
import TestSupport
import Testing

/// On the tiny checkpoints of other tests, so that each run takes a moment.
@Suite(.serialized) struct LensCommandTests {
  private static let tests = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent()
  private static let model = tests.appending(path: "InstrumentsTests/Fixtures/model").path
  private static let theirs = tests.appending(path: "InstrumentsTests/Fixtures/theirs").path
  private static let other = tests.appending(path: "LanguageModelsTests/Fixtures/families/llama")
    .path

  private struct Trained: Decodable {
    struct Finding: Decodable {
      let sites: [String]
      let heldOut: [[Double]]
    }
    let output: String
    let run: String
    let finding: Finding
  }

  private struct Evaluated: Decodable {
    struct Estimate: Decodable {
      struct Interval: Decodable { let lower, upper: Double }
      let value: Double
      let interval: Interval
    }
    struct Site: Decodable {
      let site: String
      let divergence: Estimate?
    }
    struct Lens: Decodable {
      let kind: String
      let sites: [Site]
    }
    struct Finding: Decodable { let lenses: [Lens] }
    let finding: Finding
  }

  /// Progress stands beside the results.
  private static func decode<Answer: Decodable>(_ command: Command) throws -> Answer {
    try #require(command.status == 0, "\(command.errors)")
    return try JSONDecoder().decode(Answer.self, from: command.output)
  }

  /// Documents of the tiny tokenizer's words.
  private static func text(in folder: URL) throws -> String {
    let words = ["the cat sat on the mat", "3 rats ran at it", "17 can sing", "and then the men"]
    let lines = (0..<14).map { document in
      let sentence = (0..<10).map { words[(document + $0 * $0) % 4] }.joined(separator: ". ")
      return "{\"text\": \"\(sentence)\"}"
    }
    let file = folder.appending(path: "text.jsonl")
    try Data(lines.joined(separator: "\n").utf8).write(to: file)
    return file.path
  }

  @Test func `a lens is trained, read back, judged and drawn`() throws {
    try withTemporaryFolder { folder in
      let (text, runs) = (try Self.text(in: folder), folder.appending(path: "runs").path)
      let common = [
        "--model", Self.model, "--text", text, "--runs", runs, "--sequence-length", "32",
      ]
      func train(_ output: String, _ more: String...) throws -> Command {
        try Command(
          ["lens", "train"] + common + more + [
            "--output", folder.appending(path: output).path, "--tokens", "500", "--held-out", "64",
            "--tokens-per-step", "64", "--json",
          ], input: Data())
      }
      let first: Trained = try Self.decode(train("lens"))
      #expect(first.finding.sites == ["blocks.0.resid_pre", "blocks.1.resid_pre"])
      // The same question is the same run, whatever the format: nothing is trained again.
      let again = try train("exported", "--format", "tuned-lens")
      let second: Trained = try Self.decode(again)
      #expect(second.run == first.run && again.errors.contains("read back"))
      for name in ["exported/config.json", "exported/params.pt", "lens/lens.safetensors"] {
        #expect(FileManager.default.fileExists(atPath: folder.appending(path: name).path))
      }
      let lenses = ["lens", "exported"].flatMap { ["--lens", folder.appending(path: $0).path] }
      let judged: Evaluated = try Self.decode(
        Command(
          ["lens", "eval"] + common + lenses + ["--tokens", "300", "--json"], input: Data()))
      #expect(judged.finding.lenses.map(\.kind) == ["logit", "tuned", "tuned"])
      let (logit, tuned) = (judged.finding.lenses[0], judged.finding.lenses[1])
      for (before, after) in zip(logit.sites, tuned.sites) {
        let (a, b) = (try #require(before.divergence), try #require(after.divergence))
        #expect(b.value < a.value && a.interval.lower < a.value && a.value < a.interval.upper)
      }
      #expect(
        tuned.sites.map(\.divergence?.value)
          == judged.finding.lenses[2].sites.map(\.divergence?.value))
      let page = folder.appending(path: "page.html")
      let shown = try Command(
        ["lens", "show", "--model", Self.model, "--runs", runs, "--html", page.path]
          + lenses.prefix(2),
        input: Data("the cat sat".utf8))
      #expect(shown.status == 0 && shown.text.contains("depth"))
      #expect(try String(contentsOf: page, encoding: .utf8).contains("role=\"grid\""))
      let copy = folder.appending(path: "again.html")
      let run = try #require(shown.text.split(separator: "\n").last?.dropFirst("run: ".count))
      let report = try Command("report", String(run), "--output", copy.path, "--model", "model")
      #expect(report.status == 0, "\(report.errors)")
      #expect(try Data(contentsOf: copy) == Data(contentsOf: page))
      let basis = try Command(
        ["lens", "basis", "--site", "blocks.1.resid_pre", "--vectors", "2", "--tokens", "200"]
          + common + lenses.prefix(2), input: Data())
      #expect(basis.status == 0 && basis.text.contains("rank correlation"), "\(basis.errors)")
    }
  }

  @Test func `what cannot be done is one sentence, and nothing is written`() throws {
    try withTemporaryFolder { folder in
      let (text, runs) = (try Self.text(in: folder), folder.appending(path: "runs").path)
      let output = folder.appending(path: "lens").path
      func refuse(
        _ status: Int32, _ part: String, _ arguments: String..., model: String = Self.model
      ) throws {
        try Command(
          ["lens"] + arguments + ["--model", model, "--runs", runs], input: Data("the cat".utf8)
        )
        .expectFailure(status, part)
        #expect(
          !FileManager.default.fileExists(atPath: output)
            && !FileManager.default.fileExists(atPath: runs))
      }
      let train = ["train", "--output", output, "--text"]
      func refuseTraining(_ status: Int32, _ part: String, _ more: String...) throws {
        try Command(
          ["lens"] + train + more + ["--model", Self.model, "--runs", runs], input: Data()
        ).expectFailure(status, part)
        #expect(
          !FileManager.default.fileExists(atPath: output)
            && !FileManager.default.fileExists(atPath: runs))
      }
      try refuseTraining(65, "at least 900000 tokens", text, "--tokens", "900000")
      try refuseTraining(66, "nowhere.txt", folder.appending(path: "nowhere.txt").path)
      try refuseTraining(64, "--sequence-length", text, "--sequence-length", "4000")
      try refuseTraining(64, "--format", text, "--mid", "--format", "tuned-lens")
      try refuseTraining(64, "tuned", text, "--kind", "logit")
      try refuse(65, "for this model", "show", "--lens", Self.theirs, model: Self.other)
      try refuse(65, "no such file", "show", "--lens", folder.appending(path: "none").path)
      try refuse(65, "none of these", "show", "--lens", folder.path)
      try refuse(64, "--against-base", "show", "--against-base")
      try refuse(64, "blocks.9.resid_pre", "basis", "--site", "blocks.9.resid_pre", "--text", text)
      try refuse(64, "residual stream", "basis", "--site", "blocks.1.mlp.out", "--text", text)
      try refuse(
        65, "for this model", "eval", "--lens", Self.theirs, "--text", text, model: Self.other)
    }
  }
}
