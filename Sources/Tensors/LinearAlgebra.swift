internal import CMLX

extension Tensor {
  private func factor(
    _ op: cmlx_factor_op, _ name: String, outputs: Int
  ) throws(TensorError) -> [Tensor] {
    require(rank == 2, "\(name)(\(shape)): expected a matrix")
    var pointers = [OpaquePointer?](repeating: nil, count: 3)
    var count: Int32 = 0
    let done = withExtendedLifetime(self) { cmlx_factor(op, pointer, &pointers, &count) }
    guard done else {
      throw .failed(operation: name, message: TensorError.lastMessage)
    }
    let results = pointers.prefix(Int(count)).map { Tensor($0, "factor") }
    try Tensor.evaluate(results)
    require(results.count == outputs, "\(name): unexpected number of outputs")
    return results
  }

  /// A = Q R with orthonormal columns of Q.
  ///
  /// - Throws: ``TensorError`` when LAPACK fails.
  package func qr() throws(TensorError) -> (q: Tensor, r: Tensor) {
    let parts = try factor(CMLX_QR, "qr", outputs: 2)
    return (parts[0], parts[1])
  }

  /// A = U diag(s) Vᵀ, singular values in descending order.
  ///
  /// - Throws: ``TensorError`` when LAPACK does not converge.
  package func svd() throws(TensorError) -> (u: Tensor, s: Tensor, vT: Tensor) {
    let parts = try factor(CMLX_SVD, "svd", outputs: 3)
    return (parts[0], parts[1], parts[2])
  }

  /// A symmetric A = V diag(λ) Vᵀ, eigenvalues in ascending order.
  ///
  /// - Throws: ``TensorError`` when LAPACK does not converge.
  package func eigh() throws(TensorError) -> (values: Tensor, vectors: Tensor) {
    let parts = try factor(CMLX_EIGH, "eigh", outputs: 2)
    return (parts[0], parts[1])
  }

  /// The lower triangular L of a positive definite A = L Lᵀ.
  ///
  /// - Throws: ``TensorError`` when A is not positive definite.
  package func cholesky() throws(TensorError) -> Tensor {
    // MLX ignores what LAPACK says about that, and returns a half-finished matrix.
    let values = try eigh().values.floats()
    let (least, largest) = (values.first ?? 0, values.last ?? 0)
    guard least > largest * Self.negligible(values.count) else {
      throw .failed(
        operation: "cholesky",
        message: "the matrix \(shape) is not positive definite, its least eigenvalue is \(least)")
    }
    return try factor(CMLX_CHOLESKY, "cholesky", outputs: 1)[0]
  }

  /// The inverse matrix.
  ///
  /// - Throws: ``TensorError`` when A is singular.
  package func inverse() throws(TensorError) -> Tensor {
    try requireRegular("inverse")
    return try factor(CMLX_INVERSE, "inverse", outputs: 1)[0]
  }

  /// The solution of A x = b.
  ///
  /// - Throws: ``TensorError`` when A is singular.
  package func solve(_ b: Tensor) throws(TensorError) -> Tensor {
    try requireRegular("solve")
    let x = Tensor(cmlx_solve(pointer, b.pointer), "solve", self, b)
    try Tensor.evaluate([x])
    return x
  }

  /// What rounding in fp32 makes of a zero in a matrix of `n` rows, relative to its largest entry.
  private static func negligible(_ n: Int) -> Float { Float(n) * Float.ulpOfOne }

  /// Throws for a singular matrix: MLX would throw on its worker thread, where nothing catches it.
  private func requireRegular(_ name: String) throws(TensorError) {
    require(
      rank == 2 && shape[0] == shape[1], "\(name)(\(shape)): expected one square matrix")
    let n = shape[0]
    let r = try qr().r.floats()
    let diagonal = (0..<n).map { Swift.abs(r[$0 * n + $0]) }
    let (least, largest) = (diagonal.min() ?? 0, diagonal.max() ?? 0)
    guard least > largest * Self.negligible(n) else {
      throw .failed(
        operation: name, message: "the matrix \(shape) is singular to working precision")
    }
  }
}
