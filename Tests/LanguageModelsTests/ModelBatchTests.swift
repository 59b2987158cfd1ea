import LanguageModels
import Tensors
import TestSupport
import Testing

/// Packing sequences and computing in bf16 must not change what a sequence computes.
@Suite(.needsModel) struct ModelBatchTests {
  /// Lengths 1 to 11; the first three share a beginning, which one of them is but for a token.
  private static let sequences = [
    [504, 3575, 282, 4649, 314, 7042], [504, 3575, 282, 30], [504, 3575, 282, 4649, 314, 198, 198],
  ]
  private static let strangers =
    sequences + [[1604], [28, 41337, 7872, 9175, 17, 17097, 247, 126, 16736, 122, 7365]]

  @Test(arguments: [(sequences, true), (sequences, false), (strangers, true)]) @TensorActor
  func `packed sequences give the logits of separate ones`(
    _ sequences: [[Int]], sharingPrefix: Bool
  ) throws {
    let model = try LoadedModel.float32()
    let batch = TokenBatch(sequences, sharingPrefix: sharingPrefix)
    #expect(batch.prefixLength == (sharingPrefix && sequences.count == 3 ? 3 : 0))
    let packed = try model.logits(batch)
    var worst = 0.0
    for (index, sequence) in sequences.enumerated() {
      let rows = sequence.indices.map { Int32(batch.row(sequence: index, position: $0)) }
      let alone = try model.logits(TokenBatch([sequence])).floats()
      worst = max(worst, largestDifference(try packed.take(Tensor(rows)).floats(), alone))
    }
    // Products of other heights add in another order.
    expectError(worst, within: 3e-4, "packed, \(sequences.count) sequences, \(sharingPrefix)")
  }

  @Test @TensorActor
  func `a token's logits do not depend on what follows it`() throws {
    let model = try LoadedModel.float32()
    let ids = Self.sequences[2]
    let whole = try model.logits(TokenBatch([ids])).slice(0..<4).floats()
    let beginning = try model.logits(TokenBatch([Array(ids.prefix(4))])).floats()
    expectError(largestDifference(whole, beginning), within: 3e-4, "causality")
    var changed = ids
    changed[6] = 30
    // The same shapes, hence the same order of sums: to the bit.
    #expect(try model.logits(TokenBatch([changed])).slice(0..<4).floats() == whole)
  }

  @Test @TensorActor
  func `chosen rows of logits are those rows of all logits`() throws {
    let model = try LoadedModel.float32()
    let batch = TokenBatch(Self.strangers)
    let all = try model.logits(batch).take(Tensor([Int32(7), 2])).floats()
    let chosen = try #require(try model.forward(batch, logits: .rows([7, 2])).logits)
    expectError(largestDifference(try chosen.floats(), all), within: 3e-4, "chosen rows")
    #expect(try model.forward(batch, logits: .none).logits == nil)
  }

  @Test(.enabled(if: Processor.packsBFloat16)) @TensorActor
  func `bf16 products stay near fp32`() throws {
    let exact = try LoadedModel.float32()
    let model = try LanguageModel(path: exact.path, precision: .bfloat16)
    let reference = try ModelReference.read()
    for sequence in reference.sequences where sequence.ids.count > 1 {
      let (a, b) = (try model.logprobs(sequence.ids), try exact.logprobs(sequence.ids))
      let mean = zip(a, b).map { Double(abs($0 - $1)) }.reduce(0, +) / Double(a.count)
      expectError(mean, within: 0.05, "bf16 \(sequence.name), mean |Δ logprob| in nats")
      expectError(
        largestDifference(a, b), within: 0.25, "bf16 \(sequence.name), largest |Δ logprob|")
      #expect(a != b, "bf16 rounded nothing")
    }
  }

  @Test @TensorActor
  func `a file that is not there is an error that names it`() {
    let error = #expect(throws: ModelFileError.self) {
      _ = try LanguageModel(path: "/nowhere/model.gguf")
    }
    #expect("\(error.map(\.description) ?? "")".contains("/nowhere/model.gguf"))
  }
}
