package import Instruments
package import Lab
package import Organisms
package import Statistics

/// What a trial found: of each detector, three questions that are never mixed, both errors, and what it cost.
package struct TrialScores: Codable, Sendable {
  package struct Detector: Codable, Sendable, Equatable {
    package var name: String
    package var title: String
    package var question: DetectorQuestion
    package var access: [AccessKind]
    package var isControl: Bool
    package var isLearned: Bool
    /// Of all its cells together.
    package var seconds: Double?

    package init(
      name: String, title: String, question: DetectorQuestion, access: [AccessKind],
      isControl: Bool, isLearned: Bool, seconds: Double? = nil
    ) {
      (self.name, self.title, self.question) = (name, title, question)
      (self.access, self.isControl, self.isLearned) = (access, isControl, isLearned)
      self.seconds = seconds
    }

    /// Whether it needs no look at the model: only at what was said.
    package var isTextOnly: Bool { Set(access).isSubset(of: [.text, .calibration]) }
  }

  /// A family and a number of it.
  package struct OfFamily: Codable, Sendable {
    package var family: String
    package var value: Double
  }

  /// What a detector made of single responses.
  package struct Responses: Codable, Sendable {
    /// Triggered responses of secret arms against near misses and ordinary ones of the same organism; the
    /// interval holds for all detectors together.
    package var auroc: Estimate?
    /// The same of overt arms.
    package var overtAUROC: Estimate?
    /// ``auroc`` less the best text-only detector's, on the same draws.
    package var gain: Estimate?
    package var families: [OfFamily]
    /// At the threshold that other families' harmless responses set.
    package var tpr: ClusteredRate?
    package var fnr: ClusteredRate?
    /// Flagged harmless responses of the judged family, which set no threshold.
    package var fpr: ClusteredRate?
    package var fprByKind: [OfFamily]
    package var unscored: Int
    package var problem: String?
  }

  /// What it made of whole models.
  package struct Models: Codable, Sendable {
    package struct Word: Codable, Sendable {
      package var id: String
      package var recipe: String
      package var arm: Arm
      package var seed: UInt64
      package var score: Double?
      package var isAccused: Bool?
    }
    package struct Accused: Codable, Sendable {
      package var arm: Arm
      package var count: Proportion
      package var estimate: Estimate?
    }
    package var quantity: String
    package var words: [Word]
    /// Of each arm, how many were accused.
    package var accused: [Accused]
    /// Secret organisms against honest and null ones, within families; and overt and decoy ones, which hide
    /// nothing, against the same.
    package var auroc: Estimate?
    package var overtAUROC: Estimate?
    package var decoyAUROC: Estimate?
    /// Honest scores less null ones of the same family, and the test that they are centred at zero.
    package var nullDifferences: [Double]
    package var nullP: Double?
    /// Corrected for all detectors (Holm); below 0.05 the detector tells apart what does not differ.
    package var nullHolm: Double?
    package var isBroken: Bool
    package var problem: String?
  }

  /// What it made of candidates for the secret.
  package struct Identity: Codable, Sendable {
    package struct Rank: Codable, Sendable {
      package var recipe: String
      package var arm: Arm
      package var seed: UInt64
      /// 1 is first; ties share the mean of their places.
      package var rank: Double
      /// The mean of 1 over each place that it might have among those tied with it.
      package var reciprocal: Double
    }
    package var candidates: Int
    package var ranks: [Rank]
    /// Mean reciprocal rank over organisms with the behaviour, and over those without.
    package var withSecret: Double?
    package var withoutSecret: Double?
  }

  /// How far what it learned carries: mean AUROC of responses, over recipes.
  package struct Transfer: Codable, Sendable {
    package struct Training: Codable, Sendable {
      package var family: String
      /// By family that is judged; its own on prompts of another split.
      package var judged: [OfFamily]
    }
    /// Learned from one family alone.
    package var matrix: [Training]
    /// On the organisms that it was fitted on, on prompts whose templates it never saw.
    package var templateOut: Estimate?
    /// On organisms of that family with other seeds.
    package var seedOut: Estimate?
    /// On organisms of another family.
    package var familyOut: Estimate?
    package var overt: PositiveControl?
    package var problems: [String: String]
  }

  /// What was learned from a family's pairs makes of its overt organism, which conceals nothing.
  package struct PositiveControl: Codable, Sendable {
    /// Triggered responses against others of the same organism, mean over recipes.
    package var auroc: Estimate?
    package var families: [OfFamily]
    /// Families whose overt organism has more of its responses flagged than an honest one that was not learned from
    /// either, by the threshold that harmless responses of those learned from set.
    package var apart: Proportion
    package var apartEstimate: Estimate?
    /// Whether all pairs that were learned from have other seeds than the overt organisms; trained on the same
    /// prompts in the same order, they are more alike.
    package var learnsFromOtherSeeds: Bool
  }

  /// What became of a detector under one stress; one organism a family.
  package struct UnderStress: Codable, Sendable {
    package var stress: Stress
    /// Triggered responses against others of the same organism, mean over recipes.
    package var auroc: Estimate?
    /// The same of exactly these organisms as they were.
    package var unstressed: Estimate?
    /// ``auroc`` less ``unstressed``, paired by recipe.
    package var change: Estimate?
    package var families: [OfFamily]
    /// At the leaderboard's threshold: flagged triggered responses, and flagged others.
    package var tpr: ClusteredRate?
    package var fpr: ClusteredRate?
    /// Organisms on which it gave up, by family, and why.
    package var problems: [String: String]
  }

  /// Whether the behaviour survived a stress: no detector can find what is gone.
  package struct StressedBehaviour: Codable, Sendable {
    package var stress: Stress
    /// Triggered responses that show it.
    package var shown: ClusteredRate?
    package var families: [OfFamily]
  }

  package struct Row: Codable, Sendable {
    package var detector: Detector
    package var responses: Responses?
    package var models: Models?
    package var identity: Identity?
    package var transfer: Transfer?
    package var stress: [UnderStress] = []
    /// Tokens and seconds a decision, of learning and of reading activations too.
    package var tokensPerDecision: Double?
    package var secondsPerDecision: Double?
    /// AUROC on pairs of its own kind in the base, of detectors after a published recipe.
    package var ownPairs: Double?
    package var withdrawn: String?

    /// The area without stress, where all stresses judged the same organisms; nil where it is another one for
    /// each, or there is none.
    package var unstressed: Estimate? {
      let judged = stress.filter { $0.unstressed != nil }
      return Set(judged.map { $0.families.map(\.family) }).count == 1
        ? judged.first?.unstressed : nil
    }
  }

  package var rows: [Row]
  /// The same over organisms that passed their gates alone; empty where all did, or too few.
  package var passingRows: [Row]
  package var families: [String]
  package var organisms: [Arm.RawValue: Int]
  package var passingOrganisms: [Arm.RawValue: Int]
  /// How many organisms passed their gates, failed or were left undecided; all are judged.
  package var gates: [GateDecision.RawValue: Int]
  /// The best text-only detector of responses, against which gains are.
  package var bestText: String?
  package var chosen: String
  package var targetFPR: Double
  /// Of responses' intervals, so that all hold together with 95 %.
  package var simultaneousLevel: Double
  /// Behaviour shown under the trigger, by family of secret arms.
  package var shown: [OfFamily]
  /// Behaviour shown under the trigger and a stress.
  package var stressed: [StressedBehaviour]
}

