import Foundation
import Instruments
import Lab
import LanguageModels
import Statistics
import Tensors
import TestSupport
import Testing

/// Runs cells on the induction model and on prompts for it.
private struct Bench {
  let folder: URL
  let model: LanguageModel
  let run: Run
  let inputs: [String: CellInput]

  static func with<R>(
    _ prompts: String = InductionModel.prompts(6),
    model make: HandWrittenModel = InductionModel.make(), _ body: (Bench) async throws -> R
  ) async throws -> R {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("plumbline-causes-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "prompts.jsonl")
    try Data(prompts.utf8).write(to: file)
    let path = folder.appending(path: "model")
    let model = try await make.load(in: path.path)
    let run = try Run.open(
      folder: folder.appending(path: "run"), manifest: "study",
      environment: Environment(build: "test", device: "cpu", instructionSet: "any"))
    return try await body(
      Bench(
        folder: folder, model: model, run: run,
        inputs: ["base": try .file(path), "prompts": try .file(file)]))
  }

  func patch(_ config: PatchCell.Config) async throws -> PatchCell.Finding {
    try await run.perform(PatchCell(model: model), config, inputs: inputs, label: "patch").finding
  }

  func attribute(_ config: AttributionCell.Config) async throws -> AttributionCell.Finding {
    try await run.perform(
      AttributionCell(model: model), config, inputs: inputs, label: "attribute"
    ).finding
  }
}

@Suite struct PatchTests {
  private func names(_ finding: PatchCell.Finding) -> Set<String> {
    Set(finding.effects.filter(\.standsOut).map { "\($0.place)" })
  }

  private func effect(_ finding: PatchCell.Finding, _ name: String) throws -> PatchCell.Effect {
    try #require(finding.effects.first { "\($0.place)" == name })
  }

  @Test(arguments: [PatchSource.clean, .corrupt, .zero])
  func `patching names exactly the heads of a circuit written by hand`(
    _ source: PatchSource
  ) async throws {
    try await Bench.with { bench in
      let finding = try await bench.patch(
        .init(components: [.head], source: source, precision: .float32))
      #expect(finding.effects.count == 8 && finding.prompts == 6)
      #expect(finding.effects.allSatisfy { abs($0.excess.interval.level - (1 - 0.05 / 8)) < 1e-12 })
      #expect(finding.clean.value > 2 && finding.corrupt.value < -2)
      #expect(names(finding) == ["L0H0", "L1H2"], "\(names(finding))")
      let whole = finding.clean.value - finding.corrupt.value
      for name in ["L0H0", "L1H2"] {
        let share = try effect(finding, name).effect.value / whole
        // Without the circuit neither answer is preferred; with the other's, the other one.
        let expected = source == .clean ? 1.0 : source == .corrupt ? -1.0 : -0.5
        #expect(abs(share - expected) < 0.06, "\(name) by \(source): \(share)")
      }
      for decoy in finding.effects where !["L0H0", "L1H2"].contains("\(decoy.place)") {
        // What a decoy adds to the stream's length, a norm divides by.
        let bound = source == .zero ? 0.05 : 0.02
        #expect(abs(decoy.effect.value) < bound * whole, "\(decoy.place)")
      }
    }
  }

  @Test func `paths lead from the first head to the second one's keys`() async throws {
    try await Bench.with { bench in
      func finding(_ receivers: String...) async throws -> PatchCell.Finding {
        try await bench.patch(
          .init(components: [.head, .mlp], receivers: receivers, precision: .float32))
      }
      let keys = try await finding("blocks.1.attn.k.2")
      #expect(names(keys) == ["L0H0"])
      let whole = keys.clean.value - keys.corrupt.value
      let share = try effect(keys, "L0H0").effect.value / whole
      #expect(abs(share - 1) < 0.02)
      // Blocks that come after the receiver send it nothing.
      #expect(keys.effects.allSatisfy { $0.place.block == 0 })
      for other in ["blocks.1.attn.q.2", "blocks.1.attn.v.2", "blocks.1.attn.k.0", "blocks.1.mlp"] {
        let found = try await finding(other)
        #expect(names(found).isEmpty, "\(other): \(names(found))")
      }
      let both = try await finding("blocks.1.attn.q.2", "blocks.1.attn.k.2")
      #expect(names(both) == ["L0H0"])
      #expect(names(try await finding("logits")) == ["L1H2"])
    }
  }

