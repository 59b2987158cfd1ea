import Tensors
import Testing

/// A random matrix, and one that is symmetric and positive definite.
private func matrix(_ rows: Int, _ columns: Int, seed: UInt64 = 31) -> Tensor {
  var key = RandomKey(seed: seed)
  return key.normal([rows, columns])
}

private func positive(_ n: Int) -> Tensor {
  let a = matrix(n, n)
  return a.matmul(a.transpose()) / Float(n) + identity(n) * 0.5
}

private func identity(_ n: Int) -> Tensor {
  let indices = Tensor.arange(0, Double(n))
  return indices.expandDims(0).equal(indices.expandDims(1)).astype(.float32)
}

@Suite struct LinearAlgebraTests {
  private func expectSame(
    _ actual: Tensor, _ expected: Tensor, _ what: String, within bound: Double = 1e-5
  ) throws {
    expectError(
      relativeError(try actual.floats(), try expected.floats()), within: bound, what)
  }

  @Test(arguments: [(1, 1), (7, 7), (9, 4), (64, 33)]) @TensorActor
  func `qr gives orthonormal columns and an upper triangle`(rows: Int, columns: Int) throws {
    let a = matrix(rows, columns)
    let (q, r) = try a.qr()
    try expectSame(q.matmul(r), a, "qr product \(rows)x\(columns)")
    try expectSame(q.transpose().matmul(q), identity(columns), "qr orthonormal")
    let entries = try r.floats()
    for row in 0..<columns {
      #expect(entries[row * columns..<row * columns + row].allSatisfy { $0 == 0 })
    }
  }

  @Test(arguments: [(1, 1), (7, 7), (9, 4), (4, 9)]) @TensorActor
  func `svd gives descending values that rebuild the matrix`(rows: Int, columns: Int) throws {
    let a = matrix(rows, columns)
    let (u, s, vT) = try a.svd()
    let rank = min(rows, columns)
    let values = try s.floats()
    #expect(values.count == rank && values == values.sorted(by: >) && values.allSatisfy { $0 >= 0 })
    let rebuilt = (u.slice(0..<rank, axis: 1) * s).matmul(vT.slice(0..<rank))
    try expectSame(rebuilt, a, "svd product \(rows)x\(columns)")
    try expectSame(u.transpose().matmul(u), identity(rows), "svd U")
    try expectSame(vT.matmul(vT.transpose()), identity(columns), "svd V")
  }

  @Test @TensorActor
  func `eigh gives ascending eigenvalues and their vectors`() throws {
    let (values, vectors) = try Tensor([2.0, 1, 1, 2], shape: [2, 2]).eigh()
    expectError(relativeError(try values.floats(), [1, 3]), within: 1e-6, "eigh closed form")
    #expect(try vectors.square().floats().allSatisfy { abs($0 - 0.5) < 1e-6 })
    let a = positive(13)
    let (lambda, v) = try a.eigh()
    try expectSame((v * lambda).matmul(v.transpose()), a, "eigh product")
    #expect(try lambda.floats() == lambda.floats().sorted())
  }

  @Test @TensorActor
  func `cholesky gives the lower triangle, and refuses what is not positive definite`() throws {
    let closed = try Tensor([4.0, 2, 2, 5], shape: [2, 2]).cholesky()
    expectError(relativeError(try closed.floats(), [2, 0, 1, 2]), within: 1e-6, "cholesky")
    let a = positive(13)
    let l = try a.cholesky()
    try expectSame(l.matmul(l.transpose()), a, "cholesky product")
    #expect(throws: TensorError.self) { try Tensor([1.0, 2, 2, 1], shape: [2, 2]).cholesky() }
    #expect(throws: TensorError.self) { try Tensor([.nan, 0, 0, 1], shape: [2, 2]).cholesky() }
  }

  @Test @TensorActor
  func `inverse and solve undo a product`() throws {
    let a = positive(13)
    try expectSame(try a.inverse().matmul(a), identity(13), "inverse")
    let x = matrix(13, 3, seed: 32)
    try expectSame(try a.solve(a.matmul(x)), x, "solve", within: 2e-5)
    let vector = try Tensor([2.0, 0, 0, 4], shape: [2, 2]).solve(Tensor([2.0, 8]))
    #expect(try vector.floats() == [1, 2])
  }

  @Test @TensorActor
  func `a singular matrix is an error, not an end of the process`() throws {
    let singular = Tensor([1.0, 2, 2, 4], shape: [2, 2])
    #expect(throws: TensorError.self) { try singular.inverse() }
    #expect(throws: TensorError.self) { try singular.solve(Tensor([1.0, 1])) }
    #expect(throws: TensorError.self) { try Tensor.zeros([3, 3]).inverse() }
  }
}
