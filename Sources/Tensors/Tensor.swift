internal import CMLX

/// An n-dimensional array, evaluated lazily by MLX.
///
/// A tensor is a value: operations return new ones, and assignment shares the same immutable data.
/// It is not `Sendable`, because MLX's streams belong to a thread: tensors are made and used on
/// ``TensorActor`` only, and what crosses its border are numbers.
///
/// A wrong shape or type is a mistake in the program, not in its input, and traps with the
/// operation's name and the shapes. What depends on data, evaluation and factorisation, throws.
package struct Tensor {
  /// The element types that Plumbline uses.
  package enum DType: UInt32, Sendable {
    case bool, uint8, uint32, int32, int64, float16, bfloat16, float32
  }

  final class Handle {
    let pointer: OpaquePointer
    init(_ pointer: OpaquePointer) { self.pointer = pointer }
    deinit { cmlx_free(pointer) }
  }

  let handle: Handle
  /// Valid while the tensor is: a caller that hands it to the shim keeps the tensor in use until the
  /// call is over, as an operand of ``init(_:_:_:file:line:)`` or by `withExtendedLifetime`.
  var pointer: OpaquePointer { handle.pointer }

  init(_ handle: Handle) { self.handle = handle }

  /// Takes ownership of what a shim call returned, or traps with the call's own message.
  init(
    _ pointer: OpaquePointer?, _ operation: StaticString, _ operands: Tensor...,
    file: StaticString = #fileID, line: UInt = #line
  ) {
    guard let pointer = withExtendedLifetime(operands, { pointer }) else {
      let shapes = operands.map { "\($0.shape)" }.joined(separator: ", ")
      fatalError("\(operation)(\(shapes)): \(TensorError.lastMessage)", file: file, line: line)
    }
    handle = Handle(pointer)
  }
}

/// Traps with `message` where `condition` does not hold.
///
/// Not `precondition`: that one says nothing in a release build.
func require(
  _ condition: Bool, _ message: @autoclosure () -> String, file: StaticString = #fileID,
  line: UInt = #line
) {
  if !condition { fatalError(message(), file: file, line: line) }
}

/// What can go wrong while computing, as opposed to a wrong shape, which traps.
package enum TensorError: Error, CustomStringConvertible {
  /// MLX, LAPACK or oneDNN reported a failure.
  case failed(operation: String, message: String)
  /// libmlx multiplies with the wheel's reference BLAS, about fifty times too slowly.
  case matmulNotReplaced
  /// libmlx takes its memory from its own allocator.
  case allocatorNotReplaced
  /// This build of MLX finds no GPU.
  case noGPU(mlx: String)

  package var description: String {
    switch self {
    case .failed(let operation, let message): "\(operation) failed: \(message)"
    case .matmulNotReplaced:
      "Expected MLX to multiply through this program's own cblas_sgemm, found the wheel's "
        + "reference BLAS in use: link with --export-dynamic and put no other BLAS in LD_PRELOAD"
    case .allocatorNotReplaced:
      "Expected MLX to take its memory from this program's own allocator, found another in use: "
        + "link with --export-dynamic"
    case .noGPU(let version):
      "Expected a GPU for --device gpu, found none that MLX \(version) as built here can use: "
        + "run `make bootstrap MLX=cuda13` and `make build` on a Linux machine with an NVIDIA driver, "
        + "or leave --device out"
    }
  }

  static var lastMessage: String { String(cString: cmlx_error()) }
}

// MARK: - Making tensors

extension Tensor {
  /// A tensor of `values` in row-major order.
  package init(_ values: [Float], shape: [Int]? = nil) {
    self.init(copying: values, shape: shape ?? [values.count], dtype: .float32)
  }

  /// A tensor of 32-bit integers in row-major order.
  package init(_ values: [Int32], shape: [Int]? = nil) {
    self.init(copying: values, shape: shape ?? [values.count], dtype: .int32)
  }

  /// A scalar.
  package init(_ value: Float) { self.init(copying: [value], shape: [], dtype: .float32) }

  /// A tensor of fp32 values read from memory in row-major order.
  package init(copying values: UnsafeBufferPointer<Float>, shape: [Int]) {
    self.init(bytes: UnsafeRawBufferPointer(values), shape: shape, dtype: .float32)
  }

  /// An fp32 tensor whose numbers `fill` writes, all of them.
  package init<E: Error>(
    shape: [Int], filledBy fill: (UnsafeMutableBufferPointer<Float>) throws(E) -> Void
  ) throws(E) {
    let empty = Tensor(
      cmlx_empty(shape.map(Int32.init), Int32(shape.count), DType.float32.code), "empty")
    let count = shape.reduce(1, *)
    try withExtendedLifetime(empty) { () throws(E) in
      try fill(
        UnsafeMutableBufferPointer(
          start: cmlx_data(empty.pointer)?.assumingMemoryBound(to: Float.self), count: count))
    }
    self = empty
  }

