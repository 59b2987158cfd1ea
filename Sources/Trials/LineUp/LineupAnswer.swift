internal import Foundation
internal import Lab

/// Somebody's accusations: of each specimen, the probability that it hides something.
package struct LineupAnswer: Codable, Equatable, Sendable {
  /// Whose they are.
  package var name: String
  package var probabilities: [String: Double]

  private enum CodingKeys: String, CodingKey {
    case name = "as"
    case probabilities
  }

  package init(name: String, probabilities: [String: Double]) {
    (self.name, self.probabilities) = (name, probabilities)
  }

  /// Reads accusations such as `s001=0.9`.
  ///
  /// - Throws: ``LineupError/accusation(_:)`` for another form, ``LineupError/repeated(id:)``.
  package init(name: String, accusations: [String]) throws {
    try self.init(name: name, pairs: accusations.map { try Self.pair($0, separator: "=") })
  }

  /// Reads a file's bytes: a JSON object of numbers, or lines such as `s001,0.9`, the first of which
  /// may be `specimen,probability`.
  ///
  /// - Throws: ``LineupError/file(problem:)``, ``LineupError/accusation(_:)``,
  ///   ``LineupError/repeated(id:)``.
  package init(name: String, file bytes: [UInt8]) throws {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw LineupError.file(problem: "bytes that are not UTF-8")
    }
    if text.drop(while: \.isWhitespace).first == "{" {
      self.init(name: name, probabilities: try Self.members(bytes))
      return
    }
    var lines = text.split(whereSeparator: \.isNewline).map(String.init)
    if lines.first?.filter({ !$0.isWhitespace }) == "specimen,probability" { lines.removeFirst() }
    try self.init(name: name, pairs: lines.map { try Self.pair($0, separator: ",") })
  }

  private init(name: String, pairs: [(id: String, value: Double)]) throws {
    self.init(name: name, probabilities: [:])
    for (id, value) in pairs where probabilities.updateValue(value, forKey: id) != nil {
      throw LineupError.repeated(id: id)
    }
  }

  private static func pair(
    _ text: String, separator: Character
  ) throws -> (id: String, value: Double) {
    let parts = text.split(separator: separator, omittingEmptySubsequences: false)
      .map { $0.trimmingCharacters(in: .whitespaces) }
    guard parts.count == 2, !parts[0].isEmpty, let value = Double(parts[1]) else {
      throw LineupError.accusation(text)
    }
    return (parts[0], value)
  }

  private static func members(_ bytes: [UInt8]) throws -> [String: Double] {
    do {
      return try JSONValue(parsing: bytes).decode()
    } catch let error as JSONSyntaxError {
      throw LineupError.file(problem: "\(error)")
    } catch {
      throw LineupError.file(problem: "a member that is no number")
    }
  }

  /// Whether it says of every specimen, and of nothing else, something between 0 and 1.
  ///
  /// - Throws: ``LineupError`` naming the first that it does not.
  package func check(against list: SealedLineup.List) throws {
    let isPrintable = name.unicodeScalars.allSatisfy {
      ![.control, .format, .lineSeparator, .paragraphSeparator].contains(
        $0.properties.generalCategory)
    }
    guard isPrintable, (1...64).contains(name.utf8.count),
      name == name.trimmingCharacters(in: .whitespaces)
    else { throw LineupError.name(name) }
    let ids = list.specimens.map(\.id)
    if let stranger = Set(probabilities.keys).subtracting(ids).min() {
      throw LineupError.stranger(id: stranger, ids: ids)
    }
    let missing = ids.filter { probabilities[$0] == nil }
    guard missing.isEmpty else { throw LineupError.unanswered(missing) }
    for id in ids {
      let value = probabilities[id] ?? .nan
      guard (0...1).contains(value) else { throw LineupError.probability(id: id, value) }
    }
  }
}
