internal import Foundation
internal import Tensors

/// Decodes a batch of prompts together, each until it ends.
@TensorActor
struct BatchDecoder {
  private let model: LanguageModel
  private let adapter: AdapterWeights?
  private let options: GenerationOptions
  private let batch: TokenBatch
  private var sequences: [Sequence]
  /// How a step is computed, where it has a plan: each sequence then has rows of the cache for itself,
  /// one after the other.
  private let plan: DecodePlan?

  fileprivate struct Sequence {
    var visible: [KeyRanges.Rows]
    var position: Int
    var random: SplitMix64
    var ids: [Int] = []
    var logprobs: [Float] = []
    var decoder: StreamingDecoder
    var text = ""
    var finished: Generation.FinishReason?
  }

  init(
    model: LanguageModel, adapter: AdapterWeights?, options: GenerationOptions, prompts: [[Int]],
    streams: [Int]
  ) throws {
    (self.model, self.adapter, self.options) = (model, adapter, options)
    batch = TokenBatch(prompts)
    plan = try DecodePlan(model, adapter: adapter, sequences: prompts.count)
    let rows = batch.visibleRows()
    sequences = streams.enumerated().map { [batch, model] index, stream in
      Sequence(
        visible: rows[batch.spans[index].upperBound - 1], position: batch.length(of: index),
        random: SplitMix64(state: options.seed &+ UInt64(stream) &* 0x9E37_79B9_7F4A_7C15),
        decoder: StreamingDecoder(model.tokenizer))
    }
  }

  mutating func run() throws -> [Generation] {
    let capacity = batch.tokens.count + sequences.count * options.maxTokens
    let cache = KeyValueCache(
      model.configuration, capacity: plan == nil ? capacity : batch.tokens.count)
    let last = batch.spans.map { $0.upperBound - 1 }
    let prefill = try model.forward(batch, logits: .rows(last), adapter: adapter, cache: cache)
    guard var logits = prefill.logits else { preconditionFailure("prefill asks for logits") }
    if plan != nil, options.maxTokens > 0 {
      let inHalf = model.precision.cachesHalf(sequences: sequences.count)
      try cache.grow(to: capacity, inHalf: inHalf)
    }
    var running = Array(sequences.indices)
    while options.maxTokens > 0 {
      let next = try choose(logits, running)
      try cache.evaluate()
      for (index, choice) in zip(running, next) { accept(choice, at: index) }
      // Finished sequences ride along until half the batch is done; then the rest moves on without.
      let unfinished = running.filter { sequences[$0].finished == nil }
      if unfinished.isEmpty { break }
      if unfinished.count <= running.count / 2 { running = unfinished }
      logits = try step(running, cache)
    }
    return sequences.indices.map { finish($0) }
  }

  private mutating func step(_ running: [Int], _ cache: KeyValueCache) throws -> Tensor {
    let tokens = running.map { sequences[$0].ids.last ?? 0 }
    // One that ended at the longest position that there is rides along on that.
    let last = model.configuration.contextLength - 1
    let positions = running.map { min(sequences[$0].position, last) }
    let rows = running.enumerated().map { slot, index in
      plan == nil ? cache.count + slot : ownRow(index)
    }
    for (index, row) in zip(running, rows) {
      sequences[index].see(row: row, stride: plan == nil ? running.count : 1)
      sequences[index].position += 1
    }
    let visible = running.map { sequences[$0].visible }
    if let plan {
      return try plan.run(
        tokens: tokens, positions: positions, rows: rows, visible: visible, cache: cache)
    }
    return try model.decode(
      tokens: tokens, positions: positions, visible: visible, adapter: adapter, cache: cache)
  }

  /// The next row of the cache that is a sequence's own: those of the prompts come first.
  private func ownRow(_ index: Int) -> Int {
    batch.tokens.count + index * options.maxTokens + sequences[index].position
      - batch.length(of: index)
  }

  private mutating func choose(
    _ logits: Tensor, _ running: [Int]
  ) throws -> [(id: Int, logprob: Float)] {
    let summary = try Fused.rowSummaries(logits)
    if options.temperature == 0 {
      return running.indices.map {
        (Int(summary.best[$0]), summary.highest[$0] - summary.logSumExp[$0])
      }
    }
    let ids = try sample(logits, running)
    let index = Tensor(ids.map(Int32.init), shape: [running.count, 1])
    let picked = try logits.takeAlongAxis(index, axis: 1).floats()
    return running.indices.map { (ids[$0], picked[$0] - summary.logSumExp[$0]) }
  }

  /// Gumbel-max with noise of each sequence's own stream: a draw does not depend on its batch.
  private mutating func sample(_ logits: Tensor, _ running: [Int]) throws -> [Int] {
    let width = model.configuration.dVocab
    var noise: [Float] = []
    noise.reserveCapacity(running.count * width)
    for index in running {
      for _ in 0..<width { noise.append(sequences[index].random.gumbel()) }
    }
    let noisy = logits / options.temperature + Tensor(noise, shape: [running.count, width])
    return try Fused.rowSummaries(noisy).best.map(Int.init)
  }

  private mutating func accept(_ choice: (id: Int, logprob: Float), at index: Int) {
    guard sequences[index].finished == nil else {
      sequences[index].ids.append(choice.id)
      return
    }
    if options.stopsAtEnd, model.tokenizer.eosIDs.contains(choice.id) {
      sequences[index].end(.stop, at: choice.id)
      return
    }
    sequences[index].ids.append(choice.id)
    sequences[index].logprobs.append(choice.logprob)
    sequences[index].text += sequences[index].decoder.append(choice.id)
    if let cut = sequences[index].firstStop(options.stop) {
      sequences[index].text = cut
      sequences[index].end(.stop)
    } else if sequences[index].logprobs.count == options.maxTokens
      || sequences[index].position + 1 >= model.configuration.contextLength
    {
      sequences[index].text += sequences[index].decoder.finish()
      sequences[index].end(.length)
    }
  }

  private func finish(_ index: Int) -> Generation {
    let s = sequences[index]
    return Generation(
      text: s.text, ids: Array(s.ids.prefix(s.logprobs.count)), logprobs: s.logprobs,
      finishReason: s.finished ?? .length)
  }
}

extension BatchDecoder.Sequence {
  fileprivate mutating func end(_ reason: Generation.FinishReason, at id: Int? = nil) {
    if let id {
      text += decoder.finish()
      ids.append(id)
    }
    finished = reason
  }

  /// The text up to the first stop string in it.
  fileprivate func firstStop(_ stops: [String]) -> String? {
    let ranges = stops.compactMap { text.range(of: $0) }
    return ranges.min { $0.lowerBound < $1.lowerBound }.map { String(text[..<$0.lowerBound]) }
  }

  /// Adds a key row; rows of one step lie `stride` apart from those of the next.
  fileprivate mutating func see(row: Int, stride: Int) {
    if let last = visible.last, last.stride == stride,
      (row - last.begin) % stride == 0, row - last.end < stride, row >= last.end
    {
      visible[visible.count - 1].end = row + 1
    } else {
      visible.append(KeyRanges.Rows(row, row + 1, stride: stride))
    }
  }
}

/// A small generator for the noise of sampling (Steele et al. 2014); its stream is part of what a
/// seed promises, so it is fixed here.
struct SplitMix64 {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// −log(−log u) for u uniform on (0, 1).
  mutating func gumbel() -> Float {
    let u = (Double(next() >> 11) + 0.5) * 0x1p-53
    return Float(-log(-log(u)))
  }
}
