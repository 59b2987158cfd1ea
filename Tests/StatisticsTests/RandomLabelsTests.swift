import Statistics
import Testing

/// How often of 200 draws with labels that say nothing a 95 % interval contains 0.5.
///
/// 184 to 197 is where a method that covers 95 % lands with 97 % probability at each such test.
@Suite struct RandomLabelsTests {
  private func covered(_ hasHalf: (inout SeededGenerator, Int) throws -> Bool) rethrows -> Int {
    var count = 0
    for repetition in 0..<200 {
      var generator = SeededGenerator(seed: 2026, stream: "random-labels-\(repetition)")
      if try hasHalf(&generator, repetition) { count += 1 }
    }
    return count
  }

  /// 60 clusters of one label each, whose scores share a cluster effect as large as the noise.
  private func clusteredSample(_ generator: inout SeededGenerator) throws -> LabelledScores {
    let clusters = (0..<300).map { $0 / 5 }
    let effects = (0..<60).map { _ in generator.normal() }
    let labels = generator.shuffled((0..<60).map { $0 % 2 == 0 })
    return try LabelledScores(
      scores: clusters.map { effects[$0] + generator.normal() },
      labels: clusters.map { labels[$0] }, clusters: clusters)
  }

  @Test func `DeLong's intervals contain 0.5 for independent responses`() throws {
    for scale in [DeLong.Scale.plain, .logit] {
      let count = try covered { generator, _ in
        let labels = generator.shuffled((0..<150).map { $0 % 3 == 0 })
        let sample = try LabelledScores(
          scores: labels.map { _ in (4 * generator.normal()).rounded() }, labels: labels)
        return try DeLong(sample).interval(scale: scale).contains(0.5)
      }
      #expect((184...197).contains(count), "\(scale)")
    }
  }

  @Test func `the cluster bootstrap's intervals contain 0.5 for clustered responses`() throws {
    let count = try covered { generator, repetition in
      let sample = try clusteredSample(&generator)
      return try clusterBootstrapAUROC(
        sample, unit: "response", replicates: 1000, seed: UInt64(repetition)
      ).interval.contains(0.5)
    }
    #expect((184...197).contains(count))
  }

  @Test func `clustered DeLong's intervals contain 0.5, from many clusters and from eight`() throws
  {
    let many = try covered { generator, _ in
      try DeLong(clusteredSample(&generator)).interval().contains(0.5)
    }
    #expect((184...197).contains(many))
    let few = try covered { generator, _ in
      let clusters = (0..<40).map { $0 / 5 }
      let effects = (0..<8).map { _ in generator.normal() }
      let labels = generator.shuffled((0..<8).map { $0 % 2 == 0 })
      let sample = try LabelledScores(
        scores: clusters.map { effects[$0] + generator.normal() },
        labels: clusters.map { labels[$0] }, clusters: clusters)
      if [0, 1].contains(try ROC(sample).auroc) {
        return try unanimousInterval(sample).contains(0.5)
      }
      return try DeLong(sample).interval().contains(0.5)
    }
    // With three degrees of freedom it may cover more than it says, never less.
    #expect(few >= 184)
  }

  @Test func `ignoring the clusters breaks the promise`() throws {
    let count = try covered { generator, _ in
      let sample = try clusteredSample(&generator)
      let independent = try LabelledScores(scores: sample.scores, labels: sample.labels)
      return try DeLong(independent).interval().contains(0.5)
    }
    #expect(count < 170)
  }

  @Test func `clustered proportions contain the true rate`() throws {
    let count = try covered { generator, _ in
      let rates = (0..<25).map { _ in generator.bernoulli(0.5) ? 0.05 : 0.35 }
      let clusters = (0..<250).map { $0 / 10 }
      let outcomes = clusters.map { generator.bernoulli(rates[$0]) }
      return try clusteredProportion(outcomes: outcomes, clusters: clusters, unit: "response")
        .interval.contains(0.2)
    }
    #expect(count >= 184)
  }
}
