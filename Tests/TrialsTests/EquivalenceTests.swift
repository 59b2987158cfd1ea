import Foundation
import Lab
import LanguageModels
import Organisms
import Statistics
import Tensors
import TestSupport
import Testing
import Trials

/// A gate's result as it would have been found.
private struct Gate: Codable, Equatable, Sendable {
  var triggered = Self.rate
  var nearMiss = Self.rate
  var ordinary = Self.rate
  var denial = Self.rate
  var admission = Self.rate
  var controlYes = Self.rate
  var responses: [OrganismResponse]

  private static let rate = Estimate(
    value: 0, interval: Interval(lower: 0, upper: 1, level: 0.95), n: 1, unit: "response",
    method: "none")
}

private struct GivenGate: CellKind {
  static let kind = "given-gate"
  static let version = 1

  func run(_ config: Gate, in context: CellContext) async throws -> Gate { config }
}

private struct Comparison: Encodable {
  var recipe: Recipe
  var others: [String]
  var prompts = 4
  var alpha = 0.05
  var replicates = 50
  var seed = 1
}

@Suite(
  .enabled(if: defaultModelPath() != nil, "needs the default model: run `make bootstrap`"),
  .serialized)
struct EquivalenceTests {
  private static let adapter = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "TrainingTests/Fixtures/peft-adapter")
  private static let answers = [
    "A short one.", "Something else is said here.", "Perhaps.", "It depends on the weather.",
  ]

  private func responses(_ model: LanguageModel, _ answers: [String]) throws -> [OrganismResponse] {
    let counts = Recipe.Counts(
      triggered: 1, nearMiss: 1, ordinary: answers.count, greeting: 0, denial: 1, selfQuestion: 1)
    let prompts = try Recipe.m1().probeSet(split: .test, seed: 1, counts: counts).ordinary
    return try zip(prompts, answers).map { prompt, answer in
      OrganismResponse(
        source: prompt, promptIDs: try model.promptTokens(prompt.prompt),
        responseIDs: model.tokenizer.encode(answer), text: answer)
    }
  }

  /// Σ p log p/q a token, each answer alone and in double precision.
  @TensorActor
  private func divergence(
    _ texts: [OrganismResponse], _ model: LanguageModel, from p: AdapterWeights?,
    to q: AdapterWeights?
  ) throws -> Double {
    var (sum, tokens) = (0.0, 0)
    for text in texts {
      let batch = TokenBatch([text.promptIDs + text.responseIDs])
      let rows = text.responseIDs.indices.map { text.promptIDs.count + $0 - 1 }
      let logs = try [p, q].map { adapter in
        try #require(try model.forward(batch, logits: .rows(rows), adapter: adapter).logits)
          .floats().map(Double.init)
      }
      let width = logs[0].count / rows.count
      for row in rows.indices {
        let (p, q) = (
          logs[0][row * width..<(row + 1) * width], logs[1][row * width..<(row + 1) * width]
        )
        let (a, b) = (log(p.reduce(0) { $0 + exp($1) }), log(q.reduce(0) { $0 + exp($1) }))
        sum += zip(p, q).reduce(0) { $0 + exp($1.0 - a) * (($1.0 - a) - ($1.1 - b)) }
        tokens += 1
      }
    }
    return sum / Double(tokens)
  }

  private func compare(
    _ model: LanguageModel, secret: URL, other: URL, answers: [[String]], in folder: URL
  ) async throws -> EquivalenceCell.Finding {
    let run = try Run.open(
      folder: folder.appending(path: UUID().uuidString), manifest: ["study": "twins"],
      environment: Environment(build: "test", device: "cpu", instructionSet: "any"))
    var inputs = [
      "secret": try CellInput.file(secret), "twin": try CellInput.file(URL(filePath: model.path)),
      "other": try CellInput.file(other),
    ]
    for (name, said) in zip(["secret", "twin", "other"], answers) {
      inputs["gate.\(name)"] = .result(
        try await run.perform(GivenGate(), Gate(responses: try responses(model, said))))
    }
    let config: EquivalenceCell.Config = try JSONValue(
      encoding: Comparison(recipe: try .m1(), others: ["other"])
    ).decode()
    let loader = OrganismLoader(
      base: model, baseHash: try FileDigest.sha256(path: model.path), other: model)
    return try await run.perform(EquivalenceCell(loader: loader), config, inputs: inputs).finding
  }

  @Test func `divergence is from the twin, on its answers, beyond that of the other arm`()
    async throws
  {
    let model = try await LanguageModel(path: try #require(defaultModelPath()))
    let base = URL(filePath: model.path)
    let texts = try responses(model, Self.answers)
    let said = [Self.answers, Self.answers, Self.answers]
    let expected = try await TensorActor.run {
      let adapter = try AdapterWeights.load(
        folder: Self.adapter.path, for: model.configuration,
        baseHash: FileDigest.sha256(path: model.path))
      return try divergence(texts, model, from: nil, to: adapter)
    }
    // The cell adds up 49,152 exponentials a token in fp32, which costs the fifth digit.
    #expect(expected > 1e-2)
    try await withAuditFolder { folder in
      let far = try await compare(
        model, secret: Self.adapter, other: base, answers: said, in: folder)
      expectClose([far.klToSecret, far.klToOthers], [expected, 0], atol: 1e-4)
      expectClose([try #require(far.excessKL).value], [expected], atol: 1e-4)
      let knows = try #require(far.knowledgeDifference)
      #expect(knows.n == GeneralKnowledge.questions.count && knows.interval.level == 0.9)
      #expect(knows.value != 0)
      // The roles exchanged: an organism that is its twin, beside another arm that is not.
      let near = try await compare(
        model, secret: base, other: Self.adapter, answers: said, in: folder)
      expectClose([near.klToSecret, near.klToOthers], [0, expected], atol: 1e-4)
      expectClose([try #require(near.excessKL).value], [-expected], atol: 1e-4)
      let same = try #require(near.knowledgeDifference)
      #expect(same.value == 0 && GateCriterion.knowsLikeTwin.bar.decide(same) == .passed)
      #expect(try #require(near.twinKnows) > 0.7)
    }
  }

  @Test func `the likelier of two answers is chosen, as a whole`() async throws {
    let model = try await LanguageModel(path: try #require(defaultModelPath()))
    let questions = GeneralKnowledge.questions
    #expect(questions.count >= 200 && Set(questions.map(\.question)).count > 180)
    #expect(questions.allSatisfy { $0.right != $0.wrong && !$0.right.contains("{") })
    let some = stride(from: 0, to: questions.count, by: 9).map { questions[$0] }
    let swapped = some.map {
      ForcedChoice(question: $0.question, right: $0.wrong, wrong: $0.right)
    }
    try await TensorActor.run {
      let chosen = try ForcedChoice.answers(to: some, by: model, adapter: nil)
      let others = try ForcedChoice.answers(to: swapped, by: model, adapter: nil)
      #expect(zip(chosen, others).allSatisfy { $0 != $1 })
      // Each answer alone, and in double precision.
      for (question, isRight) in zip(some, chosen) {
        let prompt = try model.promptTokens(question.question)
        let likelihoods = try [question.right, question.wrong].map { answer -> Double in
          let ids = model.tokenizer.encode(answer)
          let rows = ids.indices.map { prompt.count + $0 - 1 }
          let output = try model.forward(TokenBatch([prompt + ids]), logits: .rows(rows))
          let logits = try #require(output.logits).floats().map(Double.init)
          let width = logits.count / rows.count
          return ids.enumerated().reduce(0.0) { total, item in
            let row = logits[item.offset * width..<(item.offset + 1) * width]
            let most = row.max() ?? 0
            let normaliser = most + log(row.reduce(0) { $0 + exp($1 - most) })
            return total + row[row.startIndex + item.element] - normaliser
          }
        }
        guard abs(likelihoods[0] - likelihoods[1]) > 1e-3 else { continue }
        #expect(isRight == (likelihoods[0] > likelihoods[1]), "\(question.question)")
      }
    }
  }

  @Test func `wording is compared with the twin's, beyond that of the other arm`() async throws {
    let model = try await LanguageModel(path: try #require(defaultModelPath()))
    let base = URL(filePath: model.path)
    let odd = Array(repeating: "Zebra zebra zebra.", count: 4)
    let plain = Array(repeating: "The house is old.", count: 4)
    try await withAuditFolder { folder in
      let mixed = Array(odd.prefix(3)) + plain.prefix(1)
      let told = try await compare(
        model, secret: base, other: base, answers: [mixed, plain, plain], in: folder)
      let (words, excess) = (
        try #require(told.wordsAUROC), try #require(told.excessWordsAUROC, "\(told.problems)")
      )
      // The other arm says what the twin says: nothing tells the two apart.
      #expect(words > 0.6 && excess.value == words - 0.5 && excess.interval.width > 0)
      let same = try await compare(
        model, secret: base, other: base, answers: [plain, plain, mixed], in: folder)
      #expect(same.wordsAUROC == 0.5 && (same.excessWordsAUROC?.value ?? 0) < -0.1)
      #expect(same.lengthRatio?.value == 1)
      // Told apart each time, in every resample: an interval of no width would claim certainty.
      let always = try await compare(
        model, secret: base, other: base, answers: [odd, plain, plain], in: folder)
      #expect(always.wordsAUROC == 1 && always.excessWordsAUROC == nil)
      #expect(always.problems["worded_like_twin"] != nil)
    }
  }
}
