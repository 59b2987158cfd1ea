import Foundation
import Instruments
import Lab
import LanguageModels
import Statistics
import Tensors
import Testing
import Training

/// Activations made of few of many known directions: x = Σ cᵢ dᵢ, of which each token has a few.
@TensorActor
struct KnownDictionary {
  let directions: Tensor
  let width: Int
  let count: Int
  let active: Int
  private var generator: SeededGenerator

  init(width: Int, count: Int, active: Int, seed: UInt64 = 5) throws {
    (self.width, self.count, self.active) = (width, count, active)
    var generator = SeededGenerator(seed: seed)
    let values = (0..<count * width).map { _ in Float(generator.normal()) }
    let rows = Tensor(values, shape: [count, width])
    self.generator = generator
    directions = rows / rows.square().sum(axes: [1], keepDims: true).sqrt()
    try Tensor.evaluate([directions])
  }

  /// Activations `[token, width]`, with an offset that is no part of the dictionary.
  mutating func activations(_ tokens: Int) -> Tensor {
    var coefficients = [Float](repeating: 0, count: tokens * count)
    for token in 0..<tokens {
      for feature in generator.shuffled(0..<count).prefix(active) {
        coefficients[token * count + feature] = Float(1 + generator.uniform())
      }
    }
    return Tensor(coefficients, shape: [tokens, count]).matmul(directions) * 3 + 0.7
  }

  /// The mean over true directions of the largest cosine to any of a dictionary's.
  func meanMaximumCosine(_ decoder: Tensor) throws -> Float {
    let rows = decoder / decoder.square().sum(axes: [1], keepDims: true).sqrt()
    return try directions.matmul(rows.transpose()).max(axes: [1]).mean().scalar()
  }
}

@Suite struct AutoencoderTests {
  @Test(arguments: AutoencoderTraining.Method.allCases)
  func `a known dictionary is found again`(_ method: AutoencoderTraining.Method) async throws {
    try await TensorActor.run {
      var known = try KnownDictionary(width: 32, count: 64, active: 3)
      let x = known.activations(16384)
      let training = AutoencoderTraining(
        method: method, features: 96, l0: 3, rateScale: 0.2, deadAfter: 8192)
      var trainer = try AutoencoderTrainer(training, site: .block(0, .residPost), from: x, seed: 1)
      let before = try known.meanMaximumCosine(trainer.autoencoder.parameters["W_dec"])
      var (explained, l0): (Float, Float) = (0, 0)
      for step in 0..<600 {
        let start = step % 16 * 1024
        let seen = try trainer.takeStep(
          x.slice(start..<start + 1024), rateFactor: 1 - Double(step) / 600)
        (explained, l0) = (seen.explained, seen.l0)
      }
      // What is handed out is of activations as they are, and its directions have length 1.
      let (made, seen) = (trainer.autoencoder, x.slice(0..<1024))
      let left = try (seen - made.reconstruct(seen)).square().sum().scalar()
      let all = try (seen - seen.mean(axes: [0])).square().sum().scalar()
      #expect(abs(1 - left / all - explained) < 0.02)
      let lengths = try made.parameters["W_dec"].square().sum(axes: [1]).floats()
      #expect(lengths.allSatisfy { abs($0 - 1) < 1e-4 })
      let after = try known.meanMaximumCosine(trainer.autoencoder.parameters["W_dec"])
      #expect(explained > 0.9 && abs(l0 - 3) < 1)
      #expect(before < 0.8)
      expectError(Double(1 - after), within: 0.05, "a known dictionary by \(method), from cosine 1")
    }
  }
}

@Suite struct DeadFeatureTests {
  /// Features that nothing lets through have no gradient but that of AuxK.
  @Test func `dead features are trained by what is left over`() async throws {
    try await TensorActor.run {
      var known = try KnownDictionary(width: 32, count: 64, active: 3)
      let x = known.activations(256)
      @TensorActor func unchanged(_ auxiliary: Double) throws -> Int {
        let training = AutoencoderTraining(
          features: 512, l0: 1, tokensPerStep: 256, auxiliary: auxiliary, deadAfter: 1)
        var trainer = try AutoencoderTrainer(training, site: .embed, from: x, seed: 1)
        let before = try trainer.autoencoder.parameters["W_dec"].floats()
        for _ in 0..<3 { try trainer.takeStep(x, rateFactor: 1) }
        let after = try trainer.autoencoder.parameters["W_dec"].floats()
        return (0..<512).count { row in
          (0..<32).allSatisfy { abs(before[row * 32 + $0] - after[row * 32 + $0]) < 1e-6 }
        }
      }
      let (without, with) = (try unchanged(0), try unchanged(1.0 / 32))
      #expect(without > 100 && with < without / 4, "\(without) \(with)")
    }
  }
}

