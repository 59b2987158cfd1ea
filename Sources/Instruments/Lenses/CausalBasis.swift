internal import Foundation
package import Lab
package import LanguageModels
package import Statistics
internal import Tensors
internal import Training

/// The directions of the residual stream at one site that matter most to what a lens reads there, and
/// whether they matter to the model too.
///
/// Causal basis extraction (Belrose et al. 2023, section 4.1): one after the other, the unit vector
/// orthogonal to the earlier ones whose mean ablation moves the reading furthest, by KL. Each is then
/// ablated in the model itself, and the two changes compared (section 4.2's stimulus and response).
///
/// Inputs: `base`, `text0` …, `lens` unless it is the logit lens, `adapter` where there is one.
package struct CausalBasisCell: CellKind {
  package struct Config: Codable, Sendable, Equatable {
    package var site: String
    package var vectors: Int
    package var hasLens: Bool
    package var sequenceLength: Int
    package var tokens: Int
    /// Iterations for each vector at most.
    package var iterations: Int
    package var level: Double
    package var seed: UInt64
    package var precision: Precision
    package var textFiles: Int

    package init(
      site: String, vectors: Int = 8, hasLens: Bool, sequenceLength: Int = 128,
      tokens: Int = 1024, iterations: Int = 30, level: Double = 0.95, seed: UInt64 = 1,
      precision: Precision, textFiles: Int
    ) {
      (self.site, self.vectors, self.hasLens) = (site, vectors, hasLens)
      (self.sequenceLength, self.tokens, self.iterations) = (sequenceLength, tokens, iterations)
      (self.level, self.seed, self.precision) = (level, seed, precision)
      self.textFiles = textFiles
    }
  }

  /// One direction; energies in nats a token.
  package struct Direction: Codable, Sendable {
    /// A unit vector `[dModel]`.
    package var vector: [Float]
    /// KL(lens ‖ lens with the direction ablated).
    package var stimulus: Estimate
    /// KL(model ‖ model with the direction ablated).
    package var response: Estimate
    /// Aitchison cosine of the two changes of log-probabilities, weighted by what the model predicts,
    /// mean over tokens.
    package var alignment: Estimate
    /// What ablating a random direction does to the model, through as much variance.
    package var control: Estimate
  }

  package struct Finding: Codable, Sendable {
    /// The one that moves the lens furthest first.
    package var directions: [Direction]
    /// Spearman's rank correlation of the lens's and the model's energies; nil for one direction.
    package var correlation: Double?
    package var tokens: Int
    package var documents: Int
    package var unit: String
  }

  package static let kind = "lens-basis"
  package static let version = 1
  private let model: LanguageModel

  package init(model: LanguageModel) { self.model = model }

  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    let model = model
    let files = try (0..<config.textFiles).map { try context.input(named: "text\($0)").path }
    let corpus = try Corpus(files: files)
    let path = config.hasLens ? try context.input(named: "lens").path : nil
    return try await TensorActor.run { () throws -> Finding in
      let c = model.configuration
      let site = try Site(config.site, nLayers: c.nLayers)
      let lens =
        try path.map { try Lens.read($0, for: model) }
        ?? Lens(.logit, sites: [site], dModel: c.dModel)
      guard lens.sites.contains(site), lens.kind.stepsBack == nil else {
        throw LensError.badSite(path: path ?? "the logit lens", site: config.site)
      }
      let windows = try corpus.windowsForIntervals(
        model.tokenizer, length: config.sequenceLength, tokens: config.tokens, seed: config.seed)
      let documents = Set(windows.map(\.document)).count
      let extraction = try CausalBasisExtraction(
        config, model: model, adapter: model.adapter(of: context), lens: lens, site: site,
        windows: windows)
      let directions = try extraction.run(in: context)
      return Finding(
        directions: directions, correlation: Self.correlation(directions),
        tokens: windows.reduce(0) { $0 + $1.ids.count }, documents: documents, unit: corpus.unit)
    }
  }

  private static func correlation(_ directions: [Direction]) -> Double? {
    guard directions.count > 1 else { return nil }
    return spearman(
      directions.map(\.stimulus.value), directions.map(\.response.value))
  }
}

