import Foundation
import LanguageModels
import Tensors
import TestSupport
import Testing

/// transformers' answers on tiny checkpoints of every family, recorded by
/// `Scripts/reference/family_fixtures.py`: random weights, biases and norms, texts longer than any
/// window.
private enum FamilyFixture {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("Fixtures/families")

  static let folders = [
    "bert", "gemma2", "gemma3", "gemma3_scaled", "gpt2", "gpt2_scaled", "gpt_neox",
    "gpt_neox_sequential", "llama", "llama_bias", "llama_linear", "llama_llama3", "llama_yarn",
    "mistral", "qwen2", "qwen2_window", "qwen3",
  ]
  /// Those with a GGUF file of a kind that is read.
  static let ggufs = [
    "gemma2", "gemma3", "llama", "llama_bias", "llama_linear", "llama_llama3", "qwen2", "qwen3",
  ]

  static func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

  static func expected(_ name: String) throws -> SafetensorsFile {
    try SafetensorsFile(path: path("\(name)/expected.safetensors"))
  }

  static func ids(_ name: String) throws -> [Int] {
    try expected(name).tensor("input_ids").floats().map { Int($0) }
  }
}

@Suite struct FamilyTests {
  @Test(arguments: FamilyFixture.folders) @TensorActor
  func `a checkpoint computes what transformers computes`(_ name: String) throws {
    try bothWays { try expectReference(LanguageModel(path: FamilyFixture.path(name)), name) }
  }

  @Test(arguments: FamilyFixture.ggufs) @TensorActor
  func `a GGUF file computes what its checkpoint does`(_ name: String) throws {
    try expectReference(LanguageModel(path: FamilyFixture.path("\(name)/model.gguf")), name)
  }

  /// The gelus of two families differ by 1e-4 of the largest value here, so it is to be a tenth.
  @TensorActor private func expectReference(_ model: LanguageModel, _ name: String) throws {
    let file = try FamilyFixture.expected(name)
    let ids = try FamilyFixture.ids(name)
    let c = model.configuration
    let sites = [.embed] + (0..<c.nLayers).map { Site.block($0, .residPost) }
    let output = try model.forward(
      TokenBatch([ids]), logits: c.hasHead ? .all : .none, hooks: Hooks(captures: Set(sites)))
    for (i, site) in sites.enumerated() {
      let recorded = i == c.nLayers && c.hasHead ? "resid_last" : "hidden_states.\(i)"
      let error = rowwiseError(
        try #require(output.captured[site]).floats(), try file.tensor(recorded).floats(),
        rows: ids.count)
      expectError(error, within: 1e-5, "\(name), \(site)")
    }
    if let logits = output.logits {
      let error = rowwiseError(
        try logits.floats(), try file.tensor("logits").floats(), rows: ids.count)
      expectError(error, within: 1e-5, "\(name), logits")
      let normed = try file.tensor("hidden_states.\(c.nLayers)").floats()
      expectError(
        rowwiseError(try output.finalNorm.floats(), normed, rows: ids.count), within: 1e-5,
        "\(name), final norm")
    }
  }

  @Test(arguments: FamilyFixture.folders.filter { $0 != "bert" }, [false, true]) @TensorActor
  func `with a cache and in a batch, a family computes what it does without`(
    _ name: String, _ isAdapted: Bool
  ) throws {
    try bothWays { try expectCacheAndBatch(name, isAdapted) }
  }

  /// With this program's own kernels, and as on a GPU with MLX's own operations.
  @TensorActor private func bothWays(_ body: () throws -> Void) rethrows {
    try body()
    try Processor.withoutOwnKernels(body)
  }

  @TensorActor private func expectCacheAndBatch(_ name: String, _ isAdapted: Bool) throws {
    let model = try LanguageModel(path: FamilyFixture.path(name))
    let adapter = isAdapted ? drawnAdapter(for: model.configuration) : nil
    let ids = try FamilyFixture.ids(name)
    // Of two lengths, so that rows of the cache alternate; together longer than any window.
    let prompts = [Array(ids.prefix(9)), Array(ids.prefix(14))]
    var options = GenerationOptions(maxTokens: 12)
    options.stopsAtEnd = false
    let texts = try model.generate(prompts, options: options, adapter: adapter)
    for (prompt, text) in zip(prompts, texts) {
      let all = prompt + text.ids
      let logits = try #require(try model.forward(TokenBatch([all]), adapter: adapter).logits)
      let index = Tensor(all.dropFirst().map(Int32.init), shape: [all.count - 1, 1])
      let logprobs = try logits.logSoftmax().slice(0..<all.count - 1)
        .takeAlongAxis(index, axis: 1).floats()
      expectError(
        largestDifference(text.logprobs, Array(logprobs.suffix(12))), within: 1e-4, name)
      let best = logits.argmax(axis: 1).slice(prompt.count - 1..<all.count - 1)
      #expect(try best.astype(.float32).floats().map { Int($0) } == text.ids)
    }
  }

  /// Every layer's, large enough to change what follows.
  @TensorActor private func drawnAdapter(for model: ModelConfiguration) -> AdapterWeights {
    var key = RandomKey(seed: 9)
    let configuration = LoRAConfiguration(rank: 2, alpha: 3)
    return AdapterWeights(
      configuration,
      parameters: ParameterTree(
        configuration.shapes(for: model).map {
          ($0.path, (key.uniform($0.shape) - 0.5) * 0.2)
        }))
  }

