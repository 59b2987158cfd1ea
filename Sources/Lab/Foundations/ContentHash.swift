internal import Digests
package import Foundation

/// The SHA-256 of some bytes, as 64 lower-case hexadecimal digits.
package struct ContentHash: Hashable, Sendable {
  /// All 64 digits.
  package let hex: String

  /// Reads 64 lower-case hexadecimal digits; nil for anything else.
  package init?(hex: String) {
    let isDigit = { (byte: UInt8) in
      (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
    }
    guard hex.utf8.count == 64, hex.utf8.allSatisfy(isDigit) else { return nil }
    self.hex = hex
  }

  /// The hash of bytes in memory.
  package init(of bytes: some DataProtocol) {
    let hasher = SHA256()
    for region in bytes.regions { region.withUnsafeBytes { hasher.update($0) } }
    hex = hasher.hexadecimal()
  }

  /// The hash of a value's canonical JSON.
  package init(of value: JSONValue) {
    self.init(of: value.canonicalBytes)
  }

  /// The hash of a file's bytes, read in pieces so that a large file does not fill the memory.
  /// - Throws: `LabError.fileSystem` if the file cannot be read.
  package init(ofFile file: URL) throws {
    let hasher = SHA256()
    try readFile(file) { hasher.update($0) }
    hex = hasher.hexadecimal()
  }

  /// What stands before the first entry of a ledger.
  package static let zero = ContentHash(digits: String(repeating: "0", count: 64))

  private init(digits: String) { hex = digits }
}

extension ContentHash: Codable {
  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let hash = ContentHash(hex: text) else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "expected 64 hexadecimal digits, found \"\(text)\"")
    }
    self = hash
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(hex)
  }
}

extension ContentHash: CustomStringConvertible {
  package var description: String { hex }
}
