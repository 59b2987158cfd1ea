import LanguageModels
import Tensors
import TestSupport
import Testing

@Suite struct `Merged models` {
  /// Scales of one and of a half are exact in half precision.
  @Test func `weights are rounded as GGUF's blocks would hold them`() {
    let eight: [Float] = [127, -63.4, 0.6, 0.4] + [Float](repeating: 0, count: 28)
    #expect(
      WeightRounding.q80.rounded(eight, width: 32)
        == [127, -63, 1, 0] + [Float](repeating: 0, count: 28))
    // The number furthest from zero is -8 scales, and 8 of them are out of reach.
    let four: [Float] = [-4, 3.9, 1.2, 0.3, -0.2] + [Float](repeating: 0, count: 27)
    #expect(
      WeightRounding.q40.rounded(four, width: 32)
        == [-4, 3.5, 1, 0.5, 0] + [Float](repeating: 0, count: 27))
    // 1 + 2⁻⁸ lies between two numbers of bfloat16; the even one is 1.
    #expect(
      WeightRounding.bfloat16.rounded([1 + 0x1p-8, 1 + 0x1.8p-7], width: 2) == [1, 1 + 0x1p-6])
  }

  /// A large number coarsens its own block alone, in rows that are no whole number of blocks too.
  @Test(arguments: [WeightRounding.q80, .q40]) func `blocks do not reach over rows`(
    _ rounding: WeightRounding
  ) {
    var values = [Float](repeating: 0.25, count: 80)
    values[0] = 1000
    let rounded = rounding.rounded(values, width: 40)
    #expect(rounded[1] == 0 && rounded[31] == 0)
    for index in 32..<80 { expectClose(rounded[index], 0.25, atol: 1e-3, "\(index)") }
    #expect(rounding.rounded([Float](repeating: 0, count: 32), width: 32).allSatisfy { $0 == 0 })
  }

  /// As far apart as rounding takes them, and the adapter's effect far above that.
  @Test(.enabled(if: hasModel, "run `make bootstrap`"))
  @TensorActor func `a merged copy computes what the model with its adapter does`() throws {
    let model = try DefaultModel.model()
    let adapter = drawnAdapter(
      LoRAConfiguration(rank: 8, alpha: 32), for: model.configuration, seed: 3)
    let ids = model.tokenizer.encode("The ship left the harbor before the storm.")
    func logits(_ model: LanguageModel, _ adapter: AdapterWeights?) throws -> [Float] {
      let output = try model.forward(
        TokenBatch([ids]), logits: .rows([ids.count - 1]), adapter: adapter)
      return try #require(output.logits).floats()
    }
    let expected = try logits(model, adapter)
    let before = try logits(model, nil)
    let effect = relativeDistance(before, expected)
    let errors = try [WeightRounding.bfloat16, .q80, .q40].map {
      relativeDistance(try logits(model.merging(adapter, rounding: $0), nil), expected)
    }
    print("merged, relative to the adapter's effect:", errors.map { $0 / effect })
    // Measured: 0.008 and 0.02; four bits take more away than an adapter that was drawn brings.
    #expect(errors[0] < 0.05 * effect && errors[0] > 0)
    #expect(errors[1] < 0.1 * effect && errors[0] < errors[1] && errors[1] < errors[2])
    let options = GenerationOptions(maxTokens: 8)
    let said = try model.generate([ids], options: options, adapter: adapter)
    let copied = try model.merging(adapter, rounding: .bfloat16).generate([ids], options: options)
    #expect(copied.map(\.ids) == said.map(\.ids))
    #expect(try model.generate([ids], options: options).map(\.ids) != said.map(\.ids))
    // The model that it was made from is what it was.
    #expect(try logits(model, nil) == before)
  }
}
