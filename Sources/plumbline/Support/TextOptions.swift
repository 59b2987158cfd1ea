internal import ArgumentParser
internal import Foundation
internal import Instruments
internal import LanguageModels
internal import Statistics

/// What every command takes that reads text from files.
struct TextOptions: ParsableArguments {
  @Option(
    name: .customLong("text"),
    help: "A text file, or a .jsonl file of {\"text\": …}; may be given several times.")
  var files: [String]

  @Option(help: "Tokens of text to take, from documents drawn by --seed; all of them if not given.")
  var tokens: Int?

  @Option(
    help: """
      The longest stretch of a document that is read at once, in tokens; 512, or the model's \
      context if that is less.
      """)
  var sequenceLength: Int?

  @Option(help: "Draws which documents are taken, and their order.")
  var seed: UInt64 = 1

  func validate() throws {
    guard !files.isEmpty else { throw ValidationError("Expected --text, found none: name a file.") }
    guard tokens ?? 16 >= 16 else {
      throw ValidationError("Expected --tokens of at least 16, found \(tokens ?? 0).")
    }
    guard sequenceLength ?? 16 >= 16 else {
      throw ValidationError(
        "Expected --sequence-length of at least 16, found \(sequenceLength ?? 0).")
    }
  }

  /// Tokens that `model` reads at once.
  func length(for model: LanguageModel, usually: Int = 512) throws -> Int {
    let limit = model.configuration.contextLength
    guard let sequenceLength else { return min(usually, limit) }
    guard sequenceLength <= limit else {
      throw ValidationError(
        "Expected --sequence-length of at most \(limit), the model's context, found "
          + "\(sequenceLength).")
    }
    return sequenceLength
  }

  /// Whether there is enough text for intervals, found out before a run is made.
  func checkForIntervals(_ model: LanguageModel, length: Int, tokens: Int?) throws {
    _ = try Corpus(files: files).windowsForIntervals(
      model.tokenizer, length: length, tokens: tokens, seed: seed)
  }

  /// The files as cells know them.
  func inputs(adapter: AdapterOption) throws -> [String: String] {
    var inputs = Dictionary(
      uniqueKeysWithValues: files.enumerated().map { ("text\($0)", $1) })
    try Self.check(files)
    inputs["adapter"] = adapter.adapter
    return inputs
  }
}

extension TextOptions {
  /// - Throws: ``CommandError/missingText(path:)`` for the first that is not there.
  static func check(_ files: [String]) throws(CommandError) {
    for file in files where !FileManager.default.fileExists(atPath: file) {
      throw .missingText(path: file)
    }
  }
}

/// Numbers and texts in columns.
enum TextTable {
  /// Spaces and line breaks as marks; what a terminal would obey is left out.
  static func visible(_ text: String) -> String {
    let marks: [Unicode.Scalar: Unicode.Scalar] = ["\n": "↵", "\t": "⇥", " ": "·"]
    let shown = text.unicodeScalars.map { marks[$0] ?? $0 }
      .filter { $0.properties.generalCategory != .control }
    return String(String.UnicodeScalarView(shown))
  }

  /// Rounded to so many decimals, all of them written, and filled with blanks from the left.
  static func number(_ value: Double, width: Int = 0, decimals: Int = 3) -> String {
    let text = (value == 0 || abs(value) < 0.5 * pow(0.1, Double(decimals)) ? 0 : value).formatted(
      .number.precision(.fractionLength(decimals)).grouping(.never)
        .locale(Locale(identifier: "en_US_POSIX")))
    return String(repeating: " ", count: max(0, width - text.count)) + text
  }

  /// A value and half the width of its interval.
  static func withMargin(_ estimate: Estimate) -> String {
    "\(number(estimate.value)) ± \(number(estimate.interval.width / 2))"
  }

  /// Rows in columns of equal widths, the first to the left and the others to the right.
  static func lines(_ rows: [[String]]) -> [String] {
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in
      rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
    }
    return rows.map { row in
      "  "
        + row.enumerated().map { column, text in
          let filling = String(repeating: " ", count: widths[column] - text.count)
          return column == 0 ? text + filling : filling + text
        }.joined(separator: "  ")
    }
  }
}
