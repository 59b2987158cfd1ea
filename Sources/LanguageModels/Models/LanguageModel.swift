internal import Foundation
package import Tensors

/// A transformer with its tokenizer, ready to run.
///
/// Isolated to ``TensorActor``: the model can be handed anywhere, and is used on the tensors'
/// thread.
@TensorActor
package final class LanguageModel {
  /// The widths and constants.
  package nonisolated let configuration: ModelConfiguration
  /// How frozen weights are multiplied.
  package nonisolated let precision: Precision
  /// The file or folder that the weights came from.
  package nonisolated let path: String
  package nonisolated let tokenizer: Tokenizer
  package nonisolated let chatTemplate: ChatTemplate?

  let weights: ModelWeights

  /// Reads a GGUF file or a Hugging Face folder. Weights stay on the disk, mapped, until they are
  /// first used, and are computed with in fp32 unless `precision` says otherwise.
  ///
  /// - Throws: ``ModelFileError``, ``TokenizerError`` or ``ChatTemplateError`` naming what is wrong
  ///   with the file; ``TensorError/matmulNotReplaced`` on a broken installation.
  package init(path: String, precision: Precision = .float32) throws {
    Processor.boundSpinning()
    try Processor.checkMatmul()
    try Processor.checkAllocator()
    let files = try ModelFiles(path: path)
    configuration = files.tensors.configuration
    (tokenizer, chatTemplate) = (files.tokenizer, files.chatTemplate)
    weights = try ModelWeights(files.tensors, precision: precision)
    (self.path, self.precision) = (path, precision)
  }

  /// `model` with other weights.
  init(_ model: LanguageModel, weights: ModelWeights) {
    (configuration, precision, path) = (model.configuration, model.precision, model.path)
    (tokenizer, chatTemplate) = (model.tokenizer, model.chatTemplate)
    self.weights = weights
  }

  /// What a model is made of, its files checked as far as that needs no weight: a few milliseconds.
  ///
  /// - Throws: As ``init(path:precision:)``.
  package nonisolated static func inspect(path: String) throws -> ModelConfiguration {
    try ModelFiles(path: path).tensors.configuration
  }

  /// The tokenizer of a model whose files are checked as by ``inspect(path:)``.
  ///
  /// - Throws: As ``init(path:precision:)``.
  package nonisolated static func tokenizer(path: String) throws -> Tokenizer {
    try ModelFiles(path: path).tokenizer
  }

  /// What the model in a Hugging Face folder is made of.
  ///
  /// - Throws: ``ModelFileError`` where it is no such folder, and as ``init(path:precision:)``.
  package nonisolated static func inspect(folder path: String) throws -> ModelConfiguration {
    try ModelFiles.checkpoint(path).configuration
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
    if configuration.rotary == nil, let last = batch.positions.max(),
      last >= configuration.contextLength
    {
      throw ModelError.tooLong(positions: last + 1, limit: configuration.contextLength)
    }
    precondition(
      configuration.isCausal || (batch.starts.allSatisfy { $0 == 0 } && cache == nil),
      "an encoder's tokens see what follows them: no prefix can be shared, nothing cached")
    let keys = (cache?.count ?? 0) + batch.tokens.count
    let pass = ForwardPass(
      model: self, adapter: adapter, cache: cache, positions: batch.positions,
      visible: batch.visibleRows(
        offset: cache?.count ?? 0, isCausal: configuration.isCausal), keyCount: keys)
    return try pass.run(tokens: batch.tokens, rows: rows, hooks: hooks)
  }

  /// The products with frozen weights that one pass takes, in their order.
  package var products: [FrozenProduct] {
    let blocks = weights.blocks.flatMap { block in
      configuration.modules.compactMap { module in
        block.linear[module].map {
          FrozenProduct(shape: module.shape(in: configuration), layer: $0)
        }
      }
    }
    let shape = [configuration.dVocab, configuration.dModel]
    return blocks + (weights.unembed.map { [FrozenProduct(shape: shape, layer: $0)] } ?? [])
  }

  /// One new token for each of several sequences whose past is in `cache`.
  func decode(
    tokens: [Int], positions: [Int], visible: [[KeyRanges.Rows]], adapter: AdapterWeights?,
    cache: KeyValueCache
  ) throws -> Tensor {
    let pass = ForwardPass(
      model: self, adapter: adapter, cache: cache, positions: positions, visible: visible,
      keyCount: cache.count + tokens.count)
    guard let logits = try pass.run(tokens: tokens, rows: .all, hooks: Hooks()).logits else {
      preconditionFailure("decoding always asks for logits")
    }
    return logits
  }
}

/// One product of a forward pass, alone.
@TensorActor
package struct FrozenProduct {
  /// `[out, in]` of the weight.
  package nonisolated let shape: [Int]
  let layer: FrozenLinear

  /// `x Wᵀ`, with the bias where there is one.
  package func callAsFunction(_ x: Tensor) throws -> Tensor { try layer(x) }
}

/// What a model cannot do.
package enum ModelError: Error, Equatable, CustomStringConvertible {
  /// Logits of an encoder.
  case noHead(family: String)
  /// Weights of a model that normalises the residual stream itself.
  case normsAfter(family: String)
  /// More positions than the model has vectors for.
  case tooLong(positions: Int, limit: Int)

  package var description: String {
    switch self {
    case .noHead(let family):
      "Expected a model that predicts tokens, found a \(family) encoder: read its activations, or "
        + "name another model"
    case .normsAfter(let family):
      "Expected a model whose norms stand before what reads the residual stream, found \(family), which "
        + "normalises the stream itself: its weights are no directions of it; name another model"
    case .tooLong(let positions, let limit):
      "Expected at most \(limit) tokens, found \(positions): shorten the text"
    }
  }
}
