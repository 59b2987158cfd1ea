/// A random number generator whose whole sequence is fixed by an explicit seed.
///
/// xoshiro256** (Blackman & Vigna, "Scrambled linear pseudorandom number generators", 2021), its
/// state filled by SplitMix64 as its authors advise. The same seed and stream give the same
/// sequence on every platform and in every release; recorded studies rely on that.
package struct SeededGenerator: RandomNumberGenerator, Sendable, Hashable {
  private var s0: UInt64
  private var s1: UInt64
  private var s2: UInt64
  private var s3: UInt64

  /// The generator whose four words of state are the first four SplitMix64 outputs after `seed`.
  package init(seed: UInt64) {
    var filler = SplitMix64(state: seed)
    self.init(state: (filler.next(), filler.next(), filler.next(), filler.next()))
  }

  /// An independent generator for one named use of a seed, such as `"bootstrap"`.
  ///
  /// Streams let one recorded seed drive several draws without the length of one draw shifting
  /// the next. The derived seed is `mix(mix(seed) + fnv1a(stream))`, both mixes being SplitMix64's.
  package init(seed: UInt64, stream: String) {
    self.init(seed: Self.derivedSeed(seed, stream: stream))
  }

  /// The generator at a given xoshiro256** state, which must not be all zeros.
  package init(state: (UInt64, UInt64, UInt64, UInt64)) {
    precondition(
      state.0 | state.1 | state.2 | state.3 != 0,
      "Expected a xoshiro256** state with a bit set, found all zeros: it would only yield zeros.")
    (s0, s1, s2, s3) = state
  }

  /// The seed that ``init(seed:stream:)`` starts from, for recording a child seed in a study.
  package static func derivedSeed(_ seed: UInt64, stream: String) -> UInt64 {
    SplitMix64.mix(SplitMix64.mix(seed) &+ fnv1a64(stream.utf8))
  }

  /// The next 64 uniform bits.
  package mutating func next() -> UInt64 {
    let result = rotatedLeft(s1 &* 5, by: 7) &* 9
    let shifted = s1 << 17
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= shifted
    s3 = rotatedLeft(s3, by: 45)
    return result
  }
}

/// SplitMix64 (Steele, Lea & Flood 2014), used only to spread a seed over a larger state.
package struct SplitMix64: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// The generator at `state`; every state is valid.
  package init(state: UInt64) { self.state = state }

  /// The next 64 bits.
  package mutating func next() -> UInt64 {
    defer { state &+= 0x9e37_79b9_7f4a_7c15 }
    return Self.mix(state)
  }

  /// One step of SplitMix64 as a hash: a bijection in which every bit depends on every bit.
  package static func mix(_ value: UInt64) -> UInt64 {
    var z = value &+ 0x9e37_79b9_7f4a_7c15
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

/// The 64-bit FNV-1a hash, which unlike `Hasher` is the same in every process.
package func fnv1a64(_ bytes: some Sequence<UInt8>) -> UInt64 {
  bytes.reduce(0xcbf2_9ce4_8422_2325) { hash, byte in
    (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
  }
}

private func rotatedLeft(_ value: UInt64, by count: UInt64) -> UInt64 {
  (value << count) | (value >> (64 - count))
}
