internal import ArgumentParser
internal import Instruments
internal import LanguageModels
internal import Tensors
internal import Trials

/// `plumbline weights read`.
struct WeightsReadCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "read",
    abstract: "Tells what neurons read and write: tokens, and neurons of later blocks.",
    discussion: """
      Raw readings take the embedding, the head and other neurons as if all blocks wrote and read in one
      basis. With --lens, outputs are carried forward by its translator; with --fit-text too, what a neuron
      reads is carried back, by --backward or by regression. Whether that is better for a model, `plumbline
      weights validate` measures.

      EXAMPLES
        plumbline weights read --neuron 12.345
        plumbline weights read --neuron 12.345 --lens lenses/tuned --fit-text wikitext-2/valid.txt
      """)

  @OptionGroup var file: ModelOption

  @Option(
    name: .customLong("neuron"),
    help: "A neuron as block.number, both from 0; may be given several times.")
  var neurons: [String]

  @Option(help: "A tuned lens, to carry outputs forward.")
  var lens: String?

  @OptionGroup var drift: DriftOptions

  @Option(help: "Tokens of --fit-text to take.")
  var tokens = 8192

  @Option(help: "Draws which documents are taken.")
  var seed: UInt64 = 1

  @Option(help: "How many tokens and neurons of each reading.")
  var top = 8

  @Option(help: "How products with the model's weights are computed.")
  var precision = Precision.float32

  @OptionGroup var device: DeviceOption
  @OptionGroup var adapter: AdapterOption
  @OptionGroup var results: RunOptions

  @Flag(help: "Print {\"run\", \"cell\", \"finding\"} as JSON.")
  var json = false

  func validate() throws {
    guard !neurons.isEmpty else {
      throw ValidationError("Expected --neuron, found none: name one, such as 12.345.")
    }
    for (name, value, least) in [("--top", top, 1), ("--tokens", tokens, 256)] where value < least {
      throw ValidationError("Expected \(name) of at least \(least), found \(value).")
    }
    guard drift.backward == nil || !drift.fitFiles.isEmpty else {
      throw ValidationError("Expected --fit-text beside --backward, found none: name a text file.")
    }
    guard drift.fitFiles.isEmpty || lens != nil || drift.backward != nil else {
      throw ValidationError(
        "Expected --lens or --backward beside --fit-text, found neither: name a lens.")
    }
  }

  func run() async throws {
    let path = try file.path()
    try await device.use()
    let model = try await LanguageModel(path: path, precision: precision)
    let c = model.configuration
    try model.requireReadableWeights()
    var files = try drift.inputs()
    let named = try neurons.map { try Neuron($0, in: c) }
    try await drift.check(lens: lens, for: model)
    _ = try await adapter.load(for: c, path: model.path)
    let config = WeightReadCell.Config(
      neurons: named, topCount: min(top, c.dVocab / 2), hasLens: lens != nil,
      hasBackward: drift.backward != nil, sequenceLength: min(128, c.contextLength),
      tokens: tokens, seed: seed, precision: precision, textFiles: drift.fitFiles.count)
    for (index, file) in drift.fitFiles.enumerated() { files["text\(index)"] = file }
    (files["lens"], files["adapter"]) = (lens, adapter.adapter)
    if !drift.fitFiles.isEmpty {
      _ = try Corpus(files: drift.fitFiles).windows(
        model.tokenizer, length: config.sequenceLength, tokens: tokens, seed: seed)
    }
    let run = try InstrumentRun(
      "weights-read", question: config, model: model, files: files, runs: results.runs)
    let result = try await run.perform(
      WeightReadCell(model: model), config, label: "weights read")
    try results.report(result, of: run, asJSON: json, lines: lines)
  }

  private func lines(_ finding: WeightReadCell.Finding) -> [String] {
    finding.readings.flatMap(Self.lines) + [
      "tokens: in standard deviations over the vocabulary, at a positive activation"
    ]
  }

  private static func lines(_ reading: WeightReadCell.Reading) -> [String] {
    var lines = ["neuron \(reading.neuron)"]
    for view in reading.output {
      lines += self.lines(view, "promotes", "suppresses")
    }
    for (part, views) in reading.inputs.sorted(by: { $0.key < $1.key }) {
      for view in views { lines += self.lines(view, "\(part) excited by", "\(part) inhibited by") }
    }
    for view in reading.partners { lines += self.lines(view, "excites", "inhibits") }
    for (part, cosine) in reading.writesWhatItReads.sorted(by: { $0.key < $1.key }) {
      lines.append(
        "  tokens that it promotes and that excite its \(part): correlation "
          + TextTable.number(cosine))
    }
    return lines + [""]
  }

  private static func lines(
    _ view: WeightReadCell.View, _ up: String, _ down: String
  ) -> [String] {
    let how = view.transport == .identity ? "raw" : view.transport.rawValue
    func text(_ all: [WeightReadCell.Meant]) -> String {
      all.map { "\(TextTable.visible($0.name)) \(TextTable.number($0.value, decimals: 2))" }
        .joined(separator: ", ")
    }
    return [
      "  \(up) (\(how)): \(text(view.highest))", "  \(down) (\(how)): \(text(view.lowest))",
    ]
  }
}
