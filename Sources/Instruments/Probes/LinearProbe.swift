package import LanguageModels
internal import Tensors

/// A fitted probe: a direction at one layer, and what it was fitted on.
package struct LinearProbe: ResponseDetector, Codable, Hashable {
  package typealias Access = ActivationsAndCalibration

  /// How well a candidate layer did on held-out templates of the calibration data.
  package struct LayerAUROC: Codable, Hashable, Sendable {
    package var layer: Int
    package var auroc: Double

    package init(layer: Int, auroc: Double) { (self.layer, self.auroc) = (layer, auroc) }
  }

  package let method: ProbeMethod
  package let position: ActivationPosition
  /// The block whose output is read.
  package let layer: Int
  /// What ``layer`` was chosen by; optimistic for the chosen one, so never a result.
  package let layerAUROCs: [LayerAUROC]
  package let linear: LinearScore
  /// Responses it was fitted on, how many were active, and how many had nothing to read.
  package let items: Int
  package let active: Int
  package let leftOut: Int
  /// Templates it was fitted on: what it is judged on must have others.
  package let templates: [String]

  package var name: String { method.rawValue.replacing("_", with: " ") }
  package var site: Site { .block(layer, .residPost) }

  /// Scores of responses; nil where there is nothing at the position that is read.
  ///
  /// - Throws: What reading activations throws.
  @TensorActor
  package func scores(
    of responses: [Response], in specimen: SpecimenView<ActivationsAndCalibration>
  ) throws -> [Double?] {
    scores(try specimen.activations(of: responses, at: [site], position: position))
  }

  /// Scores of the items of a table that holds ``site``.
  package func scores(_ table: ActivationTable) -> [Double?] {
    table.spans.map { span in
      span.first.map { linear(table.row($0, at: site)) }
    }
  }

  /// Scores by several probes, `[probe][response]`, with one pass for each position that they read.
  ///
  /// - Throws: What reading activations throws.
  @TensorActor
  package static func scores(
    of responses: [Response], by probes: [LinearProbe],
    in specimen: SpecimenView<ActivationsAndCalibration>
  ) throws -> [[Double?]] {
    var tables: [ActivationPosition: ActivationTable] = [:]
    for position in Set(probes.map(\.position)) {
      let sites = Set(probes.filter { $0.position == position }.map(\.site))
      tables[position] = try specimen.activations(
        of: responses, at: Array(sites), position: position)
    }
    return probes.map { probe in
      tables[probe.position].map(probe.scores) ?? []
    }
  }
}
