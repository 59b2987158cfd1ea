/// How each item ranks among the other class: DeLong's structural components.
struct Placements {
  /// `[item]`: the share of the other class on the right side of the item, ties counted half.
  let values: [Double]
  let auroc: Double

  /// Needs both classes to be present.
  init(_ sample: LabelledScores) {
    let positives = sample.positives
    let negatives = sample.labels.count - positives
    let order = sample.scores.indices.sorted { sample.scores[$0] < sample.scores[$1] }
    var values = [Double](repeating: 0, count: order.count)
    var (positivesBelow, negativesBelow, doubledConcordance) = (0, 0, 0)
    var start = 0
    while start < order.count {
      var end = start
      let score = sample.scores[order[start]]
      while end < order.count, sample.scores[order[end]] == score { end += 1 }
      let tied = order[start..<end]
      let tiedPositives = tied.count { sample.labels[$0] }
      let tiedNegatives = tied.count - tiedPositives
      for item in tied {
        if sample.labels[item] {
          values[item] = (Double(negativesBelow) + Double(tiedNegatives) / 2) / Double(negatives)
        } else {
          let above = positives - positivesBelow - tiedPositives
          values[item] = (Double(above) + Double(tiedPositives) / 2) / Double(positives)
        }
      }
      doubledConcordance += tiedPositives * (2 * negativesBelow + tiedNegatives)
      positivesBelow += tiedPositives
      negativesBelow += tiedNegatives
      start = end
    }
    self.values = values
    auroc = Double(doubledConcordance) / 2 / (Double(positives) * Double(negatives))
  }
}

/// Sums of placements over clusters, and the covariance of AUROCs that they lead to.
///
/// Obuchowski 1997, with its equation 5 for one curve and the bilinear form of it for two.
struct ClusterSums {
  typealias Deviation = (positive: Double, negative: Double)

  private let sample: LabelledScores
  private let positives: Double
  private let negatives: Double
  private let positiveClusters: Double
  private let negativeClusters: Double
  private let occupiedClusters: Double

  init(_ sample: LabelledScores) throws(StatisticsError) {
    self.sample = sample
    var occupied = [Bool: Set<Int>]()
    for (label, cluster) in zip(sample.labels, sample.clusters) {
      occupied[label, default: []].insert(cluster)
    }
    let (ofPositives, ofNegatives) = (occupied[true] ?? [], occupied[false] ?? [])
    for (what, found) in [("positives", ofPositives.count), ("negatives", ofNegatives.count)]
    where found < 2 {
      throw .tooFew(what: "independent units with scored \(what)", needed: 2, found: found)
    }
    positives = Double(sample.positives)
    negatives = Double(sample.negatives)
    positiveClusters = Double(ofPositives.count)
    negativeClusters = Double(ofNegatives.count)
    occupiedClusters = Double(ofPositives.union(ofNegatives).count)
  }

  var degreesOfFreedom: Double {
    occupiedClusters == positives + negatives
      ? .infinity : min(positiveClusters, negativeClusters) - 1
  }

  /// `[cluster]`: the sums over a cluster's items of placement minus AUROC, by class.
  func deviations(_ placements: Placements) -> [Deviation] {
    var sums = [Deviation](repeating: (0, 0), count: sample.clusterCount)
    for (item, cluster) in sample.clusters.enumerated() {
      let deviation = placements.values[item] - placements.auroc
      if sample.labels[item] {
        sums[cluster].positive += deviation
      } else {
        sums[cluster].negative += deviation
      }
    }
    return sums
  }

  /// The covariance of two AUROCs of these items, from their deviations.
  func covariance(_ first: [Deviation], _ second: [Deviation]) -> Double {
    var (ofPositives, ofNegatives, across) = (0.0, 0.0, 0.0)
    for (a, b) in zip(first, second) {
      ofPositives += a.positive * b.positive
      ofNegatives += a.negative * b.negative
      across += a.positive * b.negative + a.negative * b.positive
    }
    let withinPositives =
      positiveClusters / (positiveClusters - 1) * ofPositives / (positives * positives)
    let withinNegatives =
      negativeClusters / (negativeClusters - 1) * ofNegatives / (negatives * negatives)
    let between = occupiedClusters / (occupiedClusters - 1) * across / (positives * negatives)
    return withinPositives + withinNegatives + between
  }
}
