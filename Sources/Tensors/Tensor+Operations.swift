internal import CMLX

// MARK: - Elementwise

extension Tensor {
  private func unary(_ op: cmlx_unary_op, _ name: StaticString) -> Tensor {
    Tensor(cmlx_unary(op, pointer), name, self)
  }

  private static func binary(
    _ op: cmlx_binary_op, _ name: StaticString, _ a: Tensor, _ b: Tensor
  ) -> Tensor {
    Tensor(cmlx_binary(op, a.pointer, b.pointer), name, a, b)
  }

  package static prefix func - (a: Tensor) -> Tensor { a.unary(CMLX_NEGATE, "negate") }
  package func exp() -> Tensor { unary(CMLX_EXP, "exp") }
  package func log() -> Tensor { unary(CMLX_LOG, "log") }
  package func sqrt() -> Tensor { unary(CMLX_SQRT, "sqrt") }
  package func rsqrt() -> Tensor { unary(CMLX_RSQRT, "rsqrt") }
  package func square() -> Tensor { unary(CMLX_SQUARE, "square") }
  package func abs() -> Tensor { unary(CMLX_ABS, "abs") }
  package func sigmoid() -> Tensor { unary(CMLX_SIGMOID, "sigmoid") }
  package func tanh() -> Tensor { unary(CMLX_TANH, "tanh") }
  package func erf() -> Tensor { unary(CMLX_ERF, "erf") }
  package func sin() -> Tensor { unary(CMLX_SIN, "sin") }
  package func cos() -> Tensor { unary(CMLX_COS, "cos") }
  package func reciprocal() -> Tensor { unary(CMLX_RECIPROCAL, "reciprocal") }
  /// The same values, a constant to differentiation.
  package func stopGradient() -> Tensor { unary(CMLX_STOP_GRADIENT, "stopGradient") }

  package static func + (a: Tensor, b: Tensor) -> Tensor { binary(CMLX_ADD, "add", a, b) }
  package static func - (a: Tensor, b: Tensor) -> Tensor { binary(CMLX_SUBTRACT, "subtract", a, b) }
  package static func * (a: Tensor, b: Tensor) -> Tensor { binary(CMLX_MULTIPLY, "multiply", a, b) }
  package static func / (a: Tensor, b: Tensor) -> Tensor { binary(CMLX_DIVIDE, "divide", a, b) }
  package static func + (a: Tensor, b: Float) -> Tensor { a + Tensor(b) }
  package static func - (a: Tensor, b: Float) -> Tensor { a - Tensor(b) }
  package static func * (a: Tensor, b: Float) -> Tensor { a * Tensor(b) }
  package static func / (a: Tensor, b: Float) -> Tensor { a / Tensor(b) }
  package static func * (a: Float, b: Tensor) -> Tensor { Tensor(a) * b }
  /// Elementwise maximum.
  package static func maximum(_ a: Tensor, _ b: Tensor) -> Tensor {
    binary(CMLX_MAXIMUM, "maximum", a, b)
  }
  /// Elementwise minimum.
  package static func minimum(_ a: Tensor, _ b: Tensor) -> Tensor {
    binary(CMLX_MINIMUM, "minimum", a, b)
  }
  /// Elementwise a < b, as booleans.
  package func less(_ other: Tensor) -> Tensor { Tensor.binary(CMLX_LESS, "less", self, other) }
  /// Elementwise a ≤ b, as booleans.
  package func lessEqual(_ other: Tensor) -> Tensor {
    Tensor.binary(CMLX_LESS_EQUAL, "lessEqual", self, other)
  }
  /// Elementwise a = b, as booleans.
  package func equal(_ other: Tensor) -> Tensor { Tensor.binary(CMLX_EQUAL, "equal", self, other) }
  /// Elementwise choice between `a` and `b`.
  package static func `where`(_ condition: Tensor, _ a: Tensor, _ b: Tensor) -> Tensor {
    Tensor(cmlx_where(condition.pointer, a.pointer, b.pointer), "where", condition, a, b)
  }

  /// The matrix product over the last two axes: `[…, m, k]` · `[…, k, n]` → `[…, m, n]`.
  package func matmul(_ other: Tensor) -> Tensor {
    Tensor.binary(CMLX_MATMUL, "matmul", self, other)
  }

  /// The same values in another element type.
  package func astype(_ dtype: DType) -> Tensor {
    Tensor(cmlx_astype(pointer, dtype.code), "astype", self)
  }
}

// MARK: - Reductions and orderings

extension Tensor {
  private func reduce(
    _ op: cmlx_reduce_op, _ name: StaticString, _ axes: [Int]?, _ keepDims: Bool
  ) -> Tensor {
    let axes = axes ?? Array(0..<rank)
    return Tensor(
      cmlx_reduce(op, pointer, axes.map(Int32.init), Int32(axes.count), keepDims), name, self)
  }

