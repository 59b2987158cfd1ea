internal import CMLX
internal import Synchronization

/// What the tensors run on, and what they use of it.
package enum Processor {
  /// Where MLX computes.
  package enum Device: String, Sendable, CaseIterable {
    case cpu, gpu
  }

  /// Where tensors are computed; see ``use(_:)``.
  package static var device: Device { onGPU.withLock { $0 } ? .gpu : .cpu }
  private static let onGPU = Mutex(false)

  /// Makes all tensors run on a device, from now on. On a GPU ``Fused``'s operations are expressions of
  /// MLX's own, and products with frozen weights are in bf16 or in fp32.
  ///
  /// - Throws: ``TensorError/noGPU(_:)`` where this MLX finds none.
  @TensorActor
  package static func use(_ device: Device) throws(TensorError) {
    guard device != self.device else { return }
    guard device == .gpu, cmlx_use_gpu() else { throw .noGPU(mlx: mlxVersion) }
    onGPU.withLock { $0 = true }
  }

  /// Whether ``Fused``'s operations have this program's own kernels, and not MLX's.
  package static var usesOwnKernels: Bool { !cmlx_uses_graph() }

  /// Runs `body` with ``Fused``'s operations as on a GPU, wherever they run: what these are compared with.
  /// To be called where tensors may be used.
  package static func withoutOwnKernels<R>(_ body: () throws -> R) rethrows -> R {
    let before = cmlx_uses_graph()
    cmlx_use_graph(true)
    defer { cmlx_use_graph(before) }
    return try body()
  }

  /// The device as reports name it: what numbers may depend on.
  package static func name(threads: Int) -> String {
    device == .gpu ? String(cString: cmlx_gpu_name()) : "cpu×\(threads)"
  }

  /// Multiplies once and checks that libmlx used this program's own `cblas_sgemm`.
  ///
  /// - Parameter product: What multiplies; another one shows that the check can fail.
  /// - Throws: ``TensorError/matmulNotReplaced`` when the wheel's reference BLAS answered.
  package static func checkMatmul(
    _ product: (Tensor, Tensor) -> Tensor = { $0.matmul($1) }
  ) throws(TensorError) {
    guard device == .cpu else { return }
    let before = cmlx_sgemm_calls()
    let ones = Tensor.full([32, 32], 1)
    try Tensor.evaluate([product(ones, ones)])
    guard cmlx_sgemm_calls() > before else { throw .matmulNotReplaced }
  }

  /// Checks that libmlx takes its memory from this program's own allocator.
  ///
  /// - Throws: ``TensorError/allocatorNotReplaced`` where it does not: memory from the one would be
  ///   given back to the other.
  package static func checkAllocator() throws(TensorError) {
    guard alignsTensors else { throw .allocatorNotReplaced }
  }

  /// Whether bf16 products run on instructions made for them.
  package static var hasNativeBFloat16: Bool { cmlx_has_native_bf16() }

  /// Whether there are instructions for tiles of bf16 (AMX), by which weights packed in two parts are
  /// multiplied faster than fp32.
  package static var packsInParts: Bool { cmlx_packs_in_parts() }

  /// Whether weights can be packed in bf16 at all: not on processors without AVX-512.
  package static var packsBFloat16: Bool { cmlx_packs_bf16() }

  /// The instruction sets of the matrix products and of the fused kernels: part of a cell's name,
  /// because another one rounds differently.
  package static var instructionSet: String {
    "\(String(cString: cmlx_gemm_target()))+\(String(cString: cmlx_kernel_target()))"
  }

  /// The version of MLX in use.
  package static var mlxVersion: String { String(cString: cmlx_version()) }

  /// Makes waiting threads sleep soon instead of spinning, for the sake of other programs on the
  /// same cores.
  package static func boundSpinning() { cmlx_bound_spinning() }

  /// Processors' worth of time that control groups grant, as a container's limit, or nil for any: those
  /// that the file `groups` lists, with their folders in `root`.
  package static func grantedProcessors(groups: String, root: String) -> Double? {
    let granted = cmlx_granted_processors(groups, root)
    return granted > 0 ? granted : nil
  }

  /// Threads that products and kernels share: OMP_NUM_THREADS, or the processors that this process may use.
  package static var threads: Int { Int(cmlx_threads()) }

  /// Whether tensors begin at a cache line: the proof that MLX found our allocator and not its own.
  package static var alignsTensors: Bool { cmlx_aligns_arrays() }

  /// Bytes that live tensors take now.
  package static var activeMemory: Int { cmlx_active_memory() }

  /// The largest number of bytes that tensors took since ``resetPeakMemory()``.
  package static var peakMemory: Int { cmlx_peak_memory() }

  /// Bytes of freed memory that are kept for reuse.
  package static var cachedMemory: Int { cmlx_cached_memory() }

  /// Starts a new measurement of ``peakMemory``.
  package static func resetPeakMemory() { cmlx_reset_peak_memory() }

  /// Bounds the freed memory that is kept for reuse beyond what tensors once took at a time, from now on;
  /// unless told, half of that, but at least 32 MB and at most 128 MB.
  package static func limitCache(bytes: Int) { cmlx_set_cache_limit(bytes) }
}
