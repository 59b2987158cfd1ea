import LanguageModels
import Tensors
import TestSupport
import Testing

/// The model beside transformers on the same dequantised weights.
@Suite(.needsModel) struct ModelReferenceTests {
  private static let names = ["one", "code", "scripts", "chat"]

  private func sequence(_ name: String) throws -> ModelReference.Sequence {
    try #require(try ModelReference.read().sequences.first { $0.name == name })
  }

  @Test(arguments: names) @TensorActor
  func `logits agree with transformers`(_ name: String) throws {
    let (model, sequence) = (try LoadedModel.float32(), try sequence(name))
    let file = try ModelReference.tensors(name)
    let logits = try model.logits(TokenBatch([sequence.ids]))
    let last = try logits.slice(sequence.ids.count - 1..<sequence.ids.count).floats()
    // fp32 alone moves transformers' logits by up to 7e-5 against fp64.
    expectError(
      largestDifference(last, try file.tensor("logits_last").floats()), within: 1e-3,
      "\(name), logits of the last token")
    let columns = Tensor(try ModelReference.read().columns.map(Int32.init))
    expectError(
      largestDifference(
        try logits.take(columns, axis: 1).floats(), try file.tensor("logits_columns").floats()),
      within: 1e-3, "\(name), 256 logits of every token")
  }

  @Test(arguments: names.dropFirst()) @TensorActor
  func `log-probabilities agree with transformers`(_ name: String) throws {
    let (model, sequence) = (try LoadedModel.float32(), try sequence(name))
    let expected = try ModelReference.tensors(name).tensor("logprobs").floats()
    // The bar for logits; measured 2.5e-4.
    expectError(
      largestDifference(try model.logprobs(sequence.ids), expected), within: 1e-3,
      "\(name), logprobs")
    // The loss of training takes another way to the same numbers.
    let output = try model.forward(TokenBatch([sequence.ids]), logits: .none)
    let targets = Array(sequence.ids.dropFirst())
    let rows = output.finalNorm.slice(0..<sequence.ids.count - 1)
    let nats = try model.crossEntropy(rows, targets: targets, differentiable: false).floats()
    expectError(
      largestDifference(nats.map { -$0 }, expected), within: 2e-4, "\(name), cross-entropy")
  }

  @Test(arguments: names) @TensorActor
  func `the residual stream agrees with transformers at every layer`(_ name: String) throws {
    let (model, sequence) = (try LoadedModel.float32(), try sequence(name))
    let blocks = (0..<model.configuration.nLayers).map { Site.block($0, .residPost) }
    let sites = [.embed] + blocks + [.finalNorm]
    let output = try model.forward(
      TokenBatch([sequence.ids]), logits: .none, hooks: Hooks(captures: Set(sites)))
    let file = try ModelReference.tensors(name)
    let positions = Tensor(sequence.positions.map(Int32.init))
    var worst = (error: 0.0, site: Site.embed)
    for site in sites {
      let captured = try #require(output.captured[site])
      let error = rowwiseError(
        try captured.take(positions).floats(), try file.tensor("\(site)").floats(),
        rows: sequence.positions.count)
      if !(error <= worst.error) { worst = (error, site) }
    }
    expectError(worst.error, within: 1e-4, "\(name), residual stream, worst at \(worst.site)")
  }

  @Test(arguments: [0, 14, 29]) @TensorActor
  func `every site inside a block agrees with transformers`(_ block: Int) throws {
    let (model, sequence) = (try LoadedModel.float32(), try sequence("code"))
    let places = Site.Place.allCases.filter { $0 != .residPre && $0 != .residPost }
    let sites = places.map { Site.block(block, $0) }
    let output = try model.forward(
      TokenBatch([sequence.ids]), hooks: Hooks(captures: Set(sites)))
    let file = try ModelReference.tensors("code")
    for site in sites {
      let (captured, expected) = (try #require(output.captured[site]), try file.tensor("\(site)"))
      #expect(captured.shape == expected.shape, "\(site)")
      // Rows: tokens; of a pattern, heads times queries.
      let rows =
        captured.rank == 3 && site == .block(block, .pattern)
        ? captured.shape[0] * captured.shape[1] : captured.shape[0]
      expectError(
        rowwiseError(try captured.floats(), try expected.floats(), rows: rows), within: 1e-4,
        "\(site)")
    }
  }

  @Test @TensorActor
  func `tokens agree with transformers`() throws {
    let (model, reference) = (try LoadedModel.float32(), try ModelReference.read())
    for s in reference.sequences { #expect(model.tokenizer.encode(s.text) == s.ids) }
    for g in reference.greedy { #expect(model.tokenizer.encode(g.prompt) == g.promptIds) }
  }
}
