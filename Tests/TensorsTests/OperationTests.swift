import Tensors
import Testing

@Suite struct OperationTests {
  @Test @TensorActor
  func `shapes, slices and rows are row-major`() throws {
    let a = Tensor.arange(0, 6).reshape([2, 3])
    #expect(try a.transpose().floats() == [0, 3, 1, 4, 2, 5])
    #expect(try a.slice(1..<3, axis: 1).floats() == [1, 2, 4, 5])
    #expect(
      try a.replacing(rowsFrom: 1, with: Tensor.zeros([1, 3])).floats() == [0, 1, 2, 0, 0, 0])
    #expect(try a.floats() == [0, 1, 2, 3, 4, 5])
    #expect(Tensor.concatenate([a, a], axis: 1).shape == [2, 6])
    #expect(try a.take(Tensor([Int32(2), 0]), axis: 1).floats() == [2, 0, 5, 3])
    #expect(
      try a.takeAlongAxis(Tensor([Int32(2), 0], shape: [2, 1]), axis: 1).floats() == [2, 3])
    #expect(try Tensor([Float](), shape: [0, 3]).floats() == [])
  }

  @Test @TensorActor
  func `reductions agree with closed forms`() throws {
    let a = Tensor([1.0, 2, 3, 4], shape: [2, 2])
    #expect(try a.sum(axes: [0]).floats() == [4, 6])
    #expect(try a.mean().scalar() == 2.5)
    #expect(a.max(axes: [1], keepDims: true).shape == [2, 1])
    #expect(try a.variance().scalar() == 1.25)
    #expect(try a.cumsum(axis: 1).floats() == [1, 3, 3, 7])
    #expect(try Tensor([3.0, 1, 2]).argsort().int32s() == [1, 2, 0])
    #expect(try Tensor([3.0, 5, 5]).argmax().int32s() == [1])
    let p = try Tensor([0.0, 1000]).softmax().floats()
    #expect(p == [0, 1])
    let mixed = Tensor.where(a.less(Tensor(2.5)), a, Tensor.zeros([2, 2]))
    #expect(try mixed.floats() == [1, 2, 0, 0])
  }

  @Test(arguments: [(1, 1, 1), (3, 5, 7), (65, 33, 129)]) @TensorActor
  func `matmul agrees with three loops, transposed operands and batches included`(
    m: Int, k: Int, n: Int
  ) throws {
    var key = RandomKey(seed: 2)
    let (a, b) = (key.normal([m, k]), key.normal([k, n]))
    let (x, y) = (try a.floats(), try b.floats())
    let expected = (0..<m * n).map { place in
      Float(
        (0..<k).reduce(0.0) {
          $0 + Double(x[place / n * k + $1]) * Double(y[$1 * n + place % n])
        })
    }
    expectError(relativeError(try a.matmul(b).floats(), expected), within: 1e-6, "matmul")
    let views = b.transpose().matmul(a.transpose()).transpose()
    expectError(relativeError(try views.floats(), expected), within: 1e-6, "matmul of views")
    let batch = Tensor.concatenate([a.expandDims(0), a.expandDims(0)], axis: 0).matmul(b)
    expectError(
      relativeError(try batch.floats(), expected + expected), within: 1e-6, "batched matmul")
  }
}
