internal import Foundation
package import LanguageModels
internal import Statistics
internal import Tensors

/// A place whose activation is exchanged.
package struct PatchPlace: Codable, Hashable, Sendable, CustomStringConvertible {
  package enum Component: String, Codable, Sendable, CaseIterable {
    /// The residual stream that goes into a block.
    case resid
    /// What attention adds.
    case attn
    /// What the MLP adds.
    case mlp
    /// What one head's values sum to, before its part of the output projection.
    case head
  }

  package var component: Component
  package var block: Int
  package var head: Int?
  /// nil for all positions together.
  package var position: Int?

  package init(_ component: Component, block: Int, head: Int? = nil, position: Int? = nil) {
    (self.component, self.block, self.head, self.position) = (component, block, head, position)
  }

  package var site: Site {
    switch component {
    case .resid: .block(block, .residPre)
    case .attn: .block(block, .attnOut)
    case .mlp: .block(block, .mlpOut)
    case .head: .block(block, .z)
    }
  }

  /// `L9H3`, `mlp 4`, `resid 0 at 7`.
  package var description: String {
    let name = head.map { "L\(block)H\($0)" } ?? "\(component.rawValue) \(block)"
    return name + (position.map { " at \($0)" } ?? "")
  }

  /// Every place of a component in a model, at each of `length` positions or at all together.
  package static func all(
    _ component: Component, in c: ModelConfiguration, positions length: Int?
  ) -> [PatchPlace] {
    (0..<c.nLayers).flatMap { block -> [PatchPlace] in
      let heads: [Int?] = component == .head ? (0..<c.nHeads).map { $0 } : [nil]
      let positions: [Int?] = length.map { (0..<$0).map { $0 } } ?? [nil]
      return heads.flatMap { head in
        positions.map { PatchPlace(component, block: block, head: head, position: $0) }
      }
    }
  }
}

/// What is put in an activation's place, and which prompt runs.
package enum PatchSource: String, Codable, Sendable, CaseIterable {
  /// The corrupt prompt runs with the clean one's activation: what is enough to bring the answer back
  /// (denoising).
  case clean
  /// The clean prompt runs with the corrupt one's: what the answer cannot do without (resample
  /// ablation).
  case corrupt
  /// The clean prompt runs with the mean over clean prompts.
  case mean
  /// The clean prompt runs with zeros.
  case zero
  /// The corrupt prompt runs with the mean difference of clean and corrupt added that the other half of
  /// the pairs has: a steering vector, never from the prompt that it steers. Intervals hold for these two
  /// vectors: that others would have come of other prompts is not in them.
  case steering

  package var runsCorrupt: Bool { self == .clean || self == .steering }
}

/// Exchanges activations and reads off how far the answer's logit moves.
@TensorActor
struct Patcher {
  private let model: LanguageModel
  private let adapter: AdapterWeights?
  let prompts: PromptPairs
  private let source: PatchSource
  private var generator: SeededGenerator
  /// Means over prompts by half, `[position, …]`, for sources that need them.
  private var means: [[Site: Tensor]] = []

  /// Tokens of one pass besides the prompt's own.
  private static let tokensAtOnce = 1024

  init(
    _ prompts: PromptPairs, source: PatchSource, model: LanguageModel, adapter: AdapterWeights?,
    seed: UInt64
  ) {
    (self.model, self.adapter, self.prompts, self.source) = (model, adapter, prompts, source)
    generator = SeededGenerator(seed: seed, stream: "patching")
  }

  /// One prompt's activations: of the run that is changed, and what to add to it.
  private struct Deltas {
    let base: [Int]
    let added: [Site: Tensor]
    /// Random, as long.
    let random: [Site: Tensor]
  }

  // MARK: - Answers

  /// The answer's logit less the distractor's, or its log-probability where there is none, `[row]`.
  static func metric(
    _ logits: Tensor, _ pair: PromptPair
  ) -> Tensor {
    func column(_ token: Int, _ x: Tensor) -> Tensor {
      x.slice(token..<token + 1, axis: 1).squeeze(1)
    }
    guard let distractor = pair.distractor else { return column(pair.answer, logits.logSoftmax()) }
    return column(pair.answer, logits) - column(distractor, logits)
  }

