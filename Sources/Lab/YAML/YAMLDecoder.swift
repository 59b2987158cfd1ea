import Yams

/// `Decodable`'s view of one node, which remembers the keys that were asked for.
final class YAMLDecoder: Decoder {
  let document: YAMLDocument
  let node: Node
  let codingPath: [any CodingKey]
  let userInfo: [CodingUserInfoKey: Any] = [:]
  let asked: AskedKeys
  /// Decoders of nested containers, whose keys nobody else checks.
  private var children: [YAMLDecoder] = []

  init(document: YAMLDocument, node: Node, codingPath: [any CodingKey]) {
    self.document = document
    self.node = node
    self.codingPath = codingPath
    asked = AskedKeys(document: document, node: node, path: codingPath)
  }

  var scalar: YAMLScalar { YAMLScalar(node, document, codingPath) }

  func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
    guard case .mapping(let mapping) = node else { throw scalar.mismatch("a mapping") }
    asked.isMapping = true
    return KeyedDecodingContainer(try YAMLMapping<Key>(decoder: self, mapping: mapping))
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    guard case .sequence(let sequence) = node else { throw scalar.mismatch("a list") }
    return YAMLSequence(decoder: self, nodes: Array(sequence))
  }

  func singleValueContainer() -> any SingleValueDecodingContainer {
    YAMLSingleValue(decoder: self)
  }

  /// A decoder for a node below this one.
  func nested(_ node: Node, _ key: any CodingKey) -> YAMLDecoder {
    let child = YAMLDecoder(document: document, node: node, codingPath: codingPath + [key])
    children.append(child)
    return child
  }

  /// The error for the first key, here or in a nested container, that nobody asked for, or nil.
  var unknownKey: LabError? {
    asked.unknownKey ?? children.lazy.compactMap(\.unknownKey).first
  }

  /// A decoding error as one sentence with its line.
  func describe<T>(_ error: DecodingError, _ type: T.Type) -> LabError {
    switch error {
    case .keyNotFound(let key, _):
      // A misspelt key is missing under its right name; the misspelling is the better thing to say.
      if let unknown = asked.misspelling(of: key.stringValue) { return unknown }
      return document.error(
        node.mark?.line,
        "Expected the key `\(key.stringValue)` in \(codingPath.quoted), found none: add it.")
    case .dataCorrupted(let context), .typeMismatch(_, let context),
      .valueNotFound(_, let context):
      if let choice = choiceError(type) { return choice }
      return document.error(
        node.mark?.line,
        "Expected another value for \((context.codingPath).quoted): \(context.debugDescription)")
    @unknown default:
      return document.error(node.mark?.line, "Expected another value: \(error).")
    }
  }

  /// For an enumeration with raw values, what could have been written.
  private func choiceError<T>(_ type: T.Type) -> LabError? {
    guard case .scalar(let found) = node, let type = T.self as? any CaseIterable.Type else {
      return nil
    }
    let choices = Self.rawValues(type)
    guard !choices.isEmpty else { return nil }
    let near = nearest(to: found.string, among: choices).map { ": did you mean `\($0)`?" } ?? "."
    return document.error(
      node.mark?.line,
      "Expected one of \(choices.joined(separator: ", ")) for \(codingPath.quoted), found "
        + "`\(found.string)`\(near)")
  }

  private static func rawValues<T: CaseIterable>(_ type: T.Type) -> [String] {
    T.allCases.compactMap { ($0 as? any RawRepresentable)?.rawValue as? String }
  }
}

/// Which keys of a mapping the decoded type asked for.
final class AskedKeys {
  private let document: YAMLDocument
  private let node: Node
  private let path: [any CodingKey]
  private var asked: Set<String> = []
  /// Whether each key is one that some `CodingKeys` of the type knows.
  private var isKnown: (String) -> Bool = { _ in false }
  /// Whether the type read the node as a mapping at all.
  var isMapping = false

  init(document: YAMLDocument, node: Node, path: [any CodingKey]) {
    self.document = document
    self.node = node
    self.path = path
  }

  func ask(_ key: String) {
    asked.insert(key)
  }

  func know<Key: CodingKey>(_ type: Key.Type) {
    let before = isKnown
    isKnown = { before($0) || Key(stringValue: $0) != nil }
  }

  /// The error for the first key that nobody asked for, or nil.
  var unknownKey: LabError? {
    guard isMapping, case .mapping(let mapping) = node else { return nil }
    for (key, _) in mapping {
      let name = key.scalar?.string ?? ""
      if !asked.contains(name) { return unknown(name, key, near: nearest(to: name, among: asked)) }
    }
    return nil
  }

  /// The error for a key that looks like a misspelling of a missing one, or nil.
  func misspelling(of missing: String) -> LabError? {
    guard case .mapping(let mapping) = node else { return nil }
    for (key, _) in mapping {
      let name = key.scalar?.string ?? ""
      if !isKnown(name), nearest(to: name, among: [missing]) != nil {
        return unknown(name, key, near: missing)
      }
    }
    return nil
  }

  private func unknown(_ name: String, _ key: Node, near: String?) -> LabError {
    let known = asked.sorted().map { "`\($0)`" }.joined(separator: ", ")
    let remedy = near.map { "did you mean `\($0)`?" } ?? "known keys are \(known)."
    return document.error(
      key.mark?.line, "Unknown key `\(name)` in \(path.quoted): \(remedy)")
  }
}

/// The candidate that a slip of the fingers away from `word` would be, or nil.
func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
  let near = candidates.sorted().map {
    ($0, distance(Array(word.lowercased()), Array($0.lowercased())))
  }
  .min { $0.1 < $1.1 }
  guard let near, near.1 <= max(1, min(word.count, near.0.count) / 3) else { return nil }
  return near.0
}

/// Edits between two words, swapping two neighbours counting as one (optimal string alignment).
private func distance(_ left: [Character], _ right: [Character]) -> Int {
  var beforeLast: [Int] = []
  var last = Array(0...right.count)
  for (row, character) in left.enumerated() {
    var current = [row + 1]
    for (column, other) in right.enumerated() {
      var best = min(
        last[column] + (character == other ? 0 : 1), last[column + 1] + 1, current[column] + 1)
      if row > 0, column > 0, character == right[column - 1], left[row - 1] == other {
        best = min(best, beforeLast[column - 1] + 1)
      }
      current.append(best)
    }
    beforeLast = last
    last = current
  }
  return last[right.count]
}
