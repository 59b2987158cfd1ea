import Foundation
import LanguageModels
import Tensors
import TestSupport
import Testing

@Suite struct `GGUF files` {
  @Test func `metadata of every type that gguf writes reads back`() throws {
    let file = try GGUFFile(path: filesFixture("types.gguf"))
    #expect(file.version == 3)
    #expect(try file.string("general.architecture") == "llama")
    #expect(try file.string("test.string") == "Grüße, 世界 🧪")
    #expect(try file.int("test.uint8") == 250)
    #expect(try file.int("test.int8") == -5)
    #expect(try file.int("test.uint16") == 65_000)
    #expect(try file.int("test.int16") == -30_000)
    #expect(try file.int("test.uint32") == 4_000_000_000)
    #expect(try file.int("test.int32") == -2_000_000_000)
    #expect(file.metadata["test.uint64"] == .unsigned(.max))
    #expect(try file.int("test.int64") == .min)
    #expect(try file.double("test.float32") == Double(Float(1e-5)))
    #expect(try file.double("test.float64") == 1e-5)
    #expect(try file.double("test.int8") == -5)
    #expect(try file.bool("test.bool"))
    #expect(try file.strings("test.strings") == ["Ġthe", "", "é"])
    #expect(try file.ints("test.ints") == [1, -2, 3])
    #expect(try file.doubles("test.floats") == [0.5, -1.25])
    #expect(file.metadata["test.bools"] == .bools([true, false]))
    #expect(file.metadata["test.nested"] == .array([.integers([1, 2]), .integers([3])]))
  }

  @Test(arguments: ["types", "quants"])
  func `every readable type decodes to the bits that gguf gives`(name: String) throws {
    let file = try GGUFFile(path: filesFixture("\(name).gguf"))
    let expected = try SafetensorsFile(path: filesFixture("\(name).safetensors"))
    #expect(expected.tensors.count == 7)
    for reference in expected.tensors {
      let tensor = try file.tensor(reference.name)
      #expect(tensor.shape == reference.shape)
      let same = try floatBits(tensor.floats()) == floatBits(reference.floats())
      #expect(same, "\(tensor.name)")
    }
  }

  /// Each row is one block of the file, so that none hides behind the scale of another.
  @Test(
    arguments: [
      ("Q5_0", .q50), ("Q5_1", .q51), ("Q2_K", .q2K), ("Q3_K", .q3K), ("Q4_K", .q4K),
      ("Q5_K", .q5K), ("Q6_K", .q6K),
    ] as [(String, PackedWeight.Blocks)], [1, 2, 5, 8, 9])
  @TensorActor
  func `products with weights as they are stored are those with what they decode to`(
    type: (name: String, blocks: PackedWeight.Blocks), tokens: Int
  ) throws {
    let tensor = try GGUFFile(path: filesFixture("quants.gguf")).tensor(type.name)
    let weights = try tensor.floats()
    let (rows, columns) = (weights.count / type.blocks.columns, type.blocks.columns)
    let stored = tensor.storedBytes
    let packed = try withExtendedLifetime(stored.owner) {
      try PackedWeight(type.blocks, bytes: stored.bytes, shape: [rows, columns])
    }
    var key = RandomKey(seed: 31)
    let x = key.normal([tokens, columns])
    let beside = packed.isComplete ? nil : Tensor(weights, shape: [rows, columns])
    let found = try Fused.linear(x, beside, packed: packed).floats()
    let (values, bound) = (try x.floats(), Self.bound(tokens))
    for i in 0..<tokens * rows {
      let terms = (0..<columns).map {
        Double(values[i / rows * columns + $0]) * Double(weights[i % rows * columns + $0])
      }
      let size = terms.map(abs).reduce(0, +)
      expectError(
        abs(Double(found[i]) - terms.reduce(0, +)) / max(size, 1e-30), within: bound,
        "\(type.name), token \(i / rows), row \(i % rows)")
    }
  }

  /// Relative to the sum of the terms' sizes. Integers of 22 bits for x are off by 2⁻²² of a block's largest
  /// and fp32 sums add about as much. With AVX-512 more than 8 tokens go through bf16, where both factors are
  /// off by at most 2⁻⁸.
  private static func bound(_ tokens: Int) -> Double {
    tokens <= 8 || !Processor.packsBFloat16 ? 1e-6 : 0x1p-7 + 0x1p-16
  }

