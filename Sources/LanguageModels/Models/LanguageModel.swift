internal import Foundation
package import Tensors

/// A Llama-family language model with its tokenizer, ready to run.
///
/// Isolated to ``TensorActor``: the model can be handed anywhere, and is used on the tensors'
/// thread.
@TensorActor
package final class LanguageModel {
  /// The widths and constants.
  package nonisolated let configuration: LlamaConfiguration
  /// How frozen weights are multiplied.
  package nonisolated let precision: Precision
  /// The file that the weights came from.
  package nonisolated let path: String
  package nonisolated let tokenizer: Tokenizer
  package nonisolated let chatTemplate: ChatTemplate?

  let weights: LlamaWeights

  /// Reads a GGUF file, dequantising its weights to fp32.
  ///
  /// - Throws: ``ModelFileError``, ``TokenizerError`` or ``ChatTemplateError`` naming what is wrong
  ///   with the file; ``TensorError/matmulNotReplaced`` on a broken installation.
  package init(path: String, precision: Precision = .float32) throws {
    Processor.boundSpinning()
    try Processor.checkMatmul()
    try Processor.checkAllocator()
    let file = try GGUFFile(path: path)
    configuration = try LlamaConfiguration(file)
    tokenizer = try Tokenizer(file)
    chatTemplate = try ChatTemplate(file, tokenizer: tokenizer)
    weights = try LlamaWeights(file, configuration, precision: precision)
    (self.path, self.precision) = (path, precision)
  }

  /// The widths and constants of the model in a GGUF file, which is checked as far as that needs no
  /// weight: a few milliseconds.
  ///
  /// - Throws: As ``init(path:precision:)``.
  package nonisolated static func inspect(path: String) throws -> LlamaConfiguration {
    let file = try GGUFFile(path: path)
    let configuration = try LlamaConfiguration(file)
    _ = try ChatTemplate(file, tokenizer: try Tokenizer(file))
    try LlamaWeights.check(file, configuration)
    return configuration
  }

  /// What one forward pass leaves behind.
  package struct Output {
    /// The residual stream after the last block and the final norm, `[token, dModel]`.
    package let finalNorm: Tensor
    /// `[row, dVocab]` for the rows asked for, in their order.
    package let logits: Tensor?
    /// The activations that were asked for.
    package let captured: [Site: Tensor]
  }

  /// Which rows of a batch get logits, each of which costs `dVocab · dModel` multiplications.
  package enum LogitRows {
    case none
    case all
    case rows([Int])
  }

  /// Runs `batch` through the model.
  ///
  /// - Parameters:
  ///   - batch: The tokens, each of which sees its own sequence up to itself.
  ///   - rows: Which tokens get logits.
  ///   - adapter: Low-rank updates of linear layers, by block.
  ///   - hooks: What to capture and what to change on the way.
  ///   - cache: Keys and values of earlier tokens; the batch's own are appended.
  /// - Returns: The final residual stream, and the logits and activations that were asked for.
  /// - Throws: ``SiteError`` where a hook names a site that is never reached.
  package func forward(
    _ batch: TokenBatch, logits rows: LogitRows = .all, adapter: AdapterWeights? = nil,
    hooks: Hooks = Hooks(), cache: KeyValueCache? = nil
  ) throws -> Output {
    let keys = (cache?.count ?? 0) + batch.tokens.count
    let pass = ForwardPass(
      model: self, adapter: adapter, cache: cache,
      rope: RotaryAngles(batch.positions, configuration),
      visible: batch.visibleRows(offset: cache?.count ?? 0), keyCount: keys)
    return try pass.run(tokens: batch.tokens, rows: rows, hooks: hooks)
  }

  /// −log p in nats of each target under rows of ``Output/finalNorm``, without ever holding the
  /// logits of the whole vocabulary.
  package func crossEntropy(_ rows: Tensor, targets: Tensor, differentiable: Bool) -> Tensor {
    Fused.crossEntropy(
      rows, unembed: weights.head, packed: weights.unembed.packed, targets: targets,
      differentiable: differentiable)
  }

  /// One new token for each of several sequences whose past is in `cache`.
  func decode(
    tokens: [Int], positions: [Int], visible: [[KeyRanges.Rows]], adapter: AdapterWeights?,
    cache: KeyValueCache
  ) throws -> Tensor {
    let pass = ForwardPass(
      model: self, adapter: adapter, cache: cache, rope: RotaryAngles(positions, configuration),
      visible: visible, keyCount: cache.count + tokens.count)
    guard let logits = try pass.run(tokens: tokens, rows: .all, hooks: Hooks()).logits else {
      preconditionFailure("decoding always asks for logits")
    }
    return logits
  }
}

/// cos and sin of position · θ^(−2i / dHead) (Su et al. 2021, arXiv 2104.09864, eq. 15), each
/// `[token, dHead / 2]`.
struct RotaryAngles {
  let cosine: Tensor
  let sine: Tensor

  init(_ positions: [Int], _ c: LlamaConfiguration) {
    // fp32 throughout, as in the reference implementation: at large positions the rounding of the
    // angle shows.
    let frequencies = (0..<c.dHead / 2).map {
      1 / Float(pow(c.ropeTheta, Double(2 * $0) / Double(c.dHead)))
    }
    var cosines: [Float] = []
    var sines: [Float] = []
    cosines.reserveCapacity(positions.count * frequencies.count)
    sines.reserveCapacity(positions.count * frequencies.count)
    for position in positions {
      for frequency in frequencies {
        let angle = Float(position) * frequency
        cosines.append(cos(angle))
        sines.append(sin(angle))
      }
    }
    cosine = Tensor(cosines, shape: [positions.count, frequencies.count])
    sine = Tensor(sines, shape: [positions.count, frequencies.count])
  }
}
