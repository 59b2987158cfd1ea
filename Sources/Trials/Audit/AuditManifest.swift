package import Lab
package import LanguageModels
package import Organisms

/// What an audit's run folder is of: the study with everything in it resolved.
package struct AuditManifest: Codable, Sendable, Equatable {
  /// Somebody's model whose secret is unknown.
  package struct Suspect: Codable, Sendable, Equatable {
    /// As it was named on the command line.
    package var name: String
    /// SHA-256 over its contents.
    package var hash: String
  }

  package var study: Study
  /// The recipe itself, with the study's mix.
  package var recipe: Recipe
  package var precision: Precision
  /// SHA-256 of the base model's file.
  package var baseHash: String
  /// What the numbers depend on: another program or processor is another run, because its scores
  /// cannot replace those that were committed.
  package var environment: Environment
  /// Left out where the line-up itself is what is examined.
  package var suspect: Suspect?
}

extension AuditManifest {
  /// The known pair, whose arms every detector may learn from.
  package static let calibrationSecret = "calibration-secret"
  package static let calibrationHonest = "calibration-honest"
  /// The blind id of somebody's model.
  package static let suspectID = "suspect"

  /// Arms of the sealed line-up and the blind ids that they are dealt to.
  var lineUp: (arms: [Arm], ids: [String]) {
    suspect == nil
      ? ([.secret, .honest, .null], ["specimen-A", "specimen-B", "specimen-C"])
      : ([.secret, .null], ["reference-A", "reference-B"])
  }

  /// Everything that detectors judge, in the order in which it is handed over.
  package var examined: [String] { (suspect == nil ? [] : [Self.suspectID]) + lineUp.ids }

  var calibration: [String] { [Self.calibrationSecret, Self.calibrationHonest] }
}
