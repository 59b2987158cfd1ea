import Foundation
import LanguageModels
import Statistics
import Tensors

/// A GPT-2 whose weights are written by hand: what is not named is 0, gains are 1, and the head is its own.
struct HandWrittenModel {
  let nLayers: Int, nHeads: Int, dModel: Int, dMLP: Int, contextLength: Int
  let dVocab = 64
  private var tensors: [String: (shape: [Int], values: [Float])] = [:]

  init(nLayers: Int, nHeads: Int = 1, dModel: Int, dMLP: Int, contextLength: Int = 32) {
    (self.nLayers, self.nHeads, self.dModel) = (nLayers, nHeads, dModel)
    (self.dMLP, self.contextLength) = (dMLP, contextLength)
    add("transformer.wte.weight", [dVocab, dModel])
    add("transformer.wpe.weight", [contextLength, dModel])
    add("lm_head.weight", [dVocab, dModel])
    norm("transformer.ln_f")
    for i in 0..<nLayers {
      let block = "transformer.h.\(i)."
      norm(block + "ln_1")
      norm(block + "ln_2")
      for (name, shape) in [
        ("attn.c_attn", [dModel, 3 * dModel]), ("attn.c_proj", [dModel, dModel]),
        ("mlp.c_fc", [dModel, dMLP]), ("mlp.c_proj", [dMLP, dModel]),
      ] {
        add(block + name + ".weight", shape)
        add(block + name + ".bias", [shape[1]])
      }
    }
  }

  private mutating func add(_ name: String, _ shape: [Int], _ value: Float = 0) {
    tensors[name] = (shape, [Float](repeating: value, count: shape.reduce(1, *)))
  }

  private mutating func norm(_ name: String) {
    add(name + ".weight", [dModel], 1)
    add(name + ".bias", [dModel])
  }

  /// One number of a matrix, `[in, out]` in blocks.
  subscript(name: String, row: Int, column: Int) -> Float {
    get {
      guard let (shape, values) = tensors[full(name)] else { fatalError("no tensor \(name)") }
      return values[row * shape[1] + column]
    }
    set {
      guard let shape = tensors[full(name)]?.shape else { fatalError("no tensor \(name)") }
      tensors[full(name)]?.values[row * shape[1] + column] = newValue
    }
  }

  /// A whole tensor.
  mutating func set(_ name: String, _ values: [Float]) {
    guard tensors[full(name)]?.values.count == values.count else { fatalError("no such \(name)") }
    tensors[full(name)]?.values = values
  }

  private func full(_ name: String) -> String {
    name.hasPrefix("lm_head") ? name + ".weight" : suffixed("transformer." + name)
  }

  private func suffixed(_ name: String) -> String {
    tensors[name] == nil ? name + ".weight" : name
  }

  /// Reads the model back from a checkpoint.
  @TensorActor
  func load(in folder: String) throws -> LanguageModel {
    try write(to: folder)
    return try LanguageModel(path: folder)
  }

  func write(to folder: String) throws {
    let files = FileManager.default
    try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent()
      .appendingPathComponent("LanguageModelsTests/Fixtures/families/gpt2").path
    for name in ["tokenizer.json", "tokenizer_config.json"] {
      try files.copyItem(atPath: "\(source)/\(name)", toPath: "\(folder)/\(name)")
    }
    let config: [String: Any] = [
      "model_type": "gpt2", "vocab_size": dVocab, "n_positions": contextLength, "n_embd": dModel,
      "n_layer": nLayers, "n_head": nHeads, "n_inner": dMLP, "activation_function": "gelu_new",
      "layer_norm_epsilon": 1e-5, "tie_word_embeddings": false,
    ]
    try JSONSerialization.data(withJSONObject: config)
      .write(to: URL(fileURLWithPath: "\(folder)/config.json"))
    try SafetensorsFile.write(
      tensors.sorted { $0.key < $1.key }.map {
        SafetensorsEntry(name: $0.key, shape: $0.value.shape, values: $0.value.values)
      }, metadata: [:], to: "\(folder)/model.safetensors")
  }
}

/// A model in which every block turns the residual stream by one rotation, and nothing else happens: its
/// drift is known, and so is the lens that undoes it.
struct DriftingModel {
  let nLayers = 5, d = 24
  /// `[d, d]`, row vectors: what goes into the next block is h R.
  let rotation: [Float]
  let model: HandWrittenModel

