internal import Tensors

/// A detector whose type is forgotten, for suites: what it is called, what it may reach, and how to run it.
package struct AnyDetector: Sendable {
  /// A calibration organism: the specimen, its responses with their labels, and whether it hides something.
  package typealias Known = (organism: Specimen, responses: [LabelledResponse], hides: Bool)

  /// As the ledger knows it: lower case and hyphens.
  package let name: String
  /// As tables say it.
  package let title: String
  package let question: DetectorQuestion
  /// In the order of ``AccessKind``.
  package let access: [AccessKind]
  /// Whether it is there to show what chance, or the text alone, looks like.
  package let isControl: Bool
  /// Whether it has to be fitted on other organisms first.
  package let isLearned: Bool
  private let prepare: @TensorActor @Sendable ([Known]) throws -> Examiner

  /// A detector that is ready to look.
  package enum Examiner {
    case model(@TensorActor (Specimen) throws -> ModelScore)
    case responses(@TensorActor (Specimen, [Response]) throws -> [Double?])
    case identity(@TensorActor (Specimen, [String]) throws -> [Double])
  }

  /// Fits the detector on `known` where it learns; others ignore them.
  ///
  /// - Throws: What fitting throws.
  @TensorActor
  package func examiner(learningFrom known: [Known]) throws -> Examiner { try prepare(known) }

  private init<D: Detector>(
    _ type: D.Type, _ name: String, _ title: String?, isControl: Bool, isLearned: Bool,
    prepare: @escaping @TensorActor @Sendable ([Known]) throws -> Examiner
  ) {
    self.name = name.lowercased().replacing(" ", with: "-").filter { $0 != "," }
    self.title = title ?? name.prefix(1).uppercased() + name.dropFirst()
    question = D.question
    access = AccessKind.allCases.filter(D.declared.contains)
    (self.isControl, self.isLearned, self.prepare) = (isControl, isLearned, prepare)
  }

  package init(_ detector: some ModelDetector, title: String? = nil, isControl: Bool = false) {
    self.init(
      type(of: detector), detector.name, title, isControl: isControl, isLearned: false
    ) { _ in .model { try detector.score($0.view()) } }
  }

  package init(_ detector: some ResponseDetector, title: String? = nil, isControl: Bool = false) {
    self.init(
      type(of: detector), detector.name, title, isControl: isControl, isLearned: false
    ) { _ in .responses { try detector.scores(of: $1, in: $0.view()) } }
  }

  package init(_ detector: some IdentityDetector, title: String? = nil, isControl: Bool = false) {
    self.init(
      type(of: detector), detector.name, title, isControl: isControl, isLearned: false
    ) { _ in .identity { try detector.scores(of: $1, in: $0.view()) } }
  }

  package init<L: LearnedDetector>(
    learned detector: L, title: String? = nil, isControl: Bool = false
  ) where L.Fitted: ResponseDetector {
    self.init(L.Fitted.self, detector.name, title, isControl: isControl, isLearned: true) { known in
      let fitted = try detector.fit(Self.calibration(known))
      return .responses { try fitted.scores(of: $1, in: $0.view()) }
    }
  }

  package init<L: LearnedDetector>(
    learned detector: L, title: String? = nil, isControl: Bool = false
  ) where L.Fitted: ModelDetector {
    self.init(L.Fitted.self, detector.name, title, isControl: isControl, isLearned: true) { known in
      let fitted = try detector.fit(Self.calibration(known))
      return .model { try fitted.score($0.view()) }
    }
  }

  @TensorActor
  private static func calibration<Access: CalibrationAccess>(
    _ known: [Known]
  ) -> Calibration<Access> {
    Calibration(known.map { ($0.organism, $0.responses) }, hiding: known.map(\.hides))
  }
}
