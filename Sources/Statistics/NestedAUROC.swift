/// AUROCs of several organisms of several families, averaged first within a family and then over families.
///
/// The bootstrap draws families, then organisms of each, then clusters of items of each, all with
/// replacement: what another draw of any of them would have given is in the interval. With few families it
/// is too short, as any bootstrap of few units is; the number of families stands beside it.
package struct NestedAUROC: Sendable {
  private struct Organism: Sendable {
    let ranked: [RankedScores]
    let clusterCount: Int
    let once: [Int32]

    /// The AUROC, less that of the other scores where there are any; nil without both classes.
    func value(_ weights: ArraySlice<Int32>) -> Double? {
      guard let first = ranked[0].auroc(weights: weights) else { return nil }
      guard ranked.count > 1 else { return first }
      return ranked[1].auroc(weights: weights).map { first - $0 }
    }
  }

  private let families: [[Organism]]
  private let items: Int
  private let samples: [LabelledScores]

  /// Samples of organisms by family.
  ///
  /// - Parameters:
  ///   - families: `[family][organism]`.
  ///   - others: Other scores of the same items, whose AUROC is subtracted on the same draws.
  /// - Throws: ``StatisticsError`` without families, or for a sample of one class.
  package init(
    _ families: [[LabelledScores]], less others: [[LabelledScores]]? = nil
  ) throws(StatisticsError) {
    guard !families.isEmpty, families.allSatisfy({ !$0.isEmpty }) else {
      throw .tooFew(what: "organisms of each family", needed: 1, found: 0)
    }
    for sample in families.joined() { try sample.requireBothClasses("AUROC") }
    samples = Array(families.joined())
    items = samples.reduce(0) { $0 + $1.scores.count }
    var made: [[Organism]] = []
    for (place, family) in families.enumerated() {
      var own: [Organism] = []
      for (index, sample) in family.enumerated() {
        var ranked = [RankedScores(sample)]
        if let other = others?[place][index] {
          try other.requireBothClasses("AUROC")
          try checkCount("clusters of the other scores", other.clusterCount, sample.clusterCount)
          ranked.append(RankedScores(other))
        }
        own.append(
          Organism(
            ranked: ranked, clusterCount: sample.clusterCount,
            once: [Int32](repeating: 1, count: sample.clusterCount)))
      }
      made.append(own)
    }
    self.families = made
  }

  /// By family, the mean over its organisms.
  package var byFamily: [Double] {
    families.map { organisms in
      let values = organisms.compactMap { $0.value($0.once[...]) }
      return values.reduce(0, +) / Double(max(1, values.count))
    }
  }

  /// The mean over families with its interval.
  ///
  /// - Throws: ``StatisticsError`` where it is undefined.
  package func estimate(
    unit: String, replicates: Int = 2000, seed: UInt64, level: Double = 0.95
  ) throws(StatisticsError) -> Estimate {
    let means = byFamily
    let observed = means.reduce(0, +) / Double(means.count)
    var generator = SeededGenerator(seed: seed, stream: "nested-bootstrap")
    var values: [Double] = []
    for _ in 0..<replicates {
      if let value = resample(&generator) { values.append(value) }
    }
    let drawn = try BootstrapDistribution(observed: observed, values: values, drawn: replicates)
    let isUnanimous = Set(values).count == 1
    var interval = try drawn.interval(level: level)
    if isUnanimous, families[0][0].ranked.count == 1 {
      // Every resample alike: what one organism's templates leave open is left open.
      for sample in samples {
        let own = try unanimousInterval(sample, level: level)
        interval = Interval(
          lower: min(interval.lower, own.lower), upper: max(interval.upper, own.upper),
          level: level)
      }
    }
    return Estimate(
      value: observed, interval: interval, n: items, unit: unit,
      method: isUnanimous
        ? "Clopper–Pearson over disjoint pairs of clusters, of the least certain organism"
        : "bootstrap of families, organisms and templates, percentile",
      clusters: families.count, replicates: isUnanimous ? nil : drawn.replicates)
  }

  private func resample(_ generator: inout SeededGenerator) -> Double? {
    var sum = 0.0
    for _ in families.indices {
      let family = families[generator.below(families.count)]
      var (total, count) = (0.0, 0)
      for _ in family.indices {
        let organism = family[generator.below(family.count)]
        var weights = [Int32](repeating: 0, count: organism.clusterCount)
        for _ in 0..<organism.clusterCount { weights[generator.below(organism.clusterCount)] += 1 }
        if let value = organism.value(weights[...]) { (total, count) = (total + value, count + 1) }
      }
      guard count > 0 else { return nil }
      sum += total / Double(count)
    }
    return sum / Double(families.count)
  }
}

/// The exact two-sided p-value of paired differences being centred at zero: how often, over all ways to give
/// each difference a sign, their sum is at least as far from zero; over random signs where there are more
/// than twenty.
///
/// - Throws: ``StatisticsError`` without differences.
package func signFlipPValue(
  _ differences: [Double], draws: Int = 100_000, seed: UInt64 = 1
) throws(StatisticsError) -> Double {
  guard !differences.isEmpty else { throw .tooFew(what: "pairs", needed: 1, found: 0) }
  let observed = abs(differences.reduce(0, +))
  // Sums of the same numbers in another order differ by rounding.
  let bar = observed - 1e-12 * differences.reduce(0) { $0 + abs($1) }
  let n = differences.count
  guard n > 20 else {
    var extreme = 0
    for signs in 0..<(1 << n) {
      let sum = differences.indices.reduce(0) {
        $0 + (signs >> $1 & 1 == 0 ? differences[$1] : -differences[$1])
      }
      if abs(sum) >= bar { extreme += 1 }
    }
    return Double(extreme) / Double(1 << n)
  }
  var generator = SeededGenerator(seed: seed, stream: "sign flips")
  var extreme = 1
  for _ in 0..<draws {
    let sum = differences.reduce(0) { $0 + (generator.below(2) == 0 ? $1 : -$1) }
    if abs(sum) >= bar { extreme += 1 }
  }
  return Double(extreme) / Double(draws + 1)
}