  /// The file's blocks, three a row, and rows in an order of their own.
  @Test(
    arguments: [
      ("Q5_0", .q50), ("Q5_1", .q51), ("Q2_K", .q2K), ("Q3_K", .q3K), ("Q4_K", .q4K),
      ("Q5_K", .q5K), ("Q6_K", .q6K),
    ] as [(String, PackedWeight.Blocks)], [1, 3, 8, 33])
  @TensorActor
  func `rows of several blocks are found where the order says`(
    type: (name: String, blocks: PackedWeight.Blocks), tokens: Int
  ) throws {
    let tensor = try GGUFFile(path: filesFixture("quants.gguf")).tensor(type.name)
    let (rows, wide, decoded) = (35, type.blocks.columns, try tensor.floats())
    let stored = tensor.storedBytes
    var (bytes, weights): ([UInt8], [Float]) = ([], [])
    for i in 0..<3 * rows {
      let block = 5 * i % (decoded.count / wide)
      withExtendedLifetime(stored.owner) {
        bytes += stored.bytes[block * type.blocks.bytes..<(block + 1) * type.blocks.bytes]
      }
      weights += decoded[block * wide..<(block + 1) * wide]
    }
    let order = (0..<rows).map { Int32(4 * $0 % rows) }
    let packed = try bytes.withUnsafeBytes {
      try PackedWeight(type.blocks, bytes: $0, shape: [rows, 3 * wide], order: order)
    }
    let plain = Tensor(weights, shape: [rows, 3 * wide]).take(Tensor(order))
    let beside = packed.isComplete ? nil : plain
    var key = RandomKey(seed: 32)
    let x = key.normal([tokens, 3 * wide])
    let sizes = try x.abs().matmul(plain.abs().transpose()).floats()
    let exact = try x.matmul(plain.transpose()).floats()
    for (place, found) in try Fused.linear(x, beside, packed: packed).floats().enumerated() {
      expectError(
        Double(abs(found - exact[place]) / max(sizes[place], 1e-30)), within: Self.bound(tokens),
        "\(type.name), token \(place / rows), row \(place % rows)")
    }
    let upstream = key.normal([tokens, rows])
    let (_, gradients) = try valueAndGrad(ParameterTree([("x", x)])) {
      (Fused.linear($0["x"], beside, packed: packed) * upstream).sum()
    }
    let expected = try upstream.matmul(plain).floats()
    let largest = try upstream.abs().matmul(plain.abs()).floats()
    for (place, found) in try gradients["x"].floats().enumerated() {
      expectError(
        Double(abs(found - expected[place]) / max(largest[place], 1e-30)),
        within: packed.isComplete ? 0x1p-7 + 0x1p-16 : 1e-6, "\(type.name), gradient \(place)")
    }
  }

  @Test func `some rows decode like the same rows of the whole`() throws {
    let tensor = try GGUFFile(path: filesFixture("types.gguf")).tensor("q4_1")
    #expect(tensor.shape == [6, 128])
    let whole = try tensor.floats()
    var part = [Float](repeating: 0, count: 2 * 128)
    try part.withUnsafeMutableBufferPointer { try tensor.dequantize(3 * 128..<5 * 128, into: $0) }
    #expect(floatBits(part) == floatBits(Array(whole[3 * 128..<5 * 128])))
  }

