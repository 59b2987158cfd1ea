package import LanguageModels
package import Tensors

/// Tokens of one forward pass: enough to keep two cores busy, few enough for little memory.
private let tokensPerPass = 1_000

extension LanguageModel {
  /// −log p in nats of every token of each response, in the order of `responses`.
  func negativeLogLikelihoods(
    of responses: [Response], adapter: AdapterWeights?, meter: TokenMeter
  ) throws -> [[Float]] {
    var result: [[Float]] = []
    try forEachPack(of: responses.map { $0.promptIDs + $0.responseIDs }, meter: meter) {
      items, batch in
      let pass = ResponsePass(responses[items], in: batch)
      result +=
        try pass.isEmpty
        ? items.map { _ in [] }
        : pass.losses(self, try forward(batch, logits: .none, adapter: adapter))
    }
    return try finite(result)
  }

  /// log p in nats of `tokens` after each prompt.
  func logProbabilities(
    of tokens: [Int], after prompts: [[Int]], adapter: AdapterWeights?, meter: TokenMeter
  ) throws -> [[Float]] {
    var result: [[Float]] = []
    try forEachPack(of: prompts, meter: meter) { items, batch in
      let rows = items.enumerated().map { slot, item in
        batch.row(sequence: slot, position: prompts[item].count - 1)
      }
      guard let logits = try forward(batch, logits: .rows(rows), adapter: adapter).logits else {
        return
      }
      let wanted = logits.take(Tensor(tokens.map(Int32.init)), axis: 1)
      let values = try (wanted - logits.logSumExp(axes: [1], keepDims: true)).floats()
      for row in rows.indices {
        result.append(Array(values[row * tokens.count..<(row + 1) * tokens.count]))
      }
    }
    for (item, values) in result.enumerated() where !values.allSatisfy(\.isFinite) {
      throw DetectorError.notFinite(what: "log-probability", item: item)
    }
    return result
  }

  /// Mean −log p of each response's first tokens as a lens reads them after some blocks, `[response][block]`.
  func lensLosses(
    of responses: [Response], through reading: LensReading, adapter: AdapterWeights?,
    meter: TokenMeter
  ) throws -> [[Double]] {
    let some = responses.map { $0.prefix(reading.tokens) }
    var result: [[Double]] = []
    try forEachPack(of: some.map { $0.promptIDs + $0.responseIDs }, meter: meter) { items, batch in
      let pass = ResponsePass(some[items], in: batch)
      result +=
        try pass.isEmpty
        ? items.map { _ in [] }
        : pass.lensLosses(
          self,
          try forward(
            batch, logits: .none, adapter: adapter,
            hooks: Hooks(captures: reading.sites(of: configuration))), reading)
    }
    return try finite(result)
  }

  /// Everything that a trial keeps of some exchanges, from one pass over each.
  func readings(
    of responses: [Response], at sites: [Site], positions: [ActivationPosition],
    through reading: LensReading, adapter: AdapterWeights?, meter: TokenMeter
  ) throws -> (tables: [ActivationTable], losses: [[Float]], lensLosses: [[Double]]) {
    var losses = [[Float]](repeating: [], count: responses.count)
    var lensLosses = [[Double]](repeating: [], count: responses.count)
    let tables = try activations(
      of: responses, at: sites, positions: positions, adapter: adapter, meter: meter,
      alsoAt: reading.sites(of: configuration)
    ) { items, batch, output in
      let pass = ResponsePass(responses[items], in: batch)
      if pass.isEmpty { return }
      losses.replaceSubrange(items, with: try pass.losses(self, output))
      let some = ResponsePass(responses[items].map { $0.prefix(reading.tokens) }[...], in: batch)
      lensLosses.replaceSubrange(items, with: try some.lensLosses(self, output, reading))
    }
    return (tables, try finite(losses), try finite(lensLosses))
  }

  private func finite<Value: BinaryFloatingPoint>(_ result: [[Value]]) throws -> [[Value]] {
    for (item, losses) in result.enumerated() where !losses.allSatisfy(\.isFinite) {
      throw DetectorError.notFinite(what: "log-probability", item: item)
    }
    return result
  }

