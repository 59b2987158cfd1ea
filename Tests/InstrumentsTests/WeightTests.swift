import Foundation
import Instruments
import Lab
import LanguageModels
import Statistics
import Tensors
import TestSupport
import Testing

@Suite struct WeightReadingTests {
  /// The last block's neurons have no later component: total effects are direct ones.
  @Test(arguments: ["llama", "gpt2", "gemma2", "gpt_neox", "qwen3"]) @TensorActor
  func `a reading of the last block's neurons is what happens to the logits`(
    _ family: String
  ) throws {
    let model = try tinyModel(family)
    let c = model.configuration
    let (ids, site) = ([3, 5, 8, 13], Site.block(c.nLayers - 1, .post))
    let out = Site.block(c.nLayers - 1, .mlpOut)
    let readings = try model.logits(
      alongDirections: model.neuronOutputs(block: c.nLayers - 1))
    let output = try model.forward(TokenBatch([ids]), hooks: Hooks(captures: [site, out]))
    let stream = try finalStream(model, ids)
    for neuron in [0, 3, c.dMLP - 1] {
      func logits(_ step: Float) throws -> Tensor {
        var change = [Float](repeating: 0, count: ids.count * c.dMLP)
        change[3 * c.dMLP + neuron] = step
        let changed = try model.forward(
          TokenBatch([ids]), logits: .none,
          hooks: Hooks(interventions: [
            (site, .add(Tensor(change, shape: [ids.count, c.dMLP])))
          ]))
        return try uncapped(model, changed.finalNorm.slice(3..<4))
      }
      let step: Float = 0.02
      let slope = (try logits(step) - logits(-step)) / (2 * step)
      // The norm divides by the stream's length, which turns with the change itself; what is left of the
      // reading's direction beyond the stream's is exact.
      let written = try model.neuronOutputs(block: c.nLayers - 1, [neuron])
      let reading = readings.slice(neuron..<neuron + 1)
      var along = [reading, try model.logits(alongDirections: stream)]
      if c.normPlacement == .around {
        let own = try #require(output.captured[out]).slice(3..<4)
        along.append(try model.logits(alongDirections: own))
      }
      #expect(written.shape == [1, c.dModel])
      expectError(
        Double(try residual(slope, along)), within: 1e-3, "\(family) neuron \(neuron)")
    }
    #expect(try #require(output.captured[site]).shape == [4, c.dMLP])
  }

  @TensorActor private func finalStream(_ model: LanguageModel, _ ids: [Int]) throws -> Tensor {
    let site = Site.block(model.configuration.nLayers - 1, .residPost)
    let output = try model.forward(TokenBatch([ids]), hooks: Hooks(captures: [site]))
    return try #require(output.captured[site]).slice(ids.count - 1..<ids.count)
  }

  /// Logits before a cap, whose slope is another one.
  @TensorActor private func uncapped(_ model: LanguageModel, _ rows: Tensor) throws -> Tensor {
    let logits = try model.logits(ofRows: rows)
    guard let cap = model.configuration.logitSoftCap else { return logits }
    let x = logits / cap
    return ((x + 1) / (Tensor(1) - x)).log() * (cap / 2)
  }

  /// How much of `y` no sum of `parts` makes up, relative to its size, means taken out.
  @TensorActor private func residual(_ y: Tensor, _ parts: [Tensor]) throws -> Float {
    func centred(_ x: Tensor) -> Tensor { x - x.mean(axes: [1], keepDims: true) }
    let x = Tensor.concatenate(parts.map(centred), axis: 0)
    let target = centred(y)
    let weights = try x.matmul(x.transpose()).solve(x.matmul(target.transpose()))
    let left = target - weights.transpose().matmul(x)
    return try (left.square().sum() / target.square().sum()).sqrt().scalar()
  }

