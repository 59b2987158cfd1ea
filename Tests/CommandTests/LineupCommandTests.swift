import Foundation
import TestSupport
import Testing

@Suite struct LineupCommandTests {
  private struct Made: Decodable {
    let lineup, envelope, commitment: String
    let specimens: [String]
  }

  private struct Receipt: Decodable {
    let `as`: String
    let receipt: String
  }

  private struct Opened: Decodable {
    struct Scores: Decodable {
      struct Answerer: Decodable {
        struct Rules: Decodable { let logScore: Number }
        let name: String
        let rules: Rules
      }

      let answerers: [Answerer]
    }

    let receipt: String
    let scores: Scores
  }

  /// A number, or the word for one that JSON lacks.
  private struct Number: Decodable, Equatable {
    let text: String

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      let number = try? container.decode(Double.self)
      text = try number.map { "\($0)" } ?? container.decode(String.self)
    }
  }

  private struct Verdict: Decodable {
    let commitment: String
    let answers: [[String: String]]
    let opening: String?
    let problems: [String]
  }

  /// A line-up of all of a made-up zoo.
  private func withLineup(
    _ organisms: [MadeUpZoo.Organism] = MadeUpZoo.organisms, _ body: (URL, Made) throws -> Void
  ) throws {
    try withTemporaryFolder { place in
      let zoo = place.appending(path: "zoo")
      try MadeUpZoo.write(organisms, to: zoo)
      let made: Made = try Command(
        "lineup", "new", "--zoo", zoo.path, "--output", place.appending(path: "lineup").path,
        "--json"
      ).decoded()
      try body(place, made)
    }
  }

  /// Gives each specimen the same probability.
  private func answer(_ made: Made, as name: String, _ probability: String) throws -> Command {
    try Command(
      ["lineup", "answer", made.lineup, "--as", name, "--json"]
        + made.specimens.flatMap { ["--accuse", "\($0)=\(probability)"] }, input: Data())
  }

  @Test func `a line-up is made, answered, opened and verified by anyone`() throws {
    try withLineup { place, made in
      #expect(made.envelope == made.lineup + "-envelope.json" && made.specimens.count == 6)
      let ada: Receipt = try answer(made, as: "Ada", "0.5").decoded()
      #expect(ada.as == "Ada")
      let lines = made.specimens.map { "\($0),1" }.joined(separator: "\n")
      let file = place.appending(path: "answers.csv")
      try Data(lines.utf8).write(to: file)
      let sure = try Command("lineup", "answer", made.lineup, "--as", "Bo", "--file", file.path)
      #expect(sure.status == 0 && sure.text.hasPrefix("receipt"), "\(sure.errors)")
      let grouped = made.commitment.enumerated().map { $0 % 8 == 0 ? " \($1)" : "\($1)" }.joined()
      let witness = ["--commitment", grouped.uppercased(), "--receipt", ada.receipt]
      let opened: Opened = try Command(
        ["lineup", "open", made.lineup, "--json"] + witness, input: Data()
      ).decoded()
      #expect(opened.scores.answerers.map(\.name) == ["Ada", "Bo"])
      #expect(opened.scores.answerers.map(\.rules.logScore.text) == ["-1.0", "-Infinity"])

      try FileManager.default.removeItem(atPath: made.envelope)
      let again = try Command("lineup", "open", made.lineup)
      #expect(again.status == 0 && again.text.contains("-infinity"), "\(again.errors)")
      #expect(again.text.contains("2 of 6 specimens hide something"))
      #expect(again.text.contains("4 of 4 (40 to 100 %)"), "\(again.text)")
      #expect(again.text.contains("decoy 1 of 1") && again.text.contains(opened.receipt))
      let verdict: Verdict = try Command(
        ["lineup", "verify", made.lineup, "--json", "--receipt", opened.receipt] + witness,
        input: Data()
      ).decoded()
      #expect(verdict.problems == [] && verdict.opening == opened.receipt)
      #expect(verdict.commitment == made.commitment)
      #expect(verdict.answers.map { $0["name"] } == ["Ada", "Bo"])
      #expect(verdict.answers.first?["receipt"] == ada.receipt)
      let ledger = try Command("ledger", "verify", made.lineup + "/record")
      #expect(ledger.status == 0, "\(ledger.errors)")
      try answer(made, as: "Cy", "0.5").expectFailure(65, "Cy after it")
    }
  }

  @Test func `a secret that failed its gate is told, and those that passed are scored apart`()
    throws
  {
    let organisms = MadeUpZoo.organisms.map { organism in
      MadeUpZoo.Organism(
        organism.recipe, organism.arm, organism.seed,
        gate: organism.id == "kestrel/secret-918273645" ? "failed" : "passed")
    }
    try withLineup(organisms) { _, made in
      _ = try answer(made, as: "Ada", "0.5")
      let text = try Command("lineup", "open", made.lineup).text
      #expect(text.contains("2 of 6 specimens hide something, 1 of them without a passed gate:"))
      #expect(text.contains("secret, kestrel, seed 918273645, gate failed"))
      #expect(text.contains("over the 5 that passed their gates (1 hiding something):"))
      #expect(text.contains("(always 2/6)") && text.contains("(always 1/5)"), "\(text)")
    }
    try withLineup { _, made in
      _ = try answer(made, as: "Ada", "0.5")
      let text = try Command("lineup", "open", made.lineup).text
      #expect(text.contains("no specimen passed its gate") && !text.contains("over the"))
    }
  }

  @Test func `what was exchanged or changed is told, with status 65`() throws {
    try withLineup { place, made in
      try Command("lineup", "open", made.lineup).expectFailure(65, "found none")
      let ada: Receipt = try answer(made, as: "Ada", "0.5").decoded()
      let zeros = String(repeating: "0", count: 64)
      try Command("lineup", "open", made.lineup, "--commitment", zeros)
        .expectFailure(65, made.commitment)
      try Command("lineup", "open", made.lineup, "--receipt", zeros).expectFailure(65, zeros)
      let sealed = String(
        decoding: try Data(contentsOf: URL(filePath: made.envelope)), as: UTF8.self)
      let other = place.appending(path: "other.json")
      try Data(sealed.replacing("\"secret\"", with: "\"decoy\"").utf8).write(to: other)
      try Command("lineup", "open", made.lineup, "--envelope", other.path)
        .expectFailure(65, "exchanged")
      try Command("lineup", "open", made.lineup, "--envelope", place.path + "/none")
        .expectFailure(66, "--envelope")
      let card = URL(filePath: made.lineup + "/specimens/s001/README.md")
      try Data("changed".utf8).write(to: card)
      let found = try Command("lineup", "verify", made.lineup, "--receipt", ada.receipt)
      #expect(found.status == 65 && found.text.contains("problem: "), "\(found.errors)")
      #expect(found.text.contains("specimens/s001/README.md") && found.text.contains("as given"))
    }
  }

  @Test func `bad input is one sentence and leaves nothing`() throws {
    try withLineup { place, made in
      let answer = ["lineup", "answer", made.lineup, "--as", "Ada"]
      let cases: [([String], Int32, String)] = [
        (answer, 64, "neither"), (answer + ["--accuse", "s001=0.5"], 65, "s002"),
        (answer + ["--accuse", "s001"], 65, "s001=0.9"),
        (answer + ["--file", place.path + "/none"], 66, "none"),
        (["lineup", "answer", place.path, "--as", "Ada", "--accuse", "s001=1"], 66, "lineup.json"),
        (["lineup", "verify", place.path], 66, "lineup.json"),
        (["lineup", "open", made.lineup, "--commitment", "12"], 64, "64 hexadecimal digits"),
        (["lineup", "new", "--zoo", place.path + "/zoo", "--output", made.lineup], 64, "--output"),
        (["lineup", "new", "--zoo", made.lineup, "--output", place.path + "/x"], 66, "zoo.json"),
      ]
      let names = { try FileManager.default.contentsOfDirectory(atPath: place.path).sorted() }
      let before = try names()
      for (arguments, status, part) in cases {
        try Command(arguments, input: Data()).expectFailure(status, part)
      }
      let new = ["lineup", "new", "--zoo", place.path + "/zoo", "--output", place.path + "/x"]
      try Command(new + ["--count", "7"], input: Data()).expectFailure(65, "found 6")
      try Command(new + ["--count", "0"], input: Data()).expectFailure(64, "--count")
      try Command(new + ["--envelope", place.path + "/x/e"], input: Data())
        .expectFailure(64, "outside")
      #expect(try names() == before)
      let verdict: Verdict = try Command("lineup", "verify", made.lineup, "--json").decoded()
      #expect(verdict.answers == [] && verdict.problems == [] && verdict.opening == nil)
    }
  }
}
