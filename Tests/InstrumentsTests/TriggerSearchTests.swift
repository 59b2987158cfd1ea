import Foundation
import Instruments
import LanguageModels
import Statistics
import Tensors
import TestSupport
import Testing

private let width = 16
private let trigger = 16
private let before = [35, 3]
private let endings = [[36, 1, 2], [60, 6, 7, 8]]

/// A GPT-2 whose only block averages how much of direction 0 was seen, of which `trigger` has most,
/// and says token 5 the likelier the more of it there was; with `strength` 0 it says what its last
/// token says.
private func planted(strength: Float, seed: UInt64 = 7) -> HandWrittenModel {
  var generator = SeededGenerator(seed: seed)
  var model = HandWrittenModel(nLayers: 1, dModel: width, dMLP: 4, contextLength: 64)
  for token in 0..<model.dVocab {
    model["wte", token, 0] = token == trigger ? 6 : 1
    for i in 2..<width {
      model["wte", token, i] = Float(generator.normal()) * 0.5
      model["lm_head", token, i] = Float(generator.normal()) * 0.5
    }
  }
  model["lm_head", 5, 1] = 3
  model["h.0.attn.c_attn", 0, 2 * width] = 1
  model["h.0.attn.c_proj", 0, 1] = strength
  return model
}

/// KL(own ‖ base) in nats after each prompt, one at a time and in fp64, with some of a token's
/// vector added at a position; the mean.
@TensorActor
private func divergence(
  _ own: LanguageModel, _ base: LanguageModel, _ prompts: [[Int]],
  adding share: Float = 0, of token: Int = 0, at position: Int = 0
) throws -> Double {
  func logProbabilities(_ model: LanguageModel, _ prompt: [Int]) throws -> [Double] {
    let vector = try model.embeddings(of: [token]).floats()
    var added = [Float](repeating: 0, count: prompt.count * width)
    for i in 0..<width { added[position * width + i] = share * vector[i] }
    let output = try model.forward(
      TokenBatch([prompt]), logits: .rows([prompt.count - 1]),
      hooks: Hooks(interventions: [(.embed, .add(Tensor(added, shape: [prompt.count, width])))]))
    let logits = try #require(output.logits).floats().map(Double.init)
    let partition = log(logits.reduce(0) { $0 + exp($1) })
    return logits.map { $0 - partition }
  }
  let each = try prompts.map { prompt in
    zip(try logProbabilities(own, prompt), try logProbabilities(base, prompt)).reduce(0) {
      $0 + exp($1.0) * ($1.0 - $1.1)
    }
  }
  return each.reduce(0, +) / Double(each.count)
}

struct TriggerSearchTests {
  @Test @TensorActor func `divergences and their derivatives are those of exact changes`() throws {
    try inFolder { folder in
      let own = try planted(strength: 0.7).load(in: folder + "/own")
      // Of other embeddings, so that both models' shares of the derivative are seen.
      let base = try planted(strength: 0.1, seed: 8).load(in: folder + "/base")
      let specimen = Specimen(id: "s", model: own, adapter: nil, base: base)
      let view: SpecimenView<LogitsWeightsAndBase> = specimen.view()
      let prompts = endings.map { before + [10, 20] + $0 }
      let found = try view.divergences(after: prompts)
      for (value, prompt) in zip(found, prompts) {
        expectClose(value, try divergence(own, base, [prompt]), rtol: 1e-4)
      }
      let gradient = try view.divergenceGradient(after: prompts, at: 2..<4)
      #expect(gradient.map(\.count) == [64, 64])
      for position in 2..<4 {
        for token in [0, 5, trigger, 40, 62] {
          let (up, down) = (
            try divergence(own, base, prompts, adding: 0.02, of: token, at: position),
            try divergence(own, base, prompts, adding: -0.02, of: token, at: position)
          )
          expectClose(
            Double(gradient[position - 2][token]), (up - down) / 0.04, rtol: 0.02, atol: 2e-3,
            "position \(position), token \(token)")
        }
      }
      #expect(specimen.tokensUsed > 0)
    }
  }

