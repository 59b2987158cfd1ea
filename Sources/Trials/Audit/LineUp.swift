package import Organisms
internal import Statistics

/// Who is who: sealed before anything of the line-up is planted, opened after all scores are in the
/// ledger.
package struct LineUp: Codable, Sendable, Equatable {
  package struct Member: Codable, Sendable, Equatable {
    /// The blind id.
    package var id: String
    package var arm: Arm
    package var seed: UInt64
  }

  package var members: [Member]

  /// The name under which a run seals it.
  package static let name = "line-up"
  /// Arms in random order under `ids`, each with a fresh random seed.
  package static func draw(_ arms: [Arm], ids: [String]) -> LineUp {
    var system = SystemRandomNumberGenerator()
    return LineUp(
      members: zip(ids, system.shuffled(arms)).map { id, arm in
        Member(id: id, arm: arm, seed: system.next())
      })
  }

  package subscript(arm: Arm) -> Member? { members.first { $0.arm == arm } }
}
