internal import Foundation
internal import LanguageModels
internal import Statistics
internal import Tensors

/// Contrast-consistent search: a direction along which a statement and its denial add up to one, found
/// without labels (arXiv 2212.03827).
///
/// L = (p⁺ + p⁻ − 1)² + min(p⁺, p⁻)². The loss does not know which side is true: the sign is set on an anchor
/// set of plain facts, never on what is judged. It finds whichever feature is most prominent among contrast
/// pairs (arXiv 2312.10029), which need not be truth.
package struct ContrastConsistentSearch: ResponseDetector {
  package typealias Access = ActivationsOnly

  package let name = "contrast-consistent search"
  package let layer: Int?
  package let restarts: Int
  package let steps: Int

  package init(layer: Int? = nil, restarts: Int = 10, steps: Int = 400) {
    (self.layer, self.restarts, self.steps) = (layer, restarts, steps)
  }

  static let question = "Is what you just said right?"

  /// ½ (p⁻ + 1 − p⁺): how false the specimen's activations call what it said.
  @TensorActor
  package func scores(
    of responses: [Response], in specimen: SpecimenView<ActivationsOnly>
  ) throws -> [Double?] {
    let layer = try self.layer ?? specimen.layerCount / 2
    let known = try StatementBank.pairs.flatMap { pair in
      try [pair.truth, pair.falsehood].map { statement in
        Response(
          id: statement, promptIDs: try specimen.promptTokens("State something."),
          responseIDs: try specimen.encode(statement))
      }
    }
    let anchors = try specimen.contrast(
      judged(known, specimen), layer: layer, position: .responseMean)
    let found = ConsistentDirection.fit(anchors, restarts: restarts, steps: steps)
    // On the anchors, statements alternate: true, false.
    let truths = found.beliefs(anchors)
    let isUpright =
      truths.enumerated().reduce(0) {
        $0 + ($1.offset.isMultiple(of: 2) ? $1.element : -$1.element)
      }
      >= 0
    let present = responses.indices.filter { !responses[$0].responseIDs.isEmpty }
    let own = try specimen.contrast(
      judged(present.map { responses[$0] }, specimen), layer: layer, position: .responseMean)
    var scores = [Double?](repeating: nil, count: responses.count)
    // As published, each sample is normalised by itself: answers lie elsewhere than plain statements.
    for (place, belief) in zip(present, found.normalised(by: own).beliefs(own)) {
      scores[place] = isUpright ? 1 - belief : belief
    }
    return scores
  }

  /// Each response with yes and with no to whether it is right.
  @TensorActor
  private func judged(
    _ responses: [Response], _ specimen: SpecimenView<ActivationsOnly>
  ) throws -> [(high: Response, low: Response)] {
    let asked = try specimen.nextTurnTokens(Self.question)
    let (yes, no) = try (specimen.encode("Yes"), specimen.encode("No"))
    return responses.map { response in
      let prompt = response.promptIDs + response.responseIDs + asked
      return (
        high: Response(id: response.id, promptIDs: prompt, responseIDs: yes),
        low: Response(id: response.id, promptIDs: prompt, responseIDs: no)
      )
    }
  }
}

/// A linear probe σ(θᵀx̃ + b) over features that were normalised side by side.
package struct ConsistentDirection: Sendable {
  package private(set) var direction: [Double]
  package private(set) var bias: Double
  private var (highCentre, lowCentre): ([Double], [Double])
  private var (highScale, lowScale): ([Double], [Double])
  /// What is minimised, at the last step.
  package private(set) var loss: Double

  /// The best of some random starts, each by Adam.
  package static func fit(
    _ pairs: ContrastPairs, restarts: Int, steps: Int, rate: Double = 0.01, seed: UInt64 = 1
  ) -> ConsistentDirection {
    var best: ConsistentDirection?
    var generator = SeededGenerator(seed: seed, stream: "consistent direction")
    for _ in 0..<max(1, restarts) {
      let start = (0..<pairs.high.width).map { _ in generator.normal() }
      let norm = start.reduce(0) { $0 + $1 * $1 }.squareRoot()
      var candidate = ConsistentDirection(pairs, direction: start.map { $0 / norm })
      candidate.descend(pairs, steps: steps, rate: rate)
      if candidate.loss < best?.loss ?? .infinity { best = candidate }
    }
    guard let best else { preconditionFailure("at least one start") }
    return best
  }

  private init(_ pairs: ContrastPairs, direction: [Double]) {
    let all = Array(0..<pairs.high.rows)
    (self.direction, bias, loss) = (direction, 0, .infinity)
    (highCentre, lowCentre) = (pairs.high.mean(of: all), pairs.low.mean(of: all))
    (highScale, lowScale) = (
      pairs.high.scale(around: highCentre), pairs.low.scale(around: lowCentre)
    )
  }

  /// The same direction for features that are normalised by another sample.
  package func normalised(by pairs: ContrastPairs) -> ConsistentDirection {
    var result = ConsistentDirection(pairs, direction: direction)
    (result.bias, result.loss) = (bias, loss)
    return result
  }

  /// ½ (p⁺ + 1 − p⁻) of each pair.
  package func beliefs(_ pairs: ContrastPairs) -> [Double] {
    zip(probabilities(high(pairs)), probabilities(low(pairs))).map { ($0 + 1 - $1) / 2 }
  }

  private func high(_ pairs: ContrastPairs) -> Matrix {
    pairs.high.standardised(centre: highCentre, scale: highScale)
  }

  private func low(_ pairs: ContrastPairs) -> Matrix {
    pairs.low.standardised(centre: lowCentre, scale: lowScale)
  }

  private func probabilities(_ x: Matrix) -> [Double] {
    (0..<x.rows).map { row in
      let logit = zip(x[row], direction).reduce(bias) { $0 + $1.0 * $1.1 }
      return 1 / (1 + exp(-logit))
    }
  }

  private mutating func descend(_ pairs: ContrastPairs, steps: Int, rate: Double) {
    let (x, y) = (high(pairs), low(pairs))
    let n = Double(x.rows)
    var (first, second) = (
      [Double](repeating: 0, count: x.width + 1), [Double](repeating: 0, count: x.width + 1)
    )
    for step in 1...max(1, steps) {
      let (p, q) = (probabilities(x), probabilities(y))
      loss = zip(p, q).reduce(0) { $0 + pow($1.0 + $1.1 - 1, 2) + pow(min($1.0, $1.1), 2) } / n
      var gradient = [Double](repeating: 0, count: x.width + 1)
      for row in 0..<x.rows {
        let consistency = 2 * (p[row] + q[row] - 1)
        let confidence = 2 * min(p[row], q[row])
        let a = (consistency + (p[row] < q[row] ? confidence : 0)) * p[row] * (1 - p[row]) / n
        let b = (consistency + (p[row] < q[row] ? 0 : confidence)) * q[row] * (1 - q[row]) / n
        for column in 0..<x.width {
          gradient[column] +=
            a * x.values[row * x.width + column] + b * y.values[row * x.width + column]
        }
        gradient[x.width] += a + b
      }
      for place in gradient.indices {
        first[place] = 0.9 * first[place] + 0.1 * gradient[place]
        second[place] = 0.999 * second[place] + 0.001 * gradient[place] * gradient[place]
        let scaled = first[place] / (1 - pow(0.9, Double(step)))
        let spread = (second[place] / (1 - pow(0.999, Double(step)))).squareRoot() + 1e-8
        if place < x.width {
          direction[place] -= rate * scaled / spread
        } else {
          bias -= rate * scaled / spread
        }
      }
    }
  }
}
