/// What of a specimen an instrument can reach, as a word for studies and reports.
package enum AccessKind: String, Codable, CaseIterable, Hashable, Sendable {
  /// What the specimen answers.
  case text
  /// How probable it finds a text.
  case logits
  /// What happens at sites of its forward pass.
  case activations
  /// Ordinary exchanges of it that are known to be harmless.
  case trusted
  /// What training added to its weights.
  case weights
  /// The same of the model that it was trained from.
  case base
  /// Other organisms of that base whose arms are known.
  case calibration
}

/// A declaration of access: an instrument names one such type, and what the type does not conform
/// to, the compiler does not let it write.
///
/// ```swift
/// struct Curious: ModelDetector {
///   typealias Access = TextOnly
///   func score(_ specimen: SpecimenView<TextOnly>) throws -> ModelScore {
///     try specimen.activations(…)  // error: referencing instance method 'activations' on
///   }                              // 'SpecimenView' requires that 'TextOnly' conform to
/// }                                // 'ActivationAccess'
/// ```
package protocol SpecimenAccess: Sendable {}

/// May ask the specimen and read its answers.
package protocol TextAccess: SpecimenAccess {}
/// May ask how probable the specimen finds a text.
package protocol LogitAccess: SpecimenAccess {}
/// May read the specimen's activations.
package protocol ActivationAccess: SpecimenAccess {}
/// May compare with ordinary exchanges of the specimen, known to be harmless.
package protocol TrustedAccess: SpecimenAccess {}
/// May read what training added to the weights.
package protocol WeightAccess: SpecimenAccess {}
/// May do to the base model what it may do to the specimen.
package protocol BaseAccess: SpecimenAccess {}
/// May learn from organisms whose arms are known.
package protocol CalibrationAccess: SpecimenAccess {}

extension SpecimenAccess {
  /// The same declaration as words, read off the conformances so that the two cannot differ.
  package static var kinds: Set<AccessKind> {
    let type: any SpecimenAccess.Type = Self.self
    var kinds: Set<AccessKind> = []
    if type is any TextAccess.Type { kinds.insert(.text) }
    if type is any LogitAccess.Type { kinds.insert(.logits) }
    if type is any ActivationAccess.Type { kinds.insert(.activations) }
    if type is any TrustedAccess.Type { kinds.insert(.trusted) }
    if type is any WeightAccess.Type { kinds.insert(.weights) }
    if type is any BaseAccess.Type { kinds.insert(.base) }
    if type is any CalibrationAccess.Type { kinds.insert(.calibration) }
    return kinds
  }
}

/// Nothing but the responses that are to be scored.
package enum ResponsesOnly: SpecimenAccess {}
/// `text`.
package enum TextOnly: TextAccess {}
/// `logits`.
package enum LogitsOnly: LogitAccess {}
/// `calibration`: the responses to be scored, and labelled ones to learn from.
package enum CalibrationOnly: CalibrationAccess {}
/// `logits`, `base`.
package enum LogitsAndBase: LogitAccess, BaseAccess {}
/// `logits`, `weights`, `base`.
package enum LogitsWeightsAndBase: LogitAccess, WeightAccess, BaseAccess {}
/// `logits`, `calibration`.
package enum LogitsAndCalibration: LogitAccess, CalibrationAccess {}
/// `activations`.
package enum ActivationsOnly: ActivationAccess {}
/// `activations`, `trusted`.
package enum ActivationsAndTrusted: ActivationAccess, TrustedAccess {}
/// `activations`, `trusted`, `base`.
package enum ActivationsTrustedAndBase: ActivationAccess, TrustedAccess, BaseAccess {}
/// `weights`, `base`.
package enum WeightsAndBase: WeightAccess, BaseAccess {}
/// `activations`, `base`.
package enum ActivationsAndBase: ActivationAccess, BaseAccess {}
/// `activations`, `calibration`.
package enum ActivationsAndCalibration: ActivationAccess, CalibrationAccess {}

/// What an instrument did that it may not, or asked for that does not exist.
package enum AccessError: Error, Equatable, CustomStringConvertible {
  /// An instrument reached for what it had not declared.
  case undeclared(needed: AccessKind, declared: Set<AccessKind>)
  /// A site without one row a token.
  case notPerToken(site: String)

  package var description: String {
    switch self {
    case .undeclared(let needed, let declared):
      "Expected an instrument to use only the access that it declared ("
        + (declared.isEmpty ? "none" : declared.map(\.rawValue).sorted().joined(separator: ", "))
        + "), found it reaching for `\(needed.rawValue)`: declare it, so that the report shows it"
    case .notPerToken(let site):
      "Expected a site with one row a token, found `\(site)`: ask for `blocks.{i}.resid_post` or "
        + "another site whose first axis is the token"
    }
  }
}
