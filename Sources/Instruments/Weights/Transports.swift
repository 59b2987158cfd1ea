internal import Foundation
internal import LanguageModels
internal import Statistics
internal import Tensors

/// How a direction of the residual stream at one site is carried to another, before it is read there.
package enum TransportKind: String, Codable, Sendable, CaseIterable {
  /// As it is: the raw reading.
  case identity
  /// By the tuned lens: forward through the translator of where it is written, and back through that of
  /// where it is read.
  case tuned
  /// Back through the retrodiction lens of where it is read, from the embedding.
  case retrodiction
  /// By regression of the one residual stream on the other.
  case ridge
  /// By the mean derivative of the one residual stream by the other, at the same token.
  case jacobian
  /// The lens's correction with another block's translator, which should do worse.
  case wrongLayer = "wrong-layer"
  /// The lens's correction between random rotations: its singular values and nothing else of it.
  case random
}

/// Carries directions of the residual stream from site to site, fitted on text.
///
/// Row vectors: a direction w at the source is w M at the target. The first token of each window takes part in
/// nothing, since its residual stream is often hundreds of times as long as others.
@TensorActor
struct TransportFit {
  /// From one site on to some later ones.
  struct Routes {
    let source: Site
    let targets: [Site]
    /// Whether it begins with the embedding.
    var isInput: Bool { source == .block(0, .residPre) }
  }

  private var isComparing: Bool { jacobianSamples > 0 }
  private func needsRidge(_ route: Routes) -> Bool {
    isComparing || (route.isInput && backward == nil)
  }

  private let model: LanguageModel
  private let adapter: AdapterWeights?
  private let lens: Lens
  private let backward: Lens?
  private let routes: [Routes]
  private let windows: [[Int]]
  /// None: no regressions and derivatives but those that a reading itself needs.
  private let jacobianSamples: Int
  private var generator: SeededGenerator
  private let report: (String) -> Void

  /// Regressions by source, targets side by side.
  private var streams: [Site: RidgeSums] = [:]
  private var slopes: [Site: RidgeSums] = [:]
  /// Regressions of a target's stream on what a lens makes of it.
  private var inverse: [Site: RidgeSums] = [:]
  private var backwardInverse: [Site: RidgeSums] = [:]

  /// A fit of `routes` by a tuned lens, at block boundaries and best between their parts too, and a
  /// retrodiction lens where there is one; the last fifth of `windows` chooses penalties, and
  /// `report` is told after every pass.
  init(
    _ routes: [Routes], model: LanguageModel, adapter: AdapterWeights?, lens: Lens,
    backward: Lens?, windows: [[Int]], jacobianSamples: Int, seed: UInt64,
    report: @escaping (String) -> Void
  ) {
    (self.model, self.adapter, self.lens, self.backward) = (model, adapter, lens, backward)
    (self.routes, self.windows, self.jacobianSamples) = (routes, windows, jacobianSamples)
    self.report = report
    generator = SeededGenerator(seed: seed, stream: "transports")
  }

  private var d: Int { model.configuration.dModel }
  private var allTargets: [Site] {
    Set(routes.flatMap(\.targets)).sorted {
      $0.order(in: model.configuration) < $1.order(in: model.configuration)
    }
  }

  /// What fitting takes, in passes: for progress.
  static func passes(windows: Int, jacobianSamples: Int) -> Int {
    let parts = (windows + windowsAtOnce - 1) / windowsAtOnce
    return parts + (jacobianSamples + samplesAtOnce - 1) / samplesAtOnce
  }

  private static let windowsAtOnce = 16
  private static let samplesAtOnce = 32

  // MARK: - Fitting

