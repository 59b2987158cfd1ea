internal import ArgumentParser

/// What every command takes that reads text from files.
struct TextOptions: ParsableArguments {
  @Option(
    name: .customLong("text"),
    help: "A text file, or a .jsonl file of {\"text\": …}; may be given several times.")
  var files: [String]

  @Option(help: "Tokens of text to take, from documents drawn by --seed; all of them if not given.")
  var tokens: Int?

  @Option(help: "The longest stretch of a document that is read at once, in tokens.")
  var sequenceLength = 512

  @Option(help: "Draws which documents are taken, and their order.")
  var seed: UInt64 = 1

  func validate() throws {
    guard !files.isEmpty else { throw ValidationError("Expected --text, found none: name a file.") }
    guard tokens ?? 16 >= 16 else {
      throw ValidationError("Expected --tokens of at least 16, found \(tokens ?? 0).")
    }
    guard sequenceLength >= 16 else {
      throw ValidationError("Expected --sequence-length of at least 16, found \(sequenceLength).")
    }
  }

  /// The files as cells know them.
  func inputs(adapter: AdapterOption) -> [String: String] {
    var inputs = Dictionary(
      uniqueKeysWithValues: files.enumerated().map { ("text\($0)", $1) })
    inputs["adapter"] = adapter.adapter
    return inputs
  }
}

/// Numbers in columns.
enum TextTable {
  /// Three decimals, filled with blanks from the left.
  static func number(_ value: Double, width: Int) -> String {
    let text = "\((value * 1000).rounded() / 1000)"
    return String(repeating: " ", count: max(0, width - text.count)) + text
  }
}
