package import Foundation

// The payloads of the entries that Lab writes, by entry type.

/// Payload of `run-created` and `run-resumed`.
struct SessionRecord: Codable {
  let format: Int
  let manifest: ContentHash
  let environment: Environment
}

/// Payload of `cell-started`.
struct CellStart: Codable {
  let cell: CellID
  let kind: String
  let version: Int
}

/// Payload of `cell-finished`.
struct CellFinish: Codable {
  let cell: CellID
  let kind: String
  let version: Int
  /// The hash of `cell.json`.
  let description: ContentHash
  let contents: CellContents
  let cost: Cost
}

/// Payload of `cell-failed`.
struct CellFailure: Codable {
  let cell: CellID
  let kind: String
  let version: Int
  let reason: String
  let wasCancelled: Bool
  let cost: Cost
}

/// Payload of `drawn`.
struct DrawRecord: Codable {
  let name: String
  let seed: UInt64
}

/// Payload of `torn-line-set-aside`.
struct TornLine: Codable {
  let file: String
  let bytes: Int
}

/// Payload of `sealed`.
struct SealRecord: Codable {
  let lineUp: String
  let commitment: ContentHash
  let detectors: [String]
}

/// Payload of `seal-reread`.
struct RereadRecord: Codable {
  let lineUp: String
}

/// Payload of `scores-committed`: the scores themselves, so that the ledger alone proves them.
struct ScoresRecord: Codable {
  let lineUp: String
  let detector: String
  let cell: CellID
  let finding: ContentHash
  let scores: JSONValue
}

/// Payload of `detector-withdrawn`.
struct WithdrawalRecord: Codable {
  let lineUp: String
  let detector: String
  let reason: String
}

/// Payload of `monitor-revoked`: what touched a monitor, and how.
package struct Revocation: Codable, Equatable, Sendable {
  /// How a monitor ceases to be held out.
  package enum Touch: String, Codable, Sendable {
    /// A gradient went through it.
    case training
    /// Something was chosen by what it said.
    case selection
  }

  /// The name under which it would answer for a line-up.
  package let monitor: String
  /// Of what it is: a copy under another name is the same monitor.
  package let hash: ContentHash
  package let touch: Touch
  /// What touched it.
  package let reason: String
}

/// Payload of `unsealed`: with it, anyone can check the commitment.
struct UnsealRecord: Codable {
  let lineUp: String
  let opening: SealOpening
}

/// What a commitment hides: the arms and the salt that keeps them from being guessed.
package struct SealOpening: Codable, Equatable, Sendable {
  /// 256 bits from the system's generator, without which the arms could be guessed from their hash.
  package let salt: String
  /// What was sealed.
  package let arms: JSONValue

  /// Seals `arms` under a fresh salt.
  /// - Throws: `LabError.notCodable` if they cannot be written as JSON.
  package init(sealing arms: some Encodable) throws {
    let words = (0..<4).map { _ in UInt64.random(in: .min ... .max) }
    salt = words.map { String($0, radix: 16) }.joined(separator: "-")
    self.arms = try JSONValue(encoding: arms)
  }

  /// The hash over salt and arms, which can be shown to everybody.
  package var commitment: ContentHash {
    ContentHash(of: .object(["salt": .string(salt), "arms": arms]))
  }

  /// Writes the opening to a file that only its owner may read, whole and on the disk.
  /// - Throws: `LabError.fileSystem`, `LabError.diskFull`.
  package func write(to file: URL) throws {
    try writeDurably(CellFolder.bytes(of: JSONValue(encoding: self)), to: file, mode: 0o600)
  }

  /// The opening in a file; nil where there is none that can be read.
  package static func read(_ file: URL) -> SealOpening? {
    try? JSONValue(parsing: contents(of: file)).decode()
  }
}