  @Test func `positions tell where the answer is carried`() async throws {
    try await Bench.with { bench in
      let finding = try await bench.patch(
        .init(components: [.resid, .head], byPosition: true, precision: .float32))
      #expect(finding.tokens.count == 8)
      // What block 0 wrote about predecessors stands at the tokens behind the exchanged ones.
      let found = names(finding)
      #expect(found.contains("L1H2 at 7") && !found.contains("L1H2 at 6"))
      #expect(found.isSuperset(of: ["L0H0 at 2", "L0H0 at 4"]))
      #expect(found.filter { $0.hasPrefix("L") }.count == 3, "\(found)")
      #expect(found.isSuperset(of: ["resid 1 at 2", "resid 1 at 4"]))
      #expect(finding.effects.count == 80)
    }
  }

  @Test func `a steering vector is the mean difference of the other half`() async throws {
    // All pairs the same: the other half's mean is each one's own difference.
    let line = InductionModel.prompts(1)
    try await Bench.with(Array(repeating: line, count: 4).joined(separator: "\n")) { bench in
      let steered = try await bench.patch(
        .init(components: [.head], source: .steering, precision: .float32))
      let patched = try await bench.patch(.init(components: [.head], precision: .float32))
      for (a, b) in zip(steered.effects, patched.effects) {
        #expect(abs(a.effect.value - b.effect.value) < 1e-4, "\(a.place)")
      }
    }
    // Two in turn: each is steered by the other's difference, which says something else.
    let two = [InductionModel.prompts(1, seed: 1), InductionModel.prompts(1, seed: 2)]
    #expect(two[0] != two[1])
    try await Bench.with((two + two).joined(separator: "\n")) { bench in
      let steered = try await bench.patch(
        .init(components: [.head], source: .steering, precision: .float32))
      let own = try effect(steered, "L1H2").effect.value
      // Half of the way: the corrupt prompt's answer goes, the clean one's does not come. Its own
      // difference would lead all the way.
      #expect(abs(own) < 0.8 * (steered.clean.value - steered.corrupt.value), "\(own)")
    }
  }

  @Test func `the mean over prompts takes a circuit's place away`() async throws {
    try await Bench.with { bench in
      let finding = try await bench.patch(
        .init(components: [.head], source: .mean, precision: .float32))
      #expect(try effect(finding, "L1H2").effect.value < -1)
      #expect(!names(finding).contains("L0H1") && !names(finding).contains("L1H3"))
      // What is always the same is its own mean.
      let line = InductionModel.prompts(1)
      try await Bench.with(line + "\n" + line) { same in
        let still = try await same.patch(
          .init(components: [.head], source: .mean, precision: .float32))
        for effect in still.effects { #expect(abs(effect.effect.value) < 1e-4) }
      }
    }
  }
}

@Suite struct AttributionTests {
  @Test(arguments: [
    "llama", "gpt2", "gemma2", "gemma3", "gpt_neox", "qwen2", "qwen3", "llama_bias",
  ])
  @TensorActor
  func `parts of a logit add up to it`(_ family: String) throws {
    let model = try tinyModel(family)
    let ids = [3, 5, 8, 13, 21, 34]
    let output = try model.forward(
      TokenBatch([ids]), hooks: Hooks(captures: model.decompositionSites))
    let (rows, targets) = ([2, 5, 5], [7, 1, 40])
    let parts = try model.logitParts(output.captured, rows: rows, targets: targets)
    let logits = try #require(output.logits).floats()
    var actual = try parts.logits.floats()
    // Gemma 2 caps what the parts add up to.
    if let cap = model.configuration.logitSoftCap { actual = actual.map { tanh($0 / cap) * cap } }
    let expected = zip(rows, targets).map { logits[$0 * model.configuration.dVocab + $1] }
    expectError(largestDifference(actual, expected), within: 1e-5, "\(family) logits")
    expectError(
      largestDifference(try parts.sum.floats(), try parts.logits.floats()), within: 1e-5,
      "\(family) sum")
    // Parts are told apart: a head's is what its values add along the direction, all else equal.
    let z = Site.block(1, .z)
    let changed = try model.forward(
      TokenBatch([ids]), logits: .none,
      hooks: Hooks(
        captures: model.decompositionSites,
        interventions: [
          (
            z,
            .transform { value in
              let heads = value.shape[1]
              return value * Tensor((0..<heads).map { $0 == 1 ? 1.5 : 1 }, shape: [1, heads, 1])
            }
          )
        ]))
    let moved = try model.logitParts(changed.captured, rows: rows, targets: targets)
    guard model.configuration.normPlacement == .before else { return }
    let (a, b) = (try parts.heads[1].floats(), try moved.heads[1].floats())
    let heads = model.configuration.nHeads
    for (row, position) in rows.enumerated() {
      // The last norm's length has changed too: by the same factor for all heads.
      let first = row * heads
      let common = b[first] / a[first]
      let own = b[first + 1] / a[first + 1]
      #expect(abs(own / common - 1.5) < 1e-3, "\(position)")
    }
  }

