internal import Foundation
internal import Tensors

/// How the frozen weights are multiplied.
package enum Precision: String, Sendable, Codable, CaseIterable {
  /// fp32 throughout.
  case float32
  /// Products with frozen weights in bf16 with fp32 accumulation; everything else fp32.
  case bfloat16
}

/// A frozen linear layer.
struct FrozenLinear {
  /// fp32 `[out, in]`; none where the packed weight does for both directions, which halves what the
  /// layer takes.
  let weight: Tensor?
  let packed: PackedWeight?

  init(_ weight: Tensor, precision: Precision) throws {
    packed = precision == .bfloat16 ? try PackedWeight(weight, backward: true) : nil
    self.weight = packed?.isComplete == true ? nil : weight
  }

  func callAsFunction(_ x: Tensor, adapter: LowRank? = nil) -> Tensor {
    Fused.linear(x, weight, packed: packed, adapter: adapter)
  }
}

/// The linear layers of a block, by their names in Hugging Face checkpoints.
package enum LinearModule: String, Sendable, Codable, CaseIterable {
  case q = "self_attn.q_proj"
  case k = "self_attn.k_proj"
  case v = "self_attn.v_proj"
  case o = "self_attn.o_proj"
  case gate = "mlp.gate_proj"
  case up = "mlp.up_proj"
  case down = "mlp.down_proj"

  /// The tensor's name in a GGUF file, after `blk.{i}.`.
  var ggufName: String {
    switch self {
    case .q: "attn_q.weight"
    case .k: "attn_k.weight"
    case .v: "attn_v.weight"
    case .o: "attn_output.weight"
    case .gate: "ffn_gate.weight"
    case .up: "ffn_up.weight"
    case .down: "ffn_down.weight"
    }
  }

  /// `[out, in]` of the layer's weight.
  package func shape(in c: LlamaConfiguration) -> [Int] {
    switch self {
    case .q: [c.nHeads * c.dHead, c.dModel]
    case .k, .v: [c.nKVHeads * c.dHead, c.dModel]
    case .o: [c.dModel, c.nHeads * c.dHead]
    case .gate, .up: [c.dMLP, c.dModel]
    case .down: [c.dModel, c.dMLP]
    }
  }
}

extension LlamaConfiguration {
  /// Numbers in all matrices, the unembedding counted once more.
  package var parameterCount: Int {
    let block = LinearModule.allCases.reduce(0) { $0 + $1.shape(in: self).reduce(1, *) }
    return nLayers * block + 2 * dVocab * dModel
  }
}

/// All weights of a Llama-family model, as in its Hugging Face checkpoint.
struct LlamaWeights {
  struct Block {
    let linear: [LinearModule: FrozenLinear]
    let attentionNorm: Tensor
    let mlpNorm: Tensor
  }

  let embed: Tensor
  let blocks: [Block]
  let finalNorm: Tensor
  let unembed: FrozenLinear
  /// The unembedding in fp32: where it is the embedding, it costs no memory of its own.
  let head: Tensor

  init(_ file: GGUFFile, _ c: LlamaConfiguration, precision: Precision) throws {
    try Self.check(file, c)
    func load(_ name: String, _ shape: [Int]) throws -> Tensor {
      try file.tensor(name).floats().withUnsafeBufferPointer { Tensor(copying: $0, shape: shape) }
    }
    embed = try load("token_embd.weight", [c.dVocab, c.dModel])
    finalNorm = try load("output_norm.weight", [c.dModel])
    blocks = try (0..<c.nLayers).map { i in
      var linear: [LinearModule: FrozenLinear] = [:]
      for module in LinearModule.allCases {
        var weight = try load("blk.\(i).\(module.ggufName)", module.shape(in: c))
        if module == .q { weight = Self.halvesApart(weight, heads: c.nHeads) }
        if module == .k { weight = Self.halvesApart(weight, heads: c.nKVHeads) }
        linear[module] = try FrozenLinear(weight, precision: precision)
      }
      return Block(
        linear: linear, attentionNorm: try load("blk.\(i).attn_norm.weight", [c.dModel]),
        mlpNorm: try load("blk.\(i).ffn_norm.weight", [c.dModel]))
    }
    head =
      file.hasTensor("output.weight") ? try load("output.weight", [c.dVocab, c.dModel]) : embed
    unembed = try FrozenLinear(head, precision: precision)
  }

  /// Holds the names and shapes of a file's tensors against those of a Llama-family model.
  static func check(_ file: GGUFFile, _ c: LlamaConfiguration) throws {
    var expected = ["token_embd.weight": [c.dVocab, c.dModel], "output_norm.weight": [c.dModel]]
    if file.hasTensor("output.weight") { expected["output.weight"] = [c.dVocab, c.dModel] }
    for i in 0..<c.nLayers {
      for module in LinearModule.allCases {
        expected["blk.\(i).\(module.ggufName)"] = module.shape(in: c)
      }
      expected["blk.\(i).attn_norm.weight"] = [c.dModel]
      expected["blk.\(i).ffn_norm.weight"] = [c.dModel]
    }
    for (name, shape) in expected.sorted(by: { $0.key < $1.key }) {
      let entry = try file.tensor(name)
      guard entry.shape == shape else {
        throw ModelFileError.unsupported(
          .init(
            path: file.path, expected: "`\(name)` \(shape)", found: "\(entry.shape)",
            remedy: "convert the model again: its metadata does not belong to these weights"))
      }
    }
    // A bias or an extra norm that is quietly left out would be another model.
    if let surplus = file.tensors.first(where: { expected[$0.name] == nil }) {
      throw ModelFileError.unsupported(
        .init(
          path: file.path, expected: "only the tensors of a Llama-family model",
          found: "`\(surplus.name)`", remedy: "use a model without it"))
    }
  }

  /// llama.cpp interleaves the two halves of every head for its rotary kernel; checkpoints keep
  /// them apart.
  private static func halvesApart(_ weight: Tensor, heads: Int) -> Tensor {
    let (rows, columns) = (weight.shape[0], weight.shape[1])
    return weight.reshape([heads, rows / heads / 2, 2, columns]).transpose([0, 2, 1, 3])
      .reshape([rows, columns])
  }
}
