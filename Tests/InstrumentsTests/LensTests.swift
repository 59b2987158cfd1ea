import Foundation
import Instruments
import LanguageModels
import Tensors
import TestSupport
import Testing
import Training

@Suite struct LensTests {
  /// All logits are held here; the lens's own way never does.
  @Test(arguments: ["llama", "gemma2", "gpt2", "gpt_neox"]) @TensorActor
  func `entropies and divergences are those of whole distributions`(_ family: String) throws {
    let model = try tinyModel(family)
    let ids = try LensReference.read().ids
    let sites = Lens.sites(of: model.configuration)
    let output = try model.forward(
      TokenBatch([ids]), hooks: Hooks(captures: Set(sites)))
    let final = try model.predictions(from: output.finalNorm)
    let p = try #require(output.logits).logSoftmax()
    expectError(
      largestDifference(
        try final.entropy.floats(), try (-(p.exp() * p).sum(axes: [1])).floats()),
      within: 1e-5, "\(family) entropy")
    for site in sites {
      let stream = try #require(output.captured[site])
      let reading = try model.predictions(from: model.finalNorm(stream))
      let q = try model.logits(of: reading).logSoftmax()
      expectError(
        largestDifference(
          try final.divergence(to: reading).floats(),
          try (p.exp() * (p - q)).sum(axes: [1]).floats()),
        within: 1e-5, "\(family) divergence at \(site)")
      expectError(
        largestDifference(
          try model.crossEntropy(of: reading, targets: ids).floats(),
          try (-q.takeAlongAxis(Tensor(ids.map(Int32.init), shape: [ids.count, 1]), axis: 1))
            .squeeze(1).floats()),
        within: 1e-5, "\(family) cross-entropy at \(site)")
    }
  }

  @Test @TensorActor
  func `a lens that changes nothing reads the last boundary as the model does`() throws {
    let model = try tinyModel("llama")
    let c = model.configuration
    let site = Site.block(c.nLayers - 1, .residPost)
    let output = try model.forward(
      TokenBatch([[3, 5, 8, 13]]), hooks: Hooks(captures: [site]))
    let stream = try #require(output.captured[site])
    for kind in [Lens.Kind.logit, .tuned] {
      let lens = Lens(kind, sites: [site], dModel: c.dModel)
      let reading = try model.read(stream, at: site, through: lens)
      #expect(try model.logits(of: reading).floats() == output.logits?.floats())
    }
  }

  @Test(arguments: ["llama", "gpt2", "gpt_neox"]) @TensorActor
  func `sites are all block boundaries, and between the parts where there is such a place`(
    _ family: String
  ) throws {
    let c = try tinyModel(family).configuration
    #expect(Lens.sites(of: c) == [.block(0, .residPre), .block(1, .residPre)])
    let mid = Lens.sites(of: c, mid: true)
    #expect(mid.contains(.block(1, .residMid)) == (family != "gpt_neox"))
    #expect(mid == mid.sorted { $0.order(in: c) < $1.order(in: c) })
  }
}

@Suite struct LensTrainerTests {
  /// Measured: 2e-6 of losses around 10.
  @Test(arguments: [LensTraining.Clipping.together, .perSite]) @TensorActor
  func `training as published gives the losses of the tuned-lens package`(
    _ clipping: LensTraining.Clipping
  ) throws {
    let reference = try LensReference.read()
    var trainer = try self.trainer(clipping, reference)
    let expected = clipping == .together ? reference.lossesTogether : reference.lossesPerSite
    for step in expected {
      let losses = try trainer.takeStep()
      let error = zip(losses, step).map { abs(Double($0 / $1) - 1) }.max() ?? .infinity
      expectError(error, within: 5e-6, "\(clipping) losses")
    }
    #expect(trainer.isFinished)
    // Otherwise one of the two could stand for both.
    #expect(reference.lossesTogether.last != reference.lossesPerSite.last)
    guard clipping == .together else { return }
    let theirs = try Lens.read(fixture("theirs"), for: trainer.model)
    for (path, tensor) in zip(theirs.parameters.paths, theirs.parameters.tensors) {
      expectError(
        largestDifference(try trainer.lens.parameters[path].floats(), try tensor.floats()),
        within: 1e-6, path)
    }
  }

