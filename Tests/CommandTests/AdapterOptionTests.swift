import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: hasModel, noModel), .serialized) struct AdapterOptionTests {
  /// An adapter and the logits of transformers with it; Scripts/reference/README.md describes both.
  private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "TrainingTests/Fixtures")
  private static let adapter = fixtures.appending(path: "peft-adapter").path
  private static let text = "The lighthouse keeper wrote in his diary:"

  private struct Scores: Decodable {
    let logprobs: [Double?]
  }

  @Test func `trace gives PEFT's logits with PEFT's adapter`() throws {
    let expected = try Arrays(Self.fixtures.appending(path: "peft-adapter-logits.safetensors"))
      .floats("logits_last")
    try withTemporaryFolder { folder in
      let output = folder.appending(path: "t.safetensors")
      let done = try Command(
        "trace", "--adapter", Self.adapter, "--site", "logits", "--output", output.path,
        input: Self.text)
      #expect(done.status == 0, "\(done.errors)")
      expectClose(
        try Arrays(output).floats("logits").suffix(49152), expected, atol: 1e-3)
    }
  }

  @Test func `tokenize takes an adapter, and refuses what is none`() throws {
    let plain = try Command("tokenize", input: Self.text).text
    #expect(try Command("tokenize", "--adapter", Self.adapter, input: Self.text).text == plain)
    try Command("tokenize", "--adapter", "/no/such", input: Self.text).expectFailure(66, "/no/such")
  }

  @Test func `logprobs and generate use the adapter`() throws {
    let plain: Scores = try Command("logprobs", "--json", input: Self.text).decoded()
    let adapted: Scores = try Command(
      "logprobs", "--json", "--adapter", Self.adapter, input: Self.text
    ).decoded()
    #expect(plain.logprobs != adapted.logprobs)
    let arguments = ["generate", "--prompt", Self.text, "--max-tokens", "4", "--json"]
    let base: Scores = try Command(arguments, input: Data()).decoded()
    let changed: Scores = try Command(arguments + ["--adapter", Self.adapter], input: Data())
      .decoded()
    #expect(base.logprobs != changed.logprobs)
  }

  @Test func `a folder without an adapter is refused`() throws {
    try withTemporaryFolder { folder in
      try Command("logprobs", "--adapter", folder.path, input: "x")
        .expectFailure(66, folder.path)
      try Command("logprobs", "--adapter", "/nowhere", input: "x").expectFailure(66, "/nowhere")
    }
  }
}