  /// All transports of all routes, `[dModel, dModel]`.
  mutating func fit() throws -> [Site: [Site: [TransportKind: Tensor]]] {
    let cut = max(1, windows.count - max(1, windows.count / 5))
    let held = try streams(of: Array(windows[min(cut, windows.count - 1)...].prefix(16)))
    try addStreams(Array(windows[..<cut]))
    let heldSlopes = isComparing ? try addSlopes() : [:]
    var fitted: [Site: [Site: [TransportKind: Tensor]]] = [:]
    var inverses: [Site: (forward: Tensor, back: Tensor?)] = [:]
    for target in allTargets {
      let h = held[target].unwrapped
      let forward = try best(inverse[target].unwrapped, lens.translated(h, at: target), [h])[0]
      let back = try backward.map { backward in
        try best(backwardInverse[target].unwrapped, backward.translated(h, at: target), [h])[0]
      }
      inverses[target] = (forward, back)
      report("inverting lenses")
    }
    for route in routes {
      let ridge =
        needsRidge(route)
        ? try parts(streams, route, held[route.source].unwrapped) { held[$0].unwrapped } : nil
      let jacobian = try heldSlopes[route.source].map { held in
        try parts(slopes, route, held.x) { held.y[$0].unwrapped }
      }
      for (place, target) in route.targets.enumerated() {
        fitted[route.source, default: [:]][target] = try kinds(
          route, target, inverses, ridge: ridge?[place], jacobian: jacobian?[place])
      }
      report("transports")
    }
    return fitted
  }

  private mutating func kinds(
    _ route: Routes, _ target: Site, _ inverses: [Site: (forward: Tensor, back: Tensor?)],
    ridge: Tensor?, jacobian: Tensor?
  ) throws -> [TransportKind: Tensor] {
    let c = model.configuration
    let isInput = route.isInput
    let inverse = inverses[target].unwrapped
    let identity = Tensor.identity(d)
    let tuned = lens.matrix(at: route.source, d).matmul(inverse.forward)
    var kinds: [TransportKind: Tensor] = [.identity: identity, .tuned: tuned]
    (kinds[.ridge], kinds[.jacobian]) = (ridge, jacobian)
    kinds[.retrodiction] = isInput ? inverse.back : nil
    guard isComparing else {
      try Tensor.evaluate(Array(kinds.values))
      return kinds
    }
    let correction = kinds[.retrodiction] ?? (isInput ? ridge ?? tuned : tuned)
    if isInput {
      // Another target's way back, from as far away as there is one; of one target there is none.
      let place = route.targets.firstIndex(of: target) ?? 0
      let other = route.targets[(place + route.targets.count / 2) % route.targets.count]
      if other != target {
        kinds[.wrongLayer] = inverses[other].unwrapped.back ?? inverses[other].unwrapped.forward
      }
    } else {
      let other = Site.block((route.source.blockIndex + c.nLayers / 2) % c.nLayers, .residPre)
      kinds[.wrongLayer] = lens.matrix(at: other, d).matmul(inverse.forward)
    }
    kinds[.random] = try rotation().matmul(correction).matmul(rotation())
    try Tensor.evaluate(Array(kinds.values))
    return kinds
  }

  /// A uniformly random orthogonal matrix, up to signs.
  private mutating func rotation() throws -> Tensor {
    let values = (0..<d * d).map { _ in Float(generator.normal()) }
    return try Tensor(values, shape: [d, d]).qr().q
  }

  /// A regression's matrix for each of a route's targets.
  private func parts(
    _ sums: [Site: RidgeSums], _ route: Routes, _ x: Tensor, _ y: (Site) -> Tensor
  ) throws -> [Tensor] {
    try best(sums[route.source].unwrapped, x, route.targets.map(y))
  }

