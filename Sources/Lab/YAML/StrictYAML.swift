package import Foundation
import Yams

/// Reads declared studies: YAML in which nothing is ignored and nothing is guessed.
///
/// A key that the type does not know, a repeated key and a value of another type are errors with
/// the file's name and the line. `yes` is no boolean, `"5"` no number and `1:30` not ninety.
/// Types describe themselves through `Decodable` as usual; what may be left out is an optional.
package enum StrictYAML {
  /// More would be no study, and bounds the work that a hostile file can cause.
  static let maxBytes = 1 << 20
  /// Aliases let a short file describe a huge tree, so both their number and the tree are bounded.
  static let maxAliases = 32
  static let maxNodes = 100_000

  /// Decodes one YAML document.
  /// - Parameters:
  ///   - type: what to decode.
  ///   - text: the document.
  ///   - name: how errors call it, for example the file's name.
  /// - Returns: the decoded value.
  /// - Throws: `LabError.study` with the line, in one sentence.
  package static func decode<T: Decodable>(
    _ type: T.Type = T.self, from text: String, name: String = "YAML"
  ) throws -> T {
    let document = YAMLDocument(name: name)
    do {
      guard text.utf8.count <= maxBytes else {
        throw document.error(
          nil, "Expected at most \(maxBytes) bytes, found \(text.utf8.count): split the study.")
      }
      try checkAliases(text, document)
      guard let root = try compose(yaml: text) else {
        throw document.error(nil, "Expected a study, found an empty file: write at least one key.")
      }
      return try document.decode(T.self, root, at: [])
    } catch let error as YamlError {
      throw document.error(error)
    }
  }

  /// Decodes the one YAML document in a file.
  /// - Throws: `LabError.study` with the line; `LabError.fileSystem` if the file cannot be read.
  package static func decode<T: Decodable>(_ type: T.Type = T.self, from file: URL) throws -> T {
    let bytes = try contents(of: file)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw LabError.study(
        file: file.path, line: nil,
        problem: "Expected text in UTF-8, found other bytes: save the file as UTF-8.")
    }
    return try decode(type, from: text, name: file.path)
  }

  /// Counts what looks like an alias before the parser sees it: the parser hashes mapping keys,
  /// and a key that is an alias of aliases takes exponential time there.
  private static func checkAliases(_ text: String, _ document: YAMLDocument) throws {
    guard text.utf8.contains(UInt8(ascii: "&")) else { return }
    var aliases = 0
    var line = 1
    var previous = UInt8(ascii: " ")
    let before = Set(" \n\t[{,:-?".utf8)
    for byte in text.utf8 {
      if previous == UInt8(ascii: "*") && !Set(" \n\t*".utf8).contains(byte) { aliases += 1 }
      if aliases > maxAliases {
        throw document.error(
          line, "Expected at most \(maxAliases) aliases (`*name`), found more: write values out.")
      }
      if byte == UInt8(ascii: "\n") { line += 1 }
      // Only a star where a value may begin counts, so that emphasis inside words does not.
      previous = byte == UInt8(ascii: "*") && !before.contains(previous) ? UInt8(ascii: "x") : byte
    }
  }
}

/// One document being decoded: its name for errors, and how much of it was visited.
final class YAMLDocument {
  private let name: String
  private var visited = 0

  init(name: String) {
    self.name = name
  }

  func error(_ line: Int?, _ problem: String) -> LabError {
    .study(file: name, line: line, problem: problem)
  }

  /// A syntax error in our words.
  func error(_ error: YamlError) -> LabError {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      self.error(
        mark.line,
        "Expected YAML, found a syntax error in column \(mark.column): "
          + "\(problem).")
    case .duplicatedKeysInMapping(let keys, let context):
      self.error(
        context.mark.line,
        "Expected every key once, found \(keys.map { "`\($0)`" }.joined(separator: ", ")) "
          + "more than once: remove one.")
    default: self.error(nil, "Expected YAML, found something else: \(error).")
    }
  }

  /// Decodes a node and then insists that every key in it was asked for.
  func decode<T: Decodable>(_ type: T.Type, _ node: Node, at path: [any CodingKey]) throws -> T {
    visited += 1
    if visited > StrictYAML.maxNodes {
      throw error(
        node.mark?.line,
        "Expected at most \(StrictYAML.maxNodes) values, found more: remove aliases of aliases.")
    }
    if let scalar = try YAMLScalar(node, self, path).decode(type) { return scalar }
    let decoder = YAMLDecoder(document: self, node: node, codingPath: path)
    do {
      let value = try T(from: decoder)
      if let unknown = decoder.unknownKey { throw unknown }
      return value
    } catch let error as DecodingError {
      throw decoder.describe(error, T.self)
    }
  }
}

extension Array where Element == any CodingKey {
  /// The path as people write it: `detectors[2].threshold`.
  var text: String {
    var text = ""
    for key in self {
      if let position = key.intValue {
        text += "[\(position)]"
      } else {
        text += (text.isEmpty ? "" : ".") + key.stringValue
      }
    }
    return text
  }

  /// The path in quotes, or a word for the whole document.
  var quoted: String { isEmpty ? "the document" : "`\(text)`" }
}