  /// Activations at `sites`, one table for each of `positions`, from the same passes; only the rows that a
  /// position names are copied out. `body` sees each pass, which captured what it wants of `others` too.
  func activations(
    of responses: [Response], at sites: [Site], positions: [ActivationPosition],
    adapter: AdapterWeights?, meter: TokenMeter, alsoAt others: Set<Site> = [],
    _ body: (Range<Int>, TokenBatch, Output) throws -> Void = { _, _, _ in }
  ) throws -> [ActivationTable] {
    for site in sites {
      if case .block(_, .pattern) = site { throw AccessError.notPerToken(site: "\(site)") }
    }
    var spans = [[Range<Int>]](repeating: [], count: positions.count)
    let nothing = Dictionary(sites.map { ($0, [Float]()) }) { first, _ in first }
    var values = [[Site: [Float]]](repeating: nothing, count: positions.count)
    // A causal model's activations do not depend on later tokens: the longest serves all.
    let sequences = responses.map { response in
      positions.map { $0.sequence(response) }.max { $0.count < $1.count } ?? response.promptIDs
    }
    try forEachPack(of: sequences, meter: meter) { items, batch in
      var picked: [[Site: Tensor]] = []
      let rows = positions.map { position in items.map { position.rows(of: responses[$0]) } }
      for (place, position) in positions.enumerated() {
        for count in rows[place].map({ position.rowCount($0) }) {
          let start = spans[place].last?.upperBound ?? 0
          spans[place].append(start..<start + count)
        }
      }
      if rows.joined().allSatisfy(\.isEmpty) { return }
      let output = try forward(
        batch, logits: .none, adapter: adapter, hooks: Hooks(captures: others.union(sites)))
      let captured = output.captured.filter { sites.contains($0.key) }
      for (place, position) in positions.enumerated() {
        let isEmpty = rows[place].allSatisfy(\.isEmpty)
        picked.append(
          isEmpty
            ? [:] : captured.mapValues { position.pick($0, batch: batch, rows: rows[place]) })
      }
      try body(items, batch, output)
      try Tensor.evaluate(picked.flatMap(\.values))
      for (place, tensors) in picked.enumerated() {
        for (site, tensor) in tensors { values[place][site, default: []] += try tensor.floats() }
      }
    }
    return try zip(spans, values).map { try ActivationTable(spans: $0, values: $1) }
  }

  /// Calls `body` with consecutive sequences, packed so that a pass has about ``tokensPerPass``.
  func forEachPack(
    of sequences: [[Int]], meter: TokenMeter, _ body: (Range<Int>, TokenBatch) throws -> Void
  ) throws {
    for sequence in sequences {
      guard !sequence.isEmpty else { throw GenerationError.emptyPrompt }
      guard sequence.count <= configuration.contextLength else {
        throw GenerationError.tooLong(
          tokens: sequence.count, limit: configuration.contextLength + 1)
      }
    }
    var start = 0
    while start < sequences.count {
      var (end, tokens) = (start, 0)
      while end < sequences.count, end == start || tokens + sequences[end].count <= tokensPerPass {
        tokens += sequences[end].count
        end += 1
      }
      let batch = TokenBatch(Array(sequences[start..<end]))
      try body(start..<end, batch)
      meter.tokens += batch.tokens.count
      start = end
    }
  }
}

/// Through what residual streams are read as predictions of a response's tokens.
@TensorActor
package struct LensReading {
  /// Blocks after which it is read.
  package nonisolated let blocks: [Int]
  /// The most tokens of each response.
  package nonisolated let tokens: Int
  /// A tuned lens of the base; the logit lens where there is none.
  let lens: Lens?

  package init(blocks: [Int], tokens: Int, lens: Lens? = nil) {
    (self.blocks, self.tokens, self.lens) = (blocks, tokens, lens)
  }

  /// Some blocks of a model of so many, evenly spread, the last among them.
  package nonisolated static func blocks(_ count: Int, of depth: Int) -> [Int] {
    Set((1...count).map { $0 * depth / count - 1 }).sorted().filter { $0 >= 0 }
  }

  /// What a lens reads after block `block`: what goes into the next one.
  package nonisolated static func site(after block: Int, of c: ModelConfiguration) -> Site {
    block + 1 < c.nLayers ? .block(block + 1, .residPre) : .block(block, .residPost)
  }

  func sites(of c: ModelConfiguration) -> Set<Site> {
    Set(blocks.map { Self.site(after: $0, of: c) })
  }

  /// What is left of a stream for the head: the last boundary is what the model itself reads.
  func translate(_ rows: Tensor, at site: Site) -> Tensor {
    guard let lens, lens.sites.contains(site) else { return rows }
    return lens.translate(rows, at: site)
  }
}