  /// Sums over `axes`, all of them when none are given.
  package func sum(axes: [Int]? = nil, keepDims: Bool = false) -> Tensor {
    reduce(CMLX_SUM, "sum", axes, keepDims)
  }
  /// Means over `axes`, all of them when none are given.
  package func mean(axes: [Int]? = nil, keepDims: Bool = false) -> Tensor {
    reduce(CMLX_MEAN, "mean", axes, keepDims)
  }
  /// Maxima over `axes`, all of them when none are given.
  package func max(axes: [Int]? = nil, keepDims: Bool = false) -> Tensor {
    reduce(CMLX_MAX, "max", axes, keepDims)
  }
  /// Minima over `axes`, all of them when none are given.
  package func min(axes: [Int]? = nil, keepDims: Bool = false) -> Tensor {
    reduce(CMLX_MIN, "min", axes, keepDims)
  }
  /// log Σ exp over `axes`, in nats.
  package func logSumExp(axes: [Int]? = nil, keepDims: Bool = false) -> Tensor {
    reduce(CMLX_LOGSUMEXP, "logSumExp", axes, keepDims)
  }
  /// exp normalised to one along `axis`.
  package func softmax(axis: Int = -1) -> Tensor { reduce(CMLX_SOFTMAX, "softmax", [axis], false) }
  /// Log-probabilities in nats along `axis`.
  package func logSoftmax(axis: Int = -1) -> Tensor {
    self - logSumExp(axes: [axis], keepDims: true)
  }
  /// Population variances over `axes`.
  package func variance(axes: [Int]? = nil, keepDims: Bool = false) -> Tensor {
    reduce(CMLX_VARIANCE, "variance", axes, keepDims)
  }
  /// The index of the largest element along `axis`; the first one where several tie.
  package func argmax(axis: Int = -1) -> Tensor {
    Tensor(cmlx_along_axis(CMLX_ARGMAX, pointer, Int32(axis)), "argmax", self)
  }
  /// The indices that sort `axis` in ascending order.
  package func argsort(axis: Int = -1) -> Tensor {
    Tensor(cmlx_along_axis(CMLX_ARGSORT, pointer, Int32(axis)), "argsort", self)
  }
  /// The `count` largest elements along `axis`, in no particular order; not to be differentiated.
  package func largest(_ count: Int, axis: Int = -1) -> Tensor {
    let length = shape[axis < 0 ? rank + axis : axis]
    require((1...length).contains(count), "largest(\(shape)): \(count) of axis \(axis)")
    return Tensor(cmlx_topk(pointer, Int32(count), Int32(axis)), "largest", self)
  }
  /// Running sums along `axis`.
  package func cumsum(axis: Int) -> Tensor {
    Tensor(cmlx_along_axis(CMLX_CUMSUM, pointer, Int32(axis)), "cumsum", self)
  }
}

// MARK: - Shape

extension Tensor {
  /// The same elements under another shape; one axis may be -1.
  package func reshape(_ shape: [Int]) -> Tensor {
    Tensor(cmlx_reshape(pointer, shape.map(Int32.init), Int32(shape.count)), "reshape", self)
  }
  /// The tensor repeated to `shape` by broadcasting.
  package func broadcast(to shape: [Int]) -> Tensor {
    Tensor(
      cmlx_broadcast_to(pointer, shape.map(Int32.init), Int32(shape.count)), "broadcast", self)
  }
  /// The tensor with its axes in another order; reversed when none is given.
  package func transpose(_ axes: [Int]? = nil) -> Tensor {
    let axes = axes ?? (0..<rank).reversed()
    return Tensor(
      cmlx_transpose(pointer, axes.map(Int32.init), Int32(axes.count)), "transpose", self)
  }
  /// The tensor with an axis of length one inserted.
  package func expandDims(_ axis: Int) -> Tensor {
    Tensor(cmlx_expand_dims(pointer, Int32(axis)), "expandDims", self)
  }
  /// The tensor without an axis of length one.
  package func squeeze(_ axis: Int) -> Tensor {
    Tensor(cmlx_squeeze(pointer, Int32(axis)), "squeeze", self)
  }
  /// The tensors one after the other along `axis`.
  package static func concatenate(_ tensors: [Tensor], axis: Int) -> Tensor {
    let pointers: [OpaquePointer?] = tensors.map(\.pointer)
    return withExtendedLifetime(tensors) {
      Tensor(
        pointers.withUnsafeBufferPointer {
          cmlx_concatenate($0.baseAddress, Int32($0.count), Int32(axis))
        }, "concatenate")
    }
  }
  /// The part of `axis` in `range`, the axis kept.
  package func slice(_ range: Range<Int>, axis: Int = 0) -> Tensor {
    let shape = shape
    require(
      shape.indices.contains(axis) && range.lowerBound >= 0 && range.upperBound <= shape[axis],
      "slice(\(shape)): \(range) is outside axis \(axis)")
    var start = [Int32](repeating: 0, count: rank)
    var stop = shape.map(Int32.init)
    start[axis] = Int32(range.lowerBound)
    stop[axis] = Int32(range.upperBound)
    let strides = [Int32](repeating: 1, count: rank)
    return Tensor(cmlx_slice(pointer, start, stop, strides, Int32(rank)), "slice", self)
  }
  /// The tensor with the rows from `start` on replaced by `rows`; memory is reused where no one else
  /// holds it.
  package func replacing(rowsFrom start: Int, with rows: Tensor) -> Tensor {
    var begin = [Int32](repeating: 0, count: rank)
    var end = shape.map(Int32.init)
    begin[0] = Int32(start)
    end[0] = Int32(start + rows.shape[0])
    return Tensor(
      cmlx_slice_update(pointer, rows.pointer, begin, end, Int32(rank)), "replacing", self, rows)
  }
  /// The entries of `axis` at `indices`.
  package func take(_ indices: Tensor, axis: Int = 0) -> Tensor {
    Tensor(cmlx_take(pointer, indices.pointer, Int32(axis)), "take", self, indices)
  }
  /// For every place the entry along `axis` that `indices` names there.
  package func takeAlongAxis(_ indices: Tensor, axis: Int) -> Tensor {
    Tensor(
      cmlx_take_along_axis(pointer, indices.pointer, Int32(axis)), "takeAlongAxis", self, indices)
  }
}
