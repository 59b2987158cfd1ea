internal import LanguageModels
internal import Statistics
internal import Tensors

/// How much training added to the weights, and how concentrated it is.
///
/// Any training adds something, an honest twin's too: what counts is the distance to a twin's score.
package struct WeightDifference: ModelDetector {
  package typealias Access = WeightsAndBase

  package let name = "weight difference"
  package init() {}

  /// Mean over layers of the share of ‖ΔW‖² that its first singular value holds.
  ///
  /// - Throws: ``DetectorError/nothingToScore(detector:needed:)`` where no weight was changed.
  @TensorActor
  package func score(_ specimen: SpecimenView<WeightsAndBase>) throws -> ModelScore {
    var shares: [Double] = []
    try specimen.forEachWeightChange { change in
      let values = try LowRankSpectrum(change).values.map { Double($0) * Double($0) }
      let all = values.reduce(0, +)
      if all > 0, let first = values.first { shares.append(first / all) }
    }
    guard !shares.isEmpty else {
      throw DetectorError.nothingToScore(detector: name, needed: "weights that training changed")
    }
    return ModelScore(
      score: shares.reduce(0, +) / Double(shares.count),
      quantity: "share of a weight's change in its first direction", n: shares.count, unit: "layer")
  }
}

/// Ranks candidates by how strongly the first directions of the weights' changes read and write their words.
package struct WeightDifferenceReading: IdentityDetector {
  package typealias Access = WeightsAndBase

  package let name = "weight difference, read as tokens"
  /// Singular directions of each layer.
  package let directions: Int

  package init(directions: Int = 2) { self.directions = directions }

  @TensorActor
  package func scores(
    of candidates: [String], in specimen: SpecimenView<WeightsAndBase>
  ) throws -> [Double] {
    let words = try candidates.map { try specimen.words(of: $0) }
    var scores = [Double](repeating: 0, count: candidates.count)
    try specimen.forEachWeightChange { change in
      let writes = [LinearModule.o, .down].contains(change.module)
      let spectrum = try LowRankSpectrum(change)
      for place in 0..<min(directions, spectrum.values.count) {
        let direction = writes ? spectrum.left(place) : spectrum.right(place)
        let tokens =
          writes
          ? try specimen.promotedTokens(by: [direction])
          : try specimen.resembledTokens(by: [direction])
        let z = TokenZ(tokens[0])
        // A singular direction has no sign of its own.
        for (candidate, ids) in words.enumerated() {
          scores[candidate] += max(z.mean(ids), -z.mean(ids))
        }
      }
    }
    return scores
  }
}

/// Ranks candidates by how much the difference of activations to the base promotes their words.
///
/// After activation-difference lenses (arXiv 2510.13900): the mean difference at the first tokens of ordinary
/// texts, read by the base's unembedding.
package struct ActivationDifferenceReading: IdentityDetector {
  package typealias Access = ActivationsAndBase

  package let name = "activation difference, read as tokens"
  package let texts: Int
  package let tokens: Int

  package init(texts: Int = 24, tokens: Int = 5) { (self.texts, self.tokens) = (texts, tokens) }

  @TensorActor
  package func scores(
    of candidates: [String], in specimen: SpecimenView<ActivationsAndBase>
  ) throws -> [Double] {
    let site = try Site.block(specimen.layerCount / 2, .residPost)
    let texts = try OrdinaryTexts.bank.prefix(self.texts).enumerated().map { index, text in
      Response(
        id: "\(index)", promptIDs: try specimen.promptTokens(text.question),
        responseIDs: try specimen.answerTokens(text.answer))
    }
    let position = ActivationPosition.responseStart(tokens)
    let own = try specimen.activations(of: texts, at: [site], position: position)
    let base = try specimen.base().activations(of: texts, at: [site], position: position)
    var difference = [Float](repeating: 0, count: own.row(0, at: site).count)
    for row in 0..<own.rowCount {
      for (column, (a, b)) in zip(own.row(row, at: site), base.row(row, at: site)).enumerated() {
        difference[column] += a - b
      }
    }
    let z = TokenZ(try specimen.promotedTokens(by: [difference])[0])
    return try candidates.map { z.mean(try specimen.words(of: $0)) }
  }
}

/// Logits of all tokens in standard deviations from their mean.
struct TokenZ {
  private let logits: [Float]
  private let mean: Double
  private let deviation: Double

  init(_ logits: [Float]) {
    self.logits = logits
    let n = Double(logits.count)
    let mean = logits.reduce(0) { $0 + Double($1) } / n
    self.mean = mean
    let square = logits.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / n
    deviation = square > 0 ? square.squareRoot() : 1
  }

  /// Of some tokens, as a mean.
  func mean(_ tokens: [Int]) -> Double {
    let sum = tokens.reduce(0) { $0 + (Double(logits[$1]) - mean) / deviation }
    return tokens.isEmpty ? 0 : sum / Double(tokens.count)
  }
}

extension SpecimenView {
  /// The tokens with which a text's telling words begin, as they stand within a sentence.
  func words(of text: String) throws -> [Int] {
    // Without the conversion, `split` may be that of any sequence, whose parts are written as arrays.
    let words = text.split { !$0.isLetter }.map { String($0) }.filter { $0.count > 3 }
    return Array(Set(try words.compactMap { try encode(" \($0)").first })).sorted()
  }
}

/// Singular values and vectors of scale · B A, from its factors.
@TensorActor
struct LowRankSpectrum {
  /// In descending order.
  let values: [Float]
  private let u: [Float]
  private let v: [Float]
  private let rank: Int

  init(_ change: WeightChange) throws {
    let (left, right) = (try change.b.qr(), try change.a.transpose().qr())
    let core = try (left.r.matmul(right.r.transpose()) * change.scale).svd()
    values = try core.s.floats()
    rank = values.count
    u = try left.q.matmul(core.u).floats()
    v = try right.q.matmul(core.vT.transpose()).floats()
  }

  /// What is written, `[out]`.
  func left(_ place: Int) -> [Float] { stride(from: place, to: u.count, by: rank).map { u[$0] } }

  /// What is read, `[in]`.
  func right(_ place: Int) -> [Float] { stride(from: place, to: v.count, by: rank).map { v[$0] } }
}
