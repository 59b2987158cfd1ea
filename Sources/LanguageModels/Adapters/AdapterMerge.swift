internal import Foundation
internal import Tensors

extension AdapterWeights {
  /// Files of a Hugging Face folder beside its weights that belong to a model of other numbers too.
  private nonisolated static let companions = [
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer.model",
    "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja",
    "vocab.json", "merges.txt", "vocab.txt", "LICENSE", "LICENSE.txt", "LICENSE.md", "NOTICE",
  ]

  /// Writes the Hugging Face folder `base` with this adapter merged into its weights,
  /// W + scale · B A, each tensor in its own stored type.
  ///
  /// The weights are written shard by shard with one tensor in memory at a time; `config.json` comes
  /// last, so that a folder without it holds no model.
  ///
  /// - Parameters:
  ///   - base: The folder that the adapter was trained from.
  ///   - folder: Where the merged model goes; made if it is not there, and left as it was on an error.
  ///   - shardByteCount: The most bytes of data in one file.
  /// - Throws: ``ModelFileError``; ``TensorError`` when a product fails.
  package func merge(
    into base: String, to folder: String,
    shardByteCount: Int = SafetensorsCheckpoint.defaultShardByteCount
  ) throws {
    let tensors = try ModelFiles.checkpoint(base)
    guard case .safetensors(let checkpoint) = tensors.source else {
      preconditionFailure("a Hugging Face folder holds safetensors")
    }
    let adapted = try deltas(tensors)
    let layouts = checkpoint.tensors.compactMap { tensor in
      tensor.type.precision.map {
        SafetensorsLayout(name: tensor.name, shape: tensor.shape, precision: $0)
      }
    }
    let isNew = !FileManager.default.fileExists(atPath: folder)
    if isNew { try Self.make(folder) }
    do {
      var failure: (any Error)?
      try SafetensorsCheckpoint.write(layouts, to: folder, shardByteCount: shardByteCount) {
        (layout) throws(ModelFileError) in
        let stored = try checkpoint.tensor(layout.name).floats()
        guard failure == nil, let delta = adapted[layout.name] else { return stored }
        do {
          return try (Tensor(stored, shape: layout.shape) + delta()).floats()
        } catch {
          failure = error
          return stored
        }
      }
      if let failure { throw failure }
      try Self.copyCompanions(from: base, to: folder)
    } catch {
      if isNew { try? FileManager.default.removeItem(atPath: folder) }
      throw error
    }
  }

  /// What is added to each adapted tensor, by its name in the checkpoint and as it is stored there.
  private func deltas(_ tensors: CheckedTensors) throws -> [String: () -> Tensor] {
    let c = tensors.configuration
    var deltas: [String: () -> Tensor] = [:]
    for block in 0..<c.nLayers {
      for module in c.modules {
        guard let low = lowRank(block: block, module, of: c.family),
          let stored = tensors.storedName(.linear(module), block: block)
        else { continue }
        deltas[stored.name] = {
          let delta = low.b.matmul(low.a) * low.scale
          return stored.isTransposed ? delta.transpose() : delta
        }
      }
    }
    return deltas
  }

  private nonisolated static func make(_ folder: String) throws(ModelFileError) {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw .unwritable(
        .init(
          path: folder, expected: "to make this folder", found: error.localizedDescription,
          remedy: "choose a place that this user may write to"))
    }
  }

  private nonisolated static func copyCompanions(
    from base: String, to folder: String
  ) throws(ModelFileError) {
    for name in companions.reversed() {
      let path = (base as NSString).appendingPathComponent(name)
      guard FileManager.default.fileExists(atPath: path) else { continue }
      let file = try MappedFile(path: path)
      try AtomicFile.write(
        file.withBytes { Array($0) }, to: (folder as NSString).appendingPathComponent(name))
    }
  }
}