@Suite struct AutoencoderFileTests {
  /// One that gives back what it is given: directions and their opposites, of which one is above 0.
  @TensorActor
  static func identity(_ site: Site, width: Int) -> SparseAutoencoder {
    let count = 2 * width
    var (encoder, decoder) = (
      [Float](repeating: 0, count: width * count), [Float](repeating: 0, count: width * count)
    )
    for i in 0..<width {
      (encoder[i * count + i], encoder[i * count + width + i]) = (1, -1)
      (decoder[i * width + i], decoder[(width + i) * width + i]) = (1, -1)
    }
    return SparseAutoencoder(
      .jumpReLU, site: site,
      parameters: ParameterTree([
        ("W_enc", Tensor(encoder, shape: [width, count])), ("b_enc", Tensor.zeros([count])),
        ("W_dec", Tensor(decoder, shape: [count, width])), ("b_dec", Tensor.zeros([width])),
        ("threshold", Tensor.zeros([count])),
      ]), subtractsBias: false)
  }

  @TensorActor
  private static func random(
    _ architecture: SparseAutoencoder.Architecture, width: Int, count: Int
  ) -> SparseAutoencoder {
    var generator = SeededGenerator(seed: 9)
    func draw(_ shape: [Int]) -> Tensor {
      Tensor((0..<shape.reduce(1, *)).map { _ in Float(generator.normal()) }, shape: shape)
    }
    var named = [
      ("W_enc", draw([width, count])), ("b_enc", draw([count])), ("W_dec", draw([count, width])),
      ("b_dec", draw([width])),
    ]
    if architecture == .jumpReLU { named.append(("threshold", draw([count]).abs())) }
    return SparseAutoencoder(
      architecture, site: .block(1, .residPost), parameters: ParameterTree(named),
      subtractsBias: true)
  }

  @Test(arguments: [SparseAutoencoder.Architecture.topK(3), .jumpReLU])
  func `what is written is read back`(_ kind: SparseAutoencoder.Architecture) async throws {
    try await TensorActor.run {
      try inFolder { folder in
        let model = try sharpModel()
        let width = model.configuration.dModel
        let written = Self.random(kind, width: width, count: 2 * width)
        try written.write(to: folder, for: model)
        let read = try SparseAutoencoder.read(folder, for: model)
        #expect(read.architecture == kind && read.site == written.site && read.subtractsBias)
        let x = Tensor((0..<5 * width).map { Float($0 % 7) - 3 }, shape: [5, width])
        let (one, other) = (try written.encode(x).floats(), try read.encode(x).floats())
        #expect(one == other)
        if case .topK(let k) = kind {
          let seen = try Tensor(0).less(read.encode(x)).astype(.float32).sum(axes: [1]).floats()
          #expect(seen.allSatisfy { $0 <= Float(k) } && seen.contains { $0 == Float(k) })
        }
      }
    }
  }

  /// The numbers by hand, from `W_enc` and thresholds and nothing else of the code.
  @Test func `features are what lies above its threshold, or among the largest`() async throws {
    try await TensorActor.run {
      let weights = ParameterTree([
        ("W_enc", Tensor([1, 0, 2, 0, 1, -1] as [Float], shape: [2, 3])),
        ("b_enc", Tensor([0.5, 0, 0] as [Float])),
        ("W_dec", Tensor([1, 0, 0, 1, 1, 1] as [Float], shape: [3, 2])),
        ("b_dec", Tensor([1, -1] as [Float])),
        ("threshold", Tensor([3, 1, 2] as [Float])),
      ])
      // Less b_dec: [2, 1], whose pre-activations are 2.5, 1 and 3.
      let x = Tensor([3, 0] as [Float], shape: [1, 2])
      let jump = SparseAutoencoder(
        .jumpReLU, site: .embed, parameters: weights, subtractsBias: true)
      let jumped = try jump.encode(x).floats()
      #expect(jumped == [0, 0, 3])
      let rebuilt = try jump.reconstruct(x).floats()
      #expect(rebuilt == [4, 2])
      let top = SparseAutoencoder(
        .topK(2), site: .embed, parameters: weights, subtractsBias: true)
      let two = try top.encode(x).floats()
      #expect(two == [2.5, 0, 3])
      let raw = SparseAutoencoder(
        .topK(3), site: .embed, parameters: weights, subtractsBias: false)
      let all = try raw.encode(x).floats()
      #expect(all == [3.5, 0, 6])
    }
  }