  /// The regression on each of the targets that lie side by side, with the penalty that predicts its
  /// held-out rows best, each column in units of its own deviation.
  private func best(_ sums: RidgeSums, _ x: Tensor, _ targets: [Tensor]) throws -> [Tensor] {
    var best = [(error: Float, matrix: Tensor)?](repeating: nil, count: targets.count)
    for penalty in [1e-9, 1e-6, 1e-4, 1e-2] {
      // A singular matrix: the next penalty will do.
      guard let fit = try? sums.fit(penalty: penalty, standardized: true) else { continue }
      let weights = Tensor(fit.weights.map(Float.init), shape: [sums.inputs, sums.outputs])
      let intercept = Tensor(fit.intercept.map(Float.init), shape: [1, sums.outputs])
      for (place, y) in targets.enumerated() {
        let columns = place * d..<(place + 1) * d
        let matrix = weights.slice(columns, axis: 1)
        let miss = (y - x.matmul(matrix) - intercept.slice(columns, axis: 1)).square()
        let scale = Tensor.maximum(y.variance(axes: [0]), Tensor(1e-20))
        let error = try (miss.mean(axes: [0]) / scale).mean().scalar()
        if let known = best[place], known.error <= error { continue }
        best[place] = (error, matrix)
      }
    }
    return best.map { $0.unwrapped.matrix }
  }

  // MARK: - Streams

  /// The residual streams at all sites, without those of first tokens.
  private func streams(of windows: [[Int]]) throws -> [Site: Tensor] {
    let sites = Array(Set(routes.map(\.source) + allTargets))
    let found = try model.activations(of: windows, at: sites, adapter: adapter) {}
    return Dictionary(zip(sites, found), uniquingKeysWith: { $1 })
  }

  private mutating func addStreams(_ windows: [[Int]]) throws {
    let d = d
    for start in stride(from: 0, to: windows.count, by: Self.windowsAtOnce) {
      let part = Array(windows[start..<min(start + Self.windowsAtOnce, windows.count)])
      let held = try streams(of: part)
      for route in routes where needsRidge(route) {
        let y = Tensor.concatenate(route.targets.map { held[$0].unwrapped }, axis: 1)
        try streams[route.source, default: RidgeSums(inputs: d, outputs: d * route.targets.count)]
          .add(held[route.source].unwrapped, y)
      }
      for target in allTargets {
        let h = held[target].unwrapped
        try inverse[target, default: RidgeSums(inputs: d, outputs: d)]
          .add(lens.translated(h, at: target), h)
        if let backward {
          try backwardInverse[target, default: RidgeSums(inputs: d, outputs: d)]
            .add(backward.translated(h, at: target), h)
        }
      }
      report("residual streams")
    }
  }

  // MARK: - Mean derivatives

  /// Moves each source along random directions, one token at a time, and regresses what follows at the
  /// targets on them; the last tenth is returned for the choice of penalties.
  private mutating func addSlopes() throws -> [Site: (x: Tensor, y: [Site: Tensor])] {
    var held: [Site: [(x: Tensor, y: [Site: Tensor])]] = [:]
    let d = d
    let rounds = max(2, (jacobianSamples + Self.samplesAtOnce - 1) / Self.samplesAtOnce)
    for round in 0..<rounds {
      let samples = try slopes(in: windows[round % windows.count])
      for route in routes {
        let (x, y) = samples[route.source].unwrapped
        if round >= rounds - max(1, rounds / 10) {
          held[route.source, default: []].append((x, y))
        } else {
          try slopes[
            route.source, default: RidgeSums(inputs: d, outputs: d * route.targets.count)
          ].add(x, Tensor.concatenate(route.targets.map { y[$0].unwrapped }, axis: 1))
        }
      }
      report("mean derivatives")
    }
    return held.mapValues { samples in
      var y: [Site: Tensor] = [:]
      for site in samples.first.unwrapped.y.keys {
        y[site] = Tensor.concatenate(samples.map { $0.y[site].unwrapped }, axis: 0)
      }
      return (Tensor.concatenate(samples.map(\.x), axis: 0), y)
    }
  }

