internal import Foundation
package import Lab
package import LanguageModels
package import Tensors

/// What a lens reads at every site of every token of one text, the model's own prediction last.
package struct Trajectory: Codable, Sendable, Equatable {
  /// A token that might come, or might have been.
  package struct Choice: Codable, Sendable, Equatable {
    package var id: Int
    package var text: String
    package var probability: Double
  }

  /// One site of one token.
  package struct Reading: Codable, Sendable, Equatable {
    /// The most probable tokens, the first first.
    package var top: [Choice]
    /// In nats.
    package var entropy: Double
    /// KL(model ‖ lens) in nats; nil for retrodictions.
    package var divergence: Double?
    /// The place of the token that came, or that is to be named, among all, from 1; nil for the last
    /// token's successor.
    package var rank: Int?
    /// Its −log q in nats.
    package var crossEntropy: Double?
  }

  package var kind: Lens.Kind
  /// The text's tokens.
  package var tokens: [Choice]
  /// Names of the sites, from the input on; a forward lens's last is `logits`.
  package var sites: [String]
  /// `[site][token]`
  package var readings: [[Reading]]

  /// The first site from which on the first choice stays what it is in the end, by token: Belrose et
  /// al.'s prediction depth (2023, after Baldock et al. 2021), in sites instead of layers.
  package var depths: [Int]

  init(kind: Lens.Kind, tokens: [Choice], sites: [String], readings: [[Reading]]) {
    (self.kind, self.tokens, self.sites, self.readings) = (kind, tokens, sites, readings)
    let last = readings.last ?? []
    depths = last.indices.map { token in
      let final = last[token].top.first?.id
      let other = readings.lastIndex { $0[token].top.first?.id != final }
      return other.map { $0 + 1 } ?? 0
    }
  }
}

/// Reads one text through a lens, and where asked, another text or the model without its adapter, and
/// how far apart the two are.
///
/// Inputs: `base`; `lens`, where it is not the logit lens; `adapter`, where there is one.
package struct LensTrajectoryCell: CellKind {
  /// What is read beside the text.
  package enum Other: Codable, Sendable, Equatable {
    case text(ids: [Int])
    /// The same text by the model without its adapter.
    case base
  }

  package struct Config: Codable, Sendable, Equatable {
    package var ids: [Int]
    package var other: Other?
    package var hasLens: Bool
    /// Whether the logit lens reads between attention and MLP too.
    package var mid: Bool
    /// How many choices of each reading are kept.
    package var topCount: Int
    package var precision: Precision

    package init(
      ids: [Int], other: Other? = nil, hasLens: Bool, mid: Bool = false, topCount: Int = 5,
      precision: Precision
    ) {
      (self.ids, self.other, self.hasLens, self.mid) = (ids, other, hasLens, mid)
      (self.topCount, self.precision) = (topCount, precision)
    }
  }

  package struct Finding: Codable, Sendable {
    package var trajectory: Trajectory
    package var other: Trajectory?
    /// Jensen–Shannon divergences of the two in nats, `[site][token]`, of their last tokens where they
    /// are of different lengths.
    package var distances: [[Double]]?
  }

  package static let kind = "lens-trajectory"
  package static let version = 1
  private let model: LanguageModel

  package init(model: LanguageModel) { self.model = model }

  package func run(_ config: Config, in context: CellContext) async throws -> Finding {
    let model = model
    let path = config.hasLens ? try context.input(named: "lens").path : nil
    return try await TensorActor.run { () throws -> Finding in
      let (c, adapter) = (model.configuration, try model.adapter(of: context))
      let lens =
        try path.map { try Lens.read($0, for: model) }
        ?? Lens(.logit, sites: Lens.sites(of: c, mid: config.mid), dModel: c.dModel)
      let first = try TrajectoryReader(config.ids, model, adapter, lens)
      let second: TrajectoryReader? =
        switch config.other {
        case .text(let ids): try TrajectoryReader(ids, model, adapter, lens)
        case .base: try TrajectoryReader(config.ids, model, nil, lens)
        case nil: nil
        }
      context.spend(tokens: config.ids.count + (second?.ids.count ?? 0))
      var (own, other, distances): ([[Trajectory.Reading]], [[Trajectory.Reading]], [[Double]]) =
        ([], [], [])
      for place in first.places.indices {
        let p = try first.logProbabilities(place)
        own.append(try first.readings(p, top: config.topCount))
        if let second {
          let q = try second.logProbabilities(place)
          other.append(try second.readings(q, top: config.topCount))
          distances.append(try Self.distances(p, q))
        }
        context.report(
          progress: CellProgress(done: place + 1, total: first.places.count, unit: "sites"))
      }
      return Finding(
        trajectory: first.trajectory(own), other: second.map { $0.trajectory(other) },
        distances: second == nil ? nil : distances)
    }
  }

  /// JS(p, q) of the last rows that both have (Lin 1991, eq. 3.1), in nats.
  @TensorActor
  package static func distances(_ p: Tensor, _ q: Tensor) throws -> [Double] {
    let count = min(p.shape[0], q.shape[0])
    let last = { (x: Tensor) in x.slice(x.shape[0] - count..<x.shape[0]) }
    let (p, q) = (last(p), last(q))
    let middle = Tensor.maximum(p, q) + ((-(p - q).abs()).exp() + 1).log() - Float(log(2.0))
    let sum = (p.exp() * (p - middle) + q.exp() * (q - middle)).sum(axes: [1]) * 0.5
    return try sum.floats().map { max(0, Double($0)) }
  }
}

