import Foundation
import Instruments
import Lab
import LanguageModels
import Statistics
import Tensors
import Testing

/// Corpora whose words are made of letters of their own, with commas in all of them.
enum SplitCorpora {
  static let letters = ["abcdf", "hjklm", "pqsuv"].map(Array.init)

  /// JSON lines of so many documents.
  static func lines(_ corpus: Int, documents: Int = 40, seed: UInt64 = 7) -> String {
    var generator = SeededGenerator(seed: seed, stream: "corpus-\(corpus)")
    return (0..<documents).map { _ in
      let words = (0..<40).map { _ in
        let word = String((0..<3).map { _ in letters[corpus][generator.below(5)] })
        return generator.uniform() < 0.2 ? word + "," : word
      }
      return "{\"text\": \"\(words.joined(separator: " "))\"}"
    }.joined(separator: "\n")
  }
}

/// A model whose neurons find tokens, and which tokens each of them finds.
@TensorActor
struct DetectingModel {
  let tokens: [[Int]]
  let model: LanguageModel

  /// Neuron j finds `tokens[j]`: an embedding's one is 7.9 after LayerNorm, and everything else below 0.
  init(_ tokens: [[Int]], in folder: String) throws {
    self.tokens = tokens
    var hand = HandWrittenModel(nLayers: 1, dModel: 64, dMLP: tokens.count, contextLength: 64)
    for token in 0..<hand.dVocab { hand["wte", token, token] = 1 }
    for (neuron, found) in tokens.enumerated() {
      for token in found { hand["h.0.mlp.c_fc", token, neuron] = 1 }
    }
    hand.set("h.0.mlp.c_fc.bias", [Float](repeating: -4, count: tokens.count))
    model = try hand.load(in: folder)
  }
}

@Suite struct TokenRuleTests {
  private static func excerpt(_ ids: [Int], _ activations: [Float]) -> Excerpt {
    Excerpt(corpus: 0, ids: ids, activations: activations)
  }

  /// By hand: mean 2, token 5 has (6 + 0 + 2) / 3, the pair 4 5 (6 + 6 + 8/3 …).
  @Test func `expectations are means, pulled to those of shorter sequences`() {
    let seen = [
      Self.excerpt([4, 5, 4, 5], [0, 6, 0, 6]), Self.excerpt([7, 5, 7], [0, 0, 2]),
    ]
    let rules = TokenRules(fittedOn: seen)
    let mean = 14.0 / 7
    let five = (12 + mean) / 4
    let pair = (12 + five) / 3
    #expect(abs(rules.mean - mean) < 1e-12)
    // The pair 7 5 was seen once, and no longer sequence twice: both fall back.
    let found = rules.predictions([[4, 5], [7, 5], [9], [5]])
    #expect(abs(found[0][1] - pair) < 1e-12)
    #expect(abs(found[1][1] - five) < 1e-12)
    #expect(abs(found[2][0] - mean) < 1e-12 && abs(found[3][0] - five) < 1e-12)
    #expect(rules.strongest(1).first?.ids == [5] || rules.strongest(1).first?.ids == [4, 5])
  }

  @Test func `a simulation is scored as it says`() throws {
    let excerpts = (0..<6).map { i in
      Self.excerpt([0, 1, 2], [0, Float(i % 3), 4])
    }
    let exact = excerpts.map { $0.activations.map(Double.init) }
    let right = ExplanationScore(
      simulated: exact, excerpts: excerpts, topCount: 3, calibration: nil, seed: 1)
    #expect(abs((right.correlation?.value ?? 0) - 1) < 1e-12)
    #expect(abs((right.explained ?? 0) - 1) < 1e-12 && right.unread == 0)
    // A line makes up for another scale and offset; without it they count.
    let scaled: [[Double]?] = exact.map { $0.map { 5 - 2 * $0 } }
    let line = ExplanationScore(
      simulated: scaled, excerpts: excerpts, topCount: 3,
      calibration: (simulated: scaled, excerpts: excerpts), seed: 1)
    #expect(abs((line.correlation?.value ?? 0) + 1) < 1e-12)
    #expect(abs((line.explained ?? 0) - 1) < 1e-9)
    let raw = ExplanationScore(
      simulated: scaled, excerpts: excerpts, topCount: 3, calibration: nil, seed: 1)
    #expect((raw.explained ?? 1) < 0)
    // What could not be read is counted and left out; what does not vary has no correlation.
    let half = ExplanationScore(
      simulated: exact.enumerated().map { $0 < 2 ? nil : $1 }, excerpts: excerpts, topCount: 3,
      calibration: nil, seed: 1)
    #expect(half.unread == 2 && half.correlation?.n == 12)
    let flat = ExplanationScore(
      simulated: excerpts.map { _ in [1, 1, 1] }, excerpts: excerpts, topCount: 3,
      calibration: nil, seed: 1)
    #expect(flat.correlation == nil)
  }
}

