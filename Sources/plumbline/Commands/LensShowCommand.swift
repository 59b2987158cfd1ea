internal import ArgumentParser
internal import Foundation
internal import Instruments
internal import Lab
internal import LanguageModels
internal import Studio
internal import Tensors
internal import Trials

/// `plumbline lens show`.
struct LensShowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Draws what a lens reads at every site of every token of the text on standard input.",
    discussion: """
      One row a site, the model's own prediction on top; one column a token; in each cell the token
      that comes first there, shaded by how probable it is (piped, a digit for tenths). Below, each token's prediction depth: the
      blocks after which the first choice stays what it is in the end.

      EXAMPLES
        echo 'The capital of France is' | plumbline lens show
        echo 'The capital of France is' | plumbline lens show --lens lenses/tuned --html lens.html
        echo 'Hello' | plumbline lens show --adapter organisms/m1 --against-base
      """)

  @OptionGroup var file: ModelOption

  @Option(help: "A lens: a folder of `lens train` or of tuned-lens, or a Jacobian lens (.pt).")
  var lens: String?

  @Option(help: "Another text, and how far its trajectory is from the first.")
  var againstText: String?

  @Flag(help: "Compare with the model without its adapter.")
  var againstBase = false

  @Flag(help: "Read between attention and MLP too (resid_mid) with the logit lens.")
  var mid = false

  @Option(help: "Show every so many sites only.")
  var every = 1

  @Option(help: "How many choices of each reading the page and JSON hold.")
  var top = 5

  @OptionGroup var page: PageOption

  @Option(help: "How products with the model's weights are computed.")
  var precision = Precision.float32

  @OptionGroup var device: DeviceOption
  @OptionGroup var adapter: AdapterOption
  @OptionGroup var results: RunOptions

  @Flag(help: "Print {\"run\", \"cell\", \"finding\"} as JSON.")
  var json = false

  func validate() throws {
    guard every >= 1 else {
      throw ValidationError("Expected --every of at least 1, found \(every).")
    }
    guard (1...100).contains(top) else {
      throw ValidationError("Expected --top between 1 and 100, found \(top).")
    }
    guard !againstBase || adapter.adapter != nil else {
      throw ValidationError("Expected --adapter with --against-base, found none: name one.")
    }
    guard !againstBase || againstText == nil else {
      throw ValidationError(
        "Expected one of --against-base and --against-text, found both: leave one out.")
    }
  }

  func run() async throws {
    let path = try file.path()
    let text = try StandardInput.nonEmptyText()
    try await device.use()
    try page.check()
    let model = try await LanguageModel(path: path, precision: precision)
    if let lens { try await Lens.check(lens, for: model) }
    let other: LensTrajectoryCell.Other? =
      againstBase ? .base : try againstText.map { .text(ids: try model.tokens(of: $0)) }
    _ = try await adapter.load(for: model.configuration, path: model.path)
    let config = LensTrajectoryCell.Config(
      ids: try model.tokens(of: text.trimmingSuffix("\n")), other: other, hasLens: lens != nil,
      mid: mid, topCount: top, precision: precision)
    var files: [String: String] = [:]
    (files["lens"], files["adapter"]) = (lens, adapter.adapter)
    let run = try InstrumentRun(
      "lens-show", question: config, model: model, files: files, runs: results.runs)
    let result = try await run.perform(
      LensTrajectoryCell(model: model), config, label: "lens show")
    try page.write(TrajectoryReport.self, of: result, in: run, base: file)
    try results.report(result, of: run, asJSON: json, page: page.html, lines: lines)
  }

  private func lines(_ finding: LensTrajectoryCell.Finding) -> [String] {
    let picture = TrajectoryText(
      columns: StandardOutput.columns, inColour: StandardOutput.isTerminal, every: every)
    var lines = picture.lines(of: finding.trajectory)
    if let other = finding.other, let distances = finding.distances {
      lines += ["", "the other:"] + picture.lines(of: other)
      lines += ["", "Jensen–Shannon divergence of the two, nats:"]
      lines += picture.lines(of: distances, tokens: other.tokens, sites: other.sites)
    }
    return lines
  }
}

