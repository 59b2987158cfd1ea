internal import Foundation
internal import Tensors

/// How to continue a text.
package struct GenerationOptions: Sendable, Codable, Equatable {
  /// The most tokens to add.
  package var maxTokens: Int
  /// 0 takes the likeliest token each time; otherwise logits are divided by it before sampling.
  package var temperature: Float
  /// Seeds the draws; each prompt has a stream of its own, so its text does not depend on its batch.
  package var seed: UInt64
  /// Texts that end a continuation; they are not part of it.
  package var stop: [String]
  /// Whether the model's own end of a turn ends a continuation; otherwise it is a token like others.
  package var stopsAtEnd = true

  package init(
    maxTokens: Int = 128, temperature: Float = 0, seed: UInt64 = 0, stop: [String] = []
  ) {
    (self.maxTokens, self.temperature, self.seed, self.stop) = (maxTokens, temperature, seed, stop)
  }
}

/// A continuation.
package struct Generation: Sendable, Codable, Equatable {
  /// Why it ended.
  package enum FinishReason: String, Sendable, Codable {
    /// An end-of-turn token or a stop string.
    case stop
    /// ``GenerationOptions/maxTokens`` or the context was used up.
    case length
  }

  package var text: String
  /// The tokens of the continuation, without the one that ended the turn.
  package var ids: [Int]
  /// log p of each id in nats, at temperature 1.
  package var logprobs: [Float]
  package var finishReason: FinishReason
}

extension LanguageModel {
  /// Continues every prompt, several at a time.
  ///
  /// - Parameters:
  ///   - prompts: Token ids of each prompt.
  ///   - options: How far and how to continue.
  ///   - adapter: Low-rank updates of linear layers, by block.
  ///   - batchSize: Prompts that are decoded together.
  ///   - progress: Told after each batch how many prompts are done.
  /// - Returns: The continuations, in the order of the prompts.
  /// - Throws: ``GenerationError`` for an empty or overlong prompt.
  package func generate(
    _ prompts: [[Int]], options: GenerationOptions = GenerationOptions(),
    adapter: AdapterWeights? = nil, batchSize: Int = 64, progress: (Int) -> Void = { _ in }
  ) throws -> [Generation] {
    guard configuration.hasHead else { throw ModelError.noHead(family: configuration.family) }
    for prompt in prompts {
      guard !prompt.isEmpty else { throw GenerationError.emptyPrompt }
      guard prompt.count < configuration.contextLength else {
        throw GenerationError.tooLong(tokens: prompt.count, limit: configuration.contextLength)
      }
    }
    // Neighbours in length finish together, which keeps batches full.
    let order = prompts.indices.sorted { (prompts[$0].count, $0) < (prompts[$1].count, $1) }
    var results = [Generation?](repeating: nil, count: prompts.count)
    for start in stride(from: 0, to: order.count, by: batchSize) {
      let chosen = Array(order[start..<min(start + batchSize, order.count)])
      var decoder = try BatchDecoder(
        model: self, adapter: adapter, options: options, prompts: chosen.map { prompts[$0] },
        streams: chosen)
      for (index, generation) in zip(chosen, try decoder.run()) { results[index] = generation }
      progress(min(start + batchSize, order.count))
    }
    return results.compactMap { $0 }
  }
}

/// What is wrong with a prompt.
package enum GenerationError: Error, Equatable, CustomStringConvertible {
  case emptyPrompt
  case tooLong(tokens: Int, limit: Int)

  package var description: String {
    switch self {
    case .emptyPrompt: "Expected a prompt of at least one token, found an empty one: give some text"
    case .tooLong(let tokens, let limit):
      "Expected fewer than \(limit) tokens, found \(tokens): shorten the text"
    }
  }
}