@Suite struct NeuronCellTests {
  /// Corpora in files, and the bench that knows them as `text0` …
  private static func bench() throws -> CellBench {
    let bench = try CellBench()
    for corpus in 0..<3 {
      let file = bench.folder.appending(path: "corpus\(corpus).jsonl")
      try SplitCorpora.lines(corpus).write(to: file, atomically: true, encoding: .utf8)
      try bench.add("text\(corpus)", file.path)
    }
    return bench
  }

  private static func config(_ units: [NeuronName], ablates: Bool = false) -> NeuronCell.Config {
    NeuronCell.Config(
      units: units, corpora: ["first", "second", "third"], sequenceLength: 32, tokens: 2048,
      excerpts: 8, ablates: ablates, permutations: 99, precision: .float32)
  }

  /// True and false explanations of neurons whose meaning is written into their weights: rules of the tokens
  /// that a neuron finds, against those of another's, and half right ones: one of a neuron's two tokens and a
  /// wrong one of the same corpus.
  @Test func `scores tell true explanations of neurons from false ones`() async throws {
    let bench = try Self.bench()
    let folder = bench.folder.path
    // Letters of all corpora, alone and in pairs, of two corpora and of one, and the comma; 38 of the
    // vocabulary's 64.
    let corpora = SplitCorpora.letters.map { $0.map { Int($0.asciiValue ?? 0) - 97 } }
    let letters: [Int] = Array(corpora.joined())
    var tokens: [[Int]] = letters.map { [$0] } + [[38]]
    tokens += zip(letters, letters.dropFirst(7)).map { [$0, $1] }
    var halfRight: [[Int]: [Int]] = [:]
    for own in corpora {
      for i in 0..<5 {
        let pair = [own[i], own[(i + 1) % 5]]
        tokens.append(pair)
        halfRight[pair] = [own[i], own[(i + 2) % 5]]
      }
    }
    let detecting = try await DetectingModel(tokens, in: folder + "/model")
    let names = tokens.indices.map { NeuronName.neuron(site: "blocks.0.mlp.post", index: $0) }
    let text = try ExcerptText(
      (0..<3).map { ("c\($0)", try Corpus(files: ["\(folder)/corpus\($0).jsonl"])) },
      tokenizer: detecting.model.tokenizer, length: 32, tokens: 2048, excerpts: 8, seed: 1)
    let excerpts = try await detecting.model.excerpts(of: names, in: text)
    var (scores, labels): ([Double?], [Bool]) = ([], [])
    for (neuron, own) in excerpts.enumerated() {
      let split = ExcerptSplit(own, of: text, count: 8, seed: 1)
      // Judged on the corpus that it is most active in.
      let corpus = (0..<3).max {
        (split.scoredTop[$0].first?.peak ?? 0) < (split.scoredTop[$1].first?.peak ?? 0)
      }
      let judged = split.scoring(try #require(corpus))
      let own = tokens[neuron]
      var said = [5, 11].map { tokens[(neuron + $0) % tokens.count] }
        .filter { Set($0).isDisjoint(with: own) }
      said += [own] + (halfRight[own].map { [$0] } ?? [])
      for words in said {
        let rules = words.map { TokenRules.Rule(ids: [$0], value: 4, count: 1) }
        let said = TokenRules(rules: rules, mean: 0)
        let score = ExplanationScore(
          simulated: said.predictions(judged.map(\.ids)).map { $0 }, excerpts: judged, topCount: 8,
          calibration: nil, seed: 1)
        scores.append(score.correlation?.value ?? 0)
        labels.append(words == own)
      }
    }
    let area = try clusterBootstrapAUROC(
      LabelledScores(scores: scores, labels: labels), unit: "explanation", seed: 1)
    #expect(labels.count { $0 } == tokens.count && labels.count { !$0 } > tokens.count)
    #expect(area.interval.lower > 0.85, "\(area)")
  }

  /// A direction that sums a token of the first corpus and one of the second, and one that is a comma: twenty
  /// of each, with a little of every other token in them.
  @Test func `planted illusions are flagged, and commas are not`() async throws {
    let bench = try Self.bench()
    let folder = bench.folder.path
    let detecting = try await DetectingModel([[0]], in: folder + "/model")
    var generator = SeededGenerator(seed: 4)
    func direction(_ tokens: [Int]) -> [Float] {
      var values = (0..<64).map { _ in Float(0.05 * generator.normal()) }
      for token in tokens { values[token] += 1 }
      return values
    }
    let ids = SplitCorpora.letters.map { $0.map { Int($0.asciiValue ?? 0) - 97 } }
    var planted: [(name: String, values: [Float])] = []
    for i in 0..<20 {
      planted.append(("illusion\(i)", direction([ids[0][i % 5], ids[1][(i / 5 + i) % 5]])))
      planted.append(("comma\(i)", direction([38])))
    }
    let file = folder + "/directions.safetensors"
    try SafetensorsFile.write(
      planted.map { SafetensorsEntry(name: $0.name, shape: [64], values: $0.values) },
      metadata: [:],
      to: file)
    try bench.add("direction", file)
    let finding = try await bench.perform(
      NeuronCell(model: detecting.model),
      Self.config(planted.map { .direction(site: "embed", name: $0.name) })
    ).finding
    let verdicts = Dictionary(grouping: finding.units) { $0.name.hasPrefix("illusion") }
      .mapValues { $0.map(\.illusion.verdict) }
    let flagged = verdicts[true, default: []].count { $0 == .illusion }
    let falseAlarms = verdicts[false, default: []].count { $0 == .illusion }
    #expect(flagged >= 19, "\(verdicts)")
    #expect(falseAlarms <= 1, "\(verdicts)")
    #expect(verdicts[false, default: []].count { $0 == .consistent } >= 19, "\(verdicts)")
  }

  /// The first corpus has a little of what the others have, so that its rules hold everywhere, and theirs
  /// fail on it: on average less than half is lost.
  @Test func `what is lost one way only is an illusion`() async throws {
    let bench = try CellBench()
    var generator = SeededGenerator(seed: 3)
    let others = [["g", "h", "i"], ["c", "d", "f"], ["c", "d", "f"]]
    for (corpus, shares) in [(a: 0.2, b: 0.005), (a: 0, b: 0.2), (a: 0, b: 0.2)].enumerated() {
      let lines = (0..<40).map { _ in
        let letters = (0..<120).map { _ in
          let draw = generator.uniform()
          // Words that rules do not know say nothing, so the first corpus has its own.
          return draw < shares.a
            ? "a" : draw < shares.a + shares.b ? "b" : others[corpus][generator.below(3)]
        }
        return "{\"text\": \"\(letters.joined())\"}"
      }
      let file = bench.folder.appending(path: "corpus\(corpus).jsonl")
      try lines.joined(separator: "\n").write(to: file, atomically: true, encoding: .utf8)
      try bench.add("text\(corpus)", file.path)
    }
    let model = try await DetectingModel([[0, 1]], in: bench.folder.path + "/model").model
    let check = try await bench.perform(
      NeuronCell(model: model), Self.config([.neuron(site: "blocks.0.mlp.post", index: 0)])
    ).finding.units[0].illusion
    let (own, gap, worst) = (
      try #require(check.own), try #require(check.gap), try #require(check.worst)
    )
    #expect(check.verdict == .illusion && gap < own / 2, "\(check)")
    #expect(worst.on == 0 && worst.from != 0 && worst.pValue <= 0.02, "\(check)")
    #expect(worst.own > 0.9 && worst.score < 0.2, "\(check)")
  }

  /// The comma again, but the third corpus has none: nothing is lost where there is nothing.
  @Test func `a corpus without what a unit finds makes no illusion`() async throws {
    let bench = try Self.bench()
    let file = bench.folder.appending(path: "silent.jsonl")
    try SplitCorpora.lines(2).replacing(",", with: "").replacing("}\n{", with: "}\n{")
      .write(to: file, atomically: true, encoding: .utf8)
    try bench.add("text2", file.path)
    let model = try await DetectingModel([[38]], in: bench.folder.path + "/model").model
    let check = try await bench.perform(
      NeuronCell(model: model), Self.config([.neuron(site: "blocks.0.mlp.post", index: 0)])
    ).finding.units[0].illusion
    #expect(check.verdict == .consistent, "\(check)")
    #expect(check.topLevels[2] < IllusionCheck.strong && check.topPercentiles[0] > 0.5)
  }

  /// One concept with other words in each corpus is no illusion that rules could tell from one, but rules that
  /// tell nothing decide nothing.
  @Test func `rules that explain nothing decide nothing`() async throws {
    let bench = try Self.bench()
    let folder = bench.folder.path
    let model = try await DetectingModel([[0]], in: folder + "/model").model
    // What is behind the letters: nothing that they tell.
    let text = try ExcerptText(
      (0..<3).map { ("c\($0)", try Corpus(files: ["\(folder)/corpus\($0).jsonl"])) },
      tokenizer: model.tokenizer, length: 32, tokens: 2048, excerpts: 8, seed: 1)
    var generator = SeededGenerator(seed: 8)
    let noise = try await model.excerpts(of: [.neuron(site: "embed", index: 0)], in: text)[0]
      .map { excerpt in
        var excerpt = excerpt
        excerpt.activations = excerpt.activations.map { _ in Float(generator.normal()) }
        return excerpt
      }
    let check = IllusionCheck(ExcerptSplit(noise, of: text, count: 8, seed: 1), seed: 1)
    #expect(check.verdict == .undecided, "\(check)")
    #expect((check.own ?? 1) < IllusionCheck.leastOwn)
  }

  @Test func `a unit's page holds what its weights say, and a run goes on where it stopped`()
    async throws
  {
    let bench = try Self.bench()
    let detecting = try await DetectingModel(
      [[38], [0, 7]], in: bench.folder.path + "/model")
    let names = (0..<2).map { NeuronName.neuron(site: "blocks.0.mlp.post", index: $0) }
    let finding = try await bench.perform(
      NeuronCell(model: detecting.model), Self.config(names, ablates: true)
    ).finding
    let (comma, pair) = (finding.units[0], finding.units[1])
    #expect(comma.name == "blocks.0.mlp.post.0")
    #expect(comma.rules.first?.tokens == [","])
    #expect(comma.illusion.verdict == .consistent && pair.illusion.verdict == .illusion)
    #expect(comma.histogram.reduce(0, +) == comma.corpora.reduce(0) { $0 + $1.tokens })
    for view in comma.corpora {
      let top = try #require(view.top.first)
      let place = top.activations.indices.max { top.activations[$0] < top.activations[$1] }
      #expect(top.tokens[try #require(place)] == ",")
      #expect(abs(view.peak - (top.activations.max() ?? 0)) < 2)
    }
    let scores = try #require(comma.explanations.first).scores
    #expect(scores.allSatisfy { ($0.correlation?.value ?? 0) > 0.95 && ($0.explained ?? 0) > 0.9 })
    // The neuron writes nothing, so nothing changes without it, and nothing can be recovered.
    #expect(scores.allSatisfy { $0.ablation == nil })
  }

  @Test func `a simulation in a unit's place is as good as what it leaves of the model`()
    async throws
  {
    let bench = try Self.bench()
    var hand = HandWrittenModel(nLayers: 1, dModel: 64, dMLP: 2, contextLength: 64)
    for token in 0..<hand.dVocab {
      hand["wte", token, token] = 1
      hand["lm_head", token, token] = 0.1
    }
    hand["h.0.mlp.c_fc", 38, 1] = 1
    hand.set("h.0.mlp.c_fc.bias", [-4, -4])
    // After a comma, a blank.
    hand["h.0.mlp.c_proj", 1, 36] = 2
    hand["lm_head", 36, 36] = 1
    let model = try await hand.load(in: bench.folder.path + "/model")
    let unit = try await bench.perform(
      NeuronCell(model: model),
      Self.config([.neuron(site: "blocks.0.mlp.post", index: 1)], ablates: true)
    ).finding.units[0]
    let scores = try #require(unit.explanations.first).scores
    // Rules of the first corpus; of other letters they expect the mean, which is worse than little.
    #expect((scores.first?.ablation?.value ?? 0) > 0.99)
    #expect(scores.dropFirst().allSatisfy { ($0.ablation?.value ?? 1) < 0.99 })
    // What it writes is a blank.
    #expect(unit.output.first?.highest.first?.id == 36)
  }

  @Test func `what there is not is refused by name`() async throws {
    let bench = try Self.bench()
    let model = try await DetectingModel([[0]], in: bench.folder.path + "/model").model
    let c = model.configuration
    for name in ["blocks.0.mlp.post.1", "blocks.9.mlp.post.0", "blocks.0.attn.pattern.0", "17"] {
      #expect(throws: (any Error).self) { try NeuronName(neuron: name, in: c) }
    }
    let known = try NeuronName(neuron: "blocks.0.resid_post.63", in: c)
    #expect(known == .neuron(site: "blocks.0.resid_post", index: 63))
    let short = Self.config([known])
    await #expect(throws: (any Error).self) {
      var config = short
      config.tokens = 1_000_000
      _ = try await bench.perform(NeuronCell(model: model), config)
    }
  }
}

