import Foundation
import Instruments
import Lab
import LanguageModels
import Statistics
import Tensors
import TestSupport
import Testing
import Training

/// Sentences that the tiny tokenizer knows, in documents that differ.
enum TinyText {
  private static let parts = [
    "the cat sat on the mat, and 3 rats ran at it. ", "17 can sing the song and ran. ",
    "a rat in the ring, and the cat then. ", "on and on the men sat, 9 in a tin. ",
    "there is no end to the sand at the inn. ",
  ]

  static func document(_ index: Int) -> String {
    (0..<6).map { parts[(index * 3 + $0 * (1 + index % 4)) % parts.count] }.joined()
  }

  static func jsonLines(documents: Int) -> String {
    (0..<documents).map { "{\"text\": \"\(document($0))\"}" }.joined(separator: "\n")
  }
}

/// A run in a fresh folder, with a text of so many documents as `text0` and `base`.
final class CellBench {
  let folder: URL
  let run: Run
  private(set) var inputs: [String: CellInput]

  init(documents: Int = 12, text lines: String? = nil) throws {
    folder = FileManager.default.temporaryDirectory
      .appending(path: "plumbline-cells-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let text = folder.appending(path: "text.jsonl")
    try (lines ?? TinyText.jsonLines(documents: documents))
      .write(to: text, atomically: true, encoding: .utf8)
    run = try Run.open(
      folder: folder.appending(path: "run"), manifest: "study",
      environment: Environment(build: "test", device: "cpu", instructionSet: "any"))
    inputs = [
      "text0": try .file(text), "base": try .file(URL(fileURLWithPath: fixture("model"))),
    ]
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  func add(_ name: String, _ path: String) throws {
    inputs[name] = try .file(URL(fileURLWithPath: path))
  }

  func perform<Kind: CellKind>(
    _ kind: Kind, _ config: Kind.Config
  ) async throws -> CellResult<Kind.Finding> {
    try await run.perform(kind, config, inputs: inputs)
  }
}

@Suite struct LensCellTests {
  private static let training = LensTrainCell.Config(
    training: LensTraining(method: .muon, rateScale: 0.3, tokensPerStep: 64, epochs: 2),
    sequenceLength: 32, tokens: 640, heldOutTokens: 64, checkInterval: 3, patience: 100,
    precision: .float32, textFiles: 1)

  @Test func `training lowers the held-out loss of every site, and the file holds what was kept`()
    async throws
  {
    let bench = try CellBench()
    let model = try await sharpModel()
    let result = try await bench.perform(LensTrainCell(model: model), Self.training)
    let finding = result.finding
    #expect(finding.looks.dropLast().enumerated().allSatisfy { $1 == 3 * $0 })
    #expect(finding.looks.last == finding.steps && finding.steps > 15)
    for site in finding.sites.indices {
      #expect(finding.best[site] < finding.heldOut[0][site])
      #expect(finding.best[site] == finding.heldOut.map { $0[site] }.min())
    }
    try await TensorActor.run {
      let lens = try Lens.read(result.artifacts.path, for: model)
      #expect(lens.sites.map(\.description) == finding.sites)
    }
  }

  /// At thirty times the rate, steps go too far and losses rise again.
  @Test func `what did best is kept, and sites that gain nothing end the training`() async throws {
    let bench = try CellBench()
    let model = try await sharpModel()
    var config = Self.training
    config.training.rateScale = 30
    (config.patience, config.training.epochs, config.checkInterval) = (2, 20, 1)
    let finding = try await bench.perform(LensTrainCell(model: model), config).finding
    for site in finding.sites.indices {
      let losses = finding.heldOut.map { $0[site] }
      #expect(losses[finding.kept[site]] == losses.min())
    }
    #expect(finding.kept.allSatisfy { $0 < finding.looks.count - 2 })
    #expect(finding.looks.count < 100)
  }

  /// A process that is killed between two steps leaves what its last checkpoint says.
  @Test func `a training that was stopped goes on to the same bits`() async throws {
    let model = try await sharpModel()
    for method in LensTraining.Method.allCases {
      var config = Self.training
      config.training.method = method
      let whole = try CellBench()
      let straight = try await whole.perform(LensTrainCell(model: model), config)
      let stopped = try CellBench()
      let cell = StoppedTraining(cell: LensTrainCell(model: model), after: 7)
      await #expect(throws: StoppedTraining.Stopped.self) {
        try await stopped.run.perform(cell, config, inputs: stopped.inputs)
      }
      let resumed = try await stopped.run.perform(
        StoppedTraining(cell: LensTrainCell(model: model), after: .max), config,
        inputs: stopped.inputs)
      #expect(resumed.finding.heldOut == straight.finding.heldOut)
      #expect(resumed.finding.kept == straight.finding.kept)
      #expect(
        try Data(contentsOf: resumed.artifacts.appending(path: "lens.safetensors"))
          == Data(contentsOf: straight.artifacts.appending(path: "lens.safetensors")))
    }
  }

