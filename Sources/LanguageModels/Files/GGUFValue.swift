/// One value of a GGUF file's metadata.
package enum GGUFValue: Equatable, Sendable {
  /// Any of the eight integer types whose value fits an `Int`.
  case integer(Int)
  /// A `uint64` above `Int.max`.
  case unsigned(UInt64)
  /// A `float32` or `float64`.
  case real(Double)
  case bool(Bool)
  case string(String)
  /// An array of any integer type, all of whose elements fit an `Int`.
  case integers([Int])
  case reals([Double])
  case bools([Bool])
  case strings([String])
  /// An array of arrays, or of `uint64` with an element above `Int.max`.
  case array([GGUFValue])

  /// The kind of value, as used in messages.
  package var kind: String {
    switch self {
    case .integer, .unsigned: "an integer"
    case .real: "a number"
    case .bool: "a boolean"
    case .string: "a string"
    case .integers: "an array of integers"
    case .reals: "an array of numbers"
    case .bools: "an array of booleans"
    case .strings: "an array of strings"
    case .array: "an array of arrays"
    }
  }
}

extension GGUFFile {
  /// The string under `key`, or `default` where the key is absent.
  ///
  /// - Throws: ``ModelFileError/absent(_:)`` if the value is of another type, or absent without
  ///   a default.
  package func string(
    _ key: String, default fallback: String? = nil
  ) throws(ModelFileError) -> String {
    try value(key, fallback, "a string") { if case .string(let text) = $0 { text } else { nil } }
  }

  /// The integer under `key`, or `default` where the key is absent.
  ///
  /// - Throws: ``ModelFileError/absent(_:)``, as ``string(_:default:)``.
  package func int(_ key: String, default fallback: Int? = nil) throws(ModelFileError) -> Int {
    try value(key, fallback, "an integer") {
      if case .integer(let number) = $0 { number } else { nil }
    }
  }

  /// The number under `key`, or `default` where the key is absent; an integer is converted.
  ///
  /// - Throws: ``ModelFileError/absent(_:)``, as ``string(_:default:)``.
  package func double(
    _ key: String, default fallback: Double? = nil
  ) throws(ModelFileError) -> Double {
    try value(key, fallback, "a number") {
      switch $0 {
      case .real(let number): number
      case .integer(let number): Double(number)
      default: nil
      }
    }
  }

  /// The boolean under `key`, or `default` where the key is absent.
  ///
  /// - Throws: ``ModelFileError/absent(_:)``, as ``string(_:default:)``.
  package func bool(_ key: String, default fallback: Bool? = nil) throws(ModelFileError) -> Bool {
    try value(key, fallback, "a boolean") { if case .bool(let flag) = $0 { flag } else { nil } }
  }

  /// The array of strings under `key`, or `default` where the key is absent.
  ///
  /// Swift compares strings by canonical equivalence; compare by `utf8` where bytes matter, as
  /// in a vocabulary.
  ///
  /// - Throws: ``ModelFileError/absent(_:)``, as ``string(_:default:)``.
  package func strings(
    _ key: String, default fallback: [String]? = nil
  ) throws(ModelFileError) -> [String] {
    try value(key, fallback, "an array of strings") {
      if case .strings(let texts) = $0 { texts } else { nil }
    }
  }

  /// The array of integers under `key`, or `default` where the key is absent.
  ///
  /// - Throws: ``ModelFileError/absent(_:)``, as ``string(_:default:)``.
  package func ints(
    _ key: String, default fallback: [Int]? = nil
  ) throws(ModelFileError) -> [Int] {
    try value(key, fallback, "an array of integers") {
      if case .integers(let numbers) = $0 { numbers } else { nil }
    }
  }

  /// The array of numbers under `key`, or `default` where the key is absent; integers convert.
  ///
  /// - Throws: ``ModelFileError/absent(_:)``, as ``string(_:default:)``.
  package func doubles(
    _ key: String, default fallback: [Double]? = nil
  ) throws(ModelFileError) -> [Double] {
    try value(key, fallback, "an array of numbers") {
      switch $0 {
      case .reals(let numbers): numbers
      case .integers(let numbers): numbers.map(Double.init)
      default: nil
      }
    }
  }

  private func value<T>(
    _ key: String, _ fallback: T?, _ kind: String, _ cast: (GGUFValue) -> T?
  ) throws(ModelFileError) -> T {
    let found = metadata[key]
    if found == nil, let fallback { return fallback }
    if let found, let value = cast(found) { return value }
    throw .absent(
      .init(
        path: path, expected: "\(kind) under the metadata key `\(key)`",
        found: found?.kind ?? "no such key",
        remedy: "convert the model to GGUF again with a current converter"))
  }
}
