import Foundation
import TestSupport
import Testing

// Each run loads the weights anew, so one run checks as much as it can.

@Suite(.enabled(if: hasModel, noModel), .serialized) struct ModelCommandTests {
  private struct Tokens: Decodable {
    let ids: [Int]
    let tokens: [String]
  }

  private struct Scores: Decodable {
    let ids: [Int]
    let logprobs: [Double?]
  }

  private struct Continuation: Decodable {
    let text: String
    let ids: [Int]
    let logprobs: [Double]
    let finishReason: String

    enum CodingKeys: String, CodingKey {
      case text, ids, logprobs
      case finishReason = "finish_reason"
    }
  }

  private struct Trace: Decodable {
    let output: String
    let ids: [Int]
    let sites: [String: [Int]]
  }

  @Test func `tokenize gives the reference's ids, and the text in pieces`() throws {
    for sequence in try Reference.load().sequences {
      let found: Tokens = try Command("tokenize", "--json", input: sequence.text).decoded()
      #expect(found.ids == sequence.ids, "\(sequence.name)")
      #expect(found.tokens.count == sequence.ids.count, "\(sequence.name)")
      if sequence.name != "scripts" { #expect(found.tokens.joined() == sequence.text) }
    }
    let lines = try Command("tokenize", input: "a\nb").text
    #expect(lines == "81\t\"a\"\n198\t\"\\n\"\n82\t\"b\"\n")
  }

  @Test func `tokenize of nothing is no tokens`() throws {
    let found: Tokens = try Command("tokenize", "--json").decoded()
    #expect(found.ids == [] && found.tokens == [])
    #expect(try Command("tokenize").text == "")
  }

  @Test func `malformed UTF-8 is repaired, and said to be`() throws {
    let broken = Data([0x61, 0xFF, 0x62, 0xE2, 0x82])
    let found = try Command(["tokenize", "--json"], input: broken)
    let repaired: Tokens = try Command("tokenize", "--json", input: "a\u{FFFD}b\u{FFFD}").decoded()
    #expect(found.status == 0)
    #expect(try JSONDecoder().decode(Tokens.self, from: found.output).ids == repaired.ids)
    #expect(found.errors.contains("not valid UTF-8"))
  }

  @Test func `logprobs agree with the reference`() throws {
    for sequence in try Reference.load().sequences {
      let found: Scores = try Command("logprobs", "--json", input: sequence.text).decoded()
      #expect(found.ids == sequence.ids)
      #expect(found.logprobs.count == sequence.ids.count)
      #expect(found.logprobs.first == .some(nil))
      guard sequence.ids.count > 1 else { continue }
      let file = Reference.folder.appending(path: "\(sequence.name).safetensors")
      // 1e-3 is the agreement that is promised for logits; rounding moves them by up to 7e-5.
      expectClose(
        found.logprobs.dropFirst().compactMap(\.self), try Arrays(file).floats("logprobs"),
        atol: 1e-3, sequence.name)
    }
  }

  @Test func `logprobs in bfloat16 stay near those in float32, and differ`() throws {
    let text = "The capital of France is Paris."
    let exact: Scores = try Command("logprobs", "--json", input: text).decoded()
    let rounded: Scores = try Command(
      "logprobs", "--json", "--precision", "bfloat16", input: text
    ).decoded()
    #expect(exact.logprobs != rounded.logprobs)
    // bf16 keeps 8 bits: products are off by up to 0.4 %, log-probabilities by some tenths.
    expectClose(
      rounded.logprobs.compactMap(\.self), exact.logprobs.compactMap(\.self), rtol: 0.1, atol: 0.3)
  }

  @Test func `generate continues greedily as the reference does`() throws {
    for greedy in try Reference.load().greedy {
      let found: Continuation = try Command(
        "generate", "--prompt", greedy.prompt, "--max-tokens", "64", "--json"
      ).decoded()
      // The reference goes on behind an end token, generation stops there and leaves it out.
      #expect(found.ids == Array(greedy.ids.prefix(greedy.firstEndToken ?? 64)))
      #expect(found.finishReason == (greedy.firstEndToken == nil ? "length" : "stop"))
      #expect(found.logprobs.count == found.ids.count)
      #expect(found.logprobs.allSatisfy { $0 <= 0 })
    }
  }

  @Test func `generate reads the prompt from standard input, and prints bare text`() throws {
    let prompt = "The capital of France is"
    let asked = try Command("generate", "--prompt", prompt, "--max-tokens", "3")
    #expect(asked.text == " Paris.\n\n")
    #expect(try Command("generate", "--max-tokens", "3", input: prompt).text == asked.text)
  }

  @Test func `a chat goes through the template`() throws {
    try withTemporaryFolder { folder in
      let file = folder.appending(path: "chat.json")
      try Data(#"[{"role": "user", "content": "What is the capital of France?"}]"#.utf8)
        .write(to: file)
      let found: Continuation = try Command(
        "generate", "--chat", file.path, "--max-tokens", "12", "--json"
      ).decoded()
      let written = try Command(
        "generate", "--max-tokens", "12", "--json",
        input: "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by "
          + "Hugging Face<|im_end|>\n<|im_start|>user\nWhat is the capital of France?<|im_end|>\n"
          + "<|im_start|>assistant\n")
      let expected: Continuation = try written.decoded()
      #expect(found.ids == expected.ids)
      #expect(found.text.contains("Paris"))
    }
  }

  @Test func `a seed repeats its text, and another gives another`() throws {
    func sample(_ seed: String) throws -> [Int] {
      let found: Continuation = try Command(
        "generate", "--prompt", "Once", "--temperature", "1", "--max-tokens", "12", "--seed", seed,
        "--json"
      ).decoded()
      return found.ids
    }
    let first = try sample("5")
    #expect(try sample("5") == first)
    #expect(try sample("6") != first)
  }

  @Test func `trace writes every site that was asked for, with its values`() throws {
    let code = try #require(try Reference.load().sequences.first { $0.name == "code" })
    let reference = try Arrays(Reference.folder.appending(path: "code.safetensors"))
    let sites = reference.names.filter {
      $0.hasPrefix("blocks.14.") || $0.hasSuffix("29.resid_post") || $0 == "final_norm"
    }
    try withTemporaryFolder { folder in
      let output = folder.appending(path: "trace.safetensors")
      let arguments = sites.flatMap { ["--site", $0] } + ["--output", output.path, "--json"]
      let trace: Trace = try Command(["trace"] + arguments, input: Data(code.text.utf8)).decoded()
      #expect(trace.ids == code.ids && trace.output == output.path)
      let found = try Arrays(output)
      #expect(found.names == sites && Set(trace.sites.keys) == sites)
      for site in sites {
        #expect(found.shape(site) == reference.shape(site), "\(site)")
        #expect(found.shape(site) == trace.sites[site], "\(site)")
        let expected = try reference.floats(site)
        let largest = Double(expected.map(abs).max() ?? 0)
        expectClose(try found.floats(site), expected, atol: 1e-4 * largest, site)
      }
      #expect(try names(in: folder) == ["trace.safetensors"])
    }
  }

  @Test func `trace gives logits for the whole vocabulary`() throws {
    try withTemporaryFolder { folder in
      let output = folder.appending(path: "t.safetensors")
      let done = try Command(
        "trace", "--site", "logits", "--site", "logits", "--output", output.path,
        input: "def add(a, b):")
      #expect(done.text == "logits\t7 × 49152\n" && done.status == 0)
      let reference = try Arrays(Reference.folder.appending(path: "code.safetensors"))
      expectClose(
        try Arrays(output).floats("logits").suffix(49152), try reference.floats("logits_last"),
        atol: 1e-3)
    }
  }

  @Test func `an unknown site is named, and nothing is written`() throws {
    try withTemporaryFolder { folder in
      let output = folder.appending(path: "t.safetensors")
      try Command(
        "trace", "--site", "embed", "--site", "blocks.30.resid_post", "--output", output.path,
        input: "x"
      ).expectFailure(64, "`blocks.30.resid_post`")
      #expect(try names(in: folder) == [])
    }
  }

  @Test func `an output that cannot be written is an error, and leaves nothing`() throws {
    try withTemporaryFolder { folder in
      let missing = folder.appending(path: "missing/t.safetensors")
      for output in [missing.path, folder.path, "/proc/t.safetensors"] {
        try Command("trace", "--site", "embed", "--output", output, input: "x")
          .expectFailure(73, output)
      }
      #expect(try names(in: folder) == [])
    }
  }

  private func names(in folder: URL) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path)
  }

  /// With libgomp's own 300,000 turns of spinning it is ten to twenty times as much.
  @Test func `two programs beside each other take little more than twice one's processor time`()
    throws
  {
    let alone = try Self.processorTime(programs: 1)
    let both = try Self.processorTime(programs: 2)
    #expect(both < 4 * alone, "\(both) s against \(alone) s")
  }

  /// User seconds of so many programs that generate at the same time.
  private static func processorTime(programs: Int) throws -> Double {
    // The programs of a pipe run at the same time, though they have nothing to say to each other.
    let program =
      "{ $PLUMBLINE generate --prompt Once --max-tokens 16 || echo bad >&2; } > /dev/null"
    let line = repeatElement(program, count: programs).joined(separator: " | ") + "; times"
    // The last line's first field is that of the children: 0m1.230000s.
    let done = try Command(shell: line)
    #expect(done.errors == "")
    let times = try #require(done.text.split(separator: "\n").last)
    let parts = try #require(times.split(separator: " ").first).dropLast().split(separator: "m")
    return try #require(Double(parts[0])) * 60 + #require(Double(parts[1]))
  }
}