  @Test @TensorActor func `what is held out comes from documents that are not trained on`() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "text.jsonl")
    // Every document is made of one symbol of its own.
    let lines = "bdfklpuvwxyz".map { "{\"text\": \"\(String(repeating: $0, count: 80))\"}" }
    try lines.joined(separator: "\n").write(to: file, atomically: true, encoding: .utf8)
    let split = try LensTrainCell.split(
      Corpus(files: [file.path]), Self.training, sharpModel())
    let (train, heldOut) = (Set(split.train.joined()), Set(split.heldOut.joined()))
    #expect(train.isDisjoint(with: heldOut) && heldOut.count >= 2 && train.count >= 8)
    #expect(split.train.reduce(0) { $0 + $1.count } >= 640)
  }

  @Test func `a retrodiction begins with ridge regression and is never worse`() async throws {
    let bench = try CellBench(documents: 40)
    let model = try await sharpModel()
    var config = Self.training
    config.training.kind = .retrodiction
    config.training.method = .adam
    config.tokens = 2000
    let finding = try await bench.perform(LensTrainCell(model: model), config).finding
    // Before block 0 there is only the token; log 64 is what knowing nothing costs.
    #expect(finding.heldOut[0][0] < 0.05 * 4.158, "\(finding.heldOut[0])")
    #expect(finding.heldOut[0].allSatisfy { $0 < 0.7 * 4.158 }, "\(finding.heldOut[0])")
    #expect(zip(finding.best, finding.heldOut[0]).allSatisfy { $0 <= $1 })
  }

  /// No epoch leaves the regression; what a training gains on it, token by token, an evaluation says.
  @Test func `a retrodiction is compared with its regression`() async throws {
    let bench = try CellBench(documents: 40)
    let model = try await sharpModel()
    var config = Self.training
    (config.training.kind, config.training.method) = (.retrodiction, .adam)
    config.tokens = 2000
    let trained = try await bench.perform(LensTrainCell(model: model), config)
    config.training.epochs = 0
    let ridge = try await bench.perform(LensTrainCell(model: model), config)
    #expect(ridge.finding.steps == 0 && ridge.finding.heldOut == [trained.finding.heldOut[0]])
    for (index, artifacts) in [ridge.artifacts, trained.artifacts].enumerated() {
      try bench.add("lens\(index)", artifacts.appending(path: "lens.safetensors").path)
    }
    let finding = try await bench.perform(
      LensEvaluationCell(model: model),
      .init(
        lenses: ["ridge", "trained"], sequenceLength: 32, tokens: 400, precision: .float32,
        textFiles: 1)
    ).finding
    let (first, second) = (finding.lenses[1], finding.lenses[2])
    #expect(first.comparedWith == nil && second.comparedWith == "ridge")
    #expect(first.sites.allSatisfy { $0.lead == nil })
    for (own, other) in zip(first.sites, second.sites) {
      let lead = try #require(other.lead)
      #expect(abs(lead.value - (own.crossEntropy.value - other.crossEntropy.value)) < 1e-9)
      // Paired: never wider than what two that know nothing of each other would have.
      #expect(
        lead.interval.width < own.crossEntropy.interval.width + other.crossEntropy.interval.width)
    }
    #expect(second.sites.contains { ($0.lead?.value ?? 0) != 0 })
  }

  @Test func `too little text is refused with what is needed`() async throws {
    let bench = try CellBench(documents: 3)
    let model = try await sharpModel()
    var config = Self.training
    config.tokens = 100_000
    let error = await #expect(throws: LensError.self) {
      try await bench.perform(LensTrainCell(model: model), config)
    }
    #expect("\(String(describing: error))".contains("at least 100000 tokens"))
    let two = try CellBench(documents: 2)
    await #expect(throws: LensError.self) {
      try await two.perform(LensTrainCell(model: model), Self.training)
    }
  }

  @Test func `an evaluation's means are those of every token, and its n their number`() async throws
  {
    let model = try await sharpModel()
    let bench = try CellBench()
    let config = LensEvaluationCell.Config(
      lenses: ["theirs"], sequenceLength: 32, tokens: 300, wholeTokens: 10_000,
      transferTokens: 10_000,
      precision: .float32, textFiles: 1)
    try bench.add("lens0", fixture("theirs"))
    let finding = try await bench.perform(LensEvaluationCell(model: model), config).finding
    #expect(finding.lenses.map(\.kind) == [.logit, .tuned])
    let text = bench.inputs["text0"]?.url.path ?? ""
    try await TensorActor.run {
      let windows = try Corpus(files: [text]).windows(
        model.tokenizer, length: 32, tokens: 300, seed: 1)
      let lens = try Lens.read(fixture("theirs"), for: model)
      var (kl, ce, agreement, n, crossed) = (0.0, 0.0, 0.0, 0, 0.0)
      for window in windows {
        let site = Site.block(1, .residPre)
        let output = try model.forward(
          TokenBatch([window.ids]), hooks: Hooks(captures: [site]))
        let rows = 0..<window.ids.count - 1
        let p = try #require(output.logits).slice(rows).logSoftmax()
        let reading = try model.read(#require(output.captured[site]), at: site, through: lens)
        let q = try model.logits(of: reading).slice(rows).logSoftmax()
        kl += Double(try (p.exp() * (p - q)).sum().scalar())
        let next = Tensor(window.ids.dropFirst().map(Int32.init), shape: [rows.count, 1])
        ce -= Double(try q.takeAlongAxis(next, axis: 1).sum().scalar())
        agreement += Double(try p.argmax().equal(q.argmax()).astype(.float32).sum().scalar())
        n += rows.count
        // Translator 0 at site 1.
        let moved = lens.translate(try #require(output.captured[site]), at: .block(0, .residPre))
        let other = try model.logits(of: model.predictions(from: model.finalNorm(moved)))
          .slice(rows).logSoftmax()
        crossed += Double(try (q.exp() * (q - other)).sum().scalar())
      }
      let reading = finding.lenses[1].sites[1]
      #expect(reading.divergence?.n == n && finding.modelEntropy.n == n)
      expectError(abs(try #require(reading.divergence).value - kl / Double(n)), within: 1e-4, "KL")
      expectError(abs(reading.crossEntropy.value - ce / Double(n)), within: 1e-4, "CE")
      #expect(reading.agreement?.value == agreement / Double(n))
      // A translator at its own site reads what it reads.
      let transfer = try #require(finding.lenses[1].transfer)
      #expect(abs(transfer.divergence[0][0]) < 1e-5)
      expectError(abs(transfer.divergence[0][1] - crossed / Double(n)), within: 1e-4, "crossed")
      #expect(abs(transfer.divergence[0][1] - transfer.divergence[1][0]) > 0.1)
      expectError(
        abs(transfer.crossEntropy[1][1] - reading.crossEntropy.value), within: 1e-4, "transfer")
      #expect(finding.lenses.allSatisfy { $0.sites.allSatisfy { ($0.marginalBias ?? -1) >= 0 } })
      let bytes = windows.reduce(0) { $0 + model.tokenizer.decode($1.ids.dropFirst()).utf8.count }
      #expect(abs(finding.bitsPerByte - Double(n) / Double(bytes) / log(2)) < 1e-9)
      #expect(finding.documents == Set(windows.map(\.document)).count)
    }
  }
}

/// A training that stops after so many steps, as if its process had been killed between two reports.
private struct StoppedTraining: CellKind {
  struct Stopped: Error {}
  static let kind = LensTrainCell.kind
  static let version = LensTrainCell.version
  let cell: LensTrainCell
  let after: Int

  func run(
    _ config: LensTrainCell.Config, in context: CellContext
  ) async throws -> LensTrainCell.Finding {
    try await cell.run(config, in: context, stopAfter: after) { throw Stopped() }
  }
}

@Suite struct CorpusTests {
  private func corpus(_ text: String, name: String = "text.txt") throws -> Corpus {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: name)
    try text.write(to: file, atomically: true, encoding: .utf8)
    return try Corpus(files: [file.path])
  }

  @Test func `WikiText's articles, JSON lines and passages are told apart`() throws {
    let wiki = try corpus(" \n = One = \n a \n = = Part = = \n b \n = Two = \n c \n")
    #expect(wiki.unit == "article" && wiki.documents.count == 2)
    #expect(wiki.documents[0].contains("Part") && wiki.documents[1].contains(" c "))
    let lines = try corpus("{\"text\": \"x\"}\n{\"text\": \"y\\nz\"}\n", name: "text.jsonl")
    #expect(lines.documents == ["x", "y\nz"] && lines.unit == "document")
    let speech = String(repeating: "word ", count: 500) + "\n\n"
    let passages = try corpus(String(repeating: speech, count: 4))
    #expect(passages.unit == "passage" && passages.documents.count == 2)
    #expect(throws: ModelFileError.self) { try corpus("{\"no\": 1}", name: "text.jsonl") }
    #expect(throws: ModelFileError.self) { try corpus(" \n ") }
    #expect(throws: ModelFileError.self) { try Corpus(files: ["/nowhere/at/all.txt"]) }
  }

  @Test @TensorActor
  func `windows go round the documents and are the same for the same seed`() throws {
    let tokenizer = try sharpModel().tokenizer
    let corpus = try corpus(TinyText.jsonLines(documents: 6), name: "text.jsonl")
    let windows = try corpus.windows(tokenizer, length: 20, tokens: 200, seed: 3)
    #expect(Set(windows.prefix(6).map(\.document)).count == 6)
    #expect(windows.allSatisfy { (16...20).contains($0.ids.count) })
    #expect(windows == (try corpus.windows(tokenizer, length: 20, tokens: 200, seed: 3)))
    #expect(windows != (try corpus.windows(tokenizer, length: 20, tokens: 200, seed: 4)))
    for window in windows {
      let text = tokenizer.decode(Array(window.ids.dropFirst()))
      #expect(corpus.documents[window.document].contains(text))
      #expect(window.bytes == text.utf8.count)
    }
    let some = try corpus.windows(of: [2, 4], tokenizer, length: 20, tokens: nil, seed: 3)
    #expect(Set(some.map(\.document)) == [2, 4])
  }
}

@Suite struct TrajectoryTests {
  @Test func `a trajectory ends in what the model predicts, and depths follow first choices`()
    async throws
  {
    let bench = try CellBench()
    let model = try await sharpModel()
    let ids = try LensReference.read().ids
    let finding = try await bench.perform(
      LensTrajectoryCell(model: model),
      .init(ids: ids, hasLens: false, topCount: 3, precision: .float32)
    ).finding
    let trajectory = finding.trajectory
    #expect(trajectory.sites == ["blocks.0.resid_pre", "blocks.1.resid_pre", "logits"])
    try await TensorActor.run {
      let logits = try #require(try model.forward(TokenBatch([ids])).logits)
      let best = try logits.argmax().astype(.int32).int32s().map(Int.init)
      #expect(trajectory.readings[2].map { $0.top[0].id } == best)
      let highest = try logits.softmax().max(axes: [1]).floats()
      for (token, reading) in trajectory.readings[2].enumerated() {
        #expect(abs(reading.top[0].probability - Double(highest[token])) < 1e-5)
        #expect(reading.divergence.map { abs($0) < 1e-6 } == true)
        #expect(reading.top.map(\.probability) == reading.top.map(\.probability).sorted(by: >))
        guard token + 1 < ids.count else { continue }
        let row = try logits.slice(token..<token + 1).floats()
        #expect(reading.rank == row.filter { $0 > row[ids[token + 1]] }.count + 1)
      }
    }
    for (token, depth) in trajectory.depths.enumerated() {
      let choices = trajectory.readings.map { $0[token].top[0].id }
      #expect(Set(choices[depth...]).count == 1)
      #expect(depth == 0 || choices[depth - 1] != choices[2])
    }
    #expect(trajectory.readings[0].last?.rank == nil)
    #expect(trajectory.readings[0].first?.rank != nil)
  }

  @Test func `a text is at no distance from itself, and at most log 2 from another`() async throws {
    let bench = try CellBench()
    let model = try await sharpModel()
    let ids = try LensReference.read().ids
    func distances(_ other: [Int]) async throws -> [[Double]] {
      let config = LensTrajectoryCell.Config(
        ids: ids, other: .text(ids: other), hasLens: false, precision: .float32)
      let finding = try await bench.perform(LensTrajectoryCell(model: model), config).finding
      return try #require(finding.distances)
    }
    #expect(try await distances(ids).joined().allSatisfy { $0 < 1e-6 })
    let other = try await distances([5, 6, 7, 8])
    #expect(other.allSatisfy { $0.count == 4 })
    #expect(other.joined().allSatisfy { $0 > 1e-3 && $0 <= log(2) + 1e-5 }, "\(other)")
  }

  /// Two coins, by hand: JS = ½ Σ p log(p/m) + ½ Σ q log(q/m).
  @Test @TensorActor func `Jensen–Shannon divergences are those of the definition`() throws {
    let p = Tensor([Float(0.9), 0.1, 1, 0], shape: [2, 2]).log()
    let q = Tensor([Float(0.5), 0.5, 1e-20, 1], shape: [2, 2]).log()
    let found = try LensTrajectoryCell.distances(Tensor.maximum(p, Tensor(-60)), q)
    #expect(abs(found[0] - 0.10174922507919676) < 1e-6)
    #expect(abs(found[1] - log(2)) < 1e-5)
  }
}

@Suite struct CausalBasisTests {
  /// Sixteen symbols that the tokenizer never joins.
  private static let symbols = Array("bdfklpuvwxyzq012")

  /// Each of the symbols as often as any other in every 32 tokens, in random order.
  private static var text: String {
    var generator = SeededGenerator(seed: 7)
    return (0..<12).map { _ in
      let document = (0..<6).flatMap { _ in generator.shuffled(symbols) }
      return "{\"text\": \"\(String(document))\"}"
    }.joined(separator: "\n")
  }

  /// A model whose blocks add nothing and whose logits depend on the stream's parts along two
  /// directions and on nothing else, a third as strongly on the second. The symbols' embeddings are the
  /// rows of a Hadamard matrix in a basis that both belong to: all as long, so that the final norm
  /// changes nothing, and without correlations.
  private static func plant(
    in folder: String, basis: [[Float]], tokenizer: Tokenizer
  ) throws {
    let d = 16
    let source = try SafetensorsFile(path: fixture("model/model.safetensors"))
    let ids = symbols.map { tokenizer.encode(String($0))[0] }
    let entries = try source.tensors.map { tensor -> SafetensorsEntry in
      var values = try tensor.floats()
      switch tensor.name {
      case "model.norm.weight": values = values.map { _ in 1 }
      case "model.embed_tokens.weight":
        for (row, token) in ids.enumerated() {
          for i in 0..<d {
            values[token * d + i] = (0..<d).reduce(0) { sum, place in
              // Column 0 of a Hadamard matrix is constant; the planted directions shall not be, and
              // nothing's mean shall be 0.
              let sign: Float = (row & (place ^ 1)).nonzeroBitCount % 2 == 0 ? 1 : -1
              return sum + sign * basis[place][i]
            }
          }
        }
      case "lm_head.weight":
        for token in 0..<64 {
          let (first, second) = (Float(token) / 16 - 2, Float(token % 2 == 0 ? 0.4 : -0.4))
          for i in 0..<d {
            values[token * d + i] = first * basis[0][i] + second * basis[5][i]
          }
        }
      default:
        if tensor.name.hasSuffix("o_proj.weight") || tensor.name.hasSuffix("down_proj.weight") {
          values = values.map { _ in 0 }
        }
      }
      return SafetensorsEntry(name: tensor.name, shape: tensor.shape, values: values)
    }
    for name in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
      try FileManager.default.copyItem(
        atPath: fixture("model/\(name)"), toPath: "\(folder)/\(name)")
    }
    try SafetensorsFile.write(entries, to: "\(folder)/model.safetensors")
  }

  /// u and fifteen vectors orthogonal to it and to each other (a Householder reflection).
  private static func orthonormal(_ u: [Float]) -> [[Float]] {
    var w = u
    w[0] -= 1
    let length = w.reduce(0) { $0 + $1 * $1 }
    return u.indices.map { row in
      u.indices.map { column in
        (row == column ? 1 : 0) - 2 * w[row] * w[column] / length
      }
    }
  }

  @Test func `planted directions are found, the stronger first`() async throws {
    let bench = try CellBench(text: Self.text)
    let folder = bench.folder.appending(path: "planted").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let raw = (0..<16).map { Float(($0 * 5) % 7) - 2.5 }
    let length = raw.reduce(0) { $0 + $1 * $1 }.squareRoot()
    let u = raw.map { $0 / length }
    let basis = Self.orthonormal(u)
    try Self.plant(in: folder, basis: basis, tokenizer: try await sharpModel().tokenizer)
    let model = try await TensorActor.run { try LanguageModel(path: folder) }
    let config = CausalBasisCell.Config(
      site: "blocks.1.resid_pre", vectors: 4, hasLens: false, sequenceLength: 32, tokens: 960,
      precision: .float32, textFiles: 1)
    let finding = try await bench.perform(CausalBasisCell(model: model), config).finding
    let first = finding.directions[0]
    for (found, planted) in zip(finding.directions, [basis[0], basis[5]]) {
      let cosine = zip(found.vector, planted).reduce(0) { $0 + $1.0 * $1.1 }
      expectError(1 - Double(abs(cosine)), within: 1e-3, "1 - cosine to a planted direction")
    }
    // Ablating any other direction shortens the stream, and the norm makes up for it.
    #expect(first.stimulus.interval.lower > 2 * finding.directions[1].stimulus.interval.upper)
    // The blocks add nothing, so the model does what the lens reads.
    for direction in finding.directions {
      #expect(abs(direction.stimulus.value - direction.response.value) < 1e-5)
    }
    #expect(first.alignment.value > 0.9999)
    // A random direction hardly reaches the planted one.
    #expect(first.control.value < 0.5 * first.response.value)
    for (i, a) in finding.directions.enumerated() {
      for b in finding.directions[(i + 1)...] {
        #expect(abs(zip(a.vector, b.vector).reduce(0) { $0 + $1.0 * $1.1 }) < 1e-4)
      }
    }
  }
}
