import Foundation
import Instruments
import LanguageModels
import Statistics
import Tensors
import TestSupport
import Testing

/// What `Scripts/reference/probe_fixtures.py` recorded.
private struct ProbeReference: Decodable {
  struct Discriminant: Decodable {
    let x: [Double]
    let labels: [Bool]
    /// The penalty, then a unit direction.
    let directions: [[Double]]
  }
  struct Covariance: Decodable {
    let rows: Int
    let x: [Double]
    let covariance: [Double]
    let shrinkage: Double
  }
  struct Pairs: Decodable {
    let high: [Double]
    let low: [Double]
    let rows: Int
    let direction: [Double]?
    let loss: Double?
    let beliefs: [Double]?
    let truth: [Bool]?

    var contrast: ContrastPairs {
      ContrastPairs(
        high: Matrix(width: high.count / rows, values: high),
        low: Matrix(width: low.count / rows, values: low))
    }
  }

  let discriminant: Discriminant
  let ledoitWolf: [Covariance]
  let tomography: Pairs
  let consistent: Pairs

  static func read() throws -> ProbeReference {
    try JSONDecoder().decode(
      ProbeReference.self, from: Data(contentsOf: URL(fileURLWithPath: fixture("probes.json"))))
  }
}

struct DetectorReferenceTests {
  @Test func `the discriminant is scikit-learn's`() throws {
    let recorded = try ProbeReference.read().discriminant
    for line in recorded.directions {
      let found = try LinearScore.discriminant(
        recorded.x, labels: recorded.labels, shrinkage: line[0])
      let norm = found.direction.reduce(0) { $0 + $1 * $1 }.squareRoot()
      expectClose(found.direction.map { $0 / norm }, Array(line.dropFirst()), rtol: 0, atol: 1e-9)
    }
    // A column that is the sum of two others has no inverse without a penalty.
    let singular = (0..<12).flatMap { item -> [Double] in
      let (first, second) = (Double(item % 5), Double(item % 3))
      return [first, second, first + second]
    }
    #expect(throws: DetectorError.self) {
      try LinearScore.discriminant(
        singular, labels: (0..<12).map { $0 % 2 == 0 }, shrinkage: 0)
    }
  }

  @Test func `shrunk covariances are scikit-learn's`() throws {
    for recorded in try ProbeReference.read().ledoitWolf {
      let found = LedoitWolf(recorded.x, rows: recorded.rows)
      expectClose(found.shrinkage, recorded.shrinkage, atol: 1e-12)
      expectClose(found.covariance, recorded.covariance, rtol: 1e-10, atol: 1e-10)
    }
    // Nothing varies: the target is all there is.
    #expect(LedoitWolf([0, 0, 0, 0], rows: 2).covariance == [0, 0, 0, 0])
  }

  @Test func `tomography is the first principal component of alternating differences`() throws {
    let recorded = try ProbeReference.read().tomography
    let direction = LinearTomography.direction(recorded.contrast)
    expectClose(direction, try #require(recorded.direction), rtol: 0, atol: 1e-6)
  }

  /// The same minimum as the published training finds, and the same beliefs up to which side is true.
  @Test func `consistent search finds what its authors' training finds`() throws {
    let recorded = try ProbeReference.read().consistent
    let found = ConsistentDirection.fit(recorded.contrast, restarts: 10, steps: 2000)
    let (loss, theirs) = (try #require(recorded.loss), try #require(recorded.beliefs))
    #expect(found.loss <= loss + 1e-3, "\(found.loss) against \(loss)")
    let own = found.beliefs(recorded.contrast)
    let agree = zip(own, theirs).count { ($0 > 0.5) == ($1 > 0.5) }
    #expect(agree >= 57 || agree <= 3, "\(agree) of 60")
    let truth = try #require(recorded.truth)
    let right = zip(own, truth).count { ($0 > 0.5) == $1 }
    #expect(right >= 52 || right <= 8, "\(right) of 60")
    // Normalised by itself, a sample that is shifted as a whole is believed no more and no less.
    let shifted = ContrastPairs(
      high: Matrix(width: 5, values: recorded.high.map { $0 + 7 }),
      low: Matrix(width: 5, values: recorded.low.map { $0 - 2 }))
    expectClose(found.normalised(by: shifted).beliefs(shifted), own, atol: 1e-9)
    // The same start gives the same search.
    #expect(
      ConsistentDirection.fit(recorded.contrast, restarts: 2, steps: 50).loss
        == ConsistentDirection.fit(recorded.contrast, restarts: 2, steps: 50).loss)
  }

  @Test @TensorActor func `kept activations are those that reading gives`() throws {
    let folder = FileManager.default.temporaryDirectory.appending(
      path: "activations-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let model = try sharpModel()
    let responses = (0..<5).map { item in
      Response(
        id: "\(item)", promptIDs: (0...item).map { $0 + 1 },
        // One has no answer, and with it no mean.
        responseIDs: item == 2 ? [] : [3, 4, item])
    }
    let access: Set<AccessKind> = [.activations, .logits, .base]
    let c = model.configuration
    let lens = try Self.shiftingLens(c, at: .block(1, .residPre))
    let view = Specimen(id: "s", base: model, stored: nil, lens: lens) { (model, nil) }
      .view(declaring: access)
    let layers = [0, 1]
    let positions: [ActivationPosition] = [.lastPromptToken, .responseMean]
    let found = try view.readings(
      of: responses, at: layers.map { .block($0, .residPost) }, positions: positions,
      blocks: [0, 1], tokens: 2)
    try StoredReadings.write(
      Array(zip(positions, found.tables)), layers: layers, losses: found.losses, to: folder)
    let stored = try StoredReadings(folder: folder, of: responses)
    let kept = Specimen(id: "s", base: model, stored: stored, lens: lens) {
      Issue.record("what was kept is not computed again")
      return (model, nil)
    }.view(declaring: access)
    let asked = [responses[3], responses[2], responses[0]]
    for position in positions {
      let site = Site.block(1, .residPost)
      let own = try kept.activations(of: asked, at: [site], position: position)
      let direct = try view.activations(of: asked, at: [site], position: position)
      #expect(own.spans == direct.spans)
      #expect(own.rowCount == (position == .responseMean ? 2 : 3))
      for row in 0..<own.rowCount {
        expectClose(
          Array(own.row(row, at: site)), Array(direct.row(row, at: site)), rtol: 1e-5, atol: 1e-5)
      }
    }
    for (own, direct) in zip(
      try kept.negativeLogLikelihoods(of: asked), try view.negativeLogLikelihoods(of: asked))
    {
      expectClose(own, direct, rtol: 1e-5, atol: 1e-5)
    }
    #expect(try kept.negativeLogLikelihoods(of: asked).map(\.count) == [3, 0, 3])
    let through = try kept.lensLosses(of: asked, blocks: [0, 1], tokens: 2)
    let again = try view.lensLosses(of: asked, blocks: [0, 1], tokens: 2)
    for (own, direct) in zip(through, again) { expectClose(own, direct, rtol: 1e-5, atol: 1e-5) }
    #expect(through.map(\.count) == [2, 0, 2])
    // Another number of tokens was not kept, and the lens is not the logit lens.
    let plain = Specimen(id: "s", model: model, adapter: nil).view(declaring: access)
    let logit = try plain.lensLosses(of: asked, blocks: [0, 1], tokens: 2)
    #expect(abs(logit[0][0] - through[0][0]) > 1e-2)
    expectClose(logit[0][1], through[0][1], rtol: 1e-5, atol: 1e-5)
    let counted = Specimen(id: "s", base: model, stored: stored, lens: lens) { (model, nil) }
    for (blocks, tokens, isKept) in [([0, 1], 2, true), ([1], 2, false), ([0, 1], 3, false)] {
      let before = counted.tokensUsed
      _ = try counted.view(declaring: access).lensLosses(
        of: asked, blocks: blocks, tokens: tokens)
      #expect((counted.tokensUsed == before) == isKept)
    }
    let mean = try view.negativeLogLikelihoods(of: [responses[3]])[0].prefix(2).reduce(0, +) / 2
    expectClose(through[0][1], Double(mean), rtol: 1e-5, atol: 1e-5)
    // A file that was cut off is refused.
    let losses = folder.appending(path: "losses.json")
    let whole = try Data(contentsOf: losses)
    try JSONEncoder().encode(
      StoredReadings.Losses(own: [[1]], lens: [[1]], blocks: [0], tokens: 1)
    ).write(to: losses)
    #expect(throws: (any Error).self) { try StoredReadings(folder: folder, of: responses) }
    try whole.write(to: losses)
    let file = folder.appending(path: "activations.f32")
    try Data(contentsOf: file).dropLast(4).write(to: file)
    #expect(throws: (any Error).self) { try StoredReadings(folder: folder, of: responses) }
  }

  /// One that adds something to the stream at one place.
  @TensorActor private static func shiftingLens(_ c: ModelConfiguration, at site: Site) throws
    -> Lens
  {
    let bias = (0..<c.dModel).map { Float($0 % 3) - 1 }
    return Lens(
      .tuned, sites: [site],
      parameters: ParameterTree([
        ("\(site).weight", Tensor.zeros([c.dModel, c.dModel])), ("\(site).bias", Tensor(bias)),
      ]))
  }

  @Test @TensorActor func `what was not declared is refused, kept or not`() throws {
    let model = try sharpModel()
    let response = Response(id: "a", promptIDs: [1, 2], responseIDs: [3])
    let specimen = Specimen(id: "s", base: model, stored: nil, trusted: [response]) { (model, nil) }
    let text = specimen.view(declaring: [.text])
    #expect(throws: AccessError.self) { try text.trustedResponses() }
    #expect(throws: AccessError.self) { try text.forEachWeightChange { _ in } }
    #expect(throws: AccessError.self) {
      try text.lensLosses(of: [response], blocks: [0], tokens: 1)
    }
    #expect(throws: AccessError.self) {
      try specimen.view(declaring: [.activations]).lensLosses(
        of: [response], blocks: [0], tokens: 1)
    }
    #expect(throws: AccessError.self) { try text.logProbabilities(of: [1], after: [[1]]) }
    #expect(throws: AccessError.self) { try text.promotedTokens(by: [[1]]) }
    let open = specimen.view(declaring: [.trusted, .activations, .logits, .base])
    #expect(try open.trustedResponses() == [response])
    // The lens of the last block is the model itself.
    let depth = model.configuration.nLayers
    let losses = try open.lensLosses(of: [response], blocks: [0, depth - 1], tokens: 6)
    let own = try open.negativeLogLikelihoods(of: [response])
    #expect(losses[0].count == 2)
    expectClose(try #require(losses[0].last), Double(own[0][0]), rtol: 1e-5, atol: 1e-5)
    let logs = try open.logProbabilities(of: [3, 4], after: [[1, 2]])
    expectClose(-logs[0][0], own[0][0], rtol: 1e-5, atol: 1e-5)
  }
}