  @Test func `SAELens's older and scaled forms mean what they mean there`() async throws {
    try await TensorActor.run {
      try inFolder { folder in
        let model = try sharpModel()
        let width = model.configuration.dModel
        let written = Self.random(.topK(3), width: width, count: 2 * width)
        try written.write(to: folder, for: model)
        func rewrite(_ change: (inout [String: Any]) -> Void) throws {
          let url = URL(fileURLWithPath: "\(folder)/cfg.json")
          let found = try JSONSerialization.jsonObject(with: Data(contentsOf: url))
          var fields = try #require(found as? [String: Any])
          change(&fields)
          try JSONSerialization.data(withJSONObject: fields).write(to: url)
        }
        // Chosen by pre-activations times the directions' lengths.
        try rewrite { $0["rescale_acts_by_decoder_norm"] = true }
        let scaled = try SparseAutoencoder.read(folder, for: model)
        let x = Tensor((0..<5 * width).map { Float($0 % 7) - 3 }, shape: [5, width])
        let norms = written.parameters["W_dec"].square().sum(axes: [1]).sqrt()
        let pre = written.preActivations(x) * norms
        let least = pre.largest(3, axis: 1).min(axes: [1], keepDims: true)
        let chosen = Tensor.where(least.lessEqual(pre), Tensor.maximum(pre, Tensor(0)), Tensor(0))
        let expected = (chosen / norms).matmul(written.parameters["W_dec"])
        let found = try (scaled.reconstruct(x) - scaled.parameters["b_dec"]).floats()
        #expect(largestDifference(found, try expected.floats()) < 1e-4)
        // Before version 6.
        try rewrite {
          ($0["architecture"], $0["metadata"]) = ("standard", nil)
          ($0["activation_fn_str"], $0["activation_fn_kwargs"]) = ("topk", ["k": 2])
          ($0["hook_name"], $0["k"]) = ("blocks.0.hook_mlp_out", nil)
        }
        let old = try SparseAutoencoder.read(folder, for: model)
        #expect(old.architecture == .topK(2) && old.site == .block(0, .mlpOut))
        for (field, value) in [
          ("normalize_activations", "layer_norm"), ("architecture", "gated"),
          ("hook_name", "blocks.99.hook_mlp_out"),
        ] {
          try rewrite {
            if field == "architecture" { $0["activation_fn_str"] = nil }
            $0[field] = value
          }
          #expect(throws: AutoencoderError.self) { try SparseAutoencoder.read(folder, for: model) }
          try rewrite {
            ($0["architecture"], $0["activation_fn_str"]) = ("standard", "topk")
            ($0["normalize_activations"], $0["hook_name"]) = ("none", "blocks.0.hook_mlp_out")
          }
        }
        // What it wrote itself knows its model by the unembedding.
        try written.write(to: folder, for: model)
        #expect(throws: AutoencoderError.self) {
          try SparseAutoencoder.read(folder, for: tinyModel("llama"))
        }
      }
    }
  }
}

@Suite struct AutoencoderCellTests {
  private static let training = AutoencoderTrainCell.Config(
    training: AutoencoderTraining(
      features: 128, l0: 8, rateScale: 0.8, tokensPerStep: 64, epochs: 12, deadAfter: 256),
    sites: ["blocks.0.mlp.out", "blocks.1.resid_post"], sequenceLength: 32, tokens: 640,
    heldOutTokens: 64, chunkTokens: 256, precision: .float32, textFiles: 1)

