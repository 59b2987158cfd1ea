package import Lab
internal import Organisms

extension RunCatalog {
  /// The kind of cell that a study ends with, for those of which that is known.
  package static let endings = [
    "audit": ScoreCell.kind, "plant": GateCell.kind, "trial": TrialScoreCell.kind,
    "evasion": EvasionScoreCell.kind,
  ]
}
