internal import Foundation

/// The secret that a server knows its users by; it has no text form but the header's.
struct APIKey: Sendable {
  private let secret: String

  /// The variables that are looked at, in this order.
  static let variables = ["PLUMBLINE_API_KEY", "OPENAI_API_KEY"]

  /// Shorter ones, such as `none` or `EMPTY`, are what servers without keys are given, and may well
  /// occur in an honest answer.
  private static let shortestSecret = 8

  /// The key of the first variable that is set and not empty, or nil where none is.
  ///
  /// - Throws: ``RemoteModelError/badKey(variable:)`` for what cannot stand in a header.
  init?(environment: [String: String]) throws(RemoteModelError) {
    let isSet = { (name: String) in environment[name].map { !$0.isEmpty } ?? false }
    guard let variable = Self.variables.first(where: isSet), let secret = environment[variable]
    else { return nil }
    guard secret.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
      throw .badKey(variable: variable)
    }
    self.secret = secret
  }

  /// The value of the header `Authorization`.
  var authorization: String { "Bearer \(secret)" }

  /// `text` with the key, wherever it occurs, struck out.
  func redacting(_ text: String) -> String {
    text.replacingOccurrences(of: secret, with: "[key]")
  }

  /// Whether a server gave the secret back, with or without the backslashes of JSON.
  func occurs(in bytes: [UInt8]) -> Bool {
    let backslash = UInt8(ascii: "\\")
    let (text, secret) = (bytes.filter { $0 != backslash }, secret.utf8.filter { $0 != backslash })
    return secret.count >= Self.shortestSecret && Data(text).range(of: Data(secret)) != nil
  }
}

// `print`, `dump` and string interpolation of anything that holds a key find these.
extension APIKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  var description: String { "[key]" }
  var debugDescription: String { "[key]" }
  var customMirror: Mirror { Mirror(self, children: []) }
}
