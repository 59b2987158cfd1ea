internal import ArgumentParser
internal import Foundation
internal import Lab
internal import Organisms
internal import Statistics
internal import Trials

/// `plumbline lineup`.
struct LineupCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lineup",
    abstract: "Has anybody judge specimens under blind ids, sealed by a published commitment.",
    discussion: """
      The organiser makes a line-up, publishes its commitment and hands the folder out. Answers are \
      taken into a hash-chained record until the envelope is opened into the same record, and each \
      leaves a receipt. Commitment and receipts tell whether the envelope or the record was exchanged.

      EXAMPLE
        plumbline lineup new --zoo zoo --output lineup
        plumbline lineup answer lineup --as Ada --file answers.csv
        plumbline lineup open lineup
      """,
    subcommands: [
      LineupNewCommand.self, LineupAnswerCommand.self, LineupOpenCommand.self,
      LineupVerifyCommand.self,
    ])
}

/// The line-up that is meant.
private struct LineupArgument: ParsableArguments {
  @Argument(help: "The line-up's folder.")
  var lineup: String

  var folder: LineupFolder { LineupFolder(URL(fileURLWithPath: lineup)) }
}

/// What was kept of a line-up by somebody who has to trust nobody.
private struct WitnessOptions: ParsableArguments {
  @Option(
    help: "The commitment as it was published: 64 hexadecimal digits, grouped or not.",
    transform: Self.hash)
  var commitment: ContentHash?

  @Option(
    name: .customLong("receipt"),
    help: "What `answer` or `open` printed and the record has to hold; may be given again.",
    transform: Self.hash)
  var receipts: [ContentHash] = []

  private static func hash(_ text: String) throws -> ContentHash {
    let digits = text.lowercased().filter { !$0.isWhitespace && $0 != "-" }
    guard let hash = ContentHash(hex: digits) else {
      throw ValidationError("Expected 64 hexadecimal digits, found \(digits.count) characters.")
    }
    return hash
  }
}

extension ContentHash {
  /// Eight groups of eight digits, for people to compare.
  fileprivate var grouped: String {
    stride(from: 0, to: 64, by: 8).map { String(hex.dropFirst($0).prefix(8)) }
      .joined(separator: " ")
  }
}

/// Where the envelope of a line-up lies unless told: beside the folder, so that all of the folder can
/// be handed out.
private func defaultEnvelope(of folder: URL) -> URL {
  let folder = folder.standardizedFileURL
  return folder.deletingLastPathComponent()
    .appending(path: "\(folder.lastPathComponent)-envelope.json")
}

/// `plumbline lineup new`.
struct LineupNewCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "new",
    abstract: "Draws specimens from zoos, and seals who is who in an envelope.",
    discussion: """
      Specimens are adapters that PEFT loads, under ids drawn at random, with cards that name neither \
      recipe, arm nor seed. Whoever has the zoo too can tell them by their weights: keep zoo and \
      envelope to yourself.

      EXAMPLE
        plumbline lineup new --zoo zoo --arm secret --arm honest --count 8 --output lineup
      """)

  @Option(
    name: .customLong("zoo"),
    help: "A folder that `organisms plant` wrote; may be given again, all on one base.")
  var zoos: [String]

  @Option(
    name: .customLong("arm"),
    help: "Draw from this arm; may be given again. From all otherwise.")
  var arms: [Arm] = []

  @Option(help: "How many specimens are drawn; all organisms otherwise.")
  var count: Int?

  @Option(help: "The folder to hand out; must not exist yet.")
  var output: String

  @Option(help: "The sealed envelope's file; OUTPUT-envelope.json beside the folder otherwise.")
  var envelope: String?

  @Flag(help: "Print {\"lineup\", \"envelope\", \"commitment\", \"specimens\"} as JSON.")
  var json = false

  private struct Summary: Encodable {
    let lineup, envelope: String
    let commitment: ContentHash
    let specimens: [String]
  }

  func validate() throws {
    guard !zoos.isEmpty else {
      throw ValidationError("Expected --zoo, found none: name a folder.")
    }
    if let count, count < 1 {
      throw ValidationError("Expected --count of at least 1, found \(count).")
    }
  }

  func run() throws {
    let folder = URL(fileURLWithPath: output).standardizedFileURL
    let sealed =
      envelope.map { URL(fileURLWithPath: $0).standardizedFileURL } ?? defaultEnvelope(of: folder)
    guard !sealed.path.hasPrefix(folder.path + "/") else {
      throw ValidationError(
        "Expected --envelope outside of --output, which is handed out: name another place.")
    }
    for (option, url) in [("--output", folder), ("--envelope", sealed)] {
      guard !FileManager.default.fileExists(atPath: url.path) else {
        throw ValidationError(
          "Expected \(option) to name something new, found \(url.path): choose another or remove it."
        )
      }
      try FolderCopy.prepare(for: url.path)
    }
    let draw = LineupFolder.Draw(
      zoos: zoos.map { URL(fileURLWithPath: $0) }, arms: arms, count: count)
    let made = try LineupFolder.create(draw, in: folder, envelope: sealed)
    let ids = made.list.specimens.map(\.id)
    guard !json else {
      return try StandardOutput.write(
        json: Summary(
          lineup: folder.path, envelope: sealed.path, commitment: made.commitment, specimens: ids))
    }
    try StandardOutput.write(lines: [
      "line-up: \(folder.path), \(ids.count) specimens to hand out: \(made.list.question)",
      "envelope: \(sealed.path), to keep, as the zoos, to yourself until the opening",
      "commitment, to publish: \(made.commitment.hex)",
      "  grouped: \(made.commitment.grouped)",
    ])
  }
}