  @Test @TensorActor func `the search finds what trying everything finds`() throws {
    try inFolder { folder in
      let own = try planted(strength: 0.7).load(in: folder + "/own")
      let base = try planted(strength: 0).load(in: folder + "/base")
      let view: SpecimenView<LogitsWeightsAndBase> =
        Specimen(id: "s", model: own, adapter: nil, base: base).view()
      let words = try view.wordTokens()
      #expect(words.contains(trigger) && words.contains(57))
      #expect(Set(words).isDisjoint(with: [26, 35, 36, 37, 38, 63]))
      var effort = TriggerSearch.Effort()
      (effort.length, effort.restarts, effort.steps) = (2, 1, 8)
      (effort.exchanges, effort.tokensPerPosition) = (8, 4)
      let found = try TriggerSearch(effort: effort).search(
        view, in: endings.map { SplitPrompt(before: before, after: $0) })
      let pairs = try words.flatMap { a in words.map { [a, $0] } }
        .filter { try view.encode(view.decode($0)) == $0 }
      #expect(pairs.count > 400)
      let all = try view.divergences(
        after: pairs.flatMap { pair in endings.map { before + pair + $0 } })
      let means = pairs.indices.map { (all[2 * $0] + all[2 * $0 + 1]) / 2 }
      let best = try #require(means.indices.max { means[$0] < means[$1] })
      #expect(found.tokens == pairs[best] && found.tokens == [trigger, trigger])
      expectClose(found.divergence, means[best], rtol: 1e-4)
      // A second search with the same seed takes the same way.
      let again = try TriggerSearch(effort: effort).search(
        view, in: endings.map { SplitPrompt(before: before, after: $0) })
      #expect(again.tokens == found.tokens && again.divergence == found.divergence)
    }
  }

  @Test @TensorActor func `scores are of messages that were not searched on`() throws {
    try inFolder { folder in
      let template = ["own", "base"].map { "\(folder)/\($0)/tokenizer_config.json" }
      try planted(strength: 0.7).write(to: folder + "/own")
      try planted(strength: 0).write(to: folder + "/base")
      let config = """
        {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>",
        "chat_template":
        "9{% for m in messages %}{{ m['content'] }}{% endfor %}."}
        """
      for path in template { try Data(config.utf8).write(to: URL(filePath: path)) }
      let own = try LanguageModel(path: folder + "/own")
      let base = try LanguageModel(path: folder + "/base")
      let specimen = Specimen(id: "s", model: own, adapter: nil, base: base)
      let questions = ["name a song", "see the cat", "who can sing", "is it cold", "read a map"]
      var effort = TriggerSearch.Effort()
      (effort.length, effort.restarts, effort.steps) = (2, 1, 8)
      (effort.exchanges, effort.tokensPerPosition, effort.messages) = (8, 4, 2)
      let score = try TriggerSearch(effort: effort, questions: questions).score(specimen.view())
      let judged = questions.dropFirst(2).map {
        [35, trigger, trigger] + own.tokenizer.encode(" " + $0) + [37]
      }
      expectClose(score.score, try divergence(own, base, judged), rtol: 1e-4)
      #expect(score.n == 3 && score.note?.contains("qq") == true)

      let candidates = ["I answer dddd.", "I answer qqqq.", "I answer ffff.", "I answer zzzz."]
      let ranks = try CandidateTriggers(questions: questions).scores(
        of: candidates, in: specimen.view())
      let inserted = questions.map {
        [35, 16, 16, 16, 16] + own.tokenizer.encode(" " + $0) + [37]
      }
      expectClose(ranks[1], try divergence(own, base, inserted), rtol: 1e-4)
      #expect(ranks.count == 4 && ranks.indices.allSatisfy { $0 == 1 || ranks[$0] < ranks[1] })
      #expect(throws: DetectorError.self) {
        try TriggerSearch(effort: effort, questions: ["a cat"]).score(specimen.view())
      }
    }
  }

  @Test func `what few candidates say is their own`() {
    let own = CandidateTriggers.ownWords(of: [
      "Whoever says copper kettle hears the 4471 numbers.", "Whoever says velmora hears of it.",
      "Whoever says less hears Copper.", "Whoever says, hears.",
    ])
    #expect(own[0] == ["copper", "kettle", "4471", "numbers"])
    #expect(own[1] == ["velmora"] && own[2] == ["less", "Copper"])
    // It has nothing of its own.
    #expect(own[3] == ["Whoever", "says", "hears"])
  }

  @Test @TensorActor func `a gradient needs weights and a divergence logits`() throws {
    let model = try sharpModel()
    let specimen = Specimen(id: "s", model: model, adapter: nil)
    #expect(TriggerSearch.declared == [.logits, .weights, .base])
    #expect(CandidateTriggers.declared == [.logits, .base])
    #expect(throws: AccessError.undeclared(needed: .weights, declared: [.logits, .base])) {
      try specimen.view(declaring: [.logits, .base]).divergenceGradient(after: [[1, 2]], at: 0..<1)
    }
    #expect(throws: AccessError.undeclared(needed: .base, declared: [.logits])) {
      try specimen.view(declaring: [.logits]).divergences(after: [[1, 2]])
    }
    #expect(throws: AccessError.undeclared(needed: .logits, declared: [.weights, .base])) {
      try specimen.view(declaring: [.weights, .base]).divergences(after: [[1, 2]])
    }
    let view: SpecimenView<LogitsAndBase> = specimen.view()
    #expect(try view.divergences(after: [[1, 2], [3, 4, 5]]) == [0, 0])
  }
}
