internal import ArgumentParser
internal import LanguageModels
internal import Tensors

/// `plumbline trace`.
struct TraceCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "trace",
    abstract: "Writes a model's activations on the text on standard input to a safetensors file.",
    discussion: """
      One fp32 array a site, under the site's name and with its axes. Sites are embed, final_norm,
      logits and, for block i from 0,
      \(Site.Place.allCases.map { "blocks.i.\($0.rawValue)" }.joined(separator: ", ")).

      EXAMPLE
        echo 'Hello' | plumbline trace --site blocks.0.resid_post --site logits --output t.safetensors
      """)

  @OptionGroup var options: ModelOptions

  @Option(name: .customLong("site"), help: "A site to keep; may be given several times.")
  var sites: [String]

  @Option(help: "The safetensors file to write.")
  var output: String

  @Flag(help: "Print {\"output\", \"ids\": […], \"sites\": {name: shape, …}}.")
  var json = false

  private struct Summary: Encodable {
    let output: String
    let ids: [Int]
    let sites: [String: [Int]]
  }

  func run() async throws {
    _ = try options.file.path()
    let text = try StandardInput.nonEmptyText()
    let model = try await options.load()
    let sites = try sites.map { try Site($0, nLayers: model.configuration.nLayers) }
    let adapter = try await options.loadAdapter(for: model)
    let ids = try model.tokens(of: text)
    let entries = try await model.activations(of: ids, at: Set(sites), adapter: adapter)
    try SafetensorsFile.write(entries, to: output)
    try report(ids, entries)
  }

  private func report(_ ids: [Int], _ entries: [SafetensorsEntry]) throws {
    guard json else {
      return try StandardOutput.write(
        lines: entries.map { "\($0.name)\t\($0.shape.map(String.init).joined(separator: " × "))" })
    }
    let shapes = entries.map { ($0.name, $0.shape) }
    try StandardOutput.write(
      json: Summary(
        output: output, ids: ids, sites: Dictionary(uniqueKeysWithValues: shapes)))
  }
}

extension LanguageModel {
  /// What is at `sites` while the model reads `ids`, in the order of the sites' names.
  fileprivate func activations(
    of ids: [Int], at sites: Set<Site>, adapter: AdapterWeights?
  ) throws -> [SafetensorsEntry] {
    let output = try forward(
      TokenBatch([ids]), logits: sites.contains(.logits) ? .all : .none, adapter: adapter,
      hooks: Hooks(captures: sites))
    return try output.captured.sorted { "\($0.key)" < "\($1.key)" }.map { site, tensor in
      SafetensorsEntry(name: "\(site)", shape: tensor.shape, values: try tensor.floats())
    }
  }
}