  /// What each pair's prompts come to unchanged.
  func baselines() throws -> [(clean: Double, corrupt: Double)] {
    try prompts.pairs.map { pair in
      let batch = TokenBatch([pair.clean, pair.corrupt], sharingPrefix: false)
      let last = batch.spans.map { $0.upperBound - 1 }
      let logits = try model.forward(batch, logits: .rows(last), adapter: adapter).logits.unwrapped
      let values = try Self.metric(logits, pair).floats()
      return (Double(values[0]), Double(values[1]))
    }
  }

  // MARK: - Patching

  /// Prepares what needs all prompts, for some sites.
  mutating func prepare(_ sites: Set<Site>) throws {
    guard source == .mean || source == .steering else { return }
    means = try (0..<2).map { half in
      let own = prompts.pairs.enumerated().filter { source == .mean || $0.offset % 2 == half }
      var sums: [Site: Tensor] = [:]
      for (_, pair) in own {
        let (clean, corrupt) = try activations(pair, sites)
        for site in sites {
          let value =
            source == .mean
            ? clean[site].unwrapped : clean[site].unwrapped - corrupt[site].unwrapped
          sums[site] = sums[site].map { $0 + value } ?? value
        }
        try Tensor.evaluate(Array(sums.values))
      }
      return sums.mapValues { $0 / Float(own.count) }
    }
  }

  /// Activations of both prompts, `[position, …]`.
  private func activations(
    _ pair: PromptPair, _ sites: Set<Site>
  ) throws -> (clean: [Site: Tensor], corrupt: [Site: Tensor]) {
    let n = prompts.length
    let output = try model.forward(
      TokenBatch([pair.clean, pair.corrupt], sharingPrefix: false), logits: .none,
      adapter: adapter, hooks: Hooks(captures: sites))
    return (
      output.captured.mapValues { $0.slice(0..<n) },
      output.captured.mapValues { $0.slice(n..<2 * n) }
    )
  }

  private mutating func deltas(of index: Int, _ sites: Set<Site>) throws -> Deltas {
    let pair = prompts.pairs[index]
    let (clean, corrupt) = try activations(pair, sites)
    var (added, random): ([Site: Tensor], [Site: Tensor]) = ([:], [:])
    // In one order: what is drawn has to be the same each time.
    for site in sites.sorted(by: { "\($0)" < "\($1)" }) {
      let (own, other) = (clean[site].unwrapped, corrupt[site].unwrapped)
      let delta =
        switch source {
        case .clean: own - other
        case .corrupt: other - own
        case .mean: means[0][site].unwrapped - own
        case .zero: -own
        case .steering: means[(index + 1) % 2][site].unwrapped
        }
      added[site] = delta
      random[site] = try self.random(like: delta)
    }
    try Tensor.evaluate(Array(added.values) + Array(random.values))
    return Deltas(
      base: source.runsCorrupt ? pair.corrupt : pair.clean, added: added, random: random)
  }

  /// Of random directions, each row (of each head) as long as that of `delta`.
  private mutating func random(like delta: Tensor) throws -> Tensor {
    let axis = delta.rank - 1
    let drawn = Tensor(
      (0..<delta.count).map { _ in Float(generator.normal()) }, shape: delta.shape)
    func lengths(_ x: Tensor) -> Tensor { x.square().sum(axes: [axis], keepDims: true).sqrt() }
    return drawn * (lengths(delta) / Tensor.maximum(lengths(drawn), Tensor(1e-30)))
  }

