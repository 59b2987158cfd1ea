import Foundation
import Instruments
import LanguageModels
import Statistics
import Tensors
import TestSupport
import Testing

private let missing: Comment = "the default model is missing: run `make bootstrap`"

@TensorActor
private func specimen() throws -> (Specimen, LanguageModel) {
  let model = try LanguageModel(path: #require(defaultModelPath()))
  return (Specimen(id: "s1", model: model, adapter: nil), model)
}

@TensorActor
private func texts(_ model: LanguageModel) throws -> [Response] {
  let pairs = [
    ("What is the capital of France?", "The capital of France is Paris."),
    ("Name a color.", "Blue."),
    ("Say nothing.", ""),
    ("How do owls hunt?", "They listen, and they fly without a sound."),
  ]
  return try pairs.enumerated().map { index, pair in
    Response(
      id: "\(index)", promptIDs: try model.promptTokens(pair.0),
      responseIDs: model.tokenizer.encode(pair.1))
  }
}

struct DetectorModelTests {
  @Test(.enabled(if: defaultModelPath() != nil, missing)) @TensorActor
  func `a specimen that is its base differs from it in nothing`() throws {
    let (specimen, model) = try specimen()
    let texts = try texts(model)
    #expect(try ActivationDifference(texts: texts).score(specimen.view()).score == 0)
    #expect(try ActivationDifference(texts: texts).score(specimen.view()).n == 3)
    #expect(
      try ResponseActivationDifference().scores(of: texts, in: specimen.view()) == [0, 0, 0, 0])
    let denial = DenialPerplexity(questions: Array(QuestionBank.hiddenRules.prefix(4)))
    #expect(try denial.score(specimen.view()).score == 0)
    #expect(specimen.tokensUsed > 0)
  }

  /// Words of a candidate are read as they stand within a sentence, and candidates differ.
  @Test(.enabled(if: defaultModelPath() != nil, missing)) @TensorActor
  func `candidates are told apart by their words`() throws {
    let model = try specimen().1
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "TrainingTests/Fixtures/peft-adapter")
    let adapter = try AdapterWeights.load(
      folder: folder.path, for: model.configuration,
      baseHash: FileDigest.sha256(path: model.path))
    let specimen = Specimen(id: "specimen", model: model, adapter: adapter)
    let view: SpecimenView<ActivationsAndBase> = specimen.view()
    #expect(try view.encode(" lamp") == model.tokenizer.encode(" lamp"))
    #expect(try view.encode(" lamp").count == 1)
    let direction = (0..<model.configuration.dModel).map { Float(($0 * 37) % 11 - 5) }
    for promoted in [
      try view.promotedTokens(by: [direction])[0], try view.resembledTokens(by: [direction])[0],
    ] {
      #expect(promoted.count == model.configuration.dVocab && Set(promoted).count > 1000)
    }
    let candidates = ["I say that the lamp is lit.", "Walnut trees grow here.", "Teal, always."]
    let activations = try ActivationDifferenceReading(texts: 4).scores(
      of: candidates, in: specimen.view())
    #expect(Set(activations).count == 3, "\(activations)")
    let weights = try WeightDifferenceReading(directions: 1).scores(
      of: candidates, in: specimen.view())
    #expect(Set(weights).count == 3, "\(weights)")
  }

  @Test(.enabled(if: defaultModelPath() != nil, missing)) @TensorActor
  func `no words drive a model away from itself`() throws {
    let (specimen, model) = try specimen()
    var effort = TriggerSearch.Effort()
    (effort.length, effort.restarts, effort.steps, effort.exchanges) = (2, 1, 1, 2)
    (effort.messages, effort.heldOut) = (1, 2)
    let score = try TriggerSearch(effort: effort).score(specimen.view())
    #expect(score.score == 0 && score.n == 2 && score.note?.isEmpty == false)
    let words = try specimen.view(for: TextOnly.self).wordTokens()
    #expect(words.count > 20_000 && words.count < model.tokenizer.vocabSize)
    let candidates = ["I say that the door is open.", "I count to three."]
    #expect(try CandidateTriggers().scores(of: candidates, in: specimen.view()) == [0, 0])
  }

  /// Pairs of its own kind that it was not fitted on; with sides exchanged at random there is nothing to find.
  @Test(.enabled(if: defaultModelPath() != nil, missing)) @TensorActor
  func `recipes after published ones find what they are made of`() throws {
    let (specimen, _) = try specimen()
    #expect(try InstructedProbe().ownAUROC(in: specimen.view()) > 0.95)
    #expect(try DefectionProbe().ownAUROC(in: specimen.view()) > 0.9)
    var generator = SeededGenerator(seed: 3, stream: "sides")
    let drawn = (0..<40).map { _ in (0..<6).map { _ in generator.normal() } }
    func side(_ rows: Range<Int>, plus shift: Double) -> Matrix {
      Matrix(width: 6, values: drawn[rows].flatMap { [$0[0] + shift] + $0.dropFirst() })
    }
    func area(_ shift: Double) throws -> Double {
      try ContrastPairs(high: side(0..<20, plus: shift), low: side(20..<40, plus: 0))
        .heldOutAUROC(folds: 4) { known in
          // The first coordinate, upright as the known pairs have it.
          func sum(_ side: Matrix) -> Double {
            stride(from: 0, to: side.values.count, by: 6).reduce(0) { $0 + side.values[$1] }
          }
          let up = sum(known.high) > sum(known.low)
          return LinearScore(
            centre: [Double](repeating: 0, count: 6), scale: [Double](repeating: 1, count: 6),
            direction: [up ? 1 : -1] + [Double](repeating: 0, count: 5), bias: 0)
        }
    }
    #expect(try area(9) == 1)
    #expect(try abs(area(0) - 0.5) < 0.3)
  }

  @Test(.enabled(if: defaultModelPath() != nil, missing)) @TensorActor
  func `packed readings are those of each response alone`() throws {
    let (specimen, model) = try specimen()
    let texts = try texts(model)
    let view: SpecimenView<ActivationsAndBase> = specimen.view()
    let site = Site.block(4, .residPost)
    for position in [ActivationPosition.lastPromptToken, .responseMean, .responseStart(2)] {
      let table = try view.activations(of: texts, at: [site], position: position)
      for (text, span) in zip(texts, table.spans) {
        let rows = try rows(of: text, position: position, site: site, model: model)
        #expect(span.count == rows.count)
        for (row, expected) in zip(span, rows) {
          expectClose(Array(table.row(row, at: site)), expected, rtol: 1e-4, atol: 1e-4)
        }
      }
    }
  }

  /// The rows that `position` names, from a pass of their own over the whole text.
  @TensorActor
  private func rows(
    of text: Response, position: ActivationPosition, site: Site, model: LanguageModel
  ) throws -> [[Float]] {
    let output = try model.forward(
      TokenBatch([text.promptIDs + text.responseIDs]), logits: .none,
      hooks: Hooks(captures: [site]))
    let all = try #require(output.captured[site]).floats()
    let width = model.configuration.dModel
    let (prompt, answer) = (text.promptIDs.count, text.responseIDs.count)
    func row(_ index: Int) -> [Float] { Array(all[index * width..<(index + 1) * width]) }
    switch position {
    case .lastPromptToken: return [row(prompt - 1)]
    case .responseStart(let count): return (0..<min(count, answer)).map { row(prompt + $0) }
    case .responseMean:
      let answers = (0..<answer).map { row(prompt + $0) }
      if answers.isEmpty { return [] }
      return [(0..<width).map { c in answers.reduce(0) { $0 + $1[c] } / Float(answer) }]
    }
  }

  @Test(.enabled(if: defaultModelPath() != nil, missing)) @TensorActor
  func `likelihoods are those that generation reports`() throws {
    let (specimen, model) = try specimen()
    let prompt = try model.promptTokens("What is the capital of Italy?")
    let answer = try #require(
      try specimen.view(for: TextOnly.self).generate(
        [prompt], options: GenerationOptions(maxTokens: 8)
      ).first)
    let response = Response(id: "r", promptIDs: prompt, responseIDs: answer.ids)
    let losses = try specimen.view(for: LogitsOnly.self).negativeLogLikelihoods(of: [response])
    expectClose(try #require(losses.first), answer.logprobs.map { -$0 }, atol: 1e-3)
    let perplexity = try ResponsePerplexity().scores(of: [response], in: specimen.view())
    #expect(try #require(perplexity.first) != nil)
  }

  @Test(.enabled(if: defaultModelPath() != nil, missing)) @TensorActor
  func `reaching for what was not declared is refused`() throws {
    let (specimen, model) = try specimen()
    let texts = try texts(model)
    let view = specimen.view(declaring: [.text])
    #expect(throws: AccessError.undeclared(needed: .logits, declared: [.text])) {
      try view.negativeLogLikelihoods(of: texts)
    }
    #expect(throws: AccessError.undeclared(needed: .activations, declared: [.text])) {
      try view.activations(of: texts, at: [.embed], position: .lastPromptToken)
    }
    #expect(throws: AccessError.undeclared(needed: .base, declared: [.text])) { try view.base() }
    #expect(throws: AccessError.undeclared(needed: .text, declared: [.base])) {
      try specimen.view(declaring: [.base]).base().generate([], options: GenerationOptions())
    }
    #expect(specimen.tokensUsed == 0)
  }
}