  @Test @TensorActor func `parts of a logit count what an adapter has added`() throws {
    let model = try tinyModel("llama")
    let c = model.configuration
    var key = RandomKey(seed: 8)
    let named = (0..<c.nLayers).flatMap { block in
      LinearModule.separate.flatMap { module -> [(String, Tensor)] in
        let shape = module.shape(in: c)
        return [
          (AdapterWeights.path(block: block, module, "A"), key.normal([2, shape[1]]) * 0.1),
          (AdapterWeights.path(block: block, module, "B"), key.normal([shape[0], 2])),
        ]
      }
    }
    let adapter = AdapterWeights(
      LoRAConfiguration(rank: 2, alpha: 1), parameters: ParameterTree(named))
    let output = try model.forward(
      TokenBatch([[3, 5, 8, 13]]), adapter: adapter,
      hooks: Hooks(captures: model.decompositionSites))
    let parts = try model.logitParts(
      output.captured, rows: [3, 3], targets: [7, 9], adapter: adapter)
    let logits = try #require(output.logits).floats()
    let expected = [7, 9].map { logits[3 * c.dVocab + $0] }
    expectError(largestDifference(try parts.sum.floats(), expected), within: 1e-4, "sum")
  }

  @Test func `the answer's direct share is that of the head that says it`() async throws {
    try await Bench.with { bench in
      let direct = try #require(
        try await bench.attribute(.init(methods: [.direct], precision: .float32)).direct)
      let shares = Dictionary(uniqueKeysWithValues: direct.heads.map { ($0.name, $0.share.value) })
      let all = try #require(shares["L1H2"])
      #expect(all > 2)
      for (name, share) in shares where name != "L1H2" {
        #expect(abs(share) < 0.02 * all, "\(name)")
      }
      #expect(abs(direct.embedding.share.value) < 0.02 * all)
      #expect(direct.mlps.allSatisfy { abs($0.share.value) < 1e-5 })
      #expect(direct.largestError < 1e-5)
    }
  }

  /// Sundararajan et al. 2017, proposition 1.
  @Test func `integrated gradients of the embedding add up to the difference`() async throws {
    var model = InductionModel.make()
    // Softmaxes that are all but steps have no gradients to integrate.
    for block in 0..<2 {
      for i in 0..<64 {
        for j in 0..<128 where model["h.\(block).attn.c_attn", i, j] != 0 {
          model["h.\(block).attn.c_attn", i, j] = 0.6
        }
      }
    }
    try await Bench.with(model: model) { bench in
      let finding = try await bench.attribute(
        .init(
          methods: [.gradient, .integrated], comparesToPatching: true, steps: 48,
          precision: .float32))
      let whole = finding.clean.value - finding.corrupt.value
      let integrated = try #require(finding.gradients.last)
      let first = integrated.shares.filter { $0.place.component == .resid && $0.place.block == 0 }
        .reduce(0) { $0 + $1.share.value }
      #expect(abs(first / whole - 1) < 0.01, "\(first) of \(whole)")
      #expect(finding.gradients.map(\.method) == [.gradient, .integrated])
      for gradient in finding.gradients {
        #expect(gradient.shares.count == 28 && gradient.agreements.count >= 3)
        let heads = try #require(gradient.agreements.first { $0.component == .head })
        #expect(heads.correlation.value > 0.5 && heads.correlationOfMeans <= 1, "\(heads)")
      }
    }
  }

