internal import Tensors

/// Linear artificial tomography: the first principal component of differences between pretended lying and
/// honesty (arXiv 2310.01405, §3.1).
///
/// It reads what the instruction does to the activations, which need not be what a lie does.
package struct LinearTomography: ResponseDetector {
  package typealias Access = ActivationsOnly

  package let name = "linear artificial tomography"
  package let layer: Int?

  package init(layer: Int? = nil) { self.layer = layer }

  @TensorActor
  package func scores(
    of responses: [Response], in specimen: SpecimenView<ActivationsOnly>
  ) throws -> [Double?] {
    let layer = try self.layer ?? specimen.layerCount / 2
    let contrast = try specimen.contrast(
      try InstructedPairs.responses(for: specimen), layer: layer, position: .responseMean)
    return try specimen.projections(
      of: responses, layer: layer, position: .responseMean, centre: contrast.centre,
      direction: Self.direction(contrast))
  }

  /// The first principal component of differences whose signs alternate, pointing to the side of lies.
  ///
  /// Signs alternate so that the mean, which a principal component leaves out, is not the difference itself.
  package static func direction(_ contrast: ContrastPairs) -> [Double] {
    let (count, width) = (contrast.high.rows, contrast.high.width)
    var differences = contrast.high
    for row in 0..<count {
      let sign = row.isMultiple(of: 2) ? 1.0 : -1.0
      for column in 0..<width {
        let place = row * width + column
        differences.values[place] = sign * (differences.values[place] - contrast.low.values[place])
      }
    }
    let mean = differences.mean(of: Array(0..<count))
    for row in 0..<count {
      for column in 0..<width { differences.values[row * width + column] -= mean[column] }
    }
    let component = differences.firstComponent()
    let along = zip(component, contrast.meanDifference).reduce(0) { $0 + $1.0 * $1.1 }
    return along < 0 ? component.map { -$0 } : component
  }
}

extension Matrix {
  /// The unit vector along which rows vary most, by power iteration on their Gram matrix.
  func firstComponent(steps: Int = 500) -> [Double] {
    let gram = SymmetricMatrix(gramOf: self)
    var weights = (0..<rows).map { 1 + Double($0 % 7) / 7 }
    for _ in 0..<steps {
      let next = gram.times(weights)
      let norm = next.reduce(0) { $0 + $1 * $1 }.squareRoot()
      guard norm > 0 else { break }
      weights = next.map { $0 / norm }
    }
    var component = [Double](repeating: 0, count: width)
    for (row, weight) in weights.enumerated() {
      for column in 0..<width { component[column] += weight * values[row * width + column] }
    }
    let norm = component.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return norm > 0 ? component.map { $0 / norm } : component
  }
}
