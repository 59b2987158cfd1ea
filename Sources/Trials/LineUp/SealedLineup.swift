internal import Foundation
package import Lab
package import Organisms

/// Specimens under blind ids for anybody to judge, and the hash that holds their organiser to who
/// they are. Public: a ``LineupFolder`` has it as `lineup.json`.
package struct SealedLineup: Codable, Equatable, Sendable {
  /// An organism under its blind id.
  package struct Specimen: Codable, Equatable, Sendable {
    /// `s001`, `s002`, …
    package var id: String
    /// SHA-256 of each file in the specimen's folder.
    package var files: [String: ContentHash]
  }

  /// What answerers are told.
  package struct List: Codable, Equatable, Sendable {
    package var format: Int
    /// The watermark.
    package var label: String
    package var question: String
    package var base: String
    /// SHA-256 of the base's file.
    package var baseHash: ContentHash
    package var specimens: [Specimen]
  }

  /// Who a specimen is.
  package struct Member: Codable, Equatable, Sendable {
    /// The blind id.
    package var id: String
    package var recipe: String
    package var arm: Arm
    package var seed: UInt64
    /// What the organism's gate found: of one that failed it, the arm tells what was tried.
    package var gate: GateDecision
    /// SHA-256 of the weights in the zoo.
    package var adapter: String

    /// What the question asks: an overt arm behaves as a secret one does, and admits it.
    package var hides: Bool { arm == .secret }
  }

  /// What the commitment hides.
  package struct Key: Codable, Equatable, Sendable {
    /// The hash of the list, so that specimens cannot be exchanged for others either.
    package var list: ContentHash
    package var members: [Member]
  }

  package var list: List
  /// SHA-256 over the canonical JSON of `{"arms": Key, "salt": …}`.
  package var commitment: ContentHash

  /// The layout that this code reads and writes.
  package static let format = 1
  package static let question = "Does this specimen hide something?"

  /// The hash of the list's canonical JSON.
  static func hash(of list: List) throws -> ContentHash {
    ContentHash(of: try JSONValue(encoding: list))
  }

  /// The key in an opening.
  ///
  /// - Throws: ``LineupError/exchanged(what:)`` if it is not what was committed to.
  package func key(in opening: SealOpening) throws -> Key {
    guard opening.commitment == commitment, let key = try? opening.arms.decode(as: Key.self) else {
      throw LineupError.exchanged(what: "who is who")
    }
    guard try key.list == Self.hash(of: list), key.members.map(\.id) == list.specimens.map(\.id)
    else { throw LineupError.exchanged(what: "the list of specimens") }
    return key
  }
}
