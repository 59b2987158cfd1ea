internal import LanguageModels
internal import Statistics
internal import Tensors

/// How strongly features of a sparse autoencoder are active that fire more often than in the
/// specimen's own ordinary exchanges.
///
/// A feature's firing rate over all responses is held against that over trusted exchanges; features
/// whose rate is significantly higher (Benjamini and Hochberg over all features) are summed, each
/// less its trusted mean and divided by its standard deviation. No label of anything; topics that
/// ordinary exchanges do not have are accused too.
///
/// Without an autoencoder it trains a small one, TopK, on the activations that are compared,
/// trusted ones and those to be judged together: a dictionary made of trusted exchanges alone has
/// no word for what these never show. Both kinds are treated alike, so that where they do not
/// differ the rates' test is as valid as one that permutes them. But it has 256 features and has
/// seen a few hundred rows, one an exchange: it tells groups of prompts apart, and its features are
/// no concepts. It computes no tokens where activations were kept; at a width of 576 its 200 steps
/// of 256 rows are some 0.2 · 10¹² operations, about 5 s.
package struct SparseFeatures: ResponseDetector {
  package typealias Access = ActivationsAndTrusted

  /// How a small autoencoder is trained.
  package struct Training: Sendable {
    package var features = 256
    /// Features of a row.
    package var l0 = 8
    package var steps = 200
    /// Rows of a step, drawn with replacement.
    package var rows = 256

    package init() {}

    package static var quick: Training {
      var training = Training()
      (training.features, training.steps) = (128, 100)
      return training
    }
  }

  package let name = "sparse features"
  /// One that is there already, whose site is read.
  package let autoencoder: SparseAutoencoder?
  package let layer: Int?
  package let position: ActivationPosition
  package let training: Training
  /// The share of false discoveries among features, expected at most.
  package let level: Double
  package let seed: UInt64

  package init(
    autoencoder: SparseAutoencoder? = nil, layer: Int? = nil,
    position: ActivationPosition = .lastPromptToken, training: Training = Training(),
    level: Double = 0.05, seed: UInt64 = 1
  ) {
    (self.autoencoder, self.layer, self.position) = (autoencoder, layer, position)
    (self.training, self.level, self.seed) = (training, level, seed)
  }

  /// Σ (a − trusted mean) / deviation over features that fire more often; 0 where none does, nil
  /// where nothing was read.
  ///
  /// - Throws: ``DetectorError/nothingToScore(detector:needed:)`` without trusted exchanges.
  @TensorActor
  package func scores(
    of responses: [Response], in specimen: SpecimenView<ActivationsAndTrusted>
  ) throws -> [Double?] {
    let site = try autoencoder?.site ?? Site.block(layer ?? specimen.layerCount / 2, .residPost)
    func read(_ responses: [Response]) throws -> ActivationTable {
      try specimen.activations(of: responses, at: [site], position: position)
    }
    let trusted = try read(specimen.trustedResponses())
    guard trusted.rowCount > 2 else {
      throw DetectorError.nothingToScore(detector: name, needed: "trusted exchanges")
    }
    let own = try read(responses)
    guard own.rowCount > 0 else { return responses.map { _ in nil } }
    let all = try ActivationTable(joining: [trusted, own])
    let x = Tensor(all.values[site] ?? [], shape: [all.rowCount, all.row(0, at: site).count])
    let features = try (autoencoder ?? train(on: x, site)).encode(x)
    let items = try Self.largest(features.floats(), rows: all.rowCount, spans: all.spans)
    let (ordinary, judged) = (items.prefix(trusted.spans.count), items.suffix(responses.count))
    let rates = FeatureRates(judged.compactMap(\.self), ordinary.compactMap(\.self))
    let firing = try rates.firingMore(level: level).map { ($0, rates.standard(of: $0)) }
    return judged.map { item in
      item.map { item in
        firing.reduce(0) { $0 + (Double(item[$1.0]) - $1.1.mean) / $1.1.deviation }
      }
    }
  }

  /// Each item's largest activation of every feature, `[item][feature]`; nil for an item without
  /// rows.
  private static func largest(_ values: [Float], rows: Int, spans: [Range<Int>]) -> [[Float]?] {
    let width = values.count / rows
    return spans.map { span in
      guard var most = span.first.map({ Array(values[$0 * width..<($0 + 1) * width]) }) else {
        return nil
      }
      for row in span.dropFirst() {
        for feature in 0..<width {
          most[feature] = max(most[feature], values[row * width + feature])
        }
      }
      return most
    }
  }

  @TensorActor
  private func train(on x: Tensor, _ site: Site) throws -> SparseAutoencoder {
    let count = x.shape[0]
    let rows = min(training.rows, count)
    var trainer = try AutoencoderTrainer(
      AutoencoderTraining(
        features: training.features, l0: training.l0, rateScale: 0.2, tokensPerStep: rows,
        deadAfter: 4 * count), site: site, from: x, seed: seed)
    var generator = SeededGenerator(seed: seed, stream: "sparse-features")
    for step in 0..<training.steps {
      let drawn = (0..<rows).map { _ in Int32(generator.below(count)) }
      try trainer.takeStep(
        x.take(Tensor(drawn)), rateFactor: 1 - Double(step) / Double(training.steps))
    }
    return trainer.autoencoder
  }
}

/// How often features fire in one sample and in another, `[item][feature]` each.
package struct FeatureRates: Sendable {
  private let own: [[Float]]
  private let ordinary: [[Float]]

  package init(_ own: [[Float]], _ ordinary: [[Float]]) {
    (self.own, self.ordinary) = (own, ordinary)
  }

  private var featureCount: Int { own.first?.count ?? 0 }

  /// (p₁ − p₀) / √(p (1 − p) (1/n₁ + 1/n₀)) of each feature, p₁ in the first sample, p in both
  /// together; 0 for features that always fire or never do.
  package var z: [Double] {
    let (n1, n0) = (Double(own.count), Double(ordinary.count))
    return (0..<featureCount).map { feature in
      let k1 = Double(own.count { $0[feature] > 0 })
      let k0 = Double(ordinary.count { $0[feature] > 0 })
      let p = (k1 + k0) / (n1 + n0)
      let variance = p * (1 - p) * (1 / n1 + 1 / n0)
      return variance > 0 ? (k1 / n1 - k0 / n0) / variance.squareRoot() : 0
    }
  }

  /// Features that fire more often in the first sample, of which a share of `level` is expected to
  /// be false at most.
  ///
  /// - Throws: `StatisticsError` where rates are no numbers.
  package func firingMore(level: Double) throws -> [Int] {
    let adjusted = try benjaminiHochberg(z.map(NormalDistribution.survival))
    return adjusted.indices.filter { adjusted[$0] <= level }
  }

  /// A feature's mean among ordinary items, and its deviation in both samples together: one that
  /// ordinary items never have does not vary among them.
  package func standard(of feature: Int) -> (mean: Double, deviation: Double) {
    func mean(_ sample: [[Float]], _ value: (Double) -> Double) -> Double {
      sample.reduce(0) { $0 + value(Double($1[feature])) } / Double(sample.count)
    }
    let both = own + ordinary
    let centre = mean(both) { $0 }
    let square = mean(both) { ($0 - centre) * ($0 - centre) }
    return (mean(ordinary) { $0 }, square > 0 ? square.squareRoot() : 1)
  }
}
