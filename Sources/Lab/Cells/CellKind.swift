/// A kind of work that a layer above Lab brings: configuration in, finding out.
///
/// `run` must compute the same finding and artifacts from the same configuration and inputs: seeds
/// are configuration, and neither the clock nor the order of other cells may matter. Whatever a
/// kind holds as stored properties (a loaded model, say) is a means to compute and not part of the
/// cell's identity; a kind need not be `Sendable`, it runs in the isolation of whoever performs it.
package protocol CellKind {
  /// What is to be done; its JSON is part of the cell's identity.
  associatedtype Config: Codable & Sendable & Equatable
  /// What came out.
  associatedtype Finding: Codable & Sendable

  /// The kind's name, for example `plant`; part of the identity.
  static var kind: String { get }
  /// Raised when the code changes what it computes; part of the identity.
  static var version: Int { get }

  /// Does the work.
  ///
  /// May be killed at any point and called again; whatever it left in `context.scratch` is still
  /// there then. A thrown error is written to the ledger, and the cell is tried again next time.
  func run(_ config: Config, in context: CellContext) async throws -> Finding
}

extension CellKind {
  /// The name of the cell that this configuration and these inputs describe.
  /// - Throws: `LabError.notCodable` if the configuration cannot be written as JSON.
  package static func id(
    _ config: Config, inputs: [String: CellInput] = [:], environment: Environment
  ) throws -> CellID {
    try CellID(
      of: CellDescription(Self.self, config: config, inputs: inputs, environment: environment))
  }
}
