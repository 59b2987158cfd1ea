import Foundation
import Instruments
import LanguageModels
import Statistics
import Tensors
import TestSupport
import Testing

private let site = Site.block(0, .residPost)

/// A specimen of which nothing is there but these activations, `[item, width]` of the responses and
/// then of trusted exchanges.
@TensorActor
private func specimen(
  _ rows: [[Float]], trusted: Int, in folder: String
) throws -> (view: SpecimenView<ActivationsAndTrusted>, responses: [Response]) {
  let all = rows.indices.map { Response(id: "r\($0)", promptIDs: [1], responseIDs: [2]) }
  let table = try ActivationTable(
    spans: rows.indices.map { $0..<$0 + 1 }, values: [site: Array(rows.joined())])
  let url = URL(filePath: folder)
  try StoredReadings.write([(.lastPromptToken, table)], layers: [0], to: url)
  let model = try sharpModel()
  let specimen = Specimen(
    id: "s", base: model, stored: try StoredReadings(folder: url, of: all),
    trusted: Array(all.suffix(trusted))
  ) {
    Issue.record("what was kept is not computed again")
    return (model, nil)
  }
  return (specimen.view(), Array(all.dropLast(trusted)))
}

struct SparseFeatureTests {
  @Test func `rates of firing are compared as two proportions are`() throws {
    let own: [[Float]] = [[1, 2, 0], [3, 1, 0], [0.5, 1, 0], [0, 1, 0]]
    let ordinary: [[Float]] = [[0, 1, 0], [0, 5, 0], [7, 1, 0], [0, 1, 0]]
    let rates = FeatureRates(own, ordinary)
    // p₁ = 3/4, p₀ = 1/4, p = 1/2: (1/2) / √(1/4 · 1/2). What always fires, or never, tells
    // nothing.
    expectClose(rates.z, [Double(2).squareRoot(), 0, 0], atol: 1e-12)
    #expect(try rates.firingMore(level: 0.05) == [])
    // P(Z ≥ √2) = 0.0786, three tests.
    #expect(try rates.firingMore(level: 0.236) == [0] && rates.firingMore(level: 0.235) == [])
    let standard = rates.standard(of: 0)
    // Of 1, 3, 0.5, 0, 0, 0, 7, 0: mean 1.4375, mean square 7.40625.
    expectClose(standard.mean, 1.75, atol: 1e-12)
    expectClose(standard.deviation, (7.40625 - 1.4375 * 1.4375).squareRoot(), atol: 1e-12)
    // Firing less is no discovery.
    #expect(FeatureRates(ordinary, own).z[0] < 0)
  }

  @Test @TensorActor func `scores are sums of standardised activations`() throws {
    try inFolder { folder in
      // Dimension 0 is in all, dimension 2 in every other response and in no trusted exchange.
      func row(_ x: Float) -> [Float] { [1, 0, x, 0] }
      let rows = (0..<20).map { row($0 % 2 == 0 ? 2 : 0) } + (0..<20).map { _ in row(0) }
      let (view, responses) = try specimen(rows, trusted: 20, in: folder)
      let detector = SparseFeatures(
        autoencoder: AutoencoderFileTests.identity(site, width: 4), layer: 1)
      let scores = try detector.scores(of: responses, in: view)
      // Ten of 40 are 2: the deviation is √0.75.
      expectClose(
        scores.map { $0 ?? .nan }, (0..<20).map { $0 % 2 == 0 ? 2 / 0.75.squareRoot() : 0 },
        atol: 1e-6)
      let none = try specimen(rows, trusted: 0, in: folder)
      #expect(throws: DetectorError.self) {
        try detector.scores(of: none.responses, in: none.view)
      }
    }
  }

  @Test @TensorActor func `a planted direction is found by a dictionary made on the spot`() throws {
    try inFolder { folder in
      var known = try KnownDictionary(width: 32, count: 64, active: 3)
      let values = try known.activations(250).floats()
      var generator = SeededGenerator(seed: 3)
      let planted = (0..<32).map { _ in Float(generator.normal()) * 2 }
      let rows = (0..<250).map { row in
        let own = Array(values[row * 32..<(row + 1) * 32])
        return row < 150 && row % 3 == 0 ? zip(own, planted).map { $0 + $1 } : own
      }
      let (view, responses) = try specimen(rows, trusted: 100, in: folder)
      var training = SparseFeatures.Training()
      (training.features, training.l0, training.steps) = (96, 4, 200)
      let detector = SparseFeatures(layer: 0, training: training)
      let scores = try detector.scores(of: responses, in: view)
      let labels = responses.indices.map { $0 % 3 == 0 }
      let auroc = try ROC(LabelledScores(scores: scores, labels: labels)).auroc
      #expect(auroc > 0.95, "AUROC \(auroc)")
      #expect(try detector.scores(of: responses, in: view) == scores)
      let other = SparseFeatures(layer: 0, training: training, seed: 2)
      #expect(try other.scores(of: responses, in: view) != scores)
    }
  }
}
