internal import Foundation

/// A family of models: how its files say what it is made of, and what they call its weights.
struct Family: Sendable {
  /// What `model_type` in `config.json`, and the configuration's `family`, may be.
  let modelTypes: [String]
  /// What `general.architecture` of a GGUF file may be.
  let architectures: [String]
  /// The names in a Hugging Face checkpoint.
  let checkpoint: TensorNames
  /// The names in a GGUF file; nil where none is read.
  var gguf: TensorNames?
  /// Whether the unembedding is the embedding where `tie_word_embeddings` is absent.
  var tiesByDefault = false
  /// How one layer holds queries, keys and values together; nil where there are three.
  var fusedQKV: FusedQKV?
  let readConfig: @Sendable (ConfigFile) throws(ModelFileError) -> ModelConfiguration
  var readMetadata: (@Sendable (GGUFFile) throws(ModelFileError) -> ModelConfiguration)?

  /// The order of the rows of a fused projection.
  enum FusedQKV: Sendable {
    /// All queries, all keys, all values.
    case inTurn
    /// Query, key and value of one head after the other.
    case byHead
  }

  var fusesQKV: Bool { fusedQKV != nil }

  static let all = [llama, qwen, gemma, gpt2, neoX, bert]

  /// The family of a configuration.
  static func named(_ name: String) -> Family? { all.first { $0.modelTypes.contains(name) } }

  /// The family that a `config.json` names.
  ///
  /// - Throws: ``ModelFileError`` naming `model_type` where it is not one of these.
  static func of(_ config: ConfigFile) throws(ModelFileError) -> Family {
    let name = try config.text("model_type")
    guard let family = named(name) else {
      throw .unsupported(
        .init(
          path: config.path,
          expected: "`model_type` among \(all.flatMap(\.modelTypes).joined(separator: ", "))",
          found: quoted(name), remedy: "use a model of one of these families"))
    }
    return family
  }

  /// The family that a GGUF file names.
  static func of(_ file: GGUFFile) throws(ModelFileError) -> Family {
    let name = try file.string("general.architecture")
    guard let family = all.first(where: { $0.architectures.contains(name) }) else {
      let known = all.flatMap(\.architectures).map { "`\($0)`" }.joined(separator: ", ")
      throw .unsupported(
        .init(
          path: file.path, expected: "the architecture to be one of \(known)",
          found: quoted(name), remedy: "use a GGUF file of one of these families"))
    }
    return family
  }
}

/// A weight by its role.
enum WeightRole: Hashable, Sendable {
  case embed, positions, tokenTypes, embedNorm, finalNorm, unembed
  case linear(LinearModule)
  case attentionNorm, mlpNorm, attentionOutNorm, mlpOutNorm, qNorm, kNorm

  /// Whether each block has one.
  var isPerBlock: Bool {
    switch self {
    case .embed, .positions, .tokenTypes, .embedNorm, .finalNorm, .unembed: false
    default: true
    }
  }

  /// Its shape as the model uses it.
  func shape(in c: ModelConfiguration) -> [Int] {
    switch self {
    case .embed, .unembed: [c.dVocab, c.dModel]
    case .positions: [c.contextLength, c.dModel]
    case .tokenTypes: [c.tokenTypes, c.dModel]
    case .linear(let module): module.shape(in: c)
    case .qNorm, .kNorm: [c.dHead]
    default: [c.dModel]
    }
  }
}

/// What one file format calls a family's weights.
struct TensorNames: Sendable {
  /// How numbers lie in the file, where that is not how the model uses them.
  enum Layout: Sendable {
    case asUsed
    /// `[in, out]`, as GPT-2's Conv1D has it.
    case transposed
    /// llama.cpp interleaves the two halves of every head for its rotary kernel.
    case interleavedHalves
    /// A norm's weight less 1, as Gemma has it.
    case lessOne
  }

  struct Entry: Sendable {
    let name: String
    let layout: Layout
  }

  /// What may stand in front of every name.
  var prefixes = [""]
  var entries: [WeightRole: Entry]
  /// Ends of names of tensors that hold nothing a forward pass reads.
  var ignored: [String]
  /// Other names of weights in some files.
  var aliases: [String: String]

  /// The names, `{i}` standing for a block's number; `.weight` is left out.
  init(
    prefixes: [String] = [""], _ names: [WeightRole: String],
    layouts: [WeightRole: Layout] = [:], ignored: [String] = [],
    aliases: [String: String] = [:]
  ) {
    self.prefixes = prefixes
    self.ignored = ignored
    self.aliases = aliases
    entries = Dictionary(
      uniqueKeysWithValues: names.map { role, name in
        (role, Entry(name: name, layout: layouts[role] ?? .asUsed))
      })
  }

  /// The name of a weight, without `.weight` and prefix.
  func stem(_ role: WeightRole, block: Int? = nil) -> String? {
    guard let name = entries[role]?.name else { return nil }
    guard let block else { return name }
    return name.replacingOccurrences(of: "{i}", with: "\(block)")
  }
}
