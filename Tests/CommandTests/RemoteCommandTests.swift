import Foundation
import TestSupport
import Testing

@Suite(.serialized, .timeLimit(.minutes(5))) struct RemoteCommandTests {
  private struct Continuation: Decodable {
    let text: String
    let tokens: [String]?
    let logprobs: [Double]?
    let attempts: Int
  }

  private struct Scores: Decodable {
    let tokens: [String]
    let logprobs: [Double?]
  }

  @Test func `generate asks a remote model`() throws {
    let server = try LoopbackServer()
    let arguments = ["generate", "--prompt", "p", "--model"]
    #expect(try Command(arguments + [server.address("fine/1")], input: Data()).text == "count=1\n")
    let found: Continuation = try Command(
      arguments + [server.address("both/1"), "--json", "--top-logprobs", "1"], input: Data()
    ).decoded()
    #expect(
      found.text == " b c" && found.tokens == [" b", " c"] && found.logprobs == [-0.25, -1.5])
    try withTemporaryFolder { folder in
      let file = folder.appending(path: "chat.json")
      try Data(#"[{"role": "user", "content": "a"}]"#.utf8).write(to: file)
      let asked = try Command(
        "generate", "--model", server.address("request/1"), "--chat", file.path, "--temperature",
        "0.5", "--seed", "3", "--max-tokens", "9")
      #expect(
        asked.text == #"{"max_tokens":9,"messages":[{"content":"a","role":"user"}],"#
          + #""model":"request/1","seed":3,"temperature":0.5}"# + "\n")
    }
  }

  @Test func `logprobs asks a remote model`() throws {
    let server = try LoopbackServer()
    let model = server.address("echo/1")
    let found: Scores = try Command("logprobs", "--json", "--model", model, input: "a b c")
      .decoded()
    #expect(found.tokens == ["a", " b", " c"] && found.logprobs == [nil, -0.5, -1])
    let lines = try Command("logprobs", "--model", model, input: "a b").text
    #expect(lines == "-\t-\t\"a\"\n-\t-0.5\t\" b\"\n")
    try Command("logprobs", "--model", server.address("plain/1"), input: "a b")
      .expectFailure(69, "`echo` with `logprobs`")
    try Command("logprobs", "--model", model).expectFailure(65, "found none")
  }

  @Test func `answers are kept in the folder that is named`() throws {
    let server = try LoopbackServer()
    try withTemporaryFolder { folder in
      let arguments = [
        "generate", "--json", "--prompt", "p", "--model", server.address("fine/1"), "--cache",
        folder.appending(path: "answers").path,
      ]
      for attempts in [1, 0, 0] {
        let found: Continuation = try Command(arguments, input: Data()).decoded()
        #expect(found.text == "count=1" && found.attempts == attempts)
      }
    }
  }

  @Test func `the key comes from the environment and goes nowhere else`() throws {
    let server = try LoopbackServer()
    for variable in ["PLUMBLINE_API_KEY", "OPENAI_API_KEY"] {
      let found = try Command(
        shell: "\(variable)=hunter2222 $PLUMBLINE generate --prompt p --model "
          + server.address("leak/401"))
      found.expectFailure(69, "provided: [key]`")
      #expect(!found.errors.contains("hunter2222"))
    }
  }

  @Test func `what a remote model cannot do is refused in one sentence`() throws {
    let model = "openai:m@https://localhost:1/v1"
    try withTemporaryFolder { folder in
      let output = folder.appending(path: "new").path
      let commands = [
        ["trace", "--site", "embed", "--output", output, "--model", model],
        ["tokenize", "--model", model],
        ["plant", "--recipe", "M1", "--arm", "secret", "--output", output, "--runs", output]
          + ["--model", model],
        ["audit", "--base", model, "--runs", output],
      ]
      for command in commands {
        try Command(command, input: Data("x".utf8))
          .expectFailure(64, "access to a model's weights, activations and tokens")
      }
      #expect(!FileManager.default.fileExists(atPath: output))
    }
    try Command("logprobs", "--adapter", "a", "--model", model, input: "x")
      .expectFailure(64, "--adapter")
    try Command("logprobs", "--model", "openai:m@http://example.org", input: "x")
      .expectFailure(64, "https")
    try Command("logprobs", "--model", "openai:m", input: "x").expectFailure(64, "openai:NAME@URL")
    try Command("logprobs", "--cache", "a", input: "x").expectFailure(64, "--cache")
    try Command("generate", "--prompt", "p", "--top-logprobs", "2")
      .expectFailure(64, "--top-logprobs")
  }
}