  @Test func `a type that is not implemented is refused by name`() throws {
    let tensor = try GGUFFile(path: filesFixture("types.gguf")).tensor("unreadable")
    #expect(!tensor.type.isReadable)
    #expect {
      try tensor.floats()
    } throws: { error in
      guard case .unsupported(let problem)? = error as? ModelFileError else { return false }
      return problem.found == "IQ4_XS in `unreadable`" && problem.remedy.contains("Q4_K")
    }
  }

  @Test(arguments: [
    (9, "Q8_1", 32, 40), (16, "IQ2_XXS", 256, 66), (20, "IQ4_NL", 32, 18), (34, "TQ1_0", 256, 54),
    (39, "MXFP4", 32, 17), (26, "I32", 1, 4),
  ])
  func `a file with a type that is not implemented opens, and its weights are refused by name`(
    code: Int, name: String, elements: Int, byteCount: Int
  ) throws {
    var builder = GGUFBuilder.tiny()
    builder.tensor(
      "x", dimensions: [UInt64(elements)], type: UInt32(code), Array(repeating: 1, count: byteCount)
    )
    try ScratchFile.holding(builder.build()) { path in
      let tensor = try GGUFFile(path: path).tensor("x")
      #expect(tensor.byteCount == byteCount && tensor.elementCount == elements)
      #expect {
        try tensor.floats()
      } throws: {
        "\($0)".contains("Q6_K weights, found \(name) in `x`: take the model's file of another")
      }
    }
  }

  @Test func `stored bytes lie in the file and outlive it`() throws {
    let bytes = GGUFBuilder.tiny().build()
    let (tensor, stored) = try ScratchFile.holding(bytes) { path in
      let tensor = try GGUFFile(path: path).tensor("q4_1")
      return ((tensor.type.name, tensor.shape, tensor.offset), tensor.storedBytes)
    }
    #expect(tensor.0 == "Q4_1" && tensor.1 == [2, 32] && tensor.2 % 32 == 0)
    #expect(stored.bytes.elementsEqual(bytes[tensor.2..<tensor.2 + 40]))
    withExtendedLifetime(stored) {}
  }

  @Test func `all halves and bfloat16s widen exactly`() throws {
    let patterns = (0...UInt16.max).flatMap(GGUFBuilder.bytes)
    var builder = GGUFBuilder()
    builder.tensor("half", dimensions: [65_536], type: 1, patterns)
    builder.tensor("brain", dimensions: [65_536], type: 30, patterns)
    try ScratchFile.holding(builder.build()) { path in
      let file = try GGUFFile(path: path)
      let halves = try file.tensor("half").floats()
      let brains = try file.tensor("brain").floats()
      let wrongHalves = (0...UInt16.max).filter { pattern in
        let half = Float(Float16(bitPattern: pattern))
        let widened = halves[Int(pattern)]
        return half.isNaN ? !widened.isNaN : widened.bitPattern != half.bitPattern
      }
      #expect(wrongHalves.isEmpty)
      #expect(floatBits(brains) == (0...UInt16.max).map { UInt32($0) << 16 })
    }
  }

  @Test(arguments: [UInt16(0x7c00), 0xfc00, 0x7e00])
  func `an infinite or NaN scale gives weights that are not finite`(scale: UInt16) throws {
    let nibbles = [UInt8](repeating: 0x21, count: 32)
    var builder = GGUFBuilder()
    let bytes = GGUFBuilder.bytes(scale)
    builder.tensor("a", dimensions: [32], type: 2, bytes + nibbles.prefix(16))
    builder.tensor("b", dimensions: [32], type: 3, bytes + [0, 0] + nibbles.prefix(16))
    builder.tensor("c", dimensions: [32], type: 8, bytes + nibbles)
    builder.tensor("d", dimensions: [32], type: 6, bytes + nibbles.prefix(20))
    builder.tensor("e", dimensions: [32], type: 7, bytes + [0, 0] + nibbles.prefix(20))
    try ScratchFile.holding(builder.build()) { path in
      for tensor in try GGUFFile(path: path).tensors {
        let weights = try tensor.floats()
        #expect(weights.count == 32 && weights.allSatisfy { !$0.isFinite })
      }
    }
  }

  @Test func `a tensor keeps its file mapped after the file is deleted`() throws {
    let tensor = try ScratchFile.holding(GGUFBuilder.tiny().build()) {
      try GGUFFile(path: $0).tensor("f32")
    }
    #expect(tensor.shape == [2, 3])
    #expect(try tensor.floats() == [0, 1, 2, 3, 4, 5])
  }

  @Test func `a missing or differently typed key says which and what it is`() throws {
    let file = try GGUFFile(path: filesFixture("types.gguf"))
    #expect {
      try file.int("llama.block_count")
    } throws: {
      "\($0)".contains("an integer under the metadata key `llama.block_count`, found no such key")
    }
    #expect {
      try file.strings("test.ints", default: [])
    } throws: {
      "\($0)".contains("found an array of integers")
    }
    #expect(throws: ModelFileError.self) { try file.int("test.uint64") }
    #expect(throws: ModelFileError.self) { try file.int("test.bool") }
    #expect(try file.int("llama.block_count", default: 4) == 4)
    #expect(throws: ModelFileError.self) { try file.tensor("lm_head") }
    #expect(!file.hasTensor("lm_head"))
  }

  @Test(.enabled(if: defaultModelPath() != nil, "run `make bootstrap` to fetch the model"))
  func `the default model's weights have the bits that gguf gives`() throws {
    let path = try #require(defaultModelPath())
    let file = try GGUFFile(path: path)
    let recorded = try #require(
      JSONSerialization.jsonObject(
        with: Data(contentsOf: URL(fileURLWithPath: filesFixture("default-model.json"))))
        as? [String: String])
    var weights = 0
    var checksum: UInt64 = 0
    for tensor in file.tensors {
      let values = try tensor.floats()
      weights += values.count
      // A weight's place counts, so that an exchange of two would show.
      for (index, value) in values.enumerated() {
        checksum &+= UInt64(value.bitPattern) &* UInt64(index % 65_521 + 1)
      }
    }
    #expect(file.metadata.count == recorded["keys"].flatMap { Int($0) })
    #expect(weights == recorded["weights"].flatMap { Int($0) })
    #expect(checksum == recorded["checksum"].flatMap { UInt64($0) })
    #expect(try file.strings("tokenizer.ggml.tokens").count == 49_152)
    #expect(try file.tensor("token_embd.weight").shape == [49_152, 576])
  }
}