  @Test(arguments: ["llama", "gpt2", "gpt_neox", "gemma3"]) @TensorActor
  func `what neurons get is read from the stream as the forward pass does`(
    _ family: String
  ) throws {
    let model = try tinyModel(family)
    let ids = [3, 5, 8, 13, 21]
    for block in 0..<model.configuration.nLayers {
      let sites = model.neuronInputs.map { Site.block(block, $0 == .gate ? .gate : .up) }
      let output = try model.forward(
        TokenBatch([ids]), logits: .none,
        hooks: Hooks(captures: Set(sites + [model.mlpReads(block)])))
      let stream = try #require(output.captured[model.mlpReads(block)])
      let inputs = try model.neuronInputs(block: block, from: stream)
      for (part, site) in zip(model.neuronInputs, sites) {
        #expect(try inputs[part]?.floats() == output.captured[site]?.floats(), "\(family) \(site)")
        // A direction's dot product with the stream, over its length and up to a constant.
        let direction = try model.neuronInputs(block: block, part, [2])
        let (a, b) = (
          try stream.matmul(direction.transpose()).floats(),
          try #require(inputs[part]).slice(2..<3, axis: 1).floats()
        )
        let lengths = try lengths(stream, model)
        let readings = zip(a, lengths).map { Double($0 / $1) }
        let differences = zip(b, readings).map { Double($0) - $1 }
        let spread = (differences.max() ?? 0) - (differences.min() ?? 0)
        expectError(spread, within: 2e-5, "\(family) \(site) reading")
      }
    }
  }

  @TensorActor private func lengths(_ stream: Tensor, _ model: LanguageModel) throws -> [Float] {
    let c = model.configuration
    let square =
      c.norm == .layer ? stream.variance(axes: [1]) : stream.square().mean(axes: [1])
    return try (square + c.normEpsilon).sqrt().floats()
  }

  @Test @TensorActor func `an encoder's weights are no directions of its stream`() throws {
    let model = try tinyModel("bert")
    #expect(throws: ModelError.normsAfter(family: "bert")) {
      try model.neuronOutputs(block: 0)
    }
  }

  @Test(arguments: ["llama", "gpt2", "gemma2", "mistral", "qwen2_window"]) @TensorActor
  func `branches are the tokens of their text`(_ family: String) throws {
    let model = try tinyModel(family)
    let ids = [3, 5, 8, 13, 21, 34, 55, 9, 4, 7, 2, 11]
    let branches = [3..<4, 3..<4, 0..<2, 7..<12, 11..<12]
    let batch = TokenBatch(ids, branches: branches)
    let whole = try #require(try model.forward(TokenBatch([ids])).logits)
    let all = try #require(try model.forward(batch).logits)
    for (index, branch) in branches.enumerated() {
      #expect(batch.length(of: index + 1) == branch.upperBound)
      for position in branch {
        let row = batch.row(sequence: index + 1, position: position)
        expectError(
          largestDifference(
            try all.slice(row..<row + 1).floats(),
            try whole.slice(position..<position + 1).floats()),
          within: 2e-5, "\(family) branch \(branch) at \(position)")
      }
    }
    #expect(batch.row(sequence: 4, position: 2) == 2)
  }
}

