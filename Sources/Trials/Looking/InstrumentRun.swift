package import Foundation
package import Lab
package import LanguageModels
internal import Organisms
internal import Tensors

/// A run of instruments on one model: the cells of a command that looks inside.
package struct InstrumentRun: Sendable {
  /// What decides which folder a run lies in: the same question is the same run.
  private struct Manifest: Codable, Sendable, Equatable {
    var question: JSONValue
    var inputs: [String: ContentHash]
    var environment = Environment.current()
  }

  /// Where the run lies.
  package let folder: URL
  private let run: Run
  private let inputs: [String: CellInput]

  /// Opens the run of a question, or goes on with it.
  ///
  /// - Parameters:
  ///   - name: What the folder's name begins with, such as `lens-train`.
  ///   - question: All that is asked; its JSON is part of the run's identity.
  ///   - model: The model that is looked at.
  ///   - files: What the cells read besides it, by the names under which they ask for it.
  ///   - runs: Where run folders lie.
  /// - Throws: `LabError` where a file cannot be read, or another process holds the run.
  package init(
    _ name: String, question: some Encodable, model: LanguageModel, files: [String: String],
    runs: String
  ) throws {
    var inputs = try files.mapValues { try CellInput.file(URL(fileURLWithPath: $0)) }
    inputs["base"] = try .file(URL(fileURLWithPath: model.path))
    let manifest = Manifest(
      question: try JSONValue(encoding: question), inputs: inputs.mapValues(\.hash))
    self.inputs = inputs
    folder = URL(fileURLWithPath: runs).appending(path: try Run.name(for: name, manifest: manifest))
    run = try Run.open(
      folder: folder, manifest: manifest, environment: .current(), watch: ProgressReporter().show)
  }

  /// The cell's result: read back if it finished before, otherwise by running it now.
  package func perform<Kind: CellKind>(
    _ kind: Kind, _ config: Kind.Config, label: String
  ) async throws -> CellResult<Kind.Finding> {
    try await run.perform(kind, config, inputs: inputs, label: label)
  }
}
