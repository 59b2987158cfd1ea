internal import Foundation
internal import LanguageModels
internal import Statistics
internal import Tensors

/// How far a response's activations lie from those of the specimen's own ordinary exchanges.
///
/// Mahalanobis distance in the trusted sample's first principal components, its covariance shrunk as Ledoit
/// and Wolf do (2004). No label of anything; what is rare among ordinary exchanges is accused too.
package struct MahalanobisAnomaly: ResponseDetector {
  package typealias Access = ActivationsAndTrusted

  package let name = "mahalanobis distance"
  package let layer: Int?
  package let components: Int

  package init(layer: Int? = nil, components: Int = 64) {
    (self.layer, self.components) = (layer, components)
  }

  /// (x − μ)ᵀ Σ⁻¹ (x − μ) at the last prompt token.
  ///
  /// - Throws: ``DetectorError/nothingToScore(detector:needed:)`` without trusted exchanges.
  @TensorActor
  package func scores(
    of responses: [Response], in specimen: SpecimenView<ActivationsAndTrusted>
  ) throws -> [Double?] {
    let site = try Site.block(layer ?? specimen.layerCount / 2, .residPost)
    func rows(_ responses: [Response]) throws -> (spans: [Range<Int>], values: Matrix) {
      let table = try specimen.activations(of: responses, at: [site], position: .lastPromptToken)
      let values = (0..<table.rowCount).flatMap { table.row($0, at: site).map(Double.init) }
      return (table.spans, Matrix(width: values.count / max(1, table.rowCount), values: values))
    }
    let trusted = try specimen.trustedResponses()
    guard trusted.count > 2 else {
      throw DetectorError.nothingToScore(detector: name, needed: "trusted exchanges")
    }
    let basis = PrincipalComponents(try rows(trusted).values, count: components)
    let distance = try MahalanobisDistance(basis(rows(trusted).values))
    let own = try rows(responses)
    let projected = basis(own.values)
    return own.spans.map { span in span.first.map { distance(projected[$0]) } }
  }
}

/// How unusual the layer-by-layer likelihood of a response is, as the base's tuned lens reads it.
///
/// After anomaly detection on prediction trajectories ("Eliciting latent predictions", arXiv 2303.08112, §5;
/// "Quirky language models", arXiv 2312.01037): one number a block and response, its Mahalanobis distance
/// from those of ordinary exchanges. Some blocks and the first tokens suffice: each block costs a product with
/// the whole vocabulary.
package struct TrajectoryAnomaly: ResponseDetector {
  package typealias Access = ActivationsTrustedAndBase

  package let name = "trajectory anomaly"
  /// How many blocks, evenly spread, the last among them.
  package let blocks: Int
  /// The most tokens of each response.
  package let tokens: Int

  package init(blocks: Int = 6, tokens: Int = 6) { (self.blocks, self.tokens) = (blocks, tokens) }

  /// The blocks after which a model of so many is read.
  package func blocks(of depth: Int) -> [Int] { LensReading.blocks(blocks, of: depth) }

  /// The distance of the losses after each block; nil for an empty response.
  ///
  /// - Throws: ``DetectorError/nothingToScore(detector:needed:)`` without trusted exchanges.
  @TensorActor
  package func scores(
    of responses: [Response], in specimen: SpecimenView<ActivationsTrustedAndBase>
  ) throws -> [Double?] {
    let chosen = blocks(of: try specimen.layerCount)
    func losses(_ responses: [Response]) throws -> [[Double]] {
      try specimen.lensLosses(of: responses, blocks: chosen, tokens: tokens)
    }
    let trusted = try losses(specimen.trustedResponses()).filter { !$0.isEmpty }
    guard trusted.count > 2 else {
      throw DetectorError.nothingToScore(detector: name, needed: "trusted exchanges")
    }
    let distance = try MahalanobisDistance(
      Matrix(width: trusted[0].count, values: Array(trusted.joined())))
    return try losses(responses).map { $0.isEmpty ? nil : distance($0) }
  }
}

/// Coordinates along the directions in which a sample varies most.
struct PrincipalComponents {
  let centre: [Double]
  /// `[component, width]`, unit rows.
  let directions: [[Double]]

  /// The first components of `x`, fewer where it has fewer, by orthogonal iteration on its Gram matrix.
  init(_ x: Matrix, count: Int) {
    centre = x.mean(of: Array(0..<x.rows))
    let one = [Double](repeating: 1, count: x.width)
    var rest = x.standardised(centre: centre, scale: one)
    var found: [[Double]] = []
    for _ in 0..<min(count, x.rows - 1, x.width) {
      let component = rest.firstComponent(steps: 60)
      guard component.contains(where: { $0 != 0 }) else { break }
      found.append(component)
      for row in 0..<rest.rows {
        let along = zip(rest[row], component).reduce(0) { $0 + $1.0 * $1.1 }
        for column in 0..<rest.width {
          rest.values[row * rest.width + column] -= along * component[column]
        }
      }
    }
    directions = found
  }

  /// `[row, component]`.
  func callAsFunction(_ x: Matrix) -> Matrix {
    var values: [Double] = []
    for row in 0..<x.rows {
      let shifted = zip(x[row], centre).map { $0 - $1 }
      values += directions.map { zip($0, shifted).reduce(0) { $0 + $1.0 * $1.1 } }
    }
    return Matrix(width: max(1, directions.count), values: values)
  }
}

/// (x − μ)ᵀ Σ⁻¹ (x − μ) with Ledoit and Wolf's Σ.
struct MahalanobisDistance {
  private let centre: [Double]
  private let factor: SymmetricMatrix

  /// - Throws: ``DetectorError/unusableCalibration(expected:found:)`` where nothing varies.
  init(_ sample: Matrix) throws(DetectorError) {
    centre = sample.mean(of: Array(0..<sample.rows))
    let one = [Double](repeating: 1, count: sample.width)
    let centred = sample.standardised(centre: centre, scale: one)
    let shrunk = LedoitWolf(centred.values, rows: sample.rows)
    var matrix = SymmetricMatrix(size: sample.width, values: shrunk.covariance)
    matrix.factor(addingToDiagonal: 0)
    guard matrix.isRegular else {
      throw .unusableCalibration(expected: "trusted exchanges that differ", found: "none that do")
    }
    factor = matrix
  }

  func callAsFunction(_ x: some Sequence<Double>) -> Double {
    let shifted = zip(x, centre).map { $0 - $1 }
    return zip(shifted, factor.solve(shifted)).reduce(0) { $0 + $1.0 * $1.1 }
  }
}
