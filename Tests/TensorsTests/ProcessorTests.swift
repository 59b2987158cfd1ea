import Foundation
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

  /// In a process of its own, since what is kept depends on all that was done before.
  @Test
  func `freed memory is kept up to half of what was needed, and no more than 128 MB of it`() async {
    await #expect(processExitsWith: .success) {
      try await TensorActor.run {
        func hold(_ megabytes: Int) throws -> Tensor {
          let tensor = Tensor.full([megabytes, 1 << 18], 1) * 2
          try Tensor.evaluate([tensor])
          return tensor
        }
        func keeps(_ megabytes: Range<Int>) {
          let kept = Processor.cachedMemory >> 20
          precondition(megabytes.contains(kept), "kept \(kept) MB, expected \(megabytes)")
        }
        // Blocks are rounded up: 500 MB take 512, 90 take 96, 60 take 64, 30 take 32 and 20 take 22.
        do { _ = try hold(500) }
        keeps(512..<513)
        let small = try hold(90)
        keeps(512..<513)
        // With these 160 MB in use and 512 kept, 128 beside the 512 are exceeded.
        let more = try hold(60)
        keeps(0..<1)
        Processor.limitCache(bytes: 16 << 20)
        do { _ = try hold(30) }
        keeps(32..<33)
        let other = try hold(20)
        keeps(0..<1)
        withExtendedLifetime((small, more, other)) {}
      }
    }
  }

  @Test func `threads are as many as a container is granted`() throws {
    let root = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: root) }
    func write(_ text: String, _ path: String) throws {
      let file = root.appending(path: path)
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }
    func granted(_ groups: String) throws -> Double? {
      try write(groups, "groups")
      return Processor.grantedProcessors(groups: root.path + "/groups", root: root.path)
    }
    #expect(try granted("0::/\n") == nil)
    try write("max 100000\n", "cpu.max")
    #expect(try granted("0::/\n") == nil)
    // The group above grants less; one that cannot be seen from inside grants what the root does.
    try write("150000 100000\n", "above/cpu.max")
    try write("400000 100000\n", "above/own/cpu.max")
    #expect(try granted("0::/above/own\n") == 1.5)
    try write("200000 100000\n", "cpu.max")
    #expect(try granted("0::/elsewhere/own\n") == 2)
    try write("-1\n", "cpu,cpuacct/cpu.cfs_quota_us")
    try write("100000\n", "cpu,cpuacct/cpu.cfs_period_us")
    try write("50000\n", "cpu,cpuacct/job/cpu.cfs_quota_us")
    try write("100000\n", "cpu,cpuacct/job/cpu.cfs_period_us")
    #expect(try granted("4:cpu,cpuacct:/job\n3:cpuset:/\n0::/\n") == 0.5)
    #expect(Processor.grantedProcessors(groups: root.path + "/none", root: root.path) == nil)
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
