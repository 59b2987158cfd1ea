internal import CMLX

/// Frozen weights `[out, in]` laid out for the processor's instructions: rounded to bf16 (one part), as
/// the sum of two such numbers, which keeps 16 of fp32's 24 bits (two parts), or as the blocks of a GGUF
/// file.
package final class PackedWeight {
  let pointer: OpaquePointer

  /// Packs a weight of `shape`, whose rows `read` writes in their order, some at a time: it need never
  /// exist whole in fp32.
  ///
  /// - Throws: What `read` throws; ``TensorError`` when memory runs out, or two parts are asked for
  ///   where ``Processor/packsInParts`` is false.
  package init(
    shape: [Int], parts: Int = 1,
    _ read: (Range<Int>, UnsafeMutableBufferPointer<Float>) throws -> Void
  ) throws {
    require(shape.count == 2, "PackedWeight: \(shape) is no matrix")
    typealias Reader = (
      read: (Int, Int, UnsafeMutablePointer<Float>) throws -> Void, error: (any Error)?
    )
    let packed = try withoutActuallyEscaping(read) { read in
      var reader: Reader = (
        { first, count, to in
          try read(
            first..<first + count,
            UnsafeMutableBufferPointer(start: to, count: count * shape[1]))
        }, nil
      )
      let made = withUnsafeMutablePointer(to: &reader) { reader in
        cmlx_pack(
          Int32(shape[0]), Int32(shape[1]), Int32(parts),
          { context, first, count, to in
            guard let reader = context?.assumingMemoryBound(to: Reader.self), let to else {
              return false
            }
            do {
              try reader.pointee.read(Int(first), Int(count), to)
              return true
            } catch {
              reader.pointee.error = error
              return false
            }
          }, reader)
      }
      if let error = reader.error { throw error }
      return made
    }
    guard let packed else {
      throw TensorError.failed(operation: "pack", message: TensorError.lastMessage)
    }
    pointer = packed
  }

  /// Packs a weight that is at hand.
  ///
  /// - Throws: ``TensorError`` as above, and where the weight cannot be computed.
  package convenience init(_ weight: Tensor, parts: Int = 1) throws {
    let (floats, width) = (try weight.floats(), weight.shape.last ?? 0)
    try self.init(shape: weight.shape, parts: parts) { rows, to in
      for (place, value) in floats[rows.lowerBound * width..<rows.upperBound * width].enumerated() {
        to[place] = value
      }
    }
  }

  /// The kinds of blocks that are multiplied as they are.
  package enum Blocks: UInt32, CaseIterable, Sendable {
    case q40, q41, q80, q50, q51, q2K, q3K, q4K, q5K, q6K

    fileprivate var code: cmlx_block_type { cmlx_block_type(rawValue: rawValue) }
    /// Weights of a row in one block.
    package var columns: Int { Int(cmlx_block_columns(code)) }
    package var bytes: Int { Int(cmlx_block_bytes(code)) }
  }

  /// Packs weights of `shape` that lie at `bytes` as a GGUF file holds them: row i is made of the blocks of
  /// row `order[i]`. They take the same number of bytes for Q4_0, Q4_1 and Q8_0, and for others 6 bits a
  /// weight (up to Q4_K) or 10.
  ///
  /// Products of up to 8 rows cost the reading of these bytes; they round each 32 numbers of x to
  /// integers of 22 bits (fp32 where the processor cannot multiply bytes). Products of more rows, and
  /// gradients, are taken as with weights of one part.
  ///
  /// - Precondition: `bytes` holds `shape` in whole blocks along each row, and `order` is a
  ///   permutation of the rows.
  package init(
    _ blocks: Blocks, bytes: UnsafeRawBufferPointer, shape: [Int], order: [Int32]? = nil
  ) throws(TensorError) {
    require(
      shape.count == 2 && shape[1] % blocks.columns == 0
        && bytes.count == shape[0] * shape[1] / blocks.columns * blocks.bytes,
      "PackedWeight: \(bytes.count) bytes cannot fill \(shape) in \(blocks)")
    require(
      order.map { $0.sorted() == (0..<Int32(shape[0])).map { $0 } } ?? true,
      "PackedWeight: the order is no permutation of \(shape[0]) rows")
    let packed = cmlx_pack_blocks(
      blocks.code, bytes.baseAddress, Int32(shape[0]), Int32(shape[1]), order)
    guard let packed else {
      throw .failed(operation: "pack", message: TensorError.lastMessage)
    }
    pointer = packed
  }

  /// Whether it does for both directions without the fp32 weight beside it.
  package var isComplete: Bool { cmlx_packed_is_complete(pointer) }

  deinit { cmlx_packed_free(pointer) }
}