  @TensorActor private func trainer(
    _ clipping: LensTraining.Clipping, _ reference: LensReference
  ) throws -> LensTrainer {
    let model = try sharpModel()
    let c = model.configuration
    return LensTrainer(
      LensTraining(method: .sgd, clipping: clipping, tokensPerStep: 30, epochs: 4),
      model: model, sequences: reference.sequences,
      from: Lens(.tuned, sites: Lens.sites(of: c), dModel: c.dModel))
  }

  @Test @TensorActor
  func `gradients in parts are those of the whole batch`() throws {
    let model = try sharpModel()
    let c = model.configuration
    let ids = try LensReference.read().ids
    // 78 sequences of 30 tokens: two passes, the second shorter.
    let sequences = (0..<78).map { shift in ids.map { ($0 + shift) % c.dVocab } }
    for kind in [Lens.Kind.tuned, .previousToken] {
      let lens = Lens(kind, sites: Lens.sites(of: c, mid: true), dModel: c.dModel)
      let trainer = LensTrainer(
        LensTraining(kind: kind), model: model, sequences: sequences, from: lens)
      let whole = try trainer.lossesAndGradients(sequences[...])
      let parts = try [0..<40, 40..<78].map { try trainer.lossesAndGradients(sequences[$0]) }
      for (i, path) in lens.parameters.paths.enumerated() {
        let (a, b) = (parts[0].gradients.tensors[i], parts[1].gradients.tensors[i])
        let mean = (a * 40 + b * 38) / 78
        let scale = try mean.abs().max().scalar()
        expectError(
          largestDifference(
            try (whole.gradients.tensors[i] / scale).floats(), try (mean / scale).floats()),
          within: 1e-5, "\(kind) \(path)")
      }
    }
  }

