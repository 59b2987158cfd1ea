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
      let detector = ActivationDifference(texts: try ordinaryTexts(count), tokens: tokens)
      try each { finding.models[$0.id] = try detector.score($0.view()) }
    case .responseActivationDifference:
      try score(ResponseActivationDifference(), &finding)
    case .bagOfWords:
      try score(BagOfWords(fittedOn: labelled().flatMap { $0 }), &finding)
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

  private func responses(of id: String) throws -> [Response] {
    config.calibration.contains(id)
      ? try shelf.labelledResponses(of: id, in: context).map(\.response)
      : try shelf.responses(of: id, in: context)
  }

  private func labelled() throws -> [[LabelledResponse]] {
    try config.calibration.map { try shelf.labelledResponses(of: $0, in: context) }
  }

  /// Ordinary answers of the calibration organism without the rule, the same for every specimen.
  private func ordinaryTexts(_ count: Int) throws -> [Response] {
    let honest = try labelled().first { responses in !responses.contains(where: \.isActive) } ?? []
    let ordinary = honest.filter { $0.category == PromptCategory.ordinary.rawValue }
    return Array(ordinary.map(\.response).filter { !$0.responseIDs.isEmpty }.prefix(count))
  }
}