  /// What the answer comes to for pair `index` when each place is exchanged, and when a random change as
  /// large is made there instead.
  ///
  /// With `receivers`, the change reaches them directly and nothing else (path patching: Wang et al. 2022,
  /// arXiv 2211.00593, appendix B).
  ///
  /// - Returns: By place, the metric less that of the unchanged run.
  mutating func effects(
    of index: Int, at places: [PatchPlace], to receivers: [PatchReceiver] = [], baseline: Double,
    report: (Int) -> Void
  ) throws -> [(effect: Double, control: Double)] {
    let deltas = try deltas(of: index, Set(places.map(\.site)))
    var effects: [(effect: Double, control: Double)] = []
    var rest = places[...]
    while !rest.isEmpty {
      var (count, tokens) = (0, 0)
      for place in rest where count == 0 || tokens < Self.tokensAtOnce {
        count += 1
        tokens += 2 * (prompts.length - (place.position ?? 0))
      }
      let copies = Copies(Array(rest.prefix(count)), deltas, length: prompts.length)
      let logits =
        receivers.isEmpty
        ? try logits(copies, copies.changes) : try logits(copies, alongPathsTo: receivers)
      let values = try Self.metric(logits, prompts.pairs[index]).floats().map(Double.init)
      for place in 0..<count {
        effects.append((values[2 * place] - baseline, values[2 * place + 1] - baseline))
      }
      rest = rest.dropFirst(count)
      report(count)
    }
    return effects
  }

  /// Logits of every copy's last token, `[copy, dVocab]`.
  private func logits(
    _ copies: Copies, _ changes: [(site: Site, change: Hooks.Intervention)]
  ) throws -> Tensor {
    let last = copies.batch.spans.dropFirst().map { $0.upperBound - 1 }
    return try model.forward(
      copies.batch, logits: .rows(last), adapter: adapter, hooks: Hooks(interventions: changes)
    ).logits.unwrapped
  }

  /// In a first pass all attentions and MLPs behind each sender are held at what they were; what the receivers
  /// get there is put in their place in a second one, in which everything else goes on.
  private func logits(_ copies: Copies, alongPathsTo receivers: [PatchReceiver]) throws -> Tensor {
    var held = copies.changes
    for block in 0..<model.configuration.nLayers {
      for (site, isHeld) in [
        (Site.block(block, .attnOut), { (place: PatchPlace) in place.block < block }),
        (
          .block(block, .mlpOut),
          { place in place.block < block || (place.block == block && place.component != .mlp) }
        ),
      ] {
        if let rows = copies.rows(holding: isHeld) {
          held.append((site, .transform { $0.take(rows) }))
        }
      }
    }
    let sites = Set(receivers.compactMap(\.site))
    guard !sites.isEmpty else { return try logits(copies, held) }
    let captured = try model.forward(
      copies.batch, logits: .none, adapter: adapter,
      hooks: Hooks(captures: sites, interventions: held)
    ).captured
    let unchanged = copies.rows { _ in true }.unwrapped
    return try logits(
      copies,
      receivers.compactMap { receiver in
        guard let site = receiver.site, let value = captured[site] else { return nil }
        let delta = value - value.take(unchanged)
        // In place of what comes there, not on top of it: another receiver may have changed that.
        return (
          site,
          .transform { came in
            let put = came.take(unchanged) + delta - came
            return came + (receiver.head.map { Self.only($0, of: put) } ?? put)
          }
        )
      })
  }

  /// The unchanged prompt and, behind it, two copies for each place: one with its change, one with a
  /// random change.
  @TensorActor
  private struct Copies {
    let places: [PatchPlace]
    let batch: TokenBatch
    private let deltas: Deltas
    private let length: Int

    init(_ places: [PatchPlace], _ deltas: Deltas, length: Int) {
      (self.places, self.deltas, self.length) = (places, deltas, length)
      batch = TokenBatch(
        deltas.base,
        branches: places.flatMap { place in
          [0, 1].map { _ in (place.position ?? 0)..<length }
        })
    }

    /// The row of the unchanged prompt for every row of the places that `isHeld`, its own for the others;
    /// nil where there are none of the former.
    func rows(holding isHeld: (PatchPlace) -> Bool) -> Tensor? {
      guard places.contains(where: isHeld) else { return nil }
      var rows = Array(0..<Int32(batch.tokens.count))
      for (index, span) in batch.spans.enumerated().dropFirst()
      where isHeld(places[(index - 1) / 2]) {
        for row in span { rows[row] = Int32(batch.positions[row]) }
      }
      return Tensor(rows)
    }

