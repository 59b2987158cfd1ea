internal import Foundation

/// `plumbline.json`: an ``AdapterCard`` for programs, beside PEFT's own files.
struct AdapterRecord: Codable, Equatable {
  static let fileName = "plumbline.json"
  static let currentFormat = 1

  struct Base: Codable, Equatable {
    var name: String
    var sha256: String
    var licence: String?
  }

  var format: Int
  var label: String
  var base: Base
  var recipe: String
  var arm: String?
  var planted: String?
  var seed: UInt64?
  /// The SHA-256 of the weights' file, so that a card never stands beside another adapter.
  var weightsSHA256: String

  enum CodingKeys: String, CodingKey {
    case format, label, base, recipe, arm, planted, seed
    case weightsSHA256 = "weights_sha256"
  }

  init(_ card: AdapterCard, weightsSHA256: String) {
    (format, label) = (Self.currentFormat, AdapterCard.label)
    base = Base(name: card.baseName, sha256: card.baseHash, licence: card.licence)
    (recipe, arm, planted, seed) = (card.recipe, card.arm, card.planted, card.seed)
    self.weightsSHA256 = weightsSHA256
  }

  var card: AdapterCard {
    AdapterCard(
      baseName: base.name, baseHash: base.sha256, recipe: recipe, licence: base.licence, arm: arm,
      planted: planted, seed: seed)
  }

  /// Reads the record at `path`; nil where there is no such file, as in an adapter from elsewhere.
  static func read(_ path: String) throws(ModelFileError) -> AdapterRecord? {
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let data = try JSONText.read(path)
    guard let record = try? JSONDecoder().decode(AdapterRecord.self, from: data),
      record.format == currentFormat, FileDigest.isDigest(record.base.sha256),
      FileDigest.isDigest(record.weightsSHA256)
    else {
      throw .malformed(
        .init(
          path: path, expected: "a card of format \(currentFormat)", found: "something else",
          remedy: "write the adapter again, or remove the file to load it as one from elsewhere"))
    }
    return record
  }
}
