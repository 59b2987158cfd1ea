import LanguageModels
import Tensors
import TestSupport
import Testing

@Suite(.needsModel) struct ModelHooksTests {
  private static let batch = TokenBatch([[1604, 803, 24, 81, 28, 278, 727]])

  @TensorActor
  private func logits(_ change: Hooks.Intervention?, at site: Site) throws -> [Float] {
    let hooks = Hooks(interventions: change.map { [(site, $0)] } ?? [])
    return try LoadedModel.float32().logits(Self.batch, hooks: hooks).floats()
  }

  @TensorActor
  private func capture(_ sites: Set<Site>, _ hooks: Hooks = Hooks()) throws -> [Site: Tensor] {
    var hooks = hooks
    hooks.captures = sites
    return try LoadedModel.float32().forward(Self.batch, hooks: hooks).captured
  }

  /// `pattern` apart, which takes the explicit path through attention.
  @Test(arguments: Site.Place.allCases.filter { $0 != .pattern }) @TensorActor
  func `putting back what was there changes nothing, taking it away does`(
    _ place: Site.Place
  ) throws {
    let site = Site.block(14, place)
    let own = try #require(try capture([site])[site])
    let untouched = try logits(nil, at: site)
    #expect(try logits(.replace(own), at: site) == untouched)
    #expect(try logits(.add(Tensor(0)), at: site) == untouched)
    let ablated = try logits(.ablate, at: site)
    #expect(ablated != untouched)
    #expect(try logits(.transform { $0 * 0 }, at: site) == ablated)
    #expect(try logits(.replace(Tensor.zeros(own.shape)), at: site) == ablated)
  }

  @Test(arguments: [Site.embed, .finalNorm, .logits]) @TensorActor
  func `sites outside the blocks can be changed`(_ site: Site) throws {
    let untouched = try logits(nil, at: site)
    #expect(try logits(.transform { $0 * 2 }, at: site) != untouched)
    #expect(try logits(.add(Tensor(0)), at: site) == untouched)
  }

  @Test @TensorActor
  func `logits are linear in the final norm and what is added to them arrives`() throws {
    let plain = try logits(nil, at: .logits)
    #expect(try logits(.add(Tensor(1)), at: .logits) == plain.map { $0 + 1 })
    #expect(try logits(.transform { $0 * 2 }, at: .finalNorm) == plain.map { $0 * 2 })
  }

  @Test @TensorActor
  func `interventions at one site apply in order, and captures come after them`() throws {
    let site = Site.block(3, .mlpOut)
    let hooks = Hooks(interventions: [(site, .ablate), (site, .add(Tensor(3)))])
    let captured = try #require(try capture([site], hooks)[site])
    #expect(try captured.floats().allSatisfy { $0 == 3 })
    let turned = Hooks(interventions: [(site, .add(Tensor(3))), (site, .ablate)])
    #expect(try #require(try capture([site], turned)[site]).floats().allSatisfy { $0 == 0 })
  }

  @Test @TensorActor
  func `the residual stream adds up within a block and goes on to the next`() throws {
    let places: [Site.Place] = [.residPre, .attnOut, .residMid, .mlpOut, .residPost]
    let sites = places.map { Site.block(5, $0) } + [.block(6, .residPre)]
    let at = try capture(Set(sites))
    let values = try sites.map { try #require(at[$0]).floats() }
    #expect(zip(values[0], values[1]).map { $0 + $1 } == values[2])
    #expect(zip(values[2], values[3]).map { $0 + $1 } == values[4])
    #expect(values[4] == values[5])
  }

  @Test(arguments: [0, 14, 29]) @TensorActor
  func `patterns are causal and sum to one, and the explicit path equals the fused one`(
    _ block: Int
  ) throws {
    let (pattern, z) = (Site.block(block, .pattern), Site.block(block, .z))
    let explicit = try capture([pattern, z])
    let captured = try #require(explicit[pattern])
    let n = Self.batch.tokens.count
    #expect(captured.shape == [9, n, n])
    let sums = try captured.sum(axes: [2]).floats()
    expectError(
      largestDifference(sums, [Float](repeating: 1, count: 9 * n)), within: 1e-6,
      "pattern \(block), sums of rows")
    for (i, p) in try captured.floats().enumerated() where i % n > i / n % n { #expect(p == 0) }
    expectError(
      rowwiseError(
        try #require(explicit[z]).floats(), try #require(try capture([z])[z]).floats(), rows: n),
      within: 1e-5, "pattern \(block), explicit against fused z")
  }

  @Test @TensorActor
  func `a pattern of packed sequences sees only its own sequence and the prefix`() throws {
    let batch = TokenBatch([[504, 3575, 282, 30], [504, 3575, 314, 198, 198]])
    let hooks = Hooks(captures: [.block(7, .pattern), .block(7, .z)])
    let output = try LoadedModel.float32().forward(batch, logits: .none, hooks: hooks)
    let pattern = try #require(output.captured[.block(7, .pattern)]).floats()
    let n = batch.tokens.count
    #expect((batch.prefixLength, n) == (2, 7))
    for (i, p) in pattern.enumerated() {
      let (query, key) = (i / n % n, i % n)
      let foreign = key > query || (query >= 4 && (2..<4).contains(key))
      #expect((p == 0) == foreign, "head \(i / n / n), query \(query), key \(key): \(p)")
    }
    let fused = try LoadedModel.float32().forward(
      batch, logits: .none, hooks: Hooks(captures: [.block(7, .z)]))
    expectError(
      rowwiseError(
        try #require(output.captured[.block(7, .z)]).floats(),
        try #require(fused.captured[.block(7, .z)]).floats(), rows: n),
      within: 1e-5, "packed pattern, explicit against fused z")
  }

  @Test @TensorActor
  func `an ablated pattern makes z zero`() throws {
    let hooks = Hooks(interventions: [(.block(2, .pattern), .ablate)])
    let z = try #require(try capture([.block(2, .z)], hooks)[.block(2, .z)])
    #expect(try z.floats().allSatisfy { $0 == 0 })
  }

  @Test @TensorActor
  func `a site that is never reached is an error, for captures and for changes`() throws {
    let model = try LoadedModel.float32()
    #expect(throws: SiteError.neverReached(site: .logits)) {
      try model.forward(Self.batch, logits: .none, hooks: Hooks(captures: [.logits]))
    }
    #expect(throws: SiteError.neverReached(site: .block(30, .z))) {
      try model.forward(
        Self.batch, logits: .none, hooks: Hooks(interventions: [(.block(30, .z), .ablate)]))
    }
  }

  @Test @TensorActor
  func `an intervention of another shape is an error that names both`() throws {
    let site = Site.block(1, .gate)
    let error = SiteError.shape(site: site, expected: [7, 1536], found: [7, 1535])
    for change in [
      Hooks.Intervention.replace(Tensor.zeros([7, 1535])),
      .transform { $0.slice(0..<1535, axis: 1) },
    ] {
      #expect(throws: error) { try logits(change, at: site) }
    }
    #expect(throws: SiteError.shape(site: site, expected: [7, 1536], found: [2, 7, 1536])) {
      try logits(.add(Tensor.zeros([2, 7, 1536])), at: site)
    }
  }
}
