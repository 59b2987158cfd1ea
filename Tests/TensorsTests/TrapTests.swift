import Tensors
import Testing

/// A mistake in a program, and what its end must say.
enum Mistake: String, CaseIterable, Codable, Sendable {
  case addShapes, matmulShapes, matmulTypes, linearShapes, adapterShapes, swiGLUTypes, ropeWide
  case attentionHeads, attentionKeys, rangeBeyond, rangeNegative, rangeStride, rangeEmpty
  case targetOutside, sliceOutside, bytesCount, scalarOfMany, lossShape, missingPath, twoPaths

  /// Words of the message, the operation and the shapes or numbers among them.
  var words: [String] {
    switch self {
    case .addShapes: ["add([2, 3], [4, 5])"]
    case .matmulShapes: ["matmul([2, 3], [4, 5])"]
    case .matmulTypes: ["matmul([2, 2], [2, 2])"]
    case .linearShapes: ["linear([2, 3], [4, 5])", "cannot take shapes [2, 3] [4, 5]"]
    case .adapterShapes: ["linear([2, 3], [4, 3])", "linear adapter", "[2, 5] [4, 2]"]
    case .swiGLUTypes: ["gated([2], [2])", "expected float32"]
    case .ropeWide: ["rope([2, 1, 3], [2, 2], [2, 2])"]
    case .attentionHeads: ["attention([1, 3, 4], [2, 2, 4], [2, 2, 4]"]
    case .attentionKeys: ["attention", "ranges made for 3 keys, found 2"]
    case .rangeBeyond: ["attention", "query 1 has the key range (0, 5, 1)", "4 keys"]
    case .rangeNegative: ["attention", "query 0 has the key range (-1, 2, 1)"]
    case .rangeStride: ["attention", "query 0 has the key range (0, 2, 0)"]
    case .rangeEmpty: ["attention", "query 0 sees 0 of 4 keys"]
    case .targetOutside: ["crossEntropy", "target 7 at position 1", "vocabulary of 7"]
    case .sliceOutside: ["slice([2, 3])", "1..<4", "axis 1"]
    case .bytesCount: ["8 bytes cannot fill [3] of float32"]
    case .scalarOfMany: ["scalar([2])"]
    case .lossShape: ["valueAndGrad", "[2]"]
    case .missingPath: ["no parameter y"]
    case .twoPaths: ["two parameters share a path"]
    }
  }

  @TensorActor
  func make() throws {
    let (wide, tall) = (Tensor.zeros([2, 3]), Tensor.zeros([4, 5]))
    switch self {
    case .addShapes: _ = wide + tall
    case .matmulShapes: _ = wide.matmul(tall)
    case .matmulTypes:
      let integers = Tensor([Int32(1), 2, 3, 4], shape: [2, 2])
      _ = integers.matmul(integers)
    case .linearShapes: _ = Fused.linear(wide, tall)
    case .adapterShapes:
      let adapter = LowRank(a: Tensor.zeros([2, 5]), b: Tensor.zeros([4, 2]), scale: 1)
      _ = Fused.linear(wide, Tensor.zeros([4, 3]), adapter: adapter)
    case .swiGLUTypes: _ = Fused.gated(.silu, gate: Tensor([Int32(1), 2]), up: Tensor([1.0, 2]))
    case .ropeWide:
      let angles = Tensor.zeros([2, 2])
      _ = Fused.rope(Tensor.zeros([2, 1, 3]), cosine: angles, sine: angles)
    case .targetOutside:
      _ = Fused.crossEntropy(
        wide, unembed: Tensor.zeros([7, 3]), targetRows: wide, targets: Tensor([Int32(0), 7]),
        differentiable: false)
    case .sliceOutside: _ = wide.slice(1..<4, axis: 1)
    case .bytesCount: _ = Tensor([1.0, 2], shape: [3])
    case .scalarOfMany: _ = try Tensor([1.0, 2]).scalar()
    case .lossShape: _ = try valueAndGrad(ParameterTree([("x", Tensor([1.0, 2]))])) { $0["x"] }
    case .missingPath: _ = ParameterTree([("x", wide)])["y"]
    case .twoPaths: _ = ParameterTree([("x", wide), ("x", wide)])
    default: makeAttention()
    }
  }

  @TensorActor
  private func makeAttention() {
    let keys = Tensor.zeros([2, 2, 4])
    switch self {
    case .attentionHeads: attend(Tensor.zeros([1, 3, 4]), keys, keyCount: 2)
    case .attentionKeys: attend(Tensor.zeros([1, 2, 4]), keys, keyCount: 3)
    case .rangeBeyond: _ = KeyRanges([[.init(0, 1)], [.init(0, 5)]], keyCount: 4)
    case .rangeNegative: _ = KeyRanges([[.init(-1, 2)]], keyCount: 4)
    case .rangeStride: _ = KeyRanges([[.init(0, 2, stride: 0)]], keyCount: 4)
    case .rangeEmpty: _ = KeyRanges([[.init(2, 2)]], keyCount: 4)
    default: break
    }
  }

  @TensorActor
  private func attend(_ q: Tensor, _ keys: Tensor, keyCount: Int) {
    let visible = KeyRanges([[.init(0, keyCount)]], keyCount: keyCount)
    _ = Fused.attention(q, keys, keys, visible: visible, scale: 1)
  }
}

@Suite struct TrapTests {
  @Test(arguments: Mistake.allCases)
  func `a mistake ends the process with the operation and its shapes`(_ mistake: Mistake) async {
    let result = await #expect(
      processExitsWith: .failure, observing: [\.standardErrorContent]
    ) { [mistake] in
      try await TensorActor.run { try mistake.make() }
    }
    let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    for word in mistake.words {
      #expect(message.contains(word), "found only: \(message.prefix(300))")
    }
  }
}
