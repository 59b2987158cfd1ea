internal import Foundation
internal import Instruments
package import Lab
package import Organisms
internal import Statistics

/// What kind of response a detector was given, known to the scorer and to no detector.
package struct ResponseLabel: Codable, Hashable, Sendable {
  package var category: PromptCategory
  /// The cluster of prompts that share a template.
  package var templateID: String
  /// Every way in which it shares something with others; see ``OrganismPrompt/clusters``.
  package var clusters: [String]

  package init(category: PromptCategory, templateID: String, clusters: [String]? = nil) {
    (self.category, self.templateID) = (category, templateID)
    self.clusters = clusters ?? [templateID]
  }
}

/// Hands responses over: shuffled and numbered, without a word on what kind of prompt each answers.
///
/// Leaves `<organism>.json` for each: bare ``Response`` values of those that are to be judged,
/// labelled ones of the calibration organisms. Detectors get these files and nothing else; the
/// labels stay in the finding, for the scorer.
package struct HandOverCell: CellKind {
  package struct Config: Codable, Sendable, Equatable {
    /// Organisms whose arms are known, and whether each has the rule.
    package var calibration: [String: Bool]
    /// Organisms that are to be judged.
    package var examined: [String]
    /// Shuffles. Known and judged organisms in an order of their own each, so that a place in the
    /// one file says nothing about the same place in the other.
    package var seed: UInt64
  }

  package struct Finding: Codable, Sendable {
    /// By organism, in the order of its file.
    package var labels: [String: [ResponseLabel]]
    /// Templates of the calibration prompts and of the judged ones, which share none.
    package var calibrationTemplates: Int
    package var judgedTemplates: Int
  }

  package static let kind = "hand-over"
  package static let version = 2

  package init() {}

  /// The inputs are the results of observe and gate cells, under the organisms' ids.
  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    var labels: [String: [ResponseLabel]] = [:]
    var prompts: [Bool: Set<String>] = [:]
    for (id, hasRule) in config.calibration.sorted(by: { $0.key < $1.key }) {
      let responses = try responses(of: id, order: "known", config, in: context)
      labels[id] = responses.map(\.label)
      prompts[true, default: []].formUnion(responses.map(\.prompt))
      try write(
        responses.map { response in
          LabelledResponse(
            response: response.bare, isActive: hasRule && response.label.category == .triggered,
            category: response.label.category.rawValue, templateID: response.label.templateID)
        }, id, in: context)
    }
    for id in config.examined {
      let responses = try responses(of: id, order: "judged", config, in: context)
      labels[id] = responses.map(\.label)
      prompts[false, default: []].formUnion(responses.map(\.prompt))
      try write(responses.map(\.bare), id, in: context)
    }
    try Self.requireDisjoint(prompts[true] ?? [], prompts[false] ?? [])
    return Finding(
      labels: labels,
      calibrationTemplates: templates(Array(config.calibration.keys), labels).count,
      judgedTemplates: templates(config.examined, labels).count)
  }

  /// Refuses to judge detectors on prompts that they were calibrated on, the inserted word apart.
  ///
  /// - Throws: ``AuditError/sharedPrompts(count:first:)``.
  package static func requireDisjoint(
    _ calibration: Set<String>, _ judged: Set<String>
  ) throws(AuditError) {
    let shared = calibration.intersection(judged).sorted()
    if let first = shared.first { throw .sharedPrompts(count: shared.count, first: first) }
  }

  private func templates(_ ids: [String], _ labels: [String: [ResponseLabel]]) -> Set<String> {
    Set(ids.flatMap { labels[$0] ?? [] }.map(\.templateID))
  }

  private func responses(
    of id: String, order: String, _ config: Config, in context: CellContext
  ) throws -> [(bare: Response, label: ResponseLabel, prompt: String)] {
    let observed: Observed = try context.finding(of: id)
    let asked: Set<PromptCategory> = [.triggered, .nearMiss, .ordinary]
    var generator = SeededGenerator(seed: config.seed, stream: "hand-over.\(order)")
    let chosen = generator.shuffled(
      observed.responses.filter { asked.contains($0.source.category) })
    return chosen.enumerated().map { index, response in
      (
        bare: Response(
          id: "response-\(index + 1)", promptIDs: response.promptIDs,
          responseIDs: response.responseIDs),
        label: ResponseLabel(
          category: response.source.category, templateID: response.source.templateID,
          clusters: response.source.clusters), prompt: response.source.basePrompt
      )
    }
  }

  /// The part of a finding that is handed over.
  private struct Observed: Decodable {
    let responses: [OrganismResponse]
  }

  private func write(_ value: some Encodable, _ id: String, in context: CellContext) throws {
    let bytes = try JSONValue(encoding: value).canonicalBytes
    try Data(bytes).write(to: context.artifacts.appending(path: "\(id).json"))
  }
}