extension String {
  fileprivate func trimmingSuffix(_ suffix: String) -> String {
    hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
  }
}

/// A trajectory as text: sites from the last to the first, tokens in as many columns as fit.
private struct TrajectoryText {
  let columns: Int
  let inColour: Bool
  let every: Int

  private static let cell = 11

  func lines(of trajectory: Trajectory) -> [String] {
    let depths = trajectory.depths.map { trajectory.sites[$0] }
    return grid(trajectory.sites, trajectory.tokens) { site, token in
      let reading = trajectory.readings[site][token]
      return (TextTable.visible(reading.top[0].text), reading.top[0].probability)
    } footer: { token in
      Self.short(depths[token])
    }
  }

  func lines(
    of distances: [[Double]], tokens: [Trajectory.Choice], sites: [String]
  ) -> [String] {
    let last = Array(tokens.suffix(distances.first?.count ?? 0))
    return grid(sites, last) { site, token in
      let distance = distances[site][token]
      return (TextTable.number(distance), distance / log(2))
    }
  }

  private func grid(
    _ sites: [String], _ tokens: [Trajectory.Choice],
    cell: (_ site: Int, _ token: Int) -> (text: String, strength: Double),
    footer: ((_ token: Int) -> String)? = nil
  ) -> [String] {
    let shown = sites.indices.filter { $0 % every == 0 || $0 == sites.count - 1 }
    let names = sites.map(Self.short)
    let margin = max(names.map(\.count).max() ?? 0, "depth".count) + 1
    let count = max(1, (columns - margin) / (Self.cell + 1))
    return stride(from: 0, to: tokens.count, by: count).flatMap { start -> [String] in
      let part = start..<min(start + count, tokens.count)
      var lines = shown.reversed().map { site in
        Self.fitted(names[site], margin)
          + part.map { paint(cell(site, $0)) }.joined(separator: " ")
      }
      lines.append(
        Self.fitted("token", margin)
          + part.map { Self.fitted(TextTable.visible(tokens[$0].text), Self.cell) }.joined(
            separator: " "))
      if let footer {
        lines.append(
          Self.fitted("depth", margin)
            + part.map { Self.fitted(footer($0), Self.cell) }.joined(separator: " "))
      }
      return (start == 0 ? [] : [""]) + lines
    }
  }

  /// Shaded by strength on a terminal; elsewhere with a digit for tenths.
  private func paint(_ cell: (text: String, strength: Double)) -> String {
    let strength = cell.strength.isFinite ? min(max(cell.strength, 0), 1) : 0
    guard inColour else {
      return Self.fitted(cell.text, Self.cell - 2) + " \(min(9, Int(strength * 10)))"
    }
    // From the 256 colours' grey ramp to blue, with text that stays readable on it.
    let ramp = [255, 195, 153, 117, 75, 33, 26, 20]
    let place = min(ramp.count - 1, Int(strength * Double(ramp.count)))
    let ink = place < 5 ? 16 : 255
    return "\u{1B}[48;5;\(ramp[place])m\u{1B}[38;5;\(ink)m" + Self.fitted(cell.text, Self.cell)
      + "\u{1B}[0m"
  }

  /// `12` for what goes into block 12, `12m` for between its parts, `out` for the model's own.
  private static func short(_ site: String) -> String {
    let parts = site.split(separator: ".")
    guard parts.count == 3 else { return "out" }
    return parts[1] + (parts[2] == "resid_mid" ? "m" : "")
  }

  private static func fitted(_ text: String, _ width: Int) -> String {
    let cut = text.count > width ? text.prefix(width - 1) + "…" : Substring(text)
    return cut + String(repeating: " ", count: width - cut.count)
  }
}