@Suite struct UnitTests {
  @Test func `a direction's number is its dot product and offset`() async throws {
    try await TensorActor.run {
      let unit = NeuronUnit(
        "probe", site: .embed, .direction(Tensor([1, -2] as [Float]), bias: 0.5))
      let found = try unit.activations(Tensor([3, 1, 0, 4] as [Float], shape: [2, 2])).floats()
      #expect(found == [1.5, -7.5])
    }
  }

  @Test func `an encoder's windows have its tokens at both ends`() async throws {
    let model = try await tinyModel("bert")
    let bench = try CellBench()
    let corpus = try Corpus(files: [bench.folder.appending(path: "text.jsonl").path])
    let windows = try corpus.windows(model.tokenizer, length: 20, tokens: nil, seed: 1)
    let whole = model.tokenizer.encode("a", addSpecial: true)
    #expect(!windows.isEmpty)
    for window in windows {
      #expect(window.ids.first == whole.first && window.ids.last == whole.last)
      #expect(window.textEnd == window.ids.count - 1 && window.ids.count <= 20)
    }
  }

  /// What an explanation in words is asked: simulations that hold everywhere, and ones that hold in the first
  /// corpus only.
  @Test func `simulations that hold in one corpus only are found`() async throws {
    let bench = try CellBench()
    var corpora: [(name: String, corpus: Corpus)] = []
    for index in 0..<3 {
      let file = bench.folder.appending(path: "c\(index).jsonl")
      try SplitCorpora.lines(index).write(to: file, atomically: true, encoding: .utf8)
      corpora.append((name: "c\(index)", corpus: try Corpus(files: [file.path])))
    }
    let model = try await DetectingModel([[38]], in: bench.folder.path + "/model").model
    let text = try ExcerptText(
      corpora, tokenizer: model.tokenizer, length: 32, tokens: 2048, excerpts: 8, seed: 1)
    let excerpts = try await model.excerpts(
      of: [.neuron(site: "blocks.0.mlp.post", index: 0)], in: text)[0]
    let split = ExcerptSplit(excerpts, of: text, count: 8, seed: 1)
    let exact = (0..<3).map { corpus in
      split.scoring(corpus).map { $0.activations.map(Double.init) as [Double]? }
    }
    let holds = IllusionCheck.transfer(exact, split, permutations: 99, seed: 1)
    #expect(holds?.verdict == .consistent && abs(holds?.gap ?? 1) < 1e-6)
    let fails = [exact[0]] + exact.dropFirst().map { $0.map { $0.map { Array($0.reversed()) } } }
    let lost = try #require(IllusionCheck.transfer(fails, split, permutations: 99, seed: 1))
    #expect(lost.verdict == .illusion && lost.gap > 0.5 && lost.pValue < 0.05, "\(lost)")
    // Lost in one of two others: half on average.
    let oneWay = [exact[0], exact[1], fails[2]]
    let half = try #require(IllusionCheck.transfer(oneWay, split, permutations: 99, seed: 1))
    #expect(half.verdict == .illusion && half.worst?.on == 2 && half.gap < 0.5, "\(half)")
    let none = exact.map { $0.map { _ in nil as [Double]? } }
    #expect(IllusionCheck.transfer(none, split, permutations: 9, seed: 1)?.verdict == .undecided)
  }
}

