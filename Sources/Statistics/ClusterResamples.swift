/// Bootstrap resamples of clusters, drawn once and shared by every statistic that is compared.
///
/// A cluster (a template, a model) is drawn with all its items, as many clusters as there are, with
/// replacement. Two detectors judged on the same resamples are compared pairwise. The same seed,
/// cluster count and number of replicates give the same resamples, on every platform.
package struct ClusterResamples: Sendable {
  package let clusterCount: Int
  package let replicates: Int
  /// `[replicate, cluster]`: how often each cluster was drawn.
  private let counts: [Int32]

  /// Draws `replicates` resamples of `clusterCount` clusters.
  ///
  /// - Throws: ``StatisticsError/tooFew(what:needed:found:)`` below two clusters, or no replicates.
  package init(
    clusterCount: Int, replicates: Int = 2000, seed: UInt64
  ) throws(StatisticsError) {
    guard clusterCount >= 2 else {
      throw .tooFew(what: "clusters to resample", needed: 2, found: clusterCount)
    }
    guard replicates >= 1 else {
      throw .tooFew(what: "bootstrap replicates", needed: 1, found: replicates)
    }
    self.clusterCount = clusterCount
    self.replicates = replicates
    var generator = SeededGenerator(seed: seed, stream: "cluster-bootstrap")
    var counts = [Int32](repeating: 0, count: clusterCount * replicates)
    for start in stride(from: 0, to: counts.count, by: clusterCount) {
      for _ in 0..<clusterCount { counts[start + generator.below(clusterCount)] += 1 }
    }
    self.counts = counts
  }

  /// The distribution of a statistic given as a function of item indices, repeated as drawn.
  ///
  /// `clusters` is `[item]` in 0..<``clusterCount``; `nil` means undefined on that resample, which
  /// is counted. For AUROC and means the methods below do the same a hundred times faster.
  /// - Throws: ``StatisticsError`` where it is undefined on the items themselves or everywhere else.
  package func distribution(
    clusters: [Int], statistic: (_ items: [Int]) -> Double?
  ) throws(StatisticsError) -> BootstrapDistribution {
    try checkClusters(clusters)
    var members = [[Int]](repeating: [], count: clusterCount)
    for (item, cluster) in clusters.enumerated() { members[cluster].append(item) }
    return try distribution(observed: statistic(Array(clusters.indices))) { weights in
      var items: [Int] = []
      for (cluster, weight) in weights.enumerated() {
        for _ in 0..<weight { items += members[cluster] }
      }
      return statistic(items)
    }
  }

  /// The distribution of the mean of `values`, `[item]`; of a rate where they are 0 and 1.
  ///
  /// - Throws: ``StatisticsError`` without items, or where inputs differ in length.
  package func mean(
    of values: [Double], clusters: [Int]
  ) throws(StatisticsError) -> BootstrapDistribution {
    try checkCount("clusters", clusters.count, values.count)
    try checkClusters(clusters)
    var sums = [Double](repeating: 0, count: clusterCount)
    var sizes = [Int](repeating: 0, count: clusterCount)
    for (value, cluster) in zip(values, clusters) {
      sums[cluster] += value
      sizes[cluster] += 1
    }
    let observed = values.isEmpty ? nil : sums.reduce(0, +) / Double(values.count)
    return try distribution(observed: observed) { weights in
      var (sum, size) = (0.0, 0)
      for (cluster, weight) in weights.enumerated() where weight > 0 {
        sum += Double(weight) * sums[cluster]
        size += Int(weight) * sizes[cluster]
      }
      return size == 0 ? nil : sum / Double(size)
    }
  }

  /// Evaluates `statistic` on the cluster counts of every replicate.
  func distribution(
    observed: Double?, statistic: (ArraySlice<Int32>) -> Double?
  ) throws(StatisticsError) -> BootstrapDistribution {
    guard let observed, observed.isFinite else {
      throw .undefinedOnData(statistic: "the bootstrapped statistic")
    }
    var values: [Double] = []
    values.reserveCapacity(replicates)
    for start in stride(from: 0, to: counts.count, by: clusterCount) {
      if let value = statistic(counts[start..<start + clusterCount]) { values.append(value) }
    }
    return try BootstrapDistribution(observed: observed, values: values, drawn: replicates)
  }

  private func checkClusters(_ clusters: [Int]) throws(StatisticsError) {
    for cluster in clusters where !(0..<clusterCount).contains(cluster) {
      throw .outOfRange(
        what: "a cluster index", expected: "in 0..<\(clusterCount)", found: Double(cluster))
    }
  }
}
