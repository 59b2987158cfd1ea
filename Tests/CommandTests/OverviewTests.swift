import Foundation
import Testing

@Suite struct OverviewTests {
  @Test func `every command has help with an example`() throws {
    let commands = [
      [], ["models"], ["tokenize"], ["generate"], ["logprobs"], ["trace"], ["plant"], ["audit"],
      ["runs"], ["runs", "list"], ["runs", "show"], ["runs", "leaderboard"], ["ledger"],
      ["ledger", "verify"], ["ledger", "show"], ["organisms"], ["organisms", "list"],
      ["organisms", "show"], ["organisms", "plant"], ["organisms", "verify"],
      ["lineup"], ["lineup", "new"], ["lineup", "answer"], ["lineup", "open"],
      ["lineup", "verify"], ["trial"], ["evade"],
    ]
    for command in commands {
      let help = try Command(command + ["--help"], input: Data())
      #expect(help.status == 0 && help.errors == "", "\(command)")
      let example = try #require(help.text.range(of: "EXAMPLE"), "\(command)")
      let name = (["plumbline"] + command).joined(separator: " ")
      #expect(help.text[example.upperBound...].contains(name), "\(command)")
    }
  }

  @Test func `help lists the exit statuses`() throws {
    let help = try Command("--help").text
    for status in [0, 64, 65, 66, 70, 73, 74] { #expect(help.contains("  \(status)  ")) }
  }

  @Test func `the version is one line`() throws {
    let version = try Command("--version")
    #expect(version.status == 0)
    #expect(version.text.wholeMatch(of: /\d+\.\d+\.\d+\n/) != nil, "\(version.text)")
  }

  private struct Models: Decodable {
    struct Model: Decodable {
      let name: String
      let path: String?
      let `default`: Bool
    }

    let models: [Model]
  }

  @Test func `models lists the default, and where it lies`() throws {
    let found: Models = try Command("models", "--json").decoded()
    let first = try #require(found.models.first { $0.default })
    #expect(first.name == "smollm2-135m-instruct")
    #expect((first.path != nil) == hasModel)
    if let path = first.path { #expect(FileManager.default.fileExists(atPath: path)) }
    #expect(try Command("models").text.contains(first.name))
  }
}