@TensorActor
private struct CausalBasisExtraction {
  private let config: CausalBasisCell.Config
  private let model: LanguageModel
  private let adapter: AdapterWeights?
  private let lens: Lens
  private let site: Site
  private let batch: TokenBatch
  private let documents: [Int]
  /// The stream at the site `[token, dModel]` and its mean.
  private let stream: Tensor, mean: Tensor
  /// What the lens reads there, and what the model predicts in the end.
  private let reading: Predictions, final: Predictions

  init(
    _ config: CausalBasisCell.Config, model: LanguageModel, adapter: AdapterWeights?, lens: Lens,
    site: Site, windows: [Corpus.Window]
  ) throws {
    (self.config, self.model, self.adapter) = (config, model, adapter)
    (self.lens, self.site) = (lens, site)
    batch = TokenBatch(windows.map(\.ids), sharingPrefix: false)
    documents = windows.flatMap { window in window.ids.map { _ in window.document } }
    let output = try model.forward(
      batch, logits: .none, adapter: adapter, hooks: Hooks(captures: [site]))
    guard let captured = output.captured[site] else { preconditionFailure("\(site) was captured") }
    stream = captured
    mean = captured.mean(axes: [0], keepDims: true)
    reading = try model.read(captured, at: site, through: lens)
    final = try model.predictions(from: output.finalNorm)
    try Tensor.evaluate([stream, mean] + reading.tensors + final.tensors)
  }

  func run(in context: CellContext) throws -> [CausalBasisCell.Direction] {
    var vectors: [[Double]] = []
    for index in 0..<config.vectors {
      vectors.append(try nextVector(after: vectors))
      context.spend(tokens: batch.tokens.count)
      context.report(
        progress: CellProgress(done: index + 1, total: config.vectors, unit: "directions"))
    }
    var generator = SeededGenerator(seed: config.seed, stream: "causal-basis")
    return try vectors.map { try direction($0, &generator) }
      .sorted { $0.stimulus.value > $1.stimulus.value }
  }

  // MARK: - Extraction

  /// The direction beyond `earlier` whose ablation moves the reading furthest, from the best of several
  /// starts: the leading directions of what the lens reads, and of what varies.
  private func nextVector(after earlier: [[Double]]) throws -> [Double] {
    let starts = try candidates().map { Self.orthogonal($0, to: earlier) }
    let scored = try starts.map { ($0, try energyAndGradient($0, earlier).value) }
    guard let best = scored.min(by: { $0.1 < $1.1 })?.0 else {
      preconditionFailure("there are candidates")
    }
    var search = LBFGS()
    (search.iterations, search.valueTolerance) = (config.iterations, 1e-6)
    let found = try search.minimise(best) { try energyAndGradient($0, earlier) }
    return Self.orthogonal(found.x, to: earlier)
  }

  /// Minus the mean KL in nats of ablating the direction that `x` has beyond `earlier`, and its
  /// gradient by x.
  private func energyAndGradient(
    _ x: [Double], _ earlier: [[Double]]
  ) throws -> (value: Double, gradient: [Double]) {
    let basis =
      earlier.isEmpty
      ? nil
      : Tensor(
        earlier.joined().map(Float.init), shape: [earlier.count, stream.shape[1]])
    let tree = ParameterTree([("x", Tensor(x.map(Float.init), shape: [1, x.count]))])
    let (value, gradients) = try valueAndGrad(tree) { tree in
      var v = tree["x"]
      if let basis { v = v - v.matmul(basis.transpose()).matmul(basis) }
      v = v / v.square().sum().sqrt()
      let moved = try model.read(ablated(v), at: site, through: lens)
      return -reading.divergence(to: moved).mean()
    }
    let slope = try gradients["x"].floats().map(Double.init)
    return (Double(try value.scalar()), slope)
  }

  /// The stream with its part along the unit vector v `[1, dModel]` at its mean.
  private func ablated(_ v: Tensor) -> Tensor {
    stream - (stream - mean).matmul(v.transpose()).matmul(v)
  }

