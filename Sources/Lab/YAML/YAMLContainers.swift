import Yams

// What `Decodable` asks of a decoder, each request passed on with its key path.

struct YAMLMapping<Key: CodingKey>: KeyedDecodingContainerProtocol {
  private let decoder: YAMLDecoder
  private let nodes: [String: Node]
  private let order: [String]

  init(decoder: YAMLDecoder, mapping: Node.Mapping) throws {
    self.decoder = decoder
    var nodes: [String: Node] = [:]
    var order: [String] = []
    for (key, value) in mapping {
      guard case .scalar(let scalar) = key else {
        throw YAMLScalar(key, decoder.document, decoder.codingPath).mismatch("text as a key")
      }
      // The parser compares keys with their tags, so `1` and `"1"` pass it as different.
      guard nodes.updateValue(value, forKey: scalar.string) == nil else {
        throw decoder.document.error(
          key.mark?.line,
          "Expected every key once, found `\(scalar.string)` more than once: remove one.")
      }
      order.append(scalar.string)
    }
    self.nodes = nodes
    self.order = order
    decoder.asked.know(Key.self)
  }

  var codingPath: [any CodingKey] { decoder.codingPath }
  var allKeys: [Key] { order.compactMap { Key(stringValue: $0) } }

  func contains(_ key: Key) -> Bool {
    decoder.asked.ask(key.stringValue)
    return nodes[key.stringValue] != nil
  }

  func decodeNil(forKey key: Key) throws -> Bool {
    let node = try node(key)
    return YAMLScalar(node, decoder.document, codingPath + [key]).isNull
  }

  func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
    try decoder.document.decode(type, node(key), at: codingPath + [key])
  }

  func nestedContainer<NestedKey: CodingKey>(
    keyedBy type: NestedKey.Type, forKey key: Key
  ) throws -> KeyedDecodingContainer<NestedKey> {
    try nested(key).container(keyedBy: type)
  }

  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
    try nested(key).unkeyedContainer()
  }

  func superDecoder() throws -> any Decoder { decoder }
  func superDecoder(forKey key: Key) throws -> any Decoder { try nested(key) }

  private func nested(_ key: Key) throws -> YAMLDecoder {
    decoder.nested(try node(key), key)
  }

  private func node(_ key: Key) throws -> Node {
    decoder.asked.ask(key.stringValue)
    guard let node = nodes[key.stringValue] else {
      throw DecodingError.keyNotFound(
        key, .init(codingPath: codingPath, debugDescription: "missing"))
    }
    return node
  }
}

struct YAMLSequence: UnkeyedDecodingContainer {
  private let decoder: YAMLDecoder
  private let nodes: [Node]
  private(set) var currentIndex = 0

  init(decoder: YAMLDecoder, nodes: [Node]) {
    self.decoder = decoder
    self.nodes = nodes
  }

  var codingPath: [any CodingKey] { decoder.codingPath }
  var count: Int? { nodes.count }
  var isAtEnd: Bool { currentIndex >= nodes.count }

  mutating func decodeNil() throws -> Bool {
    guard !isAtEnd else { return false }
    let isNull = YAMLScalar(nodes[currentIndex], decoder.document, codingPath).isNull
    if isNull { currentIndex += 1 }
    return isNull
  }

  mutating func decode<T: Decodable>(_ type: T.Type) throws -> T {
    let key = Position(currentIndex)
    return try decoder.document.decode(type, next(), at: codingPath + [key])
  }

  mutating func nestedContainer<NestedKey: CodingKey>(
    keyedBy type: NestedKey.Type
  ) throws -> KeyedDecodingContainer<NestedKey> {
    let key = Position(currentIndex)
    return try decoder.nested(next(), key).container(keyedBy: type)
  }

  mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
    let key = Position(currentIndex)
    return try decoder.nested(next(), key).unkeyedContainer()
  }

  mutating func superDecoder() throws -> any Decoder {
    let key = Position(currentIndex)
    return decoder.nested(try next(), key)
  }

  private mutating func next() throws -> Node {
    guard !isAtEnd else {
      throw decoder.document.error(
        decoder.node.mark?.line,
        "Expected more than \(nodes.count) items in \(codingPath.quoted), found no more.")
    }
    defer { currentIndex += 1 }
    return nodes[currentIndex]
  }
}

struct YAMLSingleValue: SingleValueDecodingContainer {
  let decoder: YAMLDecoder

  var codingPath: [any CodingKey] { decoder.codingPath }

  func decodeNil() -> Bool { decoder.scalar.isNull }

  func decode<T: Decodable>(_ type: T.Type) throws -> T {
    // The inner type checks the keys now, and the outer one must not find them unasked.
    try decoder.document.decode(type, decoder.node, at: codingPath)
  }
}

/// The position of an item in a list, as a key of its path.
private struct Position: CodingKey {
  let intValue: Int?
  var stringValue: String { String(intValue ?? 0) }

  init(_ position: Int) { intValue = position }
  init?(intValue: Int) { self.intValue = intValue }
  init?(stringValue: String) { nil }
}