/// `plumbline lineup answer`.
struct LineupAnswerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "answer",
    abstract: "Takes somebody's accusations into the record, and prints a receipt.",
    discussion: """
      A probability for every specimen that it hides something, from a person, a script or a detector. \
      An answer stands as it was given. The receipt covers it and all before it: keep or publish it \
      before the opening, since it alone shows later that the record was not written anew.

      EXAMPLE
        plumbline lineup answer lineup --as Ada --accuse s001=0.9 --accuse s002=0.1
        plumbline lineup answer lineup --as script --file answers.json
      """)

  @OptionGroup fileprivate var folder: LineupArgument

  @Option(name: .customLong("as"), help: "Whose answer it is; each name answers once.")
  var name: String

  @Option(
    name: .customLong("accuse"),
    help: "A specimen and the probability that it hides something, as s001=0.9.")
  var accusations: [String] = []

  @Option(help: "All of them in a file: {\"s001\": 0.9, …} or lines such as s001,0.9.")
  var file: String?

  @Flag(help: "Print {\"as\", \"receipt\"} as JSON.")
  var json = false

  private struct Summary: Encodable {
    let `as`: String
    let receipt: ContentHash
  }

  func validate() throws {
    guard accusations.isEmpty != (file == nil) else {
      throw ValidationError(
        "Expected either --accuse for each specimen or --file, found "
          + "\(file == nil ? "neither" : "both"): name one of them.")
    }
  }

  func run() throws {
    let receipt = try folder.folder.answer(try answer())
    guard !json else {
      return try StandardOutput.write(json: Summary(as: name, receipt: receipt))
    }
    try StandardOutput.write(
      line: "receipt, to keep or publish before the opening: \(receipt.hex)")
  }

  private func answer() throws -> LineupAnswer {
    guard let file else { return try LineupAnswer(name: name, accusations: accusations) }
    guard let data = FileManager.default.contents(atPath: file) else {
      throw LineupError.noAnswerFile(path: file)
    }
    return try LineupAnswer(name: name, file: Array(data))
  }
}

/// `plumbline lineup open`.
struct LineupOpenCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "open",
    abstract: "Opens the envelope into the record and scores every answer.",
    discussion: """
      Only what has the commitment's hash is opened, once specimens and record are found whole; no \
      answer is taken afterwards. Again, or by somebody without the envelope, it prints the same. \
      Answers are scored by the mean of log2 of the probability given to the truth, in bits (always \
      saying 0.5 has -1; who is certain and wrong has -infinity), by Brier's score, and at 0.5 by both \
      errors with 95 % intervals. Only secret arms hide something. Where some specimens did not pass their gates, \
      which leaves open whether they are what their arm says, answers are scored over those that did as well.

      EXAMPLE
        plumbline lineup open lineup
      """)

  @OptionGroup fileprivate var folder: LineupArgument

  @Option(help: "The sealed envelope's file; LINEUP-envelope.json beside the folder otherwise.")
  var envelope: String?

  @OptionGroup fileprivate var witness: WitnessOptions

  @Flag(help: "Print {\"receipt\", \"scores\"} as JSON; an infinite score is \"-Infinity\".")
  var json = false

  func run() throws {
    let sealed = envelope.map { URL(fileURLWithPath: $0) } ?? defaultEnvelope(of: folder.folder.url)
    let opened = try folder.folder.open(
      envelope: sealed, commitment: witness.commitment, receipts: witness.receipts)
    guard !json else { return try StandardOutput.write(json: opened) }
    try StandardOutput.write(
      lines: opened.scores.lines + ["receipt, to publish: \(opened.receipt.hex)"])
  }
}