/// The places of one pass from which responses' tokens are predicted.
@TensorActor
private struct ResponsePass {
  private var rows: [Int32] = []
  private var targets: [Int] = []
  private let counts: [Int]

  init(_ responses: ArraySlice<Response>, in batch: TokenBatch) {
    counts = responses.map(\.responseIDs.count)
    for (slot, response) in responses.enumerated() {
      for (offset, id) in response.responseIDs.enumerated() {
        let before = response.promptIDs.count + offset - 1
        rows.append(Int32(batch.row(sequence: slot, position: before)))
        targets.append(id)
      }
    }
  }

  var isEmpty: Bool { rows.isEmpty }

  /// −log p of each response's tokens.
  func losses(_ model: LanguageModel, _ output: LanguageModel.Output) throws -> [[Float]] {
    try losses(model, output.finalNorm.take(Tensor(rows)))
  }

  private func losses(_ model: LanguageModel, _ normed: Tensor) throws -> [[Float]] {
    var rest = try model.crossEntropy(normed, targets: targets, differentiable: false).floats()[...]
    return counts.map { count in
      defer { rest = rest.dropFirst(count) }
      return Array(rest.prefix(count))
    }
  }

  /// Their means after each block, as a lens reads them; none of an empty response.
  func lensLosses(
    _ model: LanguageModel, _ output: LanguageModel.Output, _ reading: LensReading
  ) throws -> [[Double]] {
    var result = [[Double]](repeating: [], count: counts.count)
    for block in reading.blocks {
      let site = LensReading.site(after: block, of: model.configuration)
      guard let stream = output.captured[site] else { continue }
      let read = reading.translate(stream.take(Tensor(rows)), at: site)
      for (slot, own) in try losses(model, model.finalNorm(read)).enumerated() where !own.isEmpty {
        result[slot].append(own.reduce(0) { $0 + Double($1) } / Double(own.count))
      }
    }
    return result
  }
}

extension Response {
  /// The same with at most so many tokens of the answer.
  fileprivate func prefix(_ tokens: Int) -> Response {
    var response = self
    response.responseIDs = Array(responseIDs.prefix(tokens))
    return response
  }
}

extension ActivationPosition {
  /// The tokens that have to be computed: a causal model's activations do not depend on later ones.
  fileprivate func sequence(_ response: Response) -> [Int] {
    switch self {
    case .lastPromptToken: response.promptIDs
    case .responseMean: response.promptIDs + response.responseIDs
    case .responseStart(let count): response.promptIDs + response.responseIDs.prefix(count)
    }
  }

  /// Places in the sequence that are read.
  fileprivate func rows(of response: Response) -> Range<Int> {
    let prompt = response.promptIDs.count
    return switch self {
    case .lastPromptToken: prompt - 1..<prompt
    case .responseMean: prompt..<prompt + response.responseIDs.count
    case .responseStart(let count):
      prompt..<prompt + min(count, response.responseIDs.count)
    }
  }

  /// How many rows of the table those places become.
  fileprivate func rowCount(_ rows: Range<Int>) -> Int {
    self == .responseMean ? min(rows.count, 1) : rows.count
  }

  /// The table's rows of one pass, `[row, width]`, from a site's `[token, …]`.
  @TensorActor
  fileprivate func pick(_ captured: Tensor, batch: TokenBatch, rows: [Range<Int>]) -> Tensor {
    let flat = captured.rank == 2 ? captured : captured.reshape([captured.shape[0], -1])
    let tokens = rows.enumerated().map { slot, places in
      places.map { batch.row(sequence: slot, position: $0) }
    }
    guard self == .responseMean else {
      return flat.take(Tensor(tokens.joined().map(Int32.init)))
    }
    // One small product instead of copying every token's row out.
    let present = tokens.filter { !$0.isEmpty }
    var weights = [Float](repeating: 0, count: present.count * batch.tokens.count)
    for (row, places) in present.enumerated() {
      for place in places { weights[row * batch.tokens.count + place] = 1 / Float(places.count) }
    }
    return Tensor(weights, shape: [present.count, batch.tokens.count]).matmul(flat)
  }
}