/// One pass over one text, to be read site by site.
@TensorActor
private struct TrajectoryReader {
  let ids: [Int]
  /// The lens's sites, and nil for the model's own prediction.
  let places: [Site?]
  private let model: LanguageModel
  private let lens: Lens
  private let output: LanguageModel.Output
  private let final: Tensor?

  init(_ ids: [Int], _ model: LanguageModel, _ adapter: AdapterWeights?, _ lens: Lens) throws {
    (self.ids, self.model, self.lens) = (ids, model, lens)
    output = try model.forward(
      TokenBatch([ids]), logits: .none, adapter: adapter,
      hooks: Hooks(captures: Set(lens.sites)))
    let isForward = lens.kind.stepsBack == nil
    places = lens.sites.map { $0 } + (isForward ? [nil] : [])
    final =
      isForward
      ? try model.logits(of: model.predictions(from: output.finalNorm)).logSoftmax() : nil
  }

  /// Of all tokens, `[token, dVocab]`, in nats.
  func logProbabilities(_ place: Int) throws -> Tensor {
    if places[place] == nil, let final { return final }
    guard let site = places[place], let stream = output.captured[site] else {
      preconditionFailure("site \(place) was not captured")
    }
    let reading = try model.read(stream, at: site, through: lens, withMoments: false)
    let result = try model.logits(of: reading).logSoftmax()
    try Tensor.evaluate([result])
    return result
  }

  func readings(_ log: Tensor, top count: Int) throws -> [Trajectory.Reading] {
    let entropies = try (-(log.exp() * log).sum(axes: [1])).floats()
    let divergences = try final.map { try ($0.exp() * ($0 - log)).sum(axes: [1]).floats() }
    let (values, width) = (try log.floats(), log.shape[1])
    return values.withUnsafeBufferPointer { values in
      ids.indices.map { token in
        let row = UnsafeBufferPointer(rebasing: values[token * width..<(token + 1) * width])
        let target = target(of: token)
        return Trajectory.Reading(
          top: Self.largest(count, of: row).map { choice($0, Double(exp(row[$0]))) },
          entropy: Double(entropies[token]), divergence: divergences.map { Double($0[token]) },
          rank: target.map { id in row.reduce(1) { $0 + ($1 > row[id] ? 1 : 0) } },
          crossEntropy: target.map { -Double(row[$0]) })
      }
    }
  }

  func trajectory(_ readings: [[Trajectory.Reading]]) -> Trajectory {
    Trajectory(
      kind: lens.kind, tokens: ids.map { choice($0, 1) },
      sites: places.map { $0?.description ?? "logits" }, readings: readings)
  }

  /// The token that a reading is about.
  private func target(of token: Int) -> Int? {
    let place = lens.kind.stepsBack.map { token - $0 } ?? token + 1
    return ids.indices.contains(place) ? ids[place] : nil
  }

  private func choice(_ id: Int, _ probability: Double) -> Trajectory.Choice {
    Trajectory.Choice(id: id, text: model.tokenizer.piece(id), probability: probability)
  }

  /// Places of the largest numbers, the largest first, the first of equals.
  private static func largest(_ count: Int, of row: UnsafeBufferPointer<Float>) -> [Int] {
    var best: [Int] = []
    for place in row.indices {
      if best.count == count, let last = best.last, row[place] <= row[last] { continue }
      let at = best.firstIndex { row[place] > row[$0] } ?? best.count
      best.insert(place, at: at)
      if best.count > count { best.removeLast() }
    }
    return best
  }
}
