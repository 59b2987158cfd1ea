import Tensors
import Testing

@Suite struct FusedCrossEntropyTests {
  /// Chunks hold 4,096 rows: less than one, exactly two, and two and a rest of five or more.
  @Test(arguments: [(5, 24, 37), (3, 17, 8192), (6, 33, 8197), (1030, 24, 37), (70, 65, 8300)])
  @TensorActor
  func `cross-entropy in chunks is the negative log-softmax of the targets`(
    tokens: Int, width: Int, vocabulary: Int
  ) throws {
    var key = RandomKey(seed: 12)
    let unembed = key.normal([vocabulary, width]) * Float(2.4 / Double(width).squareRoot())
    let targets = self.targets(tokens, vocabulary)
    let parameters = ParameterTree([("h", key.normal([tokens, width]))])
    try expectSameFunction("crossEntropy \(tokens)x\(width)x\(vocabulary)", at: parameters) {
      Fused.crossEntropy(
        $0["h"], unembed: unembed, targetRows: unembed.take(targets), targets: targets,
        differentiable: true)
    } plain: {
      plainCrossEntropy($0["h"], unembed, targets)
    }
  }

  @Test @TensorActor
  func `logits that grow from chunk to chunk rescale what was summed before`() throws {
    var key = RandomKey(seed: 13)
    let (tokens, width, vocabulary) = (4, 8, 12_301)
    // The last rows are 60 times the first: every chunk raises the running maximum.
    let growth = (Tensor.arange(0, Double(vocabulary)) * 0.005).expandDims(1)
    let unembed = key.normal([vocabulary, width]) * growth
    let targets = self.targets(tokens, vocabulary)
    let parameters = ParameterTree([("h", key.normal([tokens, width]))])
    // Logits of 400 carry rounding of 400 · 2⁻²⁴ each into the exponent: 2e-5 of a probability.
    try expectSameFunction("crossEntropy growing", at: parameters, tolerance: 3e-5) {
      Fused.crossEntropy(
        $0["h"], unembed: unembed, targetRows: unembed.take(targets), targets: targets,
        differentiable: true)
    } plain: {
      plainCrossEntropy($0["h"], unembed, targets)
    }
  }

  @Test(.enabled(if: Processor.packsBFloat16)) @TensorActor
  func `packed cross-entropy is that of rounded operands`() throws {
    var key = RandomKey(seed: 14)
    let (h, unembed) = (key.normal([5, 48]), key.normal([8197, 48]) * 0.5)
    let targets = self.targets(5, 8197)
    let packed = try PackedWeight(unembed)
    let parameters = ParameterTree([("h", h)])
    let (value, gradients) = try valueAndGrad(parameters) {
      Fused.crossEntropy(
        $0["h"], unembed: unembed, packed: packed, targetRows: unembed.take(targets),
        targets: targets, differentiable: true
      ).sum()
    }
    let round = { (x: Tensor) in x.astype(.bfloat16).astype(.float32) }
    let (expected, reference) = try valueAndGrad(ParameterTree([("h", round(h))])) {
      plainCrossEntropy($0["h"], round(unembed), targets).sum()
    }
    let name = "packed crossEntropy"
    expectError(
      relativeError([try value.scalar()], [try expected.scalar()]), within: 1e-6, "\(name) value")
    // Probabilities are rounded to bf16 on the way back.
    expectError(
      relativeError(try gradients["h"].floats(), try reference["h"].floats()), within: 0x1p-7,
      "\(name) gradient")
  }

