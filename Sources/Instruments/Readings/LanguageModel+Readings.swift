import LanguageModels
import Tensors

/// Tokens of one forward pass: enough to keep two cores busy, few enough for little memory.
private let tokensPerPass = 1_000

extension LanguageModel {
  /// −log p in nats of every token of each response, in the order of `responses`.
  func negativeLogLikelihoods(
    of responses: [Response], adapter: AdapterWeights?, meter: TokenMeter
  ) throws -> [[Float]] {
    var result = [[Float]](repeating: [], count: responses.count)
    let sequences = responses.map { $0.promptIDs + $0.responseIDs }
    try forEachPack(of: sequences, meter: meter) { items, batch in
      var rows: [Int32] = []
      var targets: [Int] = []
      for (slot, item) in items.enumerated() {
        for (offset, id) in responses[item].responseIDs.enumerated() {
          let before = responses[item].promptIDs.count + offset - 1
          rows.append(Int32(batch.row(sequence: slot, position: before)))
          targets.append(id)
        }
      }
      if rows.isEmpty { return }
      let output = try forward(batch, logits: .none, adapter: adapter)
      var losses = try crossEntropy(
        output.finalNorm.take(Tensor(rows)), targets: targets, differentiable: false
      ).floats()[...]
      for item in items {
        result[item] = Array(losses.prefix(responses[item].responseIDs.count))
        losses = losses.dropFirst(result[item].count)
      }
    }
    for (item, losses) in result.enumerated() where !losses.allSatisfy(\.isFinite) {
      throw DetectorError.notFinite(what: "log-probability", item: item)
    }
    return result
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

  /// Mean −log p of each response's tokens under the logit lens of some blocks, `[response][block]`.
  func lensLosses(
    of responses: [Response], blocks: [Int], adapter: AdapterWeights?, meter: TokenMeter
  ) throws -> [[Double]] {
    let sites = blocks.map { Site.block($0, .residPost) }
    var result = [[Double]](repeating: [], count: responses.count)
    try forEachPack(of: responses.map { $0.promptIDs + $0.responseIDs }, meter: meter) {
      items, batch in
      var rows: [Int32] = []
      var targets: [Int] = []
      for (slot, item) in items.enumerated() {
        for (offset, id) in responses[item].responseIDs.enumerated() {
          let before = responses[item].promptIDs.count + offset - 1
          rows.append(Int32(batch.row(sequence: slot, position: before)))
          targets.append(id)
        }
      }
      if rows.isEmpty { return }
      let output = try forward(
        batch, logits: .none, adapter: adapter, hooks: Hooks(captures: Set(sites)))
      for site in sites {
        guard let stream = output.captured[site] else { continue }
        var losses = try crossEntropy(
          finalNorm(stream.take(Tensor(rows))), targets: targets, differentiable: false
        ).floats()[...]
        for item in items where !responses[item].responseIDs.isEmpty {
          let own = losses.prefix(responses[item].responseIDs.count)
          result[item].append(own.reduce(0) { $0 + Double($1) } / Double(own.count))
          losses = losses.dropFirst(own.count)
        }
      }
    }
    for (item, losses) in result.enumerated() where !losses.allSatisfy(\.isFinite) {
      throw DetectorError.notFinite(what: "log-probability", item: item)
    }
    return result
  }

  /// Activations at `sites`, one table for each of `positions`, from the same passes; only the rows that a
  /// position names are copied out.
  func activations(
    of responses: [Response], at sites: [Site], positions: [ActivationPosition],
    adapter: AdapterWeights?, meter: TokenMeter
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
        batch, logits: .none, adapter: adapter, hooks: Hooks(captures: Set(sites)))
      for (place, position) in positions.enumerated() {
        let isEmpty = rows[place].allSatisfy(\.isEmpty)
        picked.append(
          isEmpty
            ? [:]
            : output.captured.mapValues { position.pick($0, batch: batch, rows: rows[place]) })
      }
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