  @Test @TensorActor func `a first-order estimate is the slope of the effect`() throws {
    // Held against the metric itself with a thousandth of the difference in place.
    let model = try tinyModel("llama")
    let pair = PromptPair(clean: [3, 5, 8, 13], corrupt: [3, 6, 8, 13], answer: 7, distractor: 9)
    let site = Site.block(1, .z)
    let output = try model.forward(
      TokenBatch([pair.clean, pair.corrupt], sharingPrefix: false),
      hooks: Hooks(captures: [site]))
    let z = try #require(output.captured[site])
    let delta = z.slice(0..<4) - z.slice(4..<8)
    func metric(_ share: Float) throws -> Float {
      let logits = try #require(
        try model.forward(
          TokenBatch([pair.corrupt]), logits: .rows([3]),
          hooks: Hooks(interventions: [(site, .add(delta * share))])
        ).logits
      ).floats()
      return logits[7] - logits[9]
    }
    let slope = (try metric(0.05) - metric(-0.05)) / 0.1
    let gradient = try valueAndGrad(ParameterTree([("z", Tensor.zeros(delta.shape))])) { moved in
      let logits = try #require(
        try model.forward(
          TokenBatch([pair.corrupt]), logits: .rows([3]),
          hooks: Hooks(interventions: [(site, .add(moved["z"]))])
        ).logits)
      return logits.slice(7..<8, axis: 1).sum() - logits.slice(9..<10, axis: 1).sum()
    }.gradients["z"]
    let estimate = try (gradient * delta).sum().scalar()
    expectError(Double(abs(estimate - slope)), within: 1e-4, "slope \(slope)")
  }
}

@Suite struct PromptPairTests {
  @Test @TensorActor func `what is not a pair of prompts is named by its line`() throws {
    try inFolder { folder in
      let model = try InductionModel.make().load(in: "\(folder)/model")
      func refusal(_ lines: String...) throws -> String {
        let path = "\(folder)/prompts.jsonl"
        try Data(lines.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: path))
        do {
          _ = try PromptPairs(file: path, tokenizer: model.tokenizer)
          return "accepted"
        } catch { return "\(error)".replacingOccurrences(of: folder, with: "") }
      }
      let good = InductionModel.prompts(1)
      #expect(try refusal(good, "", good) == "accepted")
      #expect(try refusal(good).contains("at least 2 pairs"))
      #expect(try refusal(good, "{").contains("line 2"))
      let cases = [
        (#"{"clean": "abc", "corrupt": "ab", "answer": "c"}"#, "3 in clean and 2 in corrupt"),
        (#"{"clean": "abc", "corrupt": "abc", "answer": "c"}"#, "twice the same"),
        (#"{"clean": "kabcdefa", "corrupt": "kabcdefb", "answer": "ab"}"#, "2 tokens"),
        (#"{"clean": "kabcdefa", "corrupt": "kabcdefb"}"#, "\"answer\""),
        (
          #"{"clean": "kabcdefa", "corrupt": "kabcdefb", "answer": "a", "distractor": "a"}"#,
          "distractor"
        ),
        (#"{"clean": "abcd", "corrupt": "abce", "answer": "a"}"#, "prompts of 8 tokens"),
        (
          #"{"clean": "kabcdefa", "corrupt": "kabcdefb", "answer": "a"}"#,
          "in every line or in none"
        ),
      ]
      for (line, part) in cases {
        let found = try refusal(good, line)
        #expect(found.contains(part) && found.contains("line 2"), "\(found)")
      }
      #expect(throws: CauseError.unreadable(path: "/nowhere")) {
        try PromptPairs(file: "/nowhere", tokenizer: model.tokenizer)
      }
    }
  }

  @Test @TensorActor func `receivers are read by name, and refused by what is wrong`() throws {
    let c = try tinyModel("llama").configuration
    #expect(try PatchReceiver("logits", in: c) == .logits)
    #expect(try PatchReceiver("blocks.1.attn.k.0", in: c) == .head(block: 1, .k, head: 0))
    #expect(try PatchReceiver("blocks.1.mlp", in: c) == .mlp(block: 1))
    for name in ["", "blocks.9.mlp", "blocks.1.attn.z.0", "blocks.1.attn.q", "blocks..mlp"] {
      #expect(throws: CauseError.badReceiver(name: name)) { try PatchReceiver(name, in: c) }
    }
    #expect(throws: CauseError.noHead(block: 0, head: 9, count: c.nKVHeads)) {
      try PatchReceiver("blocks.0.attn.k.9", in: c)
    }
  }
}