  /// Eigenvectors of the covariance of the gradients that move the lens, and of the stream's.
  private func candidates() throws -> [[Double]] {
    let centred = stream - mean
    let tree = ParameterTree([("h", stream)])
    // Where the reading moves along the most: the derivative of its log-partition less that of the
    // mean reading.
    let (_, gradients) = try valueAndGrad(tree) { tree in
      try model.read(tree["h"], at: site, through: lens).logPartition.sum()
    }
    let sensitivity = gradients["h"] - gradients["h"].mean(axes: [0], keepDims: true)
    return try [centred, sensitivity].flatMap { rows -> [[Double]] in
      let vectors = try rows.transpose().matmul(rows).eigh().vectors
      let (d, all) = (vectors.shape[0], try vectors.floats())
      return (1...4).map { place in (0..<d).map { Double(all[$0 * d + d - place]) } }
    }
  }

  private static func orthogonal(_ x: [Double], to earlier: [[Double]]) -> [Double] {
    var x = x
    // Twice, because once leaves what rounding brings back.
    for _ in 0..<2 {
      for other in earlier {
        let share = zip(x, other).reduce(0) { $0 + $1.0 * $1.1 }
        for i in x.indices { x[i] -= share * other[i] }
      }
    }
    let length = x.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return x.map { $0 / length }
  }

  // MARK: - Stimulus and response

  private func direction(
    _ vector: [Double], _ generator: inout SeededGenerator
  ) throws -> CausalBasisCell.Direction {
    let v = Tensor(vector.map(Float.init), shape: [1, vector.count])
    let moved = try model.read(ablated(v), at: site, through: lens)
    let response = try prediction(replacing: ablated(v))
    let stimulus = try reading.divergence(to: moved).floats().map(Double.init)
    let effect = try final.divergence(to: response).floats().map(Double.init)
    return CausalBasisCell.Direction(
      vector: vector.map(Float.init), stimulus: try estimate(stimulus),
      response: try estimate(effect), alignment: try estimate(try alignment(moved, response)),
      control: try estimate(try control(for: v, &generator)))
  }

  private func estimate(_ values: [Double]) throws -> Estimate {
    try clusteredMean(values, clusters: documents, unit: "token", level: config.level)
  }

  /// What the model predicts with another stream at the site.
  private func prediction(replacing stream: Tensor) throws -> Predictions {
    let output = try model.forward(
      batch, logits: .none, adapter: adapter,
      hooks: Hooks(interventions: [(site, .replace(stream))]))
    let predictions = try model.predictions(from: output.finalNorm)
    try Tensor.evaluate(predictions.tensors)
    return predictions
  }

  /// Each token's change through v, along a random direction instead: as long, elsewhere.
  private func control(
    for v: Tensor, _ generator: inout SeededGenerator
  ) throws -> [Double] {
    let d = v.shape[1]
    let drawn = Self.orthogonal((0..<d).map { _ in generator.normal() }, to: [])
    let other = Tensor(drawn.map(Float.init), shape: [1, d])
    let moved = stream - (stream - mean).matmul(v.transpose()).matmul(other)
    return try final.divergence(to: prediction(replacing: moved)).floats().map(Double.init)
  }

  /// Rows whose whole distributions lie side by side.
  private static let rowsAtOnce = 128

  /// clr(x) = x − Σ p x, compared by the cosine of Σ p x y (Egozcue & Pawlowsky-Glahn 2016), where x is
  /// the lens's change of log-probabilities, y the model's and p what the model predicts.
  private func alignment(_ moved: Predictions, _ response: Predictions) throws -> [Double] {
    var cosines: [Double] = []
    for start in stride(from: 0, to: batch.tokens.count, by: Self.rowsAtOnce) {
      let rows = start..<min(start + Self.rowsAtOnce, batch.tokens.count)
      func log(_ predictions: Predictions) throws -> Tensor {
        try model.logits(ofRows: predictions.rows.slice(rows)).logSoftmax()
      }
      let own = try log(final)
      let p = own.exp()
      func centred(_ x: Tensor) -> Tensor { x - (p * x).sum(axes: [1], keepDims: true) }
      let x = centred(try log(moved) - log(reading))
      let y = centred(try log(response) - own)
      func product(_ a: Tensor, _ b: Tensor) -> Tensor { (p * a * b).sum(axes: [1]) }
      let length = (product(x, x) * product(y, y)).sqrt()
      let cosine = product(x, y) / Tensor.maximum(length, Tensor(1e-12))
      cosines += try cosine.floats().map(Double.init)
    }
    return cosines
  }
}
