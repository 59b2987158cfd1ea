internal import ArgumentParser
internal import LanguageModels

/// `plumbline tokenize`.
struct TokenizeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenize",
    abstract: "Splits the text on standard input into a model's tokens.",
    discussion: """
      The text is taken as it is: special tokens in it are recognised, nothing is added. Each token
      is shown as the text that it stands for, with U+FFFD for a part of a character. An adapter is
      checked and changes no token.

      EXAMPLE
        echo 'Hello, world' | plumbline tokenize --json
      """)

  @OptionGroup var file: ModelOption
  @OptionGroup var adapter: AdapterOption

  @Flag(help: "Print {\"ids\": […], \"tokens\": […]}.")
  var json = false

  private struct Tokens: Encodable {
    let ids: [Int]
    let tokens: [String]
  }

  func run() async throws {
    let path = try file.path()
    _ = try await adapter.load(for: try LanguageModel.inspect(path: path), path: path)
    let text = try StandardInput.text()
    let tokenizer = try LanguageModel.tokenizer(path: path)
    let ids = tokenizer.encode(text, addSpecial: true)
    let tokens = ids.map(tokenizer.piece)
    guard !json else { return try StandardOutput.write(json: Tokens(ids: ids, tokens: tokens)) }
    try StandardOutput.write(lines: zip(ids, tokens).map { "\($0)\t\(quoted($1))" })
  }
}