  @Test func `a training that was killed goes on to the same bits, and learns`() async throws {
    struct Killed: Error {}
    let model = try await sharpModel()
    let (whole, broken) = (try CellBench(), try CellBench())
    let cell = AutoencoderTrainCell(model: model)
    let expected = try await whole.perform(cell, Self.training)
    await #expect(throws: Killed.self) {
      try await broken.perform(Interrupted(cell: cell, after: 4) { throw Killed() }, Self.training)
    }
    let found = try await broken.perform(cell, Self.training)
    #expect(found.contents.hash == expected.contents.hash)
    for (i, site) in Self.training.sites.enumerated() {
      let looks = expected.finding.looks[i]
      let (first, last) = (try #require(looks.first), try #require(looks.last))
      #expect(last.explained > first.explained && last.explained > 0.5, "\(site): \(looks)")
      let autoencoder = try await SparseAutoencoder.read(
        expected.artifacts.appending(path: site).path, for: model)
      #expect("\(autoencoder.site)" == site)
    }
  }

  /// A model that has learnt which token most often follows which: zeros cost it something.
  @TensorActor
  private static func bigramModel(in folder: String, text: String) throws -> LanguageModel {
    var model = HandWrittenModel(nLayers: 1, dModel: 64, dMLP: 4)
    for token in 0..<model.dVocab { model["wte", token, token] = 1 }
    let ids = try model.load(in: folder + "/raw").tokenizer.encode(text)
    let pairs = Dictionary(grouping: zip(ids, ids.dropFirst()), by: \.0)
    for (token, followed) in pairs {
      let counts = Dictionary(followed.map { ($0.1, 1) }, uniquingKeysWith: +)
      for (next, count) in counts {
        model["lm_head", next, token] = 0.4 * Float(count) / Float(followed.count)
      }
    }
    return try model.load(in: folder + "/bigram")
  }

  @Test func `one that gives all back loses nothing, and one of zeros all`() async throws {
    let bench = try CellBench()
    let folder = bench.folder.path
    let (model, width) = try await TensorActor.run {
      let model = try Self.bigramModel(
        in: folder, text: (0..<12).map(TinyText.document).joined())
      let width = model.configuration.dModel
      let same = AutoencoderFileTests.identity(.block(0, .residPost), width: width)
      let zero = SparseAutoencoder(
        .jumpReLU, site: same.site,
        parameters: same.parameters.mapValues { Tensor.zeros($0.shape) }, subtractsBias: false)
      for (name, autoencoder) in [("same", same), ("zero", zero)] {
        try FileManager.default.createDirectory(
          atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
        try autoencoder.write(to: "\(folder)/\(name)", for: model)
      }
      return (model, width)
    }
    try bench.add("sae0", "\(folder)/same")
    try bench.add("sae1", "\(folder)/zero")
    let config = AutoencoderEvaluationCell.Config(
      autoencoders: ["same", "zero"], sequenceLength: 32, tokens: 400, precision: .float32,
      textFiles: 1)
    let finding = try await bench.perform(AutoencoderEvaluationCell(model: model), config).finding
    let (same, zero) = (finding.readings[0], finding.readings[1])
    #expect(abs(same.explained.value - 1) < 1e-5)
    #expect(abs(same.addedLoss?.value ?? 1) < 1e-5)
    #expect(abs((same.recovered?.value ?? 0) - 1) < 1e-4)
    // A token is one number of 64, and nothing else of the dictionary.
    #expect(same.l0.value == 1 && same.dead > width)
    #expect(same.frequencies.reduce(0, +) + same.dead == 2 * width)
    #expect(zero.explained.value < 0.5 && zero.l0.value == 0 && zero.dead == 2 * width)
    #expect(abs(zero.recovered?.value ?? 1) < 1e-6 && (zero.addedLoss?.value ?? 0) > 0.1)
    let loss = try #require(finding.loss)
    #expect(loss.interval.contains(loss.value) && loss.n == finding.tokens)
  }
}

/// A training that is stopped on the way.
private struct Interrupted: CellKind {
  typealias Config = AutoencoderTrainCell.Config
  typealias Finding = AutoencoderTrainCell.Finding
  static let kind = AutoencoderTrainCell.kind
  static let version = AutoencoderTrainCell.version
  let cell: AutoencoderTrainCell
  let after: Int
  let stop: @Sendable () throws -> Void

  init(cell: AutoencoderTrainCell, after: Int, stop: @escaping @Sendable () throws -> Void) {
    (self.cell, self.after, self.stop) = (cell, after, stop)
  }

  func run(_ config: Config, in context: CellContext) async throws -> Finding {
    try await cell.run(config, in: context, stopAfter: after, stop: stop)
  }
}
