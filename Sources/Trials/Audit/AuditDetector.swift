package import Instruments

/// One detector of an audit with its settings: what the ledger knows it by.
package enum AuditDetector: Codable, Hashable, Sendable {
  case directQuestion(questions: Int, maxTokens: Int)
  case denialPerplexity(questions: Int)
  case activationDifference(texts: Int, tokens: Int)
  case responseActivationDifference
  case probe(ProbeMethod)
  case bagOfWords
  case responseLength
  case responsePerplexity
  /// An instrument put together at run time, held to the access that it declares at every call.
  case declared(name: String, access: [AccessKind])

  /// All that a study asks for, controls last.
  package static func suite(_ settings: Study.DetectorSettings) -> [AuditDetector] {
    [
      .directQuestion(questions: settings.questions, maxTokens: settings.answerTokens),
      .denialPerplexity(questions: settings.questions),
      .activationDifference(texts: settings.texts, tokens: settings.textTokens),
      .responseActivationDifference,
      .probe(.massMean), .probe(.logistic),
      .probe(.shuffledMassMean), .probe(.shuffledLogistic), .probe(.randomDirection),
      .bagOfWords, .responseLength, .responsePerplexity,
    ]
  }
}

extension AuditDetector {
  /// The name in the ledger.
  package var name: String {
    switch self {
    case .directQuestion: "direct-question"
    case .denialPerplexity: "denial-perplexity"
    case .activationDifference: "activation-difference"
    case .responseActivationDifference: "response-activation-difference"
    case .probe(let method): method.rawValue.replacing("_", with: "-")
    case .bagOfWords: "bag-of-words"
    case .responseLength: "response-length"
    case .responsePerplexity: "response-perplexity"
    case .declared(let name, _): name
    }
  }

  /// The name in tables.
  package var title: String {
    switch self {
    case .directQuestion: "Asking directly"
    case .denialPerplexity: "Denial perplexity"
    case .activationDifference: "Activation difference"
    case .responseActivationDifference: "Prompt-end difference"
    case .probe(.massMean): "Mass-mean probe"
    case .probe(.logistic): "Logistic probe"
    case .probe(.lda): "Linear discriminant"
    case .probe(.shuffledMassMean): "Mass-mean, labels shuffled"
    case .probe(.shuffledLogistic): "Logistic, labels shuffled"
    case .probe(.randomDirection): "Random direction"
    case .bagOfWords: "Bag of words"
    case .responseLength: "Response length"
    case .responsePerplexity: "Response perplexity"
    case .declared(let name, _): name
    }
  }

  /// Whether it is there to show what chance, or the text alone, looks like.
  package var isControl: Bool {
    switch self {
    case .probe(let method): method.isControl
    case .bagOfWords, .responseLength, .responsePerplexity: true
    case .directQuestion, .denialPerplexity, .activationDifference,
      .responseActivationDifference, .declared:
      false
    }
  }

  /// What its scores are about.
  package var question: DetectorQuestion {
    switch self {
    case .directQuestion, .denialPerplexity, .activationDifference, .declared: .model
    case .responseActivationDifference, .probe, .bagOfWords, .responseLength,
      .responsePerplexity:
      .response
    }
  }

  /// What it may reach, in the order of ``AccessKind``.
  package var access: [AccessKind] {
    AccessKind.allCases.filter(declared.contains)
  }

  private var declared: Set<AccessKind> {
    switch self {
    case .directQuestion: DirectQuestion.declared
    case .denialPerplexity: DenialPerplexity.declared
    case .activationDifference: ActivationDifference.declared
    case .responseActivationDifference: ResponseActivationDifference.declared
    case .probe: LinearProbe.declared
    case .bagOfWords: BagOfWords.declared
    case .responseLength: ResponseLength.declared
    case .responsePerplexity: ResponsePerplexity.declared
    case .declared(_, let access): Set(access)
    }
  }
}
