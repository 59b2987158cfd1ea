import Tensors
import Testing

@Suite struct RandomKeyTests {
  @Test @TensorActor
  func `the same seed gives the same numbers, another seed others`() throws {
    func draws(_ seed: UInt64) throws -> [[Float]] {
      var key = RandomKey(seed: seed)
      return [
        try key.normal([33]).floats(), try key.uniform([7, 5]).floats(),
        try key.categorical(Tensor.zeros([50, 9])).floats(),
      ]
    }
    #expect(try draws(5) == draws(5))
    for (a, b) in zip(try draws(5), try draws(6)) { #expect(a != b) }
  }

  @Test @TensorActor
  func `drawing consumes the key: no number comes twice, and a copy goes on alone`() throws {
    var key = RandomKey(seed: 5)
    let first = try key.normal([100]).floats()
    var copy = key
    let second = try key.normal([100]).floats()
    #expect(Set(first).isDisjoint(with: second))
    // Drawing the third here does not move the copy, which draws what the second was.
    _ = key.normal([100])
    #expect(try copy.normal([100]).floats() == second)
  }

  @Test @TensorActor
  func `draws have the moments of their distributions`() throws {
    var key = RandomKey(seed: 17)
    let n = 40_000.0
    // Four standard errors each: σ / √n for the mean, σ² √(2 / n) for a normal's variance.
    let normal = key.normal([40_000])
    #expect(abs(Double(try normal.mean().scalar())) < 4 / n.squareRoot())
    #expect(abs(Double(try normal.variance().scalar()) - 1) < 4 * (2 / n).squareRoot())
    let uniform = key.uniform([40_000])
    #expect(abs(Double(try uniform.mean().scalar()) - 0.5) < 4 * (1 / 12 / n).squareRoot())
    #expect(try uniform.min().scalar() >= 0 && uniform.max().scalar() < 1)
  }

  @Test @TensorActor
  func `categorical draws each index as often as softmax says`() throws {
    var key = RandomKey(seed: 18)
    let logits: [Float] = [0, 1, 2, -.infinity]
    let n = 20_000
    let rows = Tensor(logits).expandDims(0).broadcast(to: [n, 4])
    let drawn = try key.categorical(rows).int32s()
    let p = try Tensor(logits).softmax().floats().map(Double.init)
    for (index, p) in p.enumerated() {
      let share = Double(drawn.count { $0 == index }) / Double(n)
      #expect(abs(share - p) <= 4 * (p * (1 - p) / Double(n)).squareRoot())
    }
  }
}