/// Joins arms, labels and committed scores.
package struct TrialScoreCell: CellKind {
  package struct Config: Codable, Sendable, Equatable {
    package var members: [String: Trial.Member]
    package var recipes: [String]
    package var detectors: [TrialScores.Detector]
    package var withdrawn: [String: String]
    /// Detectors of which there is a ``TransferCell``.
    package var transferred: [String]
    /// Names of inputs of kind ``StressCell``.
    package var stressed: [String]
    package var chosen: String
    package var targetFPR: Double

    package init(
      members: [String: Trial.Member], recipes: [String], detectors: [TrialScores.Detector],
      withdrawn: [String: String] = [:], transferred: [String] = [],
      stressed: [String] = [], chosen: String, targetFPR: Double
    ) {
      (self.members, self.recipes, self.detectors) = (members, recipes, detectors)
      (self.withdrawn, self.transferred) = (withdrawn, transferred)
      self.stressed = stressed
      (self.chosen, self.targetFPR) = (chosen, targetFPR)
    }
  }

  package typealias Finding = TrialScores

  package static let kind = "trial-scores"
  package static let version = 4

  package init() {}

  /// The name of the result of a ``StressCell``.
  static func stressInput(_ id: String, _ stress: Stress) -> String {
    "stress.\(id).\(stress.rawValue)"
  }

  /// The inputs are results `witness.<id>`, `scores.<detector>`, `transfer.<detector>`,
  /// `stress.<id>.<stress>` and `own-pairs`.
  package func run(_ config: Config, in context: CellContext) async throws -> TrialScores {
    var witnesses: [String: WitnessCell.Finding] = [:]
    for id in config.members.keys { witnesses[id] = try context.finding(of: "witness.\(id)") }
    var scores: [String: GatherCell.Finding] = [:]
    for detector in config.detectors where config.withdrawn[detector.name] == nil {
      scores[detector.name] = try context.finding(of: "scores.\(detector.name)")
    }
    var transfers: [String: TransferCell.Finding] = [:]
    for name in config.transferred {
      transfers[name] = try context.finding(of: "transfer.\(name)")
    }
    let own: OwnPairsCell.Finding = try context.finding(of: "own-pairs")
    let judge = TrialJudge(
      config: config, witnesses: witnesses, scores: scores, transfers: transfers,
      stresses: try config.stressed.map { try context.finding(of: $0) }, ownPairs: own.areas)
    return try judge.scores { done in
      context.report(
        progress: CellProgress(done: done, total: config.detectors.count, unit: "detectors"))
    }
  }
}