  @Test(arguments: FamilyFixture.folders.filter { $0 != "bert" }) @TensorActor
  func `gradients with respect to an adapter are those of finite differences`(
    _ name: String
  ) throws {
    try bothWays { try expectGradients(name) }
  }

  @TensorActor private func expectGradients(_ name: String) throws {
    let model = try LanguageModel(path: FamilyFixture.path(name))
    let ids = Array(try FamilyFixture.ids(name).prefix(16))
    let drawn = drawnAdapter(for: model.configuration)
    let parameters = drawn.parameters
    func loss(_ parameters: ParameterTree) throws -> Tensor {
      let output = try model.forward(
        TokenBatch([ids]), logits: .none, adapter: drawn.replacing(parameters))
      return try model.crossEntropy(
        output.finalNorm.slice(0..<ids.count - 1), targets: Array(ids.dropFirst()),
        differentiable: true
      ).sum()
    }
    let (_, gradients) = try valueAndGrad(parameters, loss)
    // Along the gradient itself, by which the loss changes most.
    let norm = try gradients.tensors.reduce(Float(0)) { try $0 + $1.square().sum().scalar() }
      .squareRoot()
    let step: Float = 0.02
    func moved(_ sign: Float) throws -> Float {
      try loss(
        parameters.replacing(
          zip(parameters.tensors, gradients.tensors).map { $0 + $1 * (sign * step / norm) })
      ).scalar()
    }
    let slope = (try moved(1) - moved(-1)) / (2 * step)
    expectError(Double(abs(slope / norm - 1)), within: 1e-2, "\(name), gradient")
  }

  @Test @TensorActor
  func `an encoder asked to generate is an error, whatever is asked`() throws {
    let model = try LanguageModel(path: FamilyFixture.path("bert"))
    #expect(throws: ModelError.noHead(family: "bert")) { try model.generate([[1, 2], [1, 3]]) }
  }

  @Test(arguments: ["llama", "gpt2", "gpt_neox", "qwen3", "gemma3"]) @TensorActor
  func `a model saved with an adapter merged computes what both did`(_ name: String) throws {
    let base = FamilyFixture.path(name)
    let model = try LanguageModel(path: base)
    let ids = try FamilyFixture.ids(name)
    var key = RandomKey(seed: 10)
    let configuration = LoRAConfiguration(rank: 3, alpha: 6)
    let adapter = AdapterWeights(
      configuration,
      parameters: ParameterTree(
        configuration.shapes(for: model.configuration).map {
          ($0.path, (key.uniform($0.shape) - 0.5) * 0.3)
        }))
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("plumbline-merge-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    // Small shards: several files and an index.
    try adapter.merge(into: base, to: folder, shardByteCount: 9_000)
    let batch = TokenBatch([ids])
    let expected = try #require(try model.forward(batch, adapter: adapter).logits).floats()
    let merged = try LanguageModel(path: folder)
    let found = try #require(try merged.forward(batch).logits).floats()
    expectError(rowwiseError(found, expected, rows: ids.count), within: 1e-5, "\(name), merged")
    let plain = try #require(try model.forward(batch).logits).floats()
    #expect(rowwiseError(found, plain, rows: ids.count) > 1e-2, "\(name): nothing was merged")
    #expect(throws: ModelFileError.self) { try adapter.merge(into: base, to: folder) }
    #expect(try LanguageModel(path: folder).configuration == model.configuration)
  }

  @Test(arguments: [
    (
      "llama", #""rms_norm_eps""#, #""rope_scaling": {"rope_type": "su"}, "rms_norm_eps""#,
      "rope_type"
    ),
    ("llama", #""hidden_act": "silu""#, #""hidden_act": "relu""#, "hidden_act"),
    ("llama", #""tie_word_embeddings": false"#, #""tie_word_embeddings": true"#, "lm_head.weight"),
    ("llama", #""model_type": "llama""#, #""model_type": "mixtral""#, "model_type"),
    ("qwen2", #""model_type": "qwen2""#, #""model_type": "llama""#, "_proj.bias"),
    ("gpt2", #""n_head": 4"#, #""n_head": 3"#, "n_head"),
    ("bert", #""hidden_act": "gelu""#, #""is_decoder": true, "hidden_act": "gelu""#, "is_decoder"),
    ("gemma3", #""hidden_activation""#, #""hidden_act""#, "hidden_activation"),
  ])
  func `a configuration that would compute another model is refused by its field`(
    _ name: String, _ old: String, _ new: String, _ field: String
  ) throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("plumbline-config-\(UUID().uuidString)")
    try FileManager.default.copyItem(atPath: FamilyFixture.path(name), toPath: folder.path)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appendingPathComponent("config.json")
    let text = try String(contentsOf: path, encoding: .utf8)
    try #require(text.contains(old), "\(name) has no \(old)")
    try text.replacingOccurrences(of: old, with: new).write(
      to: path, atomically: true, encoding: .utf8)
    let error = #expect(throws: ModelFileError.self) {
      try LanguageModel.inspect(path: folder.path)
    }
    #expect("\(String(describing: error))".contains(field), "\(String(describing: error))")
  }
}
