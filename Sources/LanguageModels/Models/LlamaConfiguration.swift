/// The widths and constants of a Llama-family model, in TransformerLens's vocabulary.
package struct LlamaConfiguration: Sendable, Equatable, Codable {
  package var nLayers: Int
  package var dModel: Int
  package var nHeads: Int
  /// Heads that share keys and values; ``nHeads`` is a multiple of it.
  package var nKVHeads: Int
  package var dHead: Int
  package var dMLP: Int
  package var dVocab: Int
  /// The longest sequence that the model was trained for, in tokens.
  package var contextLength: Int
  /// The base of the rotary frequencies.
  package var ropeTheta: Double
  /// ε of every RMSNorm.
  package var normEpsilon: Float

  /// Reads the hyperparameters from a GGUF file's metadata.
  ///
  /// - Throws: ``ModelFileError`` where a key is missing, of another type, out of range, or asks for
  ///   something that would silently compute another model.
  package init(_ file: GGUFFile) throws(ModelFileError) {
    let architecture = try file.string("general.architecture")
    guard architecture == "llama" else {
      throw Self.unsupported(
        file, "the architecture `llama`", "`\(architecture.prefix(40))`",
        "use a Llama-family GGUF file")
    }
    nLayers = try Self.positive(file, "block_count", at: 1_000)
    dModel = try Self.positive(file, "embedding_length", at: 1 << 20)
    nHeads = try Self.positive(file, "attention.head_count", at: 1 << 16)
    nKVHeads = try Self.positive(file, "attention.head_count_kv", at: 1 << 16, default: nHeads)
    dMLP = try Self.positive(file, "feed_forward_length", at: 1 << 22)
    contextLength = try Self.positive(file, "context_length", at: 1 << 30)
    dHead = try Self.positive(
      file, "rope.dimension_count", at: 1 << 16, default: dModel / max(nHeads, 1))
    normEpsilon = Float(try file.double("llama.attention.layer_norm_rms_epsilon"))
    ropeTheta = try file.double("llama.rope.freq_base", default: 10_000)
    dVocab = try file.tensor("token_embd.weight").shape.first ?? 0
    guard nHeads % nKVHeads == 0, dHead % 2 == 0, ropeTheta > 1, normEpsilon > 0 else {
      throw Self.unsupported(
        file, "heads that divide evenly, an even head width and positive constants",
        "\(nHeads) heads, \(nKVHeads) key heads, width \(dHead), theta \(ropeTheta)",
        "convert the model again")
    }
    for key in ["llama.rope.scaling.type", "llama.expert_count", "llama.rope.scaling.factor"] {
      if let value = file.metadata[key], value != .string("none"), value != .integer(0) {
        throw Self.unsupported(
          file, "no `\(key)`", "\(value)", "use a model without rope scaling and experts")
      }
    }
  }

  private static func positive(
    _ file: GGUFFile, _ key: String, at most: Int, default fallback: Int? = nil
  ) throws(ModelFileError) -> Int {
    let value = try file.int("llama.\(key)", default: fallback)
    guard (1...most).contains(value) else {
      throw unsupported(
        file, "`llama.\(key)` from 1 to \(most)", "\(value)", "convert the model again")
    }
    return value
  }

  private static func unsupported(
    _ file: GGUFFile, _ expected: String, _ found: String, _ remedy: String
  ) -> ModelFileError {
    .unsupported(.init(path: file.path, expected: expected, found: found, remedy: remedy))
  }
}
