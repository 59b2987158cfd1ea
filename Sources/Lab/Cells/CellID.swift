/// The name of a cell: a hash of everything that determines its bytes.
///
/// Two requests with the same kind, version, configuration, input contents and environment are the
/// same cell, whoever asks and whenever.
package struct CellID: Hashable, Sendable {
  /// The full name: 64 hexadecimal digits.
  package let hex: String
  /// The first 12 digits, for people.
  package var short: String { String(hex.prefix(12)) }

  /// Reads 64 hexadecimal digits; nil for anything else.
  package init?(hex: String) {
    guard let hash = ContentHash(hex: hex) else { return nil }
    self.hex = hash.hex
  }

  /// The name that a description has.
  init(of description: CellDescription) throws {
    hex = ContentHash(of: try JSONValue(encoding: description)).hex
  }
}

extension CellID: Codable {
  package init(from decoder: any Decoder) throws {
    hex = try ContentHash(from: decoder).hex
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(hex)
  }
}

extension CellID: CustomStringConvertible {
  package var description: String { short }
}

/// Everything that determines a cell's bytes; `cell.json` holds it and its hash is the cell's name.
package struct CellDescription: Codable, Equatable, Sendable {
  /// The kind's name, for example `plant`.
  package let kind: String
  /// The kind's version, raised when its code changes what it computes.
  package let version: Int
  /// The configuration as JSON.
  package let config: JSONValue
  /// The hash of each input's contents, by the name that the cell knows it by.
  package let inputs: [String: ContentHash]
  /// Version or commit of the program.
  package let build: String
  /// What computed.
  package let device: String
  /// The instruction set in use.
  package let instructionSet: String

  init<Kind: CellKind>(
    _ kind: Kind.Type, config: Kind.Config, inputs: [String: CellInput], environment: Environment
  ) throws {
    self.kind = Kind.kind
    version = Kind.version
    self.config = try JSONValue(encoding: config)
    self.inputs = inputs.mapValues(\.hash)
    build = environment.build
    device = environment.device
    instructionSet = environment.instructionSet
  }
}