  /// Random changes at every source and their consequences, `[sample, dModel]`, in units of a twentieth
  /// of the stream's typical deviation.
  private mutating func slopes(
    in ids: [Int]
  ) throws -> [Site: (x: Tensor, y: [Site: Tensor])] {
    let count = Self.samplesAtOnce
    let positions = (0..<routes.count * count).map { _ in 1 + generator.below(ids.count - 1) }
    let batch = TokenBatch(ids, branches: positions.map { $0..<$0 + 1 })
    var (x, interventions): ([Site: Tensor], [(site: Site, change: Hooks.Intervention)]) = ([:], [])
    var scales: [Site: Float] = [:]
    for (place, route) in routes.enumerated() {
      let drawn = (0..<count * d).map { _ in Float(generator.normal()) }
      let directions = Tensor(drawn, shape: [count, d])
      let scale = self.scale(at: route.source)
      x[route.source] = directions
      scales[route.source] = scale
      let before = Tensor.zeros([ids.count + place * count, d])
      let after = Tensor.zeros([(routes.count - 1 - place) * count, d])
      interventions.append(
        (
          route.source,
          .add(Tensor.concatenate([before, directions * scale, after], axis: 0))
        ))
    }
    let output = try model.forward(
      batch, logits: .none, adapter: adapter,
      hooks: Hooks(captures: Set(allTargets), interventions: interventions))
    var samples: [Site: (x: Tensor, y: [Site: Tensor])] = [:]
    for (place, route) in routes.enumerated() {
      let first = ids.count + place * count
      let own = positions[place * count..<(place + 1) * count]
      let base = Tensor(own.map(Int32.init))
      var y: [Site: Tensor] = [:]
      for target in route.targets {
        let stream = output.captured[target].unwrapped
        y[target] =
          (stream.slice(first..<first + count) - stream.take(base)) / scales[route.source].unwrapped
      }
      samples[route.source] = (x[route.source].unwrapped, y)
    }
    try Tensor.evaluate(samples.values.flatMap { [$0.x] + $0.y.values })
    return samples
  }

  private func scale(at source: Site) -> Float {
    0.05 * streams[source].unwrapped.medianDeviation()
  }
}

extension Lens {
  /// The site of this lens that reads at `site`: the block boundary before it where attention has added to
  /// the stream and the lens has no place there; nil where nothing is left to translate.
  private func reading(_ site: Site) -> Site? {
    if sites.contains(site) { return site }
    guard case .block(let block, let place) = site, place != .residPost else { return nil }
    let boundary = Site.block(block, .residPre)
    return sites.contains(boundary) ? boundary : nil
  }

  /// A of h ↦ h A + b at `site`, `[dModel, dModel]`.
  func matrix(at site: Site, _ d: Int) -> Tensor {
    guard let own = reading(site) else { return Tensor.identity(d) }
    return Tensor.identity(d) + parameters["\(own).weight"].transpose()
  }

  fileprivate func translated(_ stream: Tensor, at site: Site) -> Tensor {
    reading(site).map { translate(stream, at: $0) } ?? stream
  }
}

extension RidgeSums {
  /// Adds rows x `[row, inputs]` and y `[row, outputs]`.
  @TensorActor
  mutating func add(_ x: Tensor, _ y: Tensor) throws {
    add(
      rows: x.shape[0], sumX: try x.sum(axes: [0]).floats(), sumY: try y.sum(axes: [0]).floats(),
      xx: try x.transpose().matmul(x).floats(), xy: try x.transpose().matmul(y).floats())
  }

  /// The median over X's columns of their standard deviations.
  fileprivate func medianDeviation() -> Float {
    let sorted = deviations.sorted()
    return Float(sorted[sorted.count / 2])
  }
}

extension Tensor {
  static func identity(_ d: Int) -> Tensor {
    Tensor((0..<d * d).map { Float($0 / d == $0 % d ? 1 : 0) }, shape: [d, d])
  }
}

extension Optional {
  /// What has to be there by construction.
  var unwrapped: Wrapped {
    guard let self else { preconditionFailure("nothing where \(Wrapped.self) was put") }
    return self
  }
}
