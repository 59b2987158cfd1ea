/// An explanation that needs no language model: what a unit is expected to say after each of the tokens and
/// short sequences that it was seen with.
///
/// A sequence's expectation is its mean, pulled to that of the sequence without its first token by the weight
/// of ``pull`` sightings, and a token's to the mean of all. Every other explanation has to beat this one.
package struct TokenRules: Codable, Sendable, Equatable {
  package struct Rule: Codable, Sendable, Equatable {
    /// Token ids; the last is the token itself.
    package var ids: [Int]
    package var value: Double
    /// How often it was seen.
    package var count: Int

    package init(ids: [Int], value: Double, count: Int) {
      (self.ids, self.value, self.count) = (ids, value, count)
    }
  }

  package var rules: [Rule]
  /// What is expected of a token that was not seen.
  package var mean: Double
  static let pull = 1.0

  /// Rules that someone wrote.
  package init(rules: [Rule], mean: Double) { (self.rules, self.mean) = (rules, mean) }

  /// Rules of up to three tokens that were seen in `excerpts`; longer ones twice at least.
  package init(fittedOn excerpts: [Excerpt]) {
    var table = SequenceTable()
    let fitted = RuleFit(excerpts.map { table.indexed($0) }, in: table)
    mean = fitted.mean
    rules = table.sequences.indices.filter { fitted.isKnown($0) }.map {
      Rule(ids: table.sequences[$0], value: fitted.values[$0], count: fitted.counts[$0])
    }
  }

  /// The expectations of all tokens of a text.
  package func predictions(_ texts: [[Int]]) -> [[Double]] {
    let values = Dictionary(rules.map { ($0.ids, $0.value) }, uniquingKeysWith: { $1 })
    return texts.map { ids in
      ids.indices.map { place in
        for length in stride(from: min(SequenceTable.order, place + 1), to: 0, by: -1) {
          if let value = values[Array(ids[place + 1 - length...place])] { return value }
        }
        return mean
      }
    }
  }

  /// The rules that say most above the mean: those that account for most of what was seen.
  package func strongest(_ count: Int) -> [Rule] {
    let values = Dictionary(rules.map { ($0.ids, $0.value) }, uniquingKeysWith: { $1 })
    // A longer rule says only what it adds to the shorter one.
    func gain(_ rule: Rule) -> Double {
      let known = rule.ids.count == 1 ? mean : values[Array(rule.ids.dropFirst())] ?? mean
      return (rule.value - known) * Double(rule.count).squareRoot()
    }
    return Array(
      rules.filter { $0.value > mean && gain($0) > 0 }.sorted { gain($0) > gain($1) }.prefix(count))
  }
}

/// Tokens and short sequences by number, so that they can be fitted and looked up many times.
struct SequenceTable {
  /// Tokens of the longest.
  static let order = 3
  private(set) var sequences: [[Int]] = []
  /// The sequence without its first token; -1 for a single token. Always a smaller number.
  private(set) var shorter: [Int] = []
  private var numbers: [[Int]: Int] = [:]

  /// An excerpt whose sequences have numbers.
  struct Indexed {
    /// ``order`` numbers a token, the shortest sequence first; -1 where the text begins.
    let keys: [Int]
    let activations: [Double]
  }

  mutating func indexed(_ excerpt: Excerpt) -> Indexed {
    var keys: [Int] = []
    for place in excerpt.ids.indices {
      var last = -1
      for length in 1...Self.order {
        guard place + 1 >= length else {
          keys.append(-1)
          continue
        }
        let ids = Array(excerpt.ids[place + 1 - length...place])
        let number = numbers[ids] ?? sequences.count
        if number == sequences.count {
          numbers[ids] = number
          sequences.append(ids)
          shorter.append(last)
        }
        keys.append(number)
        last = number
      }
    }
    return Indexed(keys: keys, activations: excerpt.activations.map(Double.init))
  }
}

/// What rules expect, by a sequence's number.
struct RuleFit {
  private(set) var values: [Double]
  private(set) var counts: [Int]
  let mean: Double
  private let isSingle: [Bool]

  init(_ excerpts: [SequenceTable.Indexed], in table: SequenceTable) {
    let order = SequenceTable.order
    var sums = [Double](repeating: 0, count: table.sequences.count)
    var counts = [Int](repeating: 0, count: table.sequences.count)
    var (total, tokens) = (0.0, 0)
    for excerpt in excerpts {
      for (place, value) in excerpt.activations.enumerated() {
        (total, tokens) = (total + value, tokens + 1)
        for key in excerpt.keys[place * order..<(place + 1) * order] where key >= 0 {
          sums[key] += value
          counts[key] += 1
        }
      }
    }
    let mean = tokens == 0 ? 0 : total / Double(tokens)
    for key in sums.indices where counts[key] > 0 {
      let short = table.shorter[key]
      let expected = short < 0 ? mean : sums[short]
      sums[key] = (sums[key] + TokenRules.pull * expected) / (Double(counts[key]) + TokenRules.pull)
    }
    (values, self.counts, self.mean) = (sums, counts, mean)
    isSingle = table.shorter.map { $0 < 0 }
  }

  /// Whether a sequence was seen often enough for a rule.
  func isKnown(_ key: Int) -> Bool { counts[key] > (isSingle[key] ? 0 : 1) }

  /// What is expected of all tokens of an excerpt.
  func predictions(_ excerpt: SequenceTable.Indexed) -> [Double] {
    let order = SequenceTable.order
    return excerpt.activations.indices.map { place in
      let keys = excerpt.keys[place * order..<(place + 1) * order]
      return keys.last { $0 >= 0 && isKnown($0) }.map { values[$0] } ?? mean
    }
  }
}
