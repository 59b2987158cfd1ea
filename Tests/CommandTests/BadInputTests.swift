import Foundation
import Testing

// Every one of these must fail before weights are loaded, so none needs the default model's.

@Suite struct BadInputTests {
  @Test func `an unknown model is named, with the known ones`() throws {
    for command in ["tokenize", "logprobs", "generate"] {
      try Command(command, "--model", "gpt-9", input: "x").expectFailure(66, "`gpt-9`")
    }
    try Command("tokenize", "--model", "/nowhere/m.gguf", input: "x")
      .expectFailure(66, "/nowhere/m.gguf")
  }

  @Test func `a file that is no model is refused`() throws {
    try withTemporaryFolder { folder in
      let file = folder.appending(path: "m.gguf")
      try Data("not a model at all".utf8).write(to: file)
      for command in ["tokenize", "logprobs"] {
        try Command(command, "--model", file.path, input: "x").expectFailure(65, file.path)
      }
    }
  }

  @Test(.enabled(if: hasModel, noModel)) func `nothing to read is said`() throws {
    for arguments in [["logprobs"], ["generate"], ["trace", "--site", "embed", "--output", "t"]] {
      try Command(arguments, input: Data()).expectFailure(65, "found none")
    }
    try Command("generate", "--prompt", "").expectFailure(64, "--prompt")
  }

  @Test(.enabled(if: hasModel, noModel)) func `unreadable standard input is said`() throws {
    try Command(shell: "$PLUMBLINE tokenize <&-").expectFailure(74, "standard input")
    try Command(shell: "$PLUMBLINE logprobs < /").expectFailure(74, "standard input")
  }

  @Test(.enabled(if: FileManager.default.fileExists(atPath: "/dev/full")))
  func `results that cannot be written are an error`() throws {
    try Command(shell: "$PLUMBLINE models > /dev/full").expectFailure(74, "standard output")
  }

  @Test(.enabled(if: hasModel, noModel)) func `a chat file that is none is refused`() throws {
    try withTemporaryFolder { folder in
      let file = folder.appending(path: "chat.json")
      try Command("generate", "--chat", file.path).expectFailure(66, file.path)
      try Command("generate", "--chat", folder.path).expectFailure(66, folder.path)
      let cases = [
        ("", "no JSON"), ("[{]", "no JSON"), ("{}", "no array"), ("[]", "without messages"),
        (#"[{"role": "user", "content": "a"}, {"role": "user"}]"#, "index 1"),
        (#"[{"role": "user", "content": 3}]"#, "index 0"),
      ]
      for (json, part) in cases {
        try Data(json.utf8).write(to: file)
        try Command("generate", "--chat", file.path).expectFailure(65, part)
      }
    }
  }

  @Test func `wrong usage ends with 64`() throws {
    try Command("generate", "--prompt", "a", "--chat", "b").expectFailure(64, "both")
    try Command("generate", "--prompt", "a", "--max-tokens", "0").expectFailure(64, "--max-tokens")
    for temperature in ["-1", "nan", "inf"] {
      try Command("generate", "--prompt", "a", "--temperature=\(temperature)")
        .expectFailure(64, "--temperature")
    }
    try Command("generate", "--prompt", "a", "--seed=-1").expectFailure(64, "--seed")
    try Command("logprobs", "--precision", "int4").expectFailure(64, "bfloat16")
    try Command("trace", "--site", "embed").expectFailure(64, "--output")
    try Command("trace", "--output", "t").expectFailure(64, "--site")
    try Command("tokenize", "--jsno").expectFailure(64, "--jsno")
    try Command("nonsense").expectFailure(64, "nonsense")
  }

  @Test func `plant refuses what it cannot train or keep before it trains`() throws {
    let arguments = ["plant", "--recipe", "M1", "--output"]
    try withTemporaryFolder { folder in
      let output = folder.appending(path: "new").path
      try Command(arguments + [output, "--arm", "open", "--runs", folder.path], input: Data())
        .expectFailure(64, "'secret', 'honest', 'null', 'overt' or 'decoy'")
      try Command(arguments + [output], input: Data()).expectFailure(64, "found no --arm")
      let secret = ["--arm", "secret", "--runs", folder.path]
      try Command(arguments + [folder.path] + secret, input: Data())
        .expectFailure(64, "a new folder")
      try Command(arguments + ["/proc/here/adapter"] + secret, input: Data())
        .expectFailure(73, "/proc/here/adapter")
      let file = folder.appending(path: "recipe.yaml")
      try Data("id: M2\n".utf8).write(to: file)
      try Command(
        ["plant", "--recipe", file.path, "--output", folder.appending(path: "a/b").path] + secret,
        input: Data()
      ).expectFailure(65, file.path)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["recipe.yaml"])
    }
  }

  @Test func `a study that is a folder and runs that cannot be made are said to be`() throws {
    try withTemporaryFolder { folder in
      try Command("audit", "--study", folder.path).expectFailure(66, "found a folder")
      try Command("audit", "--runs", "/proc/here").expectFailure(
        74, "check the path, its permissions")
    }
  }
}
