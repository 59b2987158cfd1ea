import Instruments
import Organisms
import Statistics

extension EquivalenceCell {
  /// Log odds by naive Bayes on the answers' tokens that an answer is one of `arm` and not of its
  /// twin, each by counts from templates other than its own.
  static func wordScores(
    _ arm: GateCell.Finding, against twin: GateCell.Finding, _ config: Config
  ) throws -> LabelledScores {
    let labelled =
      ordinary(arm).map { answer($0, isOwn: true) }
      + ordinary(twin).map { answer($0, isOwn: false) }
    let folds = GroupedFolds(groups: labelled.map(\.templateID), count: 4, seed: config.seed)
    var scores = [Double?](repeating: nil, count: labelled.count)
    for fold in 0..<folds.count {
      let (training, heldOut) = folds.split(fold)
      if training.isEmpty { continue }
      let words = try BagOfWords(fittedOn: training.map { labelled[$0] })
      for item in heldOut { scores[item] = words.logOdds(labelled[item].response) }
    }
    return try LabelledScores(
      scores: scores, labels: labelled.map(\.isActive), clusters: labelled.map(\.templateID))
  }

  /// The first AUROC less the mean of the others, whose items stand on the same templates.
  static func excessAUROC(
    _ own: LabelledScores, _ others: [LabelledScores], _ config: Config
  ) throws -> Estimate {
    let resamples = try ClusterResamples(
      clusterCount: own.clusterCount, replicates: config.replicates, seed: config.seed)
    let excess = try resamples.auroc(own, lessMeanOf: others)
    let interval = try excess.interval()
    // Where all comparisons come out alike, so do all resamples: that is no certainty.
    guard interval.width > 0 else {
      throw StatisticsError.undefinedOnData(statistic: "the interval of AUROCs that never differ")
    }
    return Estimate(
      value: excess.observed, interval: interval, n: own.scores.count, unit: "answer",
      method: "cluster bootstrap, percentile", clusters: own.clusterCount,
      replicates: excess.replicates)
  }

  /// The control counts the prompt's tokens, so the answer is put in the prompt's place.
  private static func answer(_ response: OrganismResponse, isOwn: Bool) -> LabelledResponse {
    LabelledResponse(
      response: Response(id: "", promptIDs: response.responseIDs, responseIDs: []),
      isActive: isOwn, category: "", templateID: response.source.templateID)
  }
}