/// The low-rank update `scale · B A` of a linear layer (Hu et al. 2021, arXiv 2106.09685, eq. 3).
package struct LowRank {
  /// `[rank, in]`.
  package var a: Tensor
  /// `[out, rank]`.
  package var b: Tensor
  /// α / rank.
  package var scale: Float

  package init(a: Tensor, b: Tensor, scale: Float) {
    self.a = a
    self.b = b
    self.scale = scale
  }
}

/// Operations with CPU kernels and derivatives of their own.
package enum Fused {
  /// `x Wᵀ` for x `[tokens, in]` and frozen W `[out, in]`, plus the adapter's `scale · (x Aᵀ) Bᵀ`.
  ///
  /// With `packed` the base product is taken with its parts and fp32 accumulation; the adapter's is
  /// always fp32. The fp32 `weight` can then be left out where the packed one has both layouts.
  package static func linear(
    _ x: Tensor, _ weight: Tensor?, packed: PackedWeight? = nil, adapter: LowRank? = nil
  ) -> Tensor {
    withExtendedLifetime((weight, packed, adapter)) {
      Tensor(
        cmlx_linear(
          x.pointer, weight?.pointer, packed?.pointer, adapter?.a.pointer, adapter?.b.pointer,
          adapter?.scale ?? 0), "linear", x, weight ?? x)
    }
  }

  /// The nonlinearities of MLPs.
  package enum Activation: UInt32, CaseIterable, Sendable {
    /// x · sigmoid(x).
    case silu
    /// x Φ(x) (Hendrycks & Gimpel 2016, arXiv 1606.08415).
    case gelu
    /// ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))), from the same paper.
    case geluTanh

    var code: cmlx_activation { cmlx_activation(rawValue: rawValue) }
  }

  /// activation(gate) · up, elementwise (Shazeer 2020, arXiv 2002.05202).
  package static func gated(_ activation: Activation, gate: Tensor, up: Tensor) -> Tensor {
    Tensor(cmlx_gated(activation.code, gate.pointer, up.pointer), "gated", gate, up)
  }

  /// activation(x), elementwise.
  package static func activation(_ activation: Activation, _ x: Tensor) -> Tensor {
    Tensor(cmlx_activate(activation.code, x.pointer), "activation", x)
  }

  /// (x − mean x) / √(variance x + ε) · weight + bias along the last axis (Ba et al. 2016, arXiv
  /// 1607.06450).
  package static func layerNorm(
    _ x: Tensor, _ weight: Tensor, _ bias: Tensor, epsilon: Float
  ) -> Tensor {
    Tensor(
      cmlx_layer_norm(x.pointer, weight.pointer, bias.pointer, epsilon), "layerNorm", x, weight,
      bias)
  }

  /// x · weight / √(mean x² + ε) along the last axis (Zhang & Sennrich 2019, arXiv 1910.07467).
  package static func rmsNorm(_ x: Tensor, _ weight: Tensor, epsilon: Float) -> Tensor {
    Tensor(cmlx_rms_norm(x.pointer, weight.pointer, epsilon), "rmsNorm", x, weight)
  }

  /// Rotary embedding of x `[tokens, heads, dHead]` by angles given as cosine and sine
  /// `[tokens, n]`; element i pairs with i + n, as in Hugging Face checkpoints, and those from 2n on
  /// stay as they are.
  package static func rope(_ x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor {
    Tensor(cmlx_rope(x.pointer, cosine.pointer, sine.pointer), "rope", x, cosine, sine)
  }

  /// Grouped-query attention: q `[queries, heads, dHead]`, k and v `[keys, kvHeads, dHead]` →
  /// `[queries, heads, dHead]`. `visible` says which key rows each query sees.
  ///
  /// Scores are `scale` · q·k, or with a soft cap c · tanh(`scale` · q·k / c) (Gemma 2, arXiv 2408.00118).
  ///
  /// `inParts` takes the products of many queries as three in bf16 of both operands' halves (16 of fp32's
  /// 24 bits, Henry et al. 2019, arXiv 1904.06376) where ``Processor/packsInParts``; the gradient is fp32.
  package static func attention(
    _ q: Tensor, _ k: Tensor, _ v: Tensor, visible: KeyRanges, scale: Float, softCap: Float? = nil,
    inParts: Bool = false
  ) -> Tensor {
    require(
      visible.keyCount <= k.shape[0],
      "attention: ranges made for \(visible.keyCount) keys, found \(k.shape[0])")
    return Tensor(
      cmlx_attention(
        q.pointer, k.pointer, v.pointer, visible.table.pointer, scale, softCap ?? 0, inParts),
      "attention", q, k, v, visible.table)
  }

  /// For each row of `logits` `[rows, columns]` the first index of its maximum, that maximum, and
  /// log Σ exp in nats; evaluates the tensor.
  ///
  /// - Throws: ``TensorError`` when the computation behind the logits fails.
  package static func rowSummaries(
    _ logits: Tensor
  ) throws(TensorError) -> (best: [Int32], highest: [Float], logSumExp: [Float]) {
    var best = [Int32](repeating: 0, count: logits.shape[0])
    var highest = [Float](repeating: 0, count: logits.shape[0])
    var sums = highest
    let done = withExtendedLifetime(logits) {
      cmlx_summarise_rows(logits.pointer, &best, &highest, &sums)
    }
    guard done else {
      throw .failed(operation: "rowSummaries", message: TensorError.lastMessage)
    }
    return (best, highest, sums)
  }

  /// The loss of a language model's head, softmax(h Uᵀ), whose logits exist for a chunk of the
  /// vocabulary at a time.
  ///
  /// - Parameters:
  ///   - h: The rows that the head reads, `[tokens, d]`.
  ///   - unembed: The frozen unembedding U, `[vocabulary, d]`; may be left out where `packed` is
  ///     complete.
  ///   - packed: U packed; where it is given, the products are taken with it.
  ///   - targetRows: The rows of U that belong to the targets, `[tokens, d]`.
  ///   - targets: The token that each row should predict, `[tokens]`.
  ///   - differentiable: Whether to prepare the gradient with respect to h in the same pass.
  /// - Returns: −log p of each target in nats, `[tokens]`.
  package static func crossEntropy(
    _ h: Tensor, unembed: Tensor?, packed: PackedWeight? = nil, targetRows: Tensor,
    targets: Tensor, differentiable: Bool
  ) -> Tensor {
    withExtendedLifetime((packed, targetRows)) {
      Tensor(
        cmlx_cross_entropy(
          h.pointer, unembed?.pointer, packed?.pointer, targetRows.pointer, targets.pointer,
          differentiable), "crossEntropy", h, unembed ?? targetRows, targets)
    }
  }

  /// What is known of softmax(h Uᵀ) without its probabilities ever lying side by side.
  package struct Softmax {
    /// log Σ exp in nats, `[tokens]`: A(h). Its gradient is ``expected``.
    package let logPartition: Tensor
    /// The first most probable token, int32 `[tokens]`.
    package let best: Tensor
    /// Σ p U, `[tokens, d]`, as a constant.
    package let expected: Tensor?
  }

  /// The softmax of a language model's head, whose logits exist for a chunk of the vocabulary at a
  /// time.
  ///
  /// Whatever is linear in logits under p is then a dot product: the entropy of p is
  /// A(h) − h·(Σ p U), and the divergence KL(p‖q) of two such distributions the Bregman divergence
  /// A(h_q) − A(h_p) − (h_q − h_p)·(Σ p U) (Banerjee et al. 2005, JMLR 6, theorem 4).
  ///
  /// - Parameters:
  ///   - h: The rows that the head reads, `[tokens, d]`.
  ///   - unembed: The frozen unembedding U, `[vocabulary, d]`; may be left out where `packed` is
  ///     complete.
  ///   - packed: U packed; where it is given, the products are taken with it.
  ///   - withExpected: Whether to sum Σ p U too, without which A has no derivative.
  /// - Returns: A, the most probable tokens and, where wanted, the rows to expect.
  package static func softmax(
    _ h: Tensor, unembed: Tensor?, packed: PackedWeight? = nil, withExpected: Bool
  ) -> Softmax {
    var results = [OpaquePointer?](repeating: nil, count: 3)
    _ = withExtendedLifetime((h, unembed, packed)) {
      cmlx_log_partition(h.pointer, unembed?.pointer, packed?.pointer, withExpected, &results)
    }
    return Softmax(
      logPartition: Tensor(results[0], "softmax", h, unembed ?? h),
      best: Tensor(results[1], "softmax", h, unembed ?? h),
      expected: withExpected
        ? Tensor(results[2], "softmax", h, unembed ?? h).stopGradient() : nil)
  }
}

/// Which key rows each query attends to: for every query up to n arithmetic sequences.
///
/// This one description covers causal attention, sequences packed one after the other, a prefix
/// that they share, and a batch that decodes with a cache.
package struct KeyRanges {
  /// Rows begin, begin + stride, … below end.
  package struct Rows: Sendable {
    package var begin: Int, end: Int, stride: Int
    /// How many there are.
    package var count: Int { end > begin ? (end - begin + stride - 1) / stride : 0 }
    package init(_ begin: Int, _ end: Int, stride: Int = 1) {
      self.begin = begin
      self.end = end
      self.stride = stride
    }
  }

  let table: Tensor
  let keyCount: Int

  /// Ranges for every query; traps when one lies outside the `keyCount` keys or sees none.
  package init(_ ranges: [[Rows]], keyCount: Int) {
    let width = ranges.map(\.count).max() ?? 0
    var flat: [Int32] = []
    flat.reserveCapacity(ranges.count * width * 3)
    for query in ranges {
      for rows in query { flat += [Int32(rows.begin), Int32(rows.end), Int32(rows.stride)] }
      for _ in query.count..<width { flat += [0, 0, 1] }
    }
    table = Tensor(flat, shape: [ranges.count, width, 3])
    self.keyCount = keyCount
    let valid = withExtendedLifetime(table) {
      cmlx_check_ranges(table.pointer, Int32(keyCount))
    }
    require(valid, TensorError.lastMessage)
  }
}

extension Fused {
  /// What one step of AdamW multiplies and adds.
  package struct AdamWStep: Sendable {
    package var beta1, beta2: Double
    package var epsilon: Float
    /// 1 − learning rate · weight decay.
    package var keep: Float
    /// Learning rate over the first moment's bias correction.
    package var rate: Float
    /// Root of the second moment's bias correction.
    package var correction: Float

    package init(
      beta1: Double, beta2: Double, epsilon: Float, keep: Float, rate: Float, correction: Float
    ) {
      (self.beta1, self.beta2, self.epsilon) = (beta1, beta2, epsilon)
      (self.keep, self.rate, self.correction) = (keep, rate, correction)
    }
  }

  /// Parameters and moments, all of one shape, one step of AdamW on, in one pass over their memory.
  package static func adamW(
    _ step: AdamWStep, parameter: Tensor, gradient: Tensor, first: Tensor, second: Tensor
  ) -> (parameter: Tensor, first: Tensor, second: Tensor) {
    var updated = [OpaquePointer?](repeating: nil, count: 3)
    let scalars = cmlx_adamw_step(
      beta1: step.beta1, beta2: step.beta2, epsilon: step.epsilon, keep: step.keep,
      rate: step.rate, correction: step.correction)
    _ = withExtendedLifetime((parameter, gradient, first, second)) {
      cmlx_adamw(
        parameter.pointer, gradient.pointer, first.pointer, second.pointer, scalars, &updated)
    }
    return (
      Tensor(updated[0], "adamW", parameter, gradient),
      Tensor(updated[1], "adamW", first, gradient),
      Tensor(updated[2], "adamW", second, gradient)
    )
  }
}