@Suite struct WeightValidationTests {
  private static func text(in folder: String, _ name: String, seed: UInt64) throws -> String {
    var generator = SeededGenerator(seed: seed)
    let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789")
    let lines = (0..<60).map { _ in
      let words = (0..<40).map { _ in String(letters[generator.below(letters.count)]) }
      return "{\"text\": \"\(words.joined())\"}"
    }
    let path = "\(folder)/\(name)"
    try Data(lines.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: path))
    return path
  }

  /// Forward translators R^(L − b), and backward ones R^(−b).
  @TensorActor private static func lens(
    _ kind: Lens.Kind, _ drift: DriftingModel, _ rotation: [Float]
  ) throws -> Lens {
    let (d, layers) = (drift.d, drift.nLayers)
    let identity = Tensor((0..<d * d).map { Float($0 / d == $0 % d ? 1 : 0) }, shape: [d, d])
    let r = Tensor(rotation, shape: [d, d])
    func power(_ x: Tensor, _ n: Int) -> Tensor {
      (0..<n).reduce(identity) { sum, _ in sum.matmul(x) }
    }
    let sites = (0..<layers).map { Site.block($0, .residPre) }
    let named = sites.enumerated().flatMap { block, site in
      let map = kind == .tuned ? power(r, layers - block) : power(r.transpose(), block)
      return [
        ("\(site).weight", map.transpose() - identity), ("\(site).bias", Tensor.zeros([d])),
      ]
    }
    return Lens(kind, sites: sites, parameters: ParameterTree(named))
  }

  private static func validate(
    drift: Float, lensOf: Float, backward: Bool = true
  ) async throws -> (finding: WeightValidationCell.Finding, scores: String) {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("plumbline-drift-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let model = try await TensorActor.run { () throws -> LanguageModel in
      let planted = try DriftingModel(drift: drift)
      let rotation = try DriftingModel(drift: lensOf, seed: lensOf == drift ? 3 : 4).rotation
      let model = try planted.model.load(in: "\(folder)/model")
      for (kind, name) in [(Lens.Kind.tuned, "lens"), (.retrodiction, "backward")] {
        try lens(kind, planted, rotation).writeSafetensors(
          to: "\(folder)/\(name).safetensors", for: model)
      }
      return model
    }
    var inputs: [String: CellInput] = [
      "base": try .file(URL(fileURLWithPath: "\(folder)/model")),
      "lens": try .file(URL(fileURLWithPath: "\(folder)/lens.safetensors")),
      "text0": try .file(URL(fileURLWithPath: text(in: folder, "text.jsonl", seed: 1))),
      "fit0": try .file(URL(fileURLWithPath: text(in: folder, "fit.jsonl", seed: 2))),
    ]
    if backward {
      inputs["backward"] = try .file(URL(fileURLWithPath: "\(folder)/backward.safetensors"))
    }
    let config = WeightValidationCell.Config(
      blocks: [0, 1, 2], neuronsPerBlock: 20, gaps: [1, 2], windows: 8, sequenceLength: 24,
      fitTokens: 1200, jacobianSamples: 512, inputTokens: 1200, minimumCount: 10,
      hasBackward: backward,
      precision: .float32, textFiles: 1, fitFiles: 1)
    let run = try Run.open(
      folder: URL(fileURLWithPath: "\(folder)/run"), manifest: ["study": "drift"],
      environment: Environment(build: "test", device: "cpu", instructionSet: "any"))
    let result = try await run.perform(
      WeightValidationCell(model: model), config, inputs: inputs, label: "drift")
    return (
      result.finding,
      try String(contentsOf: result.artifacts.appending(path: "scores.csv"), encoding: .utf8)
    )
  }

  private func cosine(
    _ reading: WeightValidationCell.Reading, _ kind: TransportKind
  ) throws -> Double {
    try #require(reading.pooled.transports.first { $0.kind == kind }).cosine.value
  }

  @Test func `a planted drift is found, and the lens that undoes it helps`() async throws {
    let (finding, scores) = try await Self.validate(drift: 1.2, lensOf: 1.2)
    #expect(finding.readings.count == 5)
    for reading in finding.readings {
      #expect(reading.verdict == .helps, "\(reading.kind) \(reading.truth)")
      let corrected = try cosine(reading, reading.correction)
      let raw = try cosine(reading, .identity)
      // A norm's own derivative is all that is left out.
      #expect(corrected > 0.95, "\(reading.kind) \(reading.truth): \(corrected)")
      #expect(raw < corrected - 0.2, "\(reading.kind) \(reading.truth): \(raw)")
      #expect(try cosine(reading, .ridge) > 0.95)
      #expect(try cosine(reading, .jacobian) > 0.9)
      #expect(try cosine(reading, .random) < 0.3 && cosine(reading, .wrongLayer) < 0.8)
      #expect(reading.pooled.ceiling ?? 1 > 0.99)
    }
    for direct in finding.controls.direct { #expect(direct.least > 0.9, "\(direct)") }
    for own in finding.controls.coincidence { #expect(own.largest < 0.02, "\(own)") }
    #expect(finding.controls.coincidence.count == 4)
    #expect(
      scores.split(separator: "\n").first
        == "reading,truth,gap,neuron,transport,cosine,rank,top,sign")
    #expect(scores.contains("virtual,ablation,2,1."))
  }

  @Test func `where nothing drifts, a correction is not said to help`() async throws {
    let (still, _) = try await Self.validate(drift: 0.02, lensOf: 0.02)
    for reading in still.readings {
      #expect(reading.verdict == .noDifference, "\(reading.kind) \(reading.truth)")
      #expect(try cosine(reading, .identity) > 0.95)
    }
    let (wrong, _) = try await Self.validate(drift: 0.02, lensOf: 1.2)
    for reading in wrong.readings where reading.kind != .input {
      #expect(reading.verdict == .hurts, "\(reading.kind) \(reading.truth)")
    }
  }
}
