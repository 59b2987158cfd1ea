internal import CMLX

/// A transformer's pass over one token each of a few sequences, as a list of operations on registers
/// that is made once and run for every token: without a graph, whose making costs more than such
/// operations do.
package final class Decoder {
  private let pointer: OpaquePointer

  /// An empty list.
  package init() { pointer = cmlx_decoder_new() }
  deinit { cmlx_decoder_free(pointer) }

  /// Numbers in fp32, `[tokens, width]`.
  package struct Register: Sendable {
    fileprivate let index: Int32
    package let width: Int
  }

  /// How a frozen weight `[out, in]` is kept.
  package enum Weight {
    case packed(PackedWeight)
    case plain(Tensor)
  }

  /// What the attention of one kind of layer sees, and how positions turn queries and keys.
  package struct View {
    package let visible: KeyRanges
    package let angles: (cosine: Tensor, sine: Tensor)?

    package init(_ visible: KeyRanges, angles: (cosine: Tensor, sine: Tensor)?) {
      (self.visible, self.angles) = (visible, angles)
    }
  }

  /// Attention of one layer: whose caches it uses, and which view.
  package struct Attention {
    package let layer: Int, view: Int, heads: Int, kvHeads: Int, dHead: Int
    package let scale: Float, softCap: Float?

    package init(
      layer: Int, view: Int, heads: Int, kvHeads: Int, dHead: Int, scale: Float, softCap: Float?
    ) {
      (self.layer, self.view, self.heads) = (layer, view, heads)
      (self.kvHeads, self.dHead, self.scale, self.softCap) = (kvHeads, dHead, scale, softCap)
    }
  }

  /// A new register. The first takes what a pass begins with; the last is what it ends with.
  package func register(_ width: Int) -> Register {
    Register(index: cmlx_decoder_register(pointer, Int32(width)), width: width)
  }

  /// to = norm(from) · weight, for every group of the weight's width; with a bias LayerNorm, without
  /// RMSNorm.
  package func norm(
    from: Register, to: Register, weight: Tensor, bias: Tensor?, epsilon: Float
  ) throws(TensorError) {
    try check(
      cmlx_decoder_norm(
        pointer, from.index, to.index, weight.pointer, bias?.pointer, epsilon), "norm")
  }

  /// to (+)= scale · from Wᵀ + bias, the scale 1 where the weight is packed.
  package func linear(
    from: Register, to: Register, _ weight: Weight, bias: Tensor? = nil, scale: Float = 1,
    adds: Bool = false
  ) throws(TensorError) {
    var (packed, plain): (OpaquePointer?, OpaquePointer?)
    switch weight {
    case .packed(let weight): packed = weight.pointer
    case .plain(let weight): plain = weight.pointer
    }
    try withExtendedLifetime((weight, bias)) { () throws(TensorError) in
      try check(
        cmlx_decoder_linear(
          pointer, from.index, to.index, packed, plain, bias?.pointer, scale, adds), "linear")
    }
  }

  /// to = attention of q, with k and v added to the layer's caches; queries and keys are turned first.
  package func attend(
    q: Register, k: Register, v: Register, to: Register, _ a: Attention
  ) throws(TensorError) {
    let shape = cmlx_decoder_attention(
      layer: Int32(a.layer), view: Int32(a.view), heads: Int32(a.heads),
      kv_heads: Int32(a.kvHeads), d_head: Int32(a.dHead), scale: a.scale,
      soft_cap: a.softCap ?? 0)
    try check(
      cmlx_decoder_attend(pointer, q.index, k.index, v.index, to.index, shape), "attention")
  }

  /// to = activation(gate) · up, or activation(gate) without `up`.
  package func activate(
    _ activation: Fused.Activation, gate: Register, up: Register?, to: Register
  ) throws(TensorError) {
    try check(
      cmlx_decoder_activate(
        pointer, activation.code, gate.index, up?.index ?? -1, to.index), "activation")
  }

  /// to = a + b.
  package func add(_ a: Register, _ b: Register, to: Register) throws(TensorError) {
    try check(cmlx_decoder_add(pointer, a.index, b.index, to.index), "addition")
  }

  /// Runs x `[tokens, width]` through the operations. Each token's key and value are written into its
  /// row of the layers' caches, `[rows, kvHeads, dHead]` each in fp32 or half precision, in place.
  ///
  /// - Precondition: The caches have been evaluated, and nothing else holds them.
  /// - Returns: The last register, `[tokens, width]`.
  package func run(
    _ x: Tensor, views: [View], keys: [Tensor], values: [Tensor], rows: [Int]
  ) throws(TensorError) -> Tensor {
    require(
      rows.count == x.shape[0] && rows.allSatisfy { $0 >= 0 },
      "decoder: \(x.shape[0]) tokens cannot be written to rows \(rows)")
    let tables = views.map {
      cmlx_decoder_view(
        ranges: $0.visible.table.pointer, cosine: $0.angles?.cosine.pointer,
        sine: $0.angles?.sine.pointer)
    }
    let output = withExtendedLifetime((x, views, keys, values)) {
      cmlx_decoder_run(
        pointer, x.pointer, tables, Int32(tables.count), keys.map(\.pointer),
        values.map(\.pointer), Int32(keys.count), rows.map(Int32.init))
    }
    guard let output else {
      throw .failed(operation: "decoder", message: TensorError.lastMessage)
    }
    return Tensor(output, "decoder", x)
  }

  private func check(_ done: Bool, _ operation: String) throws(TensorError) {
    guard done else {
      throw .failed(operation: "decoder \(operation)", message: TensorError.lastMessage)
    }
  }
}
