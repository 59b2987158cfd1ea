/// The linear layers of a block, by their names in Llama's checkpoints.
package enum LinearModule: String, Sendable, Codable, CaseIterable {
  case q = "self_attn.q_proj"
  case k = "self_attn.k_proj"
  case v = "self_attn.v_proj"
  /// Queries, keys and values in one layer, in the families that have it.
  case qkv = "self_attn.qkv_proj"
  case o = "self_attn.o_proj"
  case gate = "mlp.gate_proj"
  case up = "mlp.up_proj"
  case down = "mlp.down_proj"

  /// Those of a block with separate queries, keys and values and a gated MLP.
  package static let separate: [LinearModule] = [.q, .k, .v, .o, .gate, .up, .down]

  /// `[out, in]` of the layer's weight.
  package func shape(in c: ModelConfiguration) -> [Int] {
    switch self {
    case .q: [c.nHeads * c.dHead, c.dModel]
    case .k, .v: [c.nKVHeads * c.dHead, c.dModel]
    case .qkv: [(c.nHeads + 2 * c.nKVHeads) * c.dHead, c.dModel]
    case .o: [c.dModel, c.nHeads * c.dHead]
    case .gate, .up: [c.dMLP, c.dModel]
    case .down: [c.dModel, c.dMLP]
    }
  }
}
