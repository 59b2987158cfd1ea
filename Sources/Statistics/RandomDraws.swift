// The standard library documents neither how `shuffled(using:)`, `randomElement(using:)` and
// `Double.random(in:using:)` consume bits nor that they will stay as they are, so a recorded seed
// would not pin them. These do the same, fixed for good.
extension RandomNumberGenerator {
  /// A uniform number in [0, 1): the top 53 bits of one draw.
  package mutating func uniform() -> Double {
    Double(next() >> 11) * 0x1p-53
  }

  /// A standard normal number, by inversion, so that each costs exactly one draw.
  package mutating func normal() -> Double {
    // The centre of one of 2^52 equal cells: never 0 or 1, where the quantile is infinite.
    NormalDistribution.quantile((Double(next() >> 12) + 0.5) * 0x1p-52)
  }

  /// A uniform integer in 0..<bound, without modulo bias (Lemire 2019).
  package mutating func below(_ bound: Int) -> Int {
    precondition(bound > 0, "Expected a bound of at least 1, found \(bound).")
    let bound = UInt64(bound)
    var product = next().multipliedFullWidth(by: bound)
    if product.low < bound {
      let rejected = (0 &- bound) % bound
      while product.low < rejected { product = next().multipliedFullWidth(by: bound) }
    }
    return Int(product.high)
  }

  /// `true` with the given probability, clamped to [0, 1].
  package mutating func bernoulli(_ probability: Double) -> Bool {
    uniform() < probability
  }

  /// The elements in a uniformly random order (Fisher–Yates from the end).
  package mutating func shuffled<Element>(_ elements: some Sequence<Element>) -> [Element] {
    var result = Array(elements)
    for last in stride(from: result.count - 1, to: 0, by: -1) {
      result.swapAt(last, below(last + 1))
    }
    return result
  }

  /// `count` different elements, every ordered choice equally likely.
  package mutating func sample<Element>(
    _ count: Int, of elements: some Sequence<Element>
  ) -> [Element] {
    var pool = Array(elements)
    precondition(
      (0...pool.count).contains(count),
      "Expected to sample 0 to \(pool.count) of \(pool.count) elements, found \(count).")
    for index in 0..<count {
      pool.swapAt(index, index + below(pool.count - index))
    }
    return Array(pool.prefix(count))
  }

  /// One element, each equally likely; `nil` only if there is none.
  package mutating func element<Elements: RandomAccessCollection>(
    of elements: Elements
  ) -> Elements.Element? {
    guard !elements.isEmpty else { return nil }
    return elements[elements.index(elements.startIndex, offsetBy: below(elements.count))]
  }
}
