import Instruments
import Organisms
import Statistics

extension EquivalenceCell {
  /// The AUROC with which naive Bayes on the answers' tokens tells an organism from its twin, each
  /// answer scored by counts from templates other than its own.
  static func wordsAUROC(
    _ secret: GateCell.Finding, _ twin: GateCell.Finding, _ config: Config
  ) throws -> Estimate {
    let labelled =
      ordinary(secret).map { answer($0, isOwn: true) }
      + ordinary(twin).map { answer($0, isOwn: false) }
    let folds = GroupedFolds(groups: labelled.map(\.templateID), count: 4, seed: config.seed)
    var scores = [Double?](repeating: nil, count: labelled.count)
    for fold in 0..<folds.count {
      let (training, heldOut) = folds.split(fold)
      if training.isEmpty { continue }
      let words = try BagOfWords(fittedOn: training.map { labelled[$0] })
      for item in heldOut { scores[item] = words.logOdds(labelled[item].response) }
    }
    return try clusterBootstrapAUROC(
      LabelledScores(
        scores: scores, labels: labelled.map(\.isActive), clusters: labelled.map(\.templateID)),
      unit: "answer", replicates: config.replicates, seed: config.seed)
  }

  /// The control counts the prompt's tokens, so the answer is put in the prompt's place.
  private static func answer(_ response: OrganismResponse, isOwn: Bool) -> LabelledResponse {
    LabelledResponse(
      response: Response(id: "", promptIDs: response.responseIDs, responseIDs: []),
      isActive: isOwn, category: "", templateID: response.source.templateID)
  }
}