  private init<Element>(copying values: [Element], shape: [Int], dtype: DType) {
    self = values.withUnsafeBytes { Tensor(bytes: $0, shape: shape, dtype: dtype) }
  }

  private init(bytes: UnsafeRawBufferPointer, shape: [Int], dtype: DType) {
    let expected = shape.reduce(dtype.byteCount, *)
    require(
      bytes.count == expected, "Tensor: \(bytes.count) bytes cannot fill \(shape) of \(dtype)")
    // An empty buffer may have no address; MLX only wants one that it will not read.
    var nothing: UInt8 = 0
    self = withUnsafePointer(to: &nothing) { empty in
      Tensor(
        cmlx_from_bytes(
          bytes.baseAddress ?? UnsafeRawPointer(empty), shape.map(Int32.init), Int32(shape.count),
          dtype.code), "Tensor")
    }
  }

  /// A tensor filled with one value.
  package static func full(_ shape: [Int], _ value: Float, dtype: DType = .float32) -> Tensor {
    Tensor(cmlx_full(shape.map(Int32.init), Int32(shape.count), value, dtype.code), "full")
  }

  /// A tensor of zeros.
  package static func zeros(_ shape: [Int], dtype: DType = .float32) -> Tensor {
    full(shape, 0, dtype: dtype)
  }

  /// The numbers from `start` up to but without `stop`.
  package static func arange(
    _ start: Double = 0, _ stop: Double, step: Double = 1, dtype: DType = .float32
  ) -> Tensor {
    Tensor(cmlx_arange(start, stop, step, dtype.code), "arange")
  }
}

extension Tensor.DType {
  var code: cmlx_dtype { cmlx_dtype(rawValue) }

  /// Bytes an element takes.
  package var byteCount: Int {
    switch self {
    case .bool, .uint8: 1
    case .float16, .bfloat16: 2
    case .uint32, .int32, .float32: 4
    case .int64: 8
    }
  }
}

// MARK: - Reading tensors

extension Tensor {
  /// The length of every axis.
  package var shape: [Int] {
    let dims = cmlx_shape(pointer)
    return (0..<Int(cmlx_rank(pointer))).map { Int(dims?[$0] ?? 0) }
  }

  /// The number of axes.
  package var rank: Int { Int(cmlx_rank(pointer)) }

  /// The number of elements.
  package var count: Int { cmlx_size(pointer) }

  /// The element type.
  package var dtype: DType {
    let code = cmlx_dtype_of(pointer)
    guard code >= 0, let dtype = DType(rawValue: UInt32(code)) else {
      fatalError("Tensor of shape \(shape) has an element type that Plumbline does not use")
    }
    return dtype
  }

  /// The elements as fp32 in row-major order; evaluates the tensor.
  ///
  /// - Throws: ``TensorError`` when the computation behind the tensor fails.
  package func floats() throws(TensorError) -> [Float] {
    try elements(of: dtype == .float32 ? self : astype(.float32), zero: Float(0))
  }

  /// The elements as 32-bit integers in row-major order; evaluates the tensor.
  ///
  /// - Throws: ``TensorError`` when the computation behind the tensor fails.
  package func int32s() throws(TensorError) -> [Int32] {
    try elements(of: dtype == .int32 ? self : astype(.int32), zero: Int32(0))
  }

  /// The only element; evaluates the tensor.
  ///
  /// - Throws: ``TensorError`` when the computation behind the tensor fails.
  package func scalar() throws(TensorError) -> Float {
    require(count == 1, "scalar(\(shape)): expected one element")
    return try floats()[0]
  }

  private func elements<Element>(of tensor: Tensor, zero: Element) throws(TensorError)
    -> [Element]
  {
    var values = [Element](repeating: zero, count: tensor.count)
    let copied = values.withUnsafeMutableBytes { buffer in
      withExtendedLifetime(tensor) {
        buffer.isEmpty || cmlx_copy_out(tensor.pointer, buffer.baseAddress, buffer.count)
      }
    }
    guard copied else {
      throw .failed(operation: "evaluation", message: TensorError.lastMessage)
    }
    return values
  }

  /// Computes all `tensors` now.
  ///
  /// - Throws: ``TensorError`` when a computation fails.
  package static func evaluate(_ tensors: [Tensor]) throws(TensorError) {
    let pointers: [OpaquePointer?] = tensors.map(\.pointer)
    let done = withExtendedLifetime(tensors) {
      pointers.withUnsafeBufferPointer { cmlx_eval($0.baseAddress, Int32($0.count)) }
    }
    guard done else { throw .failed(operation: "evaluation", message: TensorError.lastMessage) }
  }
}