  @Test @TensorActor
  func `the loss without a gradient is the same, and asking it for one is an error`() throws {
    var key = RandomKey(seed: 15)
    let (h, unembed) = (key.normal([3, 9]), key.normal([4101, 9]))
    let targets = self.targets(3, 4101)
    let loss = {
      Fused.crossEntropy(
        $0, unembed: unembed, targetRows: unembed.take(targets), targets: targets,
        differentiable: $1)
    }
    #expect(try loss(h, true).floats() == loss(h, false).floats())
    let error = #expect(throws: TensorError.self) {
      try valueAndGrad(ParameterTree([("h", h)])) { loss($0["h"], false).sum() }
    }
    #expect("\(String(describing: error))".contains("made without a gradient"))
  }

  @Test(arguments: [(5, 24, 37), (3, 17, 8192), (300, 33, 8197)]) @TensorActor
  func `the softmax of a head is log sum exp, its first maximum and the row to expect`(
    tokens: Int, width: Int, vocabulary: Int
  ) throws {
    var key = RandomKey(seed: 16)
    let unembed = key.normal([vocabulary, width]) * Float(2.4 / Double(width).squareRoot())
    let parameters = ParameterTree([("h", key.normal([tokens, width]))])
    let name = "softmax \(tokens)x\(width)x\(vocabulary)"
    try expectSameFunction(name, at: parameters) {
      Fused.softmax($0["h"], unembed: unembed, withExpected: true).logPartition
    } plain: {
      $0["h"].matmul(unembed.transpose()).logSumExp(axes: [1])
    }
    let logits = parameters["h"].matmul(unembed.transpose())
    let expected = logits.softmax().matmul(unembed)
    let read = {
      let softmax = Fused.softmax(parameters["h"], unembed: unembed, withExpected: true)
      return (try softmax.best.int32s(), try #require(softmax.expected).floats())
    }
    for found in [try read(), try Processor.withoutOwnKernels(read)] {
      #expect(found.0 == (try logits.argmax().astype(.int32).int32s()))
      expectError(
        relativeError(found.1, try expected.floats()), within: 4e-6, "\(name) expected row")
    }
  }

  @Test(.enabled(if: Processor.packsBFloat16)) @TensorActor
  func `packed softmax is that of rounded operands`() throws {
    var key = RandomKey(seed: 17)
    let (h, unembed) = (key.normal([70, 48]), key.normal([8197, 48]) * 0.5)
    let softmax = Fused.softmax(
      h, unembed: nil, packed: try PackedWeight(unembed), withExpected: true)
    let round = { (x: Tensor) in x.astype(.bfloat16).astype(.float32) }
    let logits = round(h).matmul(round(unembed).transpose())
    expectError(
      relativeError(
        try softmax.logPartition.floats(), try logits.logSumExp(axes: [1]).floats()),
      within: 1e-6, "packed softmax")
    let expected = logits.softmax().matmul(round(unembed))
    // Probabilities are rounded to bf16 on the way back.
    expectError(
      relativeError(try #require(softmax.expected).floats(), try expected.floats()),
      within: 0x1p-7, "packed softmax's expected row")
  }

  @Test @TensorActor
  func `equal logits count as the first, and a softmax without moments has no gradient`() throws {
    var key = RandomKey(seed: 18)
    let rows = key.normal([4101, 9])
    // Twice the same rows, so that every maximum is reached twice, chunks apart.
    let unembed = Tensor.concatenate([rows, rows], axis: 0)
    let h = key.normal([6, 9])
    let best = try Fused.softmax(h, unembed: unembed, withExpected: false).best.int32s()
    #expect(best == (try h.matmul(rows.transpose()).argmax().astype(.int32).int32s()))
    let error = #expect(throws: TensorError.self) {
      try valueAndGrad(ParameterTree([("h", h)])) {
        Fused.softmax($0["h"], unembed: unembed, withExpected: false).logPartition.sum()
      }
    }
    #expect("\(String(describing: error))".contains("made without a gradient"))
  }

  /// The first and the last id, and others in between.
  private func targets(_ count: Int, _ vocabulary: Int) -> Tensor {
    Tensor((0..<count).map { Int32($0 * (vocabulary - 1) / (count - 1)) })
  }

  private func plainCrossEntropy(_ h: Tensor, _ unembed: Tensor, _ targets: Tensor) -> Tensor {
    let logp = h.matmul(unembed.transpose()).logSoftmax()
    return -logp.takeAlongAxis(targets.expandDims(1), axis: 1).squeeze(1)
  }
}