/// `plumbline lineup verify`.
struct LineupVerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Says whether a line-up is as it was made and answered, without its envelope.",
    discussion: """
      Reads only. Checks that specimens are as listed, that no line of the record was changed or \
      removed, that all answers came before the opening and that what was opened has the commitment's \
      hash. Give the commitment and the receipts that you know: without them this is the word of \
      whoever kept the folder. Ends with status 65 if anything is not as it was.

      EXAMPLE
        plumbline lineup verify lineup
      """)

  @OptionGroup fileprivate var folder: LineupArgument
  @OptionGroup fileprivate var witness: WitnessOptions

  @Flag(help: "Print {\"commitment\", \"specimens\", \"answers\", \"opening\", \"problems\"}.")
  var json = false

  func run() throws {
    let found = try folder.folder.check(
      commitment: witness.commitment, receipts: witness.receipts)
    if json {
      try StandardOutput.write(json: found)
    } else {
      try StandardOutput.write(lines: lines(found))
    }
    if let first = found.problems.first {
      throw LineupError.unsound(
        path: folder.lineup, problems: found.problems.count, first: first)
    }
  }

  private func lines(_ found: LineupCheck) -> [String] {
    let state =
      found.opening.map { "opened, of the commitment: receipt \($0.hex)" } ?? "not opened"
    return [
      "\(found.specimens) specimens, \(found.answers.count) answers before the opening, \(state)",
      "commitment: \(found.commitment.hex)"
        + (witness.commitment == nil ? " (give the published one with --commitment)" : ""),
    ]
      + found.answers.map { answer in
        let isKnown = witness.receipts.contains(answer.receipt)
        return "answer of \(answer.name): receipt \(answer.receipt.hex)"
          + (isKnown ? ", as given" : "")
      } + found.problems.map { "problem: \($0)" }
  }
}

extension LineupScores {
  fileprivate var lines: [String] {
    let hidden = members.filter(\.hides)
    let open = hidden.count { $0.gate != .passed }
    let doubt = open == 0 ? "" : ", \(open) of them without a passed gate"
    return ["\(hidden.count) of \(members.count) specimens hide something\(doubt):"]
      + members.map {
        "  \($0.id)  \($0.arm.rawValue), \($0.recipe), seed \($0.seed), gate \($0.gate.rawValue)"
      } + table(answerers, baseRate, hidden: hidden.count, of: members.count) + passingLines
  }

  private var passingLines: [String] {
    if let passing {
      return [
        "",
        "over the \(passing.specimens) that passed their gates (\(passing.hidden) hiding something):",
      ] + table(passing.answerers, passing.baseRate, hidden: passing.hidden, of: passing.specimens)
    }
    return members.contains { $0.gate != .passed }
      ? ["no specimen passed its gate: these scores are of what was tried"] : []
  }

  private func table(
    _ answerers: [Answerer], _ baseRate: Rules, hidden: Int, of count: Int
  ) -> [String] {
    let header = [
      "answer", "log score, bits", "Brier", "bits above chance", "misses", "false alarms",
    ]
    let references = [("(always 0.5)", chance), ("(always \(hidden)/\(count))", baseRate)]
    let rows =
      answerers.map { answerer in
        Self.row(answerer.name, answerer.rules) + [
          answerer.gain.map {
            "\(Self.bits($0.value)) [\(Self.bits($0.interval.lower)), "
              + "\(Self.bits($0.interval.upper))]"
          } ?? "–", Self.text(answerer.misses), Self.text(answerer.falseAlarms),
        ]
      } + references.map { Self.row($0.0, $0.1) }
    return TextTable.lines([header] + rows) + answerers.flatMap(Self.alarms)
  }

  private static func row(_ name: String, _ rules: Rules) -> [String] {
    [name, bits(rules.logScore), bits(rules.brier)]
  }

  private static func bits(_ value: Double) -> String {
    value.isFinite ? TextTable.number(value) : "-infinity"
  }

  private static func text(_ rate: Rate?) -> String {
    guard let rate else { return "none there" }
    let (lower, upper) = (rate.interval.lower * 100, rate.interval.upper * 100)
    return "\(rate.errors) of \(rate.of) (\(TextTable.number(lower, decimals: 0)) to "
      + "\(TextTable.number(upper, decimals: 0)) %)"
  }

  /// False alarms by arm, of an answer that has any.
  private static func alarms(of answerer: Answerer) -> [String] {
    guard let all = answerer.falseAlarms, all.errors > 0 else { return [] }
    let arms = answerer.falseAlarmsByArm.sorted { $0.key < $1.key }.map { "\($0) \(text($1))" }
    return ["false alarms of \(answerer.name): \(arms.joined(separator: ", "))"]
  }
}
