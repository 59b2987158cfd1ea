internal import Foundation

/// Any value of a small JSON document that somebody else's program wrote.
enum JSONField: Decodable, Equatable, Sendable {
  case null
  case bool(Bool)
  case number(Double)
  case text(String)
  case list([JSONField])
  case object([String: JSONField])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .text(value)
    } else if let value = try? container.decode([JSONField].self) {
      self = .list(value)
    } else {
      self = .object(try container.decode([String: JSONField].self))
    }
  }

  /// Whether it says no more than an absent key.
  var isNothing: Bool { [.null, .bool(false), .list([]), .object([:])].contains(self) }

  /// The value in a message.
  var summary: String {
    switch self {
    case .null: "nothing"
    case .bool(let value): "\(value)"
    case .number(let value): value == value.rounded() ? "\(Int64(exactly: value) ?? 0)" : "\(value)"
    case .text(let value): quoted(value)
    case .list: "a list"
    case .object: "an object"
    }
  }
}

/// A `config.json`, or one object in it: each value checked as it is taken.
struct ConfigFile: Sendable {
  let path: String
  let fields: [String: JSONField]
  /// Where in the document the fields lie, for messages.
  private var place = ""

  /// Reads the JSON object at `path`, of at most a megabyte.
  init(path: String) throws(ModelFileError) {
    let data = try JSONText.read(path)
    guard let fields = try? JSONDecoder().decode([String: JSONField].self, from: data) else {
      throw .malformed(
        .init(
          path: path, expected: "a JSON object", found: "something else",
          remedy: "use the file that belongs to these weights"))
    }
    (self.path, self.fields) = (path, fields)
  }

  /// The value under `key`; null counts as absent.
  subscript(_ key: String) -> JSONField? { fields[key] == .null ? nil : fields[key] }

  /// The object under `key`.
  func object(_ key: String) throws(ModelFileError) -> ConfigFile? {
    guard let value = self[key] else { return nil }
    guard case .object(let fields) = value else { throw refusal("an object under", key) }
    return ConfigFile(path: path, fields: fields, place: place + key + ".")
  }

  private init(path: String, fields: [String: JSONField], place: String) {
    (self.path, self.fields, self.place) = (path, fields, place)
  }

  func number(
    _ key: String, in range: ClosedRange<Double>, default fallback: Double? = nil
  ) throws(ModelFileError) -> Double {
    if self[key] == nil, let fallback { return fallback }
    guard case .number(let value) = self[key], range.contains(value) else {
      throw refusal("a number from \(range.lowerBound) to \(range.upperBound) under", key)
    }
    return value
  }

  /// A count of at least 1.
  func int(
    _ key: String, upTo most: Int, default fallback: Int? = nil
  ) throws(ModelFileError) -> Int {
    if self[key] == nil, let fallback { return fallback }
    guard case .number(let value) = self[key], let count = Int(exactly: value),
      (1...most).contains(count)
    else { throw refusal("a whole number from 1 to \(most) under", key) }
    return count
  }

  func bool(_ key: String, default fallback: Bool) throws(ModelFileError) -> Bool {
    guard let value = self[key] else { return fallback }
    guard case .bool(let flag) = value else { throw refusal("true or false under", key) }
    return flag
  }

  func text(_ key: String, default fallback: String? = nil) throws(ModelFileError) -> String {
    if self[key] == nil, let fallback { return fallback }
    guard case .text(let text) = self[key] else { throw refusal("a text under", key) }
    return text
  }

  func texts(_ key: String) throws(ModelFileError) -> [String]? {
    guard let value = self[key] else { return nil }
    guard case .list(let entries) = value else { throw refusal("a list under", key) }
    var texts: [String] = []
    for entry in entries {
      guard case .text(let text) = entry else { throw refusal("a list of texts under", key) }
      texts.append(text)
    }
    return texts
  }

  /// Refuses a model in which `key` is anything but `value` (or absent, where that means the same).
  func require(_ key: String, _ value: JSONField, absentIsFine: Bool = true) throws(ModelFileError)
  {
    guard let found = self[key] else {
      if absentIsFine { return }
      throw refusal("\(value.summary) under", key)
    }
    guard found == value || (value.isNothing && found.isNothing) else {
      throw refusal("\(value.summary) under", key)
    }
  }

  /// The error for a value under `key` that is not `expected`.
  func refusal(_ expected: String, _ key: String) -> ModelFileError {
    .unsupported(
      .init(
        path: path, expected: "\(expected) `\(place)\(key)`",
        found: self[key]?.summary ?? "no such key",
        remedy: "use a model without it: it would silently be another one"))
  }
}
