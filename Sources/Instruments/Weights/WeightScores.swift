internal import Statistics
internal import Tensors

/// How well a reading predicts what was measured, over a neuron's outputs.
package struct WeightMetrics: Codable, Sendable, Equatable {
  /// Pearson's correlation over outputs: the cosine once means are taken out, which logits are known up to.
  package var cosine: Double
  /// Spearman's.
  package var rank: Double
  /// How many of the 20 largest are the same.
  package var top: Double
  /// How many outputs are on the same side of their mean.
  package var sign: Double

  static let names = ["cosine", "rank", "top", "sign"]
  var values: [Double] { [cosine, rank, top, sign] }

  /// Each row of `predicted` `[neuron, output]` against that of `measured`.
  ///
  /// `bySize`: the largest are those furthest from 0, and not the highest.
  @TensorActor
  static func rows(
    _ predicted: Tensor, _ measured: Tensor, bySize: Bool
  ) throws -> [WeightMetrics] {
    let cosines = try correlation(predicted, measured).floats()
    let ranks = try correlation(ranks(predicted), ranks(measured)).floats()
    let sides = try side(predicted).equal(side(measured)).astype(.float32).mean(axes: [1]).floats()
    let tops = try zip(
      largest(predicted, bySize: bySize), largest(measured, bySize: bySize)
    ).map { Double($0.intersection($1).count) / Double(max($1.count, 1)) }
    return cosines.indices.map {
      WeightMetrics(
        cosine: Double(cosines[$0]), rank: Double(ranks[$0]), top: tops[$0], sign: Double(sides[$0])
      )
    }
  }

  /// Pearson's correlation of rows, 0 where one does not vary.
  @TensorActor
  static func correlation(_ a: Tensor, _ b: Tensor) -> Tensor {
    let (x, y) = (centred(a), centred(b))
    let lengths = (x.square().sum(axes: [1]) * y.square().sum(axes: [1])).sqrt()
    return (x * y).sum(axes: [1]) / Tensor.maximum(lengths, Tensor(1e-30))
  }

  /// Scaled to a largest size of 1, so that squares of slight effects do not vanish.
  @TensorActor
  private static func centred(_ x: Tensor) -> Tensor {
    let y = x - x.mean(axes: [1], keepDims: true)
    return y / Tensor.maximum(y.abs().max(axes: [1], keepDims: true), Tensor(1e-30))
  }

  @TensorActor
  private static func ranks(_ x: Tensor) -> Tensor { x.argsort().argsort().astype(.float32) }

  @TensorActor
  private static func side(_ x: Tensor) -> Tensor {
    x.less(x.mean(axes: [1], keepDims: true)).astype(.float32)
  }

  @TensorActor
  private static func largest(_ x: Tensor, bySize: Bool) throws -> [Set<Int32>] {
    let (rows, width) = (x.shape[0], x.shape[1])
    let count = min(20, width)
    let order = (bySize ? x.abs() : x).argsort().slice(width - count..<width, axis: 1)
    let ids = try order.astype(.int32).int32s()
    return (0..<rows).map { Set(ids[$0 * count..<($0 + 1) * count]) }
  }
}

/// One neuron's reading through one transport, judged.
struct WeightScore {
  var reading: WeightValidationCell.ReadingKind
  var truth: WeightValidationCell.Truth
  /// Blocks from where it is written to where it is read.
  var gap: Int
  var neuron: Neuron
  var kind: TransportKind
  var metrics: WeightMetrics
  /// What a perfect prediction would reach, as far as the measurement repeats itself; nil where it was
  /// not split.
  var ceiling: Double?

  static let header =
    "reading,truth,gap,neuron,transport," + WeightMetrics.names.joined(separator: ",")

  var line: String {
    ([reading.rawValue, truth.rawValue, "\(gap)", "\(neuron)", kind.rawValue]
      + metrics.values.map { "\($0)" }).joined(separator: ",")
  }
}

extension WeightValidationCell.Reading {
  /// Pools scores of one reading: a mean over neurons for every transport and every gap, with intervals
  /// from resampled neurons, the same ones for all transports.
  init(
    _ kind: WeightValidationCell.ReadingKind, _ truth: WeightValidationCell.Truth,
    scores: [WeightScore], correction: TransportKind, level: Double, seed: UInt64
  ) throws {
    let gaps = Set(scores.map(\.gap)).sorted()
    // So that all gaps hold together.
    let each = 1 - (1 - level) / Double(max(gaps.count, 1))
    (self.kind, self.truth, self.correction) = (kind, truth, correction)
    self.gaps = try gaps.map { gap in
      try .init(
        gap: gap, scores: scores.filter { $0.gap == gap }, correction, level: each, seed: seed)
    }
    pooled = try .init(gap: nil, scores: scores, correction, level: level, seed: seed)
    verdict = .init(pooled)
  }
}

extension WeightValidationCell.Gap {
  init(
    gap: Int?, scores: [WeightScore], _ correction: TransportKind, level: Double, seed: UInt64
  ) throws {
    let neurons = Dictionary(
      uniqueKeysWithValues: Set(scores.map(\.neuron)).sorted { "\($0)" < "\($1)" }.enumerated().map
      {
        ($1, $0)
      })
    let resamples = try ClusterResamples(clusterCount: neurons.count, seed: seed)
    func mean(_ values: [Double], _ own: [WeightScore]) throws -> Estimate {
      let distribution = try resamples.mean(
        of: values, clusters: own.map { neurons[$0.neuron].unwrapped })
      return Estimate(
        value: distribution.observed, interval: try distribution.interval(level: level),
        n: values.count, unit: "reading", method: "bootstrap over neurons",
        clusters: neurons.count, replicates: distribution.replicates)
    }
    let grouped = Dictionary(grouping: scores, by: \.kind)
    let reference = grouped[correction] ?? []
    (self.gap, self.neurons) = (gap, neurons.count)
    let ceilings = reference.compactMap(\.ceiling)
    ceiling = ceilings.isEmpty ? nil : ceilings.reduce(0, +) / Double(ceilings.count)
    transports = try TransportKind.allCases.compactMap { kind in
      guard let own = grouped[kind] else { return nil }
      // Scores of every transport were made in the same order.
      let leads = zip(reference, own).map { $0.metrics.cosine - $1.metrics.cosine }
      return WeightValidationCell.Transported(
        kind: kind, cosine: try mean(own.map(\.metrics.cosine), own),
        rank: try mean(own.map(\.metrics.rank), own), top: try mean(own.map(\.metrics.top), own),
        sign: try mean(own.map(\.metrics.sign), own),
        lead: kind == correction ? nil : try mean(leads, own))
    }
  }
}

extension WeightValidationCell.Verdict {
  /// The rule that was set before anything was measured.
  init(_ pooled: WeightValidationCell.Gap) {
    func lead(_ kind: TransportKind) -> Interval? {
      pooled.transports.first { $0.kind == kind }?.lead?.interval
    }
    let (raw, wrong, random) = (lead(.identity), lead(.wrongLayer), lead(.random))
    let margin = WeightValidationCell.margin
    guard let raw else {
      self = .undecided
      return
    }
    if raw.lower > margin {
      let isBest = [wrong, random].compactMap { $0 }.allSatisfy { $0.lower > 0 }
      self = isBest ? .helps : .noBetterThanControls
    } else if raw.upper < -margin {
      self = .hurts
    } else {
      self = raw.lower > -margin && raw.upper < margin ? .noDifference : .undecided
    }
  }
}
