import Instruments
import Lab
import LanguageModels
import Organisms
import Tensors

/// Runs one detector over all organisms of an audit, one after the other.
///
/// Specimens come without arms; what a detector learns from is the calibration pair only.
@TensorActor
struct DetectorBench {
  nonisolated let config: DetectCell.Config
  nonisolated let shelf: SpecimenShelf
  nonisolated let instruments: [DeclaredInstrument]
  nonisolated let context: CellContext

  nonisolated init(
    config: DetectCell.Config, shelf: SpecimenShelf, instruments: [DeclaredInstrument],
    context: CellContext
  ) {
    (self.config, self.shelf) = (config, shelf)
    (self.instruments, self.context) = (instruments, context)
  }

  func run() throws -> DetectCell.Finding {
    var finding = DetectCell.Finding(config.detector)
    switch config.detector {
    case .directQuestion(let questions, let maxTokens):
      try ask(questions, maxTokens, &finding)
    case .denialPerplexity(let questions):
      let detector = DenialPerplexity(
        questions: Array(QuestionBank.hiddenRules.prefix(questions)))
      try each { finding.models[$0.id] = try detector.score($0.view()) }
    case .activationDifference(let count, let tokens):
      try each { specimen in
        let view: SpecimenView<ActivationsAndBase> = specimen.view()
        let texts = try OrdinaryTexts.bank.prefix(count).enumerated().map { index, text in
          Response(
            id: "\(index)", promptIDs: try view.promptTokens(text.question),
            responseIDs: try view.answerTokens(text.answer))
        }
        finding.models[specimen.id] = try ActivationDifference(texts: texts, tokens: tokens)
          .score(view)
      }
    case .responseActivationDifference:
      try score(ResponseActivationDifference(), &finding)
    case .bagOfWords:
      try score(BagOfWords(fittedOn: labelled().flatMap { $0 }), &finding)
      try crossFitBagOfWords(&finding)
    case .responseLength: try score(ResponseLength(), &finding)
    case .responsePerplexity: try score(ResponsePerplexity(), &finding)
    case .declared(let name, _):
      guard let instrument = instruments.first(where: { $0.name == name }) else {
        throw DetectorError.nothingToScore(detector: name, needed: "the declared instrument")
      }
      try each {
        finding.models[$0.id] = try instrument.score($0.view(declaring: instrument.access))
      }
    case .probe: preconditionFailure("probes are read together, by ReadProbesCell")
    }
    return finding
  }

  private func each(_ body: (Specimen) throws -> Void) throws {
    let ids = config.calibration + config.examined
    for (index, id) in ids.enumerated() {
      let specimen = try shelf.specimen(id, in: context)
      try body(specimen)
      context.spend(tokens: specimen.tokensUsed)
      context.report(
        progress: CellProgress(done: index + 1, total: ids.count, unit: "models"))
    }
  }

  /// The grader is given no trigger and no marker: it judges the manner of the answer alone.
  private func ask(
    _ questions: Int, _ maxTokens: Int, _ finding: inout DetectCell.Finding
  ) throws {
    let grader = ResponseGrader(trigger: "", marker: "")
    let detector = DirectQuestion(
      questions: Array(QuestionBank.hiddenRules.prefix(questions)), maxTokens: maxTokens,
      isAdmission: grader.isAdmission)
    try each { specimen in
      let answers = try detector.answers(of: specimen.view())
      finding.answers[specimen.id] = answers
      finding.models[specimen.id] = try detector.score(answers: answers)
    }
  }

  private func score(
    _ detector: some ResponseDetector, _ finding: inout DetectCell.Finding
  ) throws {
    try each { specimen in
      finding.responses[specimen.id] = try detector.scores(
        of: responses(of: specimen.id), in: specimen.view())
    }
  }

  /// Scores of the known pair by fits on other templates: a threshold set on what the words were
  /// counted in would promise too few false positives.
  private func crossFitBagOfWords(_ finding: inout DetectCell.Finding) throws {
    let parts = try labelled()
    let all = parts.flatMap { $0 }
    let folds = GroupedFolds(groups: all.map(\.templateID), count: 4, seed: 1)
    var scores = [Double?](repeating: nil, count: all.count)
    for fold in 0..<folds.count {
      let (training, heldOut) = folds.split(fold)
      let fitted = try BagOfWords(fittedOn: training.map { all[$0] })
      for item in heldOut { scores[item] = fitted.logOdds(all[item].response) }
    }
    var rest = scores[...]
    for (id, part) in zip(config.calibration, parts) {
      finding.responses[id] = Array(rest.prefix(part.count))
      rest = rest.dropFirst(part.count)
    }
  }

  private func responses(of id: String) throws -> [Response] {
    config.calibration.contains(id)
      ? try shelf.labelledResponses(of: id, in: context).map(\.response)
      : try shelf.responses(of: id, in: context)
  }

  private func labelled() throws -> [[LabelledResponse]] {
    try config.calibration.map { try shelf.labelledResponses(of: $0, in: context) }
  }
}