@Suite struct ChatRoleTests {
  /// A chat model whose next token depends on the last one alone: 9 after a comma, any digit after others, yes
  /// after the end of a question. Its tokenizer knows neither tabs nor line ends.
  @TensorActor
  private static func model(in folder: String) throws -> LanguageModel {
    var hand = HandWrittenModel(nLayers: 1, dModel: 64, dMLP: 1, contextLength: 1024)
    for token in 0..<hand.dVocab { hand["wte", token, token] = 1 }
    hand["lm_head", 35, 38] = 0.5
    // The template ends with an x.
    hand["lm_head", 24, 23] = 1
    hand["lm_head", 13, 23] = 0.25
    try hand.write(to: folder)
    let file = URL(fileURLWithPath: folder + "/tokenizer_config.json")
    let found = try JSONSerialization.jsonObject(with: Data(contentsOf: file))
    var fields = try #require(found as? [String: Any])
    fields["chat_template"] = "{% for message in messages %}{{ message.content }}{% endfor %}x"
    try JSONSerialization.data(withJSONObject: fields).write(to: file)
    return try LanguageModel(path: folder)
  }

  @Test func `a simulation is what probabilities of digits expect at each token`() async throws {
    let folder = FileManager.default.temporaryDirectory
      .appending(path: "plumbline-role-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let model = try await Self.model(in: folder)
    let role = ChatRole.local(model)
    try await role.check(length: 4, explains: false)
    await #expect(throws: RoleError.self) { try await role.check(length: 512, explains: true) }
    let prompts = NeuronPrompts(tokenizer: model.tokenizer, scale: 4)
    let found = try await role.simulate("commas", on: [[0, 38, 1], [38, 38]], prompts: prompts)
    // LayerNorm makes (x − 1/64) / √((1/64)(1 − 1/64)) of an embedding's ones and zeros; the 9's logit is half.
    func expected(_ x: Double) -> Double {
      let nine = exp(0.5 * (x - 1.0 / 64) / (1.0 / 64 * 63 / 64 + 1e-5).squareRoot())
      return (36 + 9 * nine) / (9 + nine)
    }
    let wanted = [[expected(0), expected(1), expected(0)], [expected(1), expected(1)]]
    for (simulated, wanted) in zip(found, wanted) {
      let simulated = try #require(simulated)
      #expect(simulated.count == wanted.count)
      for (one, other) in zip(simulated, wanted) { #expect(abs(one - other) < 1e-4) }
    }
    let answers = try await role.agreement([[ChatMessage(role: "user", content: "a")]])
    #expect(answers.count == 1 && answers[0] > 0)
  }

  @Test func `numbers are read from lines that have them, and as many as there are tokens`() {
    #expect(ChatRole.numbers(in: "Here:\na\t3\nb\t10\n\nc 0.5\n", count: 3) == [3, 10, 0.5])
    #expect(ChatRole.numbers(in: "a\t3\nb\t4", count: 3) == nil)
    #expect(ChatRole.numbers(in: "a\t3\nb\t44", count: 2) == nil)
  }

  @Test func `what is marked is where the unit is active, or as much elsewhere`() async throws {
    let model = try await tinyModel("gpt2")
    let prompts = NeuronPrompts(tokenizer: model.tokenizer, scale: 4)
    let excerpts = [
      Excerpt(corpus: 0, ids: [0, 38, 1, 2], activations: [0, 4, 0, 1]),
      Excerpt(corpus: 0, ids: [0, 1], activations: [0, 0]),
    ]
    let questions = prompts.fuzzingQuestions(about: "commas", excerpts, seed: 1)
    #expect(questions.map(\.isRight) == [true, false] && questions.map(\.excerpt) == [0, 0])
    let texts = questions.map { $0.question[0].content }
    #expect(texts[0].contains("a«,»bc"))
    #expect(!texts[1].contains("«,»") && texts[1].contains("«"))
  }
}