  /// `drift` says how far each block turns the stream: 0 for not at all.
  @TensorActor
  init(drift: Float, seed: UInt64 = 3) throws {
    var generator = SeededGenerator(seed: seed)
    var model = HandWrittenModel(nLayers: nLayers, dModel: d, dMLP: 2 * d)
    rotation = try Self.rotation(d, drift, &generator)
    for token in 0..<model.dVocab {
      // Of mean 0 and variance 1, as LayerNorm leaves them: it then changes nothing.
      var row = (0..<d).map { _ in Float(generator.normal()) }
      let mean = row.reduce(0, +) / Float(d)
      row = row.map { $0 - mean }
      let length = (row.reduce(0) { $0 + $1 * $1 } / Float(d)).squareRoot()
      for i in 0..<d { model["wte", token, i] = row[i] / length }
      for i in 0..<d { model["lm_head", token, i] = Float(generator.normal()) }
    }
    for block in 0..<nLayers {
      // gelu(x + 8) is x + 8 to seven digits for |x| < 3; the bias of what is written takes the 8 away.
      var bias = [Float](repeating: 0, count: d)
      for i in 0..<d {
        model["h.\(block).mlp.c_fc", i, i] = 0.5
        for j in 0..<d {
          let written = 2 * (rotation[i * d + j] - (i == j ? 1 : 0))
          model["h.\(block).mlp.c_proj", i, j] = written
          bias[j] -= 8 * written
        }
        // Neurons that write and are not felt: they read nothing but a constant.
        model["h.\(block).mlp.c_proj", d + i, i] = 0.1
      }
      var up = [Float](repeating: 0, count: 2 * d)
      for i in 0..<d { up[i] = 8 }
      model.set("h.\(block).mlp.c_fc.bias", up)
      model.set("h.\(block).mlp.c_proj.bias", bias)
    }
    self.model = model
  }

  /// exp(drift · S) of a random antisymmetric S that leaves the direction of all ones alone.
  @TensorActor
  private static func rotation(
    _ d: Int, _ drift: Float, _ generator: inout SeededGenerator
  ) throws -> [Float] {
    let x = Tensor((0..<d * d).map { _ in Float(generator.normal()) }, shape: [d, d])
    let centre = Tensor(
      (0..<d * d).map { Float($0 / d == $0 % d ? 1 : 0) - 1 / Float(d) }, shape: [d, d])
    let s = centre.matmul(x - x.transpose()).matmul(centre) * (drift / Float(d).squareRoot() / 16)
    let identity = Tensor((0..<d * d).map { Float($0 / d == $0 % d ? 1 : 0) }, shape: [d, d])
    var (sum, term) = (identity, identity)
    for i in 1..<12 {
      term = term.matmul(s) / Float(i)
      sum = sum + term
    }
    for _ in 0..<4 { sum = sum.matmul(sum) }
    return try sum.floats()
  }
}

/// An induction circuit written into weights (Elhage et al. 2021): head 0 of block 0 copies each token's
/// predecessor, head 2 of block 1 looks for where the current token was preceded by itself and says what
/// came there. Three other heads copy tokens to where nothing reads them.
enum InductionModel {
  /// Tokens 0 to 11 have a place each: as themselves, as predecessors and as predictions.
  private static let tokens = 12, positions = 16
  private static let own = 0, position = 12, previous = 28, prediction = 40, unread = 52

  static func make() -> HandWrittenModel {
    var model = HandWrittenModel(
      nLayers: 2, nHeads: 4, dModel: 64, dMLP: 4, contextLength: positions)
    for token in 0..<tokens {
      model["wte", token, own + token] = 1
      model["lm_head", token, prediction + token] = 1
    }
    for place in 0..<positions { model["wpe", place, position + place] = 1 }
    // Each token asks for the position before its own.
    attention(&model, 0, 0, count: positions - 1, queries: position + 1, keys: position)
    copy(&model, 0, 0, from: own, to: previous)
    attention(&model, 1, 2, count: tokens, queries: own, keys: previous)
    copy(&model, 1, 2, from: own, to: prediction)
    // Decoys: everything so far; itself; the second position's predecessor.
    copy(&model, 0, 1, from: own, to: unread)
    attention(&model, 1, 0, count: tokens, queries: own, keys: own)
    copy(&model, 1, 0, from: previous, to: unread)
    for place in 0..<positions { model["h.1.attn.c_attn", position + place, 3 * 16] = 2 }
    model["h.1.attn.c_attn", position + 2, 64 + 3 * 16] = 2
    copy(&model, 1, 3, from: previous, to: unread)
    return model
  }

  /// Queries of one place in the stream meet keys of another.
  private static func attention(
    _ model: inout HandWrittenModel, _ block: Int, _ head: Int, count: Int, queries: Int, keys: Int
  ) {
    for i in 0..<count {
      model["h.\(block).attn.c_attn", queries + i, 16 * head + i] = 2
      model["h.\(block).attn.c_attn", keys + i, 64 + 16 * head + i] = 2
    }
  }

  private static func copy(
    _ model: inout HandWrittenModel, _ block: Int, _ head: Int, from: Int, to: Int
  ) {
    for i in 0..<tokens {
      model["h.\(block).attn.c_attn", from + i, 128 + 16 * head + i] = 0.2
      model["h.\(block).attn.c_proj", 16 * head + i, to + i] = 1
    }
  }

  /// `k a b c d e a` continues with b; with a and c exchanged at first, with d.
  static func prompts(_ count: Int, seed: UInt64 = 1) -> String {
    var generator = SeededGenerator(seed: seed)
    return (0..<count).map { _ in
      let x = generator.sample(6, of: Array("abcdefgh")).map(String.init)
      let clean = "k" + x[0] + x[1] + x[2] + x[3] + x[4] + x[5] + x[0]
      let corrupt = "k" + x[2] + x[1] + x[0] + x[3] + x[4] + x[5] + x[0]
      return "{\"clean\": \"\(clean)\", \"corrupt\": \"\(corrupt)\", \"answer\": \"\(x[1])\", "
        + "\"distractor\": \"\(x[3])\"}"
    }.joined(separator: "\n")
  }
}