    /// What each place adds to its own rows.
    var changes: [(site: Site, change: Hooks.Intervention)] {
      Set(places.map(\.site)).map { site in
        var (parts, blank): ([Tensor], Int) = ([], length)
        let rest = deltas.added[site].unwrapped.shape.dropFirst()
        func flush() {
          if blank > 0 { parts.append(Tensor.zeros([blank] + rest)) }
          blank = 0
        }
        for (place, change) in places.flatMap({ [($0, deltas.added), ($0, deltas.random)] }) {
          let rows = length - (place.position ?? 0)
          guard place.site == site else {
            blank += rows
            continue
          }
          flush()
          parts.append(Patcher.rows(change[site].unwrapped, place))
          blank = place.position == nil ? 0 : rows - 1
        }
        flush()
        return (site, .add(Tensor.concatenate(parts, axis: 0)))
      }
    }
  }

  /// The part of a change that belongs to a place: one position or all, one head or whole.
  fileprivate static func rows(_ change: Tensor, _ place: PatchPlace) -> Tensor {
    let rows = place.position.map { change.slice($0..<$0 + 1) } ?? change
    return place.head.map { only($0, of: rows) } ?? rows
  }

  /// `[row, head, …]` with all heads but one at 0.
  static func only(_ head: Int, of rows: Tensor) -> Tensor {
    let heads = rows.shape[1]
    func blank(_ count: Int) -> [Tensor] {
      count > 0 ? [Tensor.zeros([rows.shape[0], count] + rows.shape.dropFirst(2))] : []
    }
    return Tensor.concatenate(
      blank(head) + [rows.slice(head..<head + 1, axis: 1)] + blank(heads - 1 - head), axis: 1)
  }
}

/// Where a path ends: what one head asks, offers or hands on, what an MLP reads, or the logits.
package enum PatchReceiver: Hashable, Sendable {
  case logits
  case head(block: Int, Site.Place, head: Int)
  case mlp(block: Int)

  /// Reads `logits`, `blocks.9.attn.q.3` or `blocks.9.mlp`.
  package init(_ name: String, in c: ModelConfiguration) throws(CauseError) {
    if name == "logits" {
      self = .logits
      return
    }
    let parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard parts.count >= 3, parts[0] == "blocks", let block = Int(parts[1]),
      (0..<c.nLayers).contains(block)
    else { throw .badReceiver(name: name) }
    if parts.count == 3, parts[2] == "mlp" {
      self = .mlp(block: block)
      return
    }
    let places: [String: Site.Place] = ["q": .q, "k": .k, "v": .v]
    guard parts.count == 5, parts[2] == "attn", let place = places[parts[3]],
      let head = Int(parts[4])
    else { throw .badReceiver(name: name) }
    let count = place == .q ? c.nHeads : c.nKVHeads
    guard (0..<count).contains(head) else {
      throw .noHead(block: block, head: head, count: count)
    }
    self = .head(block: block, place, head: head)
  }

  /// The head that it is a part of; nil for all that the site holds.
  var head: Int? {
    if case .head(_, _, let head) = self { head } else { nil }
  }

  /// The block that it lies in; behind the last for the logits.
  private func block(in c: ModelConfiguration) -> Int {
    switch self {
    case .logits: c.nLayers
    case .head(let block, _, _), .mlp(let block): block
    }
  }

  /// Whether what `place` writes is there when the receiver reads: a block's MLP comes after its own attention.
  func isReached(from place: PatchPlace, in c: ModelConfiguration) -> Bool {
    if case .mlp(place.block) = self { return place.component != .mlp && !c.isParallel }
    return place.block < block(in: c)
  }

  /// What is carried from the first pass to the second: all that the receiver makes of what it reads.
  var site: Site? {
    switch self {
    case .logits: nil
    case .head(let block, let place, _): .block(block, place)
    case .mlp(let block): .block(block, .post)
    }
  }
}
