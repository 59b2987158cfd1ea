import Tensors
import Testing

@Suite struct ProcessorTests {
  @Test @TensorActor
  func `products run on this program's own cblas_sgemm`() throws {
    try Processor.checkMatmul()
  }

  @Test @TensorActor
  func `the check fails for a product that does not come by cblas_sgemm`() throws {
    // The same product as a sum of columns: right, but not through BLAS.
    let error = #expect(throws: TensorError.self) {
      try Processor.checkMatmul { a, b in
        (a.expandDims(2) * b.expandDims(0)).sum(axes: [1])
      }
    }
    #expect("\(String(describing: error))".contains("reference BLAS"))
  }

  @Test @TensorActor
  func `tensors begin at a cache line`() {
    // MLX's own allocator never does that: it puts eight bytes in front.
    #expect(Processor.alignsTensors)
  }

  @Test @TensorActor
  func `memory of tensors is counted while they live`() throws {
    let before = Processor.activeMemory
    Processor.resetPeakMemory()
    do {
      let tensor = Tensor.full([1000, 1000], 1) * 2
      try Tensor.evaluate([tensor])
      #expect(Processor.activeMemory - before >= 4_000_000)
    }
    #expect(Processor.activeMemory - before < 4_000_000)
    #expect(Processor.peakMemory - before >= 4_000_000)
  }

  @Test @TensorActor
  func `the processor says what its numbers depend on`() {
    #expect(!Processor.mlxVersion.isEmpty)
    #expect(Processor.threads >= 1)
    #expect(Processor.instructionSet.contains("+"))
  }

  /// A lazy tensor held across a suspension: on an actor of the thread pool 17 to 47 of 200 fail.
  @Test
  func `two hundred tasks that suspend on the tensors' actor get their own numbers`() async throws {
    let results = try await withThrowingTaskGroup(of: (Int, [Float]).self) { group in
      for i in 0..<200 { group.addTask { (i, try await Self.hop(i)) } }
      return try await group.reduce(into: [Int: [Float]]()) { $0[$1.0] = $1.1 }
    }
    #expect(results.count == 200)
    for (i, values) in results { #expect(values == [Float(i) * 64, Float(i) * 64 + 1]) }
  }

  @TensorActor
  private static func hop(_ i: Int) async throws -> [Float] {
    let ones = Tensor.full([8, 8], 1)
    let lazy = Tensor.full([8, 8], Float(i)).matmul(ones)
    await Task.yield()
    let sum = (lazy * ones).sum() / 8
    await Task.yield()
    return [try sum.scalar(), try (sum + Tensor(1)).scalar()]
  }
}
