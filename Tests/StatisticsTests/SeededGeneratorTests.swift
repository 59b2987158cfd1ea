import Statistics
import TestSupport
import Testing

@Suite struct SeededGeneratorTests {
  @Test func `xoshiro256** gives its published first outputs`() {
    var generator = SeededGenerator(state: (1, 2, 3, 4))
    let outputs = (0..<4).map { _ in generator.next() }
    #expect(outputs == [11520, 0, 1_509_978_240, 1_215_971_899_390_074_240])
  }

  @Test func `draws agree with a second implementation, huge bounds included`() throws {
    let fixtures = try Fixtures.load()
    var generator = SeededGenerator(seed: fixtures.seed, stream: fixtures.draws.stream)
    #expect(fixtures.draws.uniform == fixtures.draws.uniform.map { _ in generator.uniform() })
    // The reference inverts with SciPy's ndtri. Measured 3.4e-16.
    expectClose(
      fixtures.draws.normal.map { _ in generator.normal() }, fixtures.draws.normal, rtol: 1e-14)
    // Of 2^64 values a bound of 3 * 2^61 rejects a quarter, so that a missing rejection shows.
    for pair in fixtures.draws.below { #expect(generator.below(pair[0]) == pair[1]) }
  }

  @Test func `SplitMix64 gives its published first outputs`() {
    var generator = SplitMix64(state: 1_234_567)
    let outputs = (0..<3).map { _ in generator.next() }
    #expect(
      outputs == [
        6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
      ])
  }

  @Test func `FNV-1a gives its published values`() {
    #expect(fnv1a64("".utf8) == 0xcbf2_9ce4_8422_2325)
    #expect(fnv1a64("a".utf8) == 0xaf63_dc4c_8601_ec8c)
    #expect(fnv1a64("foobar".utf8) == 0x8594_4171_f739_67e8)
  }

  @Test func `one seed gives one sequence, its streams others`() {
    var plain = SeededGenerator(seed: 7)
    var again = SeededGenerator(seed: 7)
    var first = SeededGenerator(seed: 7, stream: "bootstrap")
    var second = SeededGenerator(seed: 7, stream: "shuffle")
    let sequences = [
      (0..<8).map { _ in plain.next() }, (0..<8).map { _ in first.next() },
      (0..<8).map { _ in second.next() },
    ]
    #expect((0..<8).map { _ in again.next() } == sequences[0])
    #expect(Set(sequences.joined()).count == 24)
  }

  @Test func `uniform numbers fill the unit interval evenly`() {
    var generator = SeededGenerator(seed: 11)
    var counts = [Int](repeating: 0, count: 10)
    for _ in 0..<100_000 { counts[Int(generator.uniform() * 10)] += 1 }
    let chiSquared = counts.reduce(0.0) { $0 + (Double($1) - 10_000) * (Double($1) - 10_000) / 1e4 }
    // 27.9 is the 99.9 % point of chi-squared with 9 degrees of freedom.
    #expect(chiSquared < 27.9)
  }

  @Test func `normal numbers have the moments of the normal distribution`() {
    var generator = SeededGenerator(seed: 5)
    let n = 200_000.0
    var sums = [0.0, 0, 0, 0]
    for _ in 0..<Int(n) {
      let z = generator.normal()
      for power in 0..<4 { sums[power] += (0...power).reduce(1.0) { product, _ in product * z } }
    }
    // Four standard errors each: of z, z², z³ and z⁴ these are 1, √2, √15 and √96 over √n.
    for (sum, (moment, deviation)) in zip(sums, [(0.0, 1.0), (1, 1.4143), (0, 3.873), (3, 9.798)]) {
      expectClose(sum / n, moment, atol: 4 * deviation / n.squareRoot())
    }
  }

  @Test func `a bounded draw is uniform and stays below its bound`() {
    var generator = SeededGenerator(seed: 3)
    var counts = [Int](repeating: 0, count: 7)
    for _ in 0..<70_000 { counts[generator.below(7)] += 1 }
    let chiSquared = counts.reduce(0.0) { $0 + (Double($1) - 1e4) * (Double($1) - 1e4) / 1e4 }
    #expect(chiSquared < 22.5)  // 99.9 % point, 6 degrees of freedom
    #expect(generator.below(1) == 0)
  }

  @Test func `every order of three elements is equally likely`() {
    var generator = SeededGenerator(seed: 9)
    var counts: [[Int]: Int] = [:]
    for _ in 0..<60_000 { counts[generator.shuffled(0..<3), default: 0] += 1 }
    #expect(counts.count == 6)
    let chiSquared = counts.values.reduce(0.0) {
      $0 + (Double($1) - 1e4) * (Double($1) - 1e4) / 1e4
    }
    #expect(chiSquared < 20.6)  // 99.9 % point, 5 degrees of freedom
  }

  @Test func `a shuffle and a sample are pinned to recorded results`() {
    var generator = SeededGenerator(seed: 2026, stream: "shuffle")
    #expect(generator.shuffled(0..<10) == [3, 4, 7, 9, 8, 2, 6, 1, 0, 5])
    #expect(generator.sample(3, of: "abcdefgh").map(String.init) == ["b", "c", "e"])
  }

  @Test func `a sample holds different elements of the population`() {
    var generator = SeededGenerator(seed: 1)
    for count in 0...20 {
      let sample = generator.sample(count, of: 0..<20)
      #expect(Set(sample).count == count)
      #expect(Set(sample).isSubset(of: 0..<20))
    }
    #expect(generator.element(of: [Int]()) == nil)
  }
}
