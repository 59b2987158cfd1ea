import Foundation
import LanguageModels
import Tensors
import TestSupport
import Testing

@Suite(.needsModel) struct GenerationTests {
  @TensorActor
  private func reference() throws -> (model: LanguageModel, greedy: [ModelReference.Greedy]) {
    (try LoadedModel.float32(), try ModelReference.read().greedy)
  }

  @Test(arguments: 0..<4) @TensorActor
  func `64 greedy tokens are those of transformers`(_ index: Int) throws {
    let (model, greedy) = try reference()
    let expected = greedy[index]
    // The recording goes on after an end token, so generation is asked again from behind it.
    var found: [Int] = []
    while found.count < expected.ids.count {
      let options = GenerationOptions(maxTokens: expected.ids.count - found.count)
      let next = try model.generate([expected.promptIds + found], options: options)[0]
      found += next.ids
      if let end = expected.firstEndToken, found.count == end {
        #expect(next.finishReason == .stop)
      }
      if next.finishReason == .stop {
        // Which end token it was is not told; the reference goes on after it, and so does this.
        let end = expected.ids[found.count]
        #expect(model.tokenizer.eosIDs.contains(end))
        found.append(end)
      }
      if next.ids.isEmpty && next.finishReason == .length { break }
    }
    #expect(found == expected.ids)
  }

  @Test @TensorActor
  func `log-probabilities with the cache are those of one pass without it`() throws {
    let (model, greedy) = try reference()
    let prompts = greedy.map(\.promptIds)
    let results = try model.generate(prompts, options: GenerationOptions(maxTokens: 40))
    for (prompt, result) in zip(prompts, results) {
      #expect(result.logprobs.count == result.ids.count)
      let whole = try model.logprobs(prompt + result.ids).suffix(result.ids.count)
      expectError(
        // Measured 2.7e-4: products of other heights round differently, and logits reach 20.
        largestDifference(result.logprobs, Array(whole)), within: 1e-3,
        "cache against no cache, \(result.ids.count) tokens")
    }
  }

  /// Five prompts of different lengths, which end at different times.
  @TensorActor
  private func prompts(_ model: LanguageModel) -> [[Int]] {
    [
      "The capital of France is", "def fibonacci(n):\n", "Les plus grandes villes de France sont",
      "<|im_start|>user\nSay hi.<|im_end|>\n<|im_start|>assistant\n", "1",
    ].map { model.tokenizer.encode($0) }
  }