  /// Translators that change nothing: each loss is the logit lens's, over the tokens that count.
  @Test @TensorActor
  func `what all sequences begin with can be left out of the loss`() throws {
    let model = try sharpModel()
    let c = model.configuration
    let ids = try LensReference.read().ids
    let sequences = [Array(ids.prefix(12)), Array(ids.prefix(7)) + [1, 2, 3]]
    let start = Lens(.tuned, sites: Lens.sites(of: c), dModel: c.dModel)
    var training = LensTraining()
    training.skipped = 7
    let found = try LensTrainer(training, model: model, sequences: sequences, from: start)
      .lossesAndGradients(sequences[...]).losses
    var sums = [Double](repeating: 0, count: start.sites.count)
    for ids in sequences {
      let pass = try model.forward(
        TokenBatch([ids]), logits: .none, hooks: Hooks(captures: Set(start.sites)))
      let final = try model.predictions(from: pass.finalNorm)
      for (place, site) in start.sites.enumerated() {
        let read = try model.read(#require(pass.captured[site]), at: site, through: start)
        sums[place] += try final.divergence(to: read).floats().dropFirst(7).reduce(0) {
          $0 + Double($1)
        }
      }
    }
    expectClose(found.map(Double.init), sums.map { $0 / 8 }, rtol: 1e-4, atol: 1e-5)
    let watched = try start.losses(on: sequences, model: model, adapter: nil, skipped: 7)
    expectClose(watched.map(Double.init), sums.map { $0 / 8 }, rtol: 1e-4, atol: 1e-5)
    #expect(try start.losses(on: sequences, model: model, adapter: nil) != watched)
  }

  /// Without learned positions the stream before block 0 is the embedding and nothing else.
  @Test @TensorActor
  func `a retrodiction learns to name the token that went in`() throws {
    let model = try tinyModel("llama")
    let c = model.configuration
    var key = RandomKey(seed: 4)
    let drawn = try (key.uniform([32, 24]) * Float(c.dVocab)).floats().map { Int($0) }
    let sequences = (0..<32).map { Array(drawn[24 * $0..<24 * $0 + 24]) }
    var trainer = LensTrainer(
      LensTraining(
        kind: .retrodiction, method: .adam, rateScale: 50, tokensPerStep: 768, epochs: 60),
      model: model, sequences: sequences,
      from: Lens(.retrodiction, sites: Lens.sites(of: c), dModel: c.dModel))
    var losses: [[Float]] = []
    while !trainer.isFinished { losses.append(try trainer.takeStep()) }
    #expect(try #require(losses.last)[0] < 0.1 * losses[0][0])
    let pass = try model.forward(
      TokenBatch([drawn.prefix(24).map { $0 }]), logits: .none,
      hooks: Hooks(captures: [.block(0, .residPre)]))
    let reading = try model.read(
      #require(pass.captured[.block(0, .residPre)]), at: .block(0, .residPre),
      through: trainer.lens)
    #expect(try reading.best.astype(.int32).int32s().map(Int.init) == Array(drawn.prefix(24)))
  }

  /// Beyond block 0 the map is no symmetric one, as it is before it.
  @Test @TensorActor
  func `the ridge lens is the regression onto the embeddings, scaled`() throws {
    let model = try sharpModel()
    let c = model.configuration
    var key = RandomKey(seed: 6)
    let drawn = try (key.uniform([40, 24]) * Float(c.dVocab)).floats().map { Int($0) }
    let sequences = (0..<40).map { Array(drawn[24 * $0..<24 * $0 + 24]) }
    let site = Site.block(1, .residMid)
    let lens = try Lens.ridge(
      .retrodiction, sites: [site], model: model, adapter: nil, sequences: sequences)
    let fitted = Array(sequences.prefix(32))
    let stream = try model.forward(
      TokenBatch(fitted, sharingPrefix: false), logits: .none,
      hooks: Hooks(captures: [site])
    ).captured[site]
    let x = try #require(stream)
    let y = try model.embeddings(of: Array(fitted.joined()))
    let (meanX, meanY) = (x.mean(axes: [0], keepDims: true), y.mean(axes: [0], keepDims: true))
    let centred = x - meanX
    let gram = centred.transpose().matmul(centred)
    let identity = Tensor((0..<256).map { Float($0 / 16 == $0 % 16 ? 1 : 0) }, shape: [16, 16])
    let variance = (gram * identity).sum() / 16
    let found = lens.translate(x, at: site)
    let cosines = try [1e-4, 1e-2, 1].map { penalty -> Float in
      let map = try (gram + identity * variance * Float(penalty)).solve(
        centred.transpose().matmul(y - meanY))
      let expected = centred.matmul(map) + meanY
      let length = (expected.square().sum() * found.square().sum()).sqrt()
      return try ((expected * found).sum() / length).scalar()
    }
    #expect(try #require(cosines.max()) > 0.99999, "\(cosines)")
  }

  @Test @TensorActor
  func `previous-token lenses are asked for the token before, within each sequence`() throws {
    let model = try tinyModel("llama")
    let c = model.configuration
    let sequences = [[1, 2, 3], [4, 5]]
    let lens = Lens(.previousToken, sites: [.block(0, .residPre)], dModel: c.dModel)
    let trainer = LensTrainer(
      LensTraining(kind: .previousToken), model: model, sequences: sequences, from: lens)
    let (losses, _) = try trainer.lossesAndGradients(sequences[...])
    let stream = try model.forward(
      TokenBatch(sequences, sharingPrefix: false), logits: .none,
      hooks: Hooks(captures: [.block(0, .residPre)])
    ).captured[.block(0, .residPre)]
    let rows = try #require(stream).take(Tensor([Int32(1), 2, 4]))
    let expected = try model.retrodictionLoss(rows, targets: [1, 2, 4], differentiable: false)
    #expect(abs(losses[0] - (try expected.mean().scalar())) < 1e-5)
  }
}