  @Test(arguments: [Float(0), 0.8]) @TensorActor
  func `what a prompt becomes does not depend on its batch`(_ temperature: Float) throws {
    let model = try LoadedModel.float32()
    let options = GenerationOptions(maxTokens: 24, temperature: temperature, seed: 3)
    let alone = try model.generate(prompts(model), options: options, batchSize: 1)
    for batchSize in [2, 5] {
      let together = try model.generate(prompts(model), options: options, batchSize: batchSize)
      for (a, b) in zip(together, alone) {
        #expect(a.ids == b.ids && a.text == b.text && a.finishReason == b.finishReason)
        expectError(
          a.ids.isEmpty ? 0 : largestDifference(a.logprobs, b.logprobs), within: 2e-4,
          "batch of \(batchSize) at temperature \(temperature)")
      }
    }
    // Of different lengths, so that the batch shrinks on the way; sampled ones all run on.
    #expect(
      temperature > 0 || Set(alone.map(\.ids.count)).count > 1,
      "the prompts were to end at different times")
  }

  @Test @TensorActor
  func `a seed gives the same text again, another seed and another place another one`() throws {
    let model = try LoadedModel.float32()
    let twice = [prompts(model)[0], prompts(model)[0]]
    func ids(_ seed: UInt64) throws -> [[Int]] {
      let options = GenerationOptions(maxTokens: 12, temperature: 1, seed: seed)
      return try model.generate(twice, options: options).map(\.ids)
    }
    let first = try ids(1)
    #expect(try ids(1) == first)
    #expect(first[0] != first[1])
    #expect(try ids(2)[0] != first[0])
  }

  @Test @TensorActor
  func `samples are as frequent as softmax of logits over temperature says`() throws {
    let model = try LoadedModel.float32()
    let (prompt, n, temperature) = (prompts(model)[0], 400, Float(0.7))
    let options = GenerationOptions(maxTokens: 1, temperature: temperature, seed: 9)
    let drawn = try model.generate(
      [[Int]](repeating: prompt, count: n), options: options, batchSize: 100)
    let last = try model.logits(TokenBatch([prompt])).slice(prompt.count - 1..<prompt.count)
    let p = try (last / temperature).softmax().floats().map(Double.init)
    let likeliest = p.indices.sorted { p[$0] > p[$1] }.prefix(5)
    for id in likeliest {
      let share = Double(drawn.count { $0.ids == [id] }) / Double(n)
      let error = (p[id] * (1 - p[id]) / Double(n)).squareRoot()
      expectError(abs(share - p[id]) / error, within: 3, "share of token \(id), standard errors")
    }
  }

  @Test @TensorActor
  func `a stop string ends the text before it`() throws {
    let model = try LoadedModel.float32()
    let options = GenerationOptions(maxTokens: 30, stop: ["\n\n", "France"])
    let result = try model.generate([prompts(model)[0]], options: options)[0]
    #expect(result.text == " Paris.")
    #expect(result.finishReason == .stop)
    let none = try model.generate(
      [prompts(model)[0]], options: GenerationOptions(maxTokens: 0))[0]
    #expect(none.ids.isEmpty && none.text.isEmpty && none.finishReason == .length)
  }

  @Test @TensorActor
  func `an empty or overlong prompt is an error that says how long`() throws {
    let model = try LoadedModel.float32()
    let limit = model.configuration.contextLength
    #expect(throws: GenerationError.emptyPrompt) { try model.generate([[1], []]) }
    #expect(throws: GenerationError.tooLong(tokens: limit, limit: limit)) {
      try model.generate([[Int](repeating: 1, count: limit)])
    }
  }

  @Test @TensorActor
  func `weights as they are in the file generate what their fp32 values do`() throws {
    let exact = try LoadedModel.float32()
    let model = try LanguageModel(path: exact.path, precision: .quantized)
    // Few enough tokens that no product is taken otherwise.
    let prompt = exact.tokenizer.encode("The capital of France is")
    let options = GenerationOptions(maxTokens: 24)
    let (found, expected) = (
      try model.generate([prompt], options: options)[0],
      try exact.generate([prompt], options: options)[0]
    )
    #expect(found.ids == expected.ids)
    expectError(
      largestDifference(found.logprobs, expected.logprobs), within: 3e-4, "quantised products")
  }

  /// In bf16 keys and values are kept in half precision, whose 11 bits are three more than the weights have:
  /// what is generated is as far from fp32 as a forward pass of the same model.
  @Test(.enabled(if: Processor.packsBFloat16)) @TensorActor
  func `a cache in half precision is no further off than half again bf16's error`() throws {
    let exact = try LoadedModel.float32()
    let model = try LanguageModel(path: exact.path, precision: .bfloat16)
    let prompts = (0..<10).map { model.tokenizer.encode("The number \($0) comes after") }
    var options = GenerationOptions(maxTokens: 12)
    options.stopsAtEnd = false
    var (ofTexts, ofPasses) = (0.0, 0.0)
    for (prompt, text) in zip(prompts, try model.generate(prompts, options: options)) {
      let expected = try logprobs(exact, prompt, text.ids)
      ofTexts = max(ofTexts, largestDifference(text.logprobs, expected))
      ofPasses = max(
        ofPasses, largestDifference(try logprobs(model, prompt, text.ids), expected))
    }
    expectError(ofTexts, within: 1.5 * ofPasses, "half-precision cache")
  }

  /// From ten texts to five and to one: what is computed how changes with the number, what is cached stays.
  @Test(arguments: [Precision.bfloat16, .quantized]) @TensorActor
  func `texts that end early leave the others as they were`(_ precision: Precision) throws {
    let exact = try LoadedModel.float32()
    let model = try LanguageModel(path: exact.path, precision: precision)
    let prompts = (0..<10).map { model.tokenizer.encode("The number \($0) comes after") }
    var options = GenerationOptions(maxTokens: 16)
    options.stopsAtEnd = false
    let whole = try model.generate(prompts, options: options)
    // Each stop string is what one of the texts has after a few tokens.
    options.stop = (0..<9).map { i in
      model.tokenizer.decode(Array(whole[i].ids[(1 + i / 2)..<(4 + i / 2)]))
    }
    let texts = try model.generate(prompts, options: options)
    let lengths = texts.map(\.ids.count)
    #expect((lengths.min() ?? 0) < 8, "\(lengths): nothing ended early")
    var (ofTexts, ofWhole) = (0.0, 0.0)
    for (prompt, (text, all)) in zip(prompts, zip(texts, whole)) {
      ofTexts = max(
        ofTexts, largestDifference(text.logprobs, try logprobs(exact, prompt, text.ids)))
      ofWhole = max(ofWhole, largestDifference(all.logprobs, try logprobs(exact, prompt, all.ids)))
    }
    expectError(ofTexts, within: 1.5 * ofWhole, "texts that end early, \(precision)")
  }

  /// Of the tokens that follow a prompt, in one forward pass.
  @TensorActor private func logprobs(
    _ model: LanguageModel, _ prompt: [Int], _ ids: [Int]
  ) throws -> [Float] {
    let all = prompt + ids
    let logits = try model.logits(TokenBatch([all])).logSoftmax()
    let index = Tensor(all.dropFirst().map(Int32.init), shape: [all.count - 1, 1])
    let values = try logits.slice(0..<all.count - 1).takeAlongAxis(index, axis: 1).floats()
    return Array(values.suffix(ids.count))
  }

  /// Ten sequences are more than blocks are multiplied with as integers: they go through bf16.
  @Test @TensorActor
  func `many sequences with the file's weights are as exact as in bf16`() throws {
    let exact = try LoadedModel.float32()
    let model = try LanguageModel(path: exact.path, precision: .quantized)
    let rounded = try LanguageModel(path: exact.path, precision: .bfloat16)
    let prompts = (0..<10).map { exact.tokenizer.encode("Number \($0) is a") }
    var options = GenerationOptions(maxTokens: 6)
    options.stopsAtEnd = false
    func error(of model: LanguageModel) throws -> Double {
      let texts = try model.generate(prompts, options: options)
      return try zip(prompts, texts).map { prompt, text in
        largestDifference(text.logprobs, try logprobs(exact, prompt, text.ids))
      }.max() ?? .infinity
    }
    expectError(
      try error(of: model), within: 1.5 * (try error(of: rounded)), "log-probabilities of ten texts"
    )
  }
}
