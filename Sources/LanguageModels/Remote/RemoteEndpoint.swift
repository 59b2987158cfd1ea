internal import Foundation

/// Where a remote model answers: `openai:NAME@URL`.
package struct RemoteEndpoint: Sendable, Equatable {
  /// The model's name as the server knows it.
  package let name: String
  /// What every path is appended to, without a slash at its end.
  package let base: String
  /// Whether requests are not encrypted.
  let isPlain: Bool
  private let isLoopback: Bool

  /// The server's name or number, in lower case and without brackets.
  var host: String {
    (URLComponents(string: base)?.host ?? "").lowercased()
      .trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
  }

  /// Whether the host is an address of IP and no name.
  var isNumber: Bool {
    var (four, six) = (in_addr(), in6_addr())
    return inet_pton(AF_INET, host, &four) == 1 || inet_pton(AF_INET6, host, &six) == 1
  }

  /// Whether `model` means a remote model, however badly written.
  package static func isMeant(by model: String) -> Bool { model.hasPrefix(prefix) }

  private static let prefix = "openai:"

  /// Reads `openai:NAME@URL`.
  ///
  /// Names may hold `@`, as in `@cf/meta/llama`, so the URL begins at the last `@http`.
  ///
  /// - Parameters:
  ///   - specification: The text to read.
  ///   - allowsPlainHTTP: Whether unencrypted requests may leave this machine.
  /// - Throws: ``RemoteModelError/badAddress(found:problem:)``, or
  ///   ``RemoteModelError/unencrypted(host:)`` for `http` to another machine.
  package init(
    _ specification: String, allowsPlainHTTP: Bool = false
  ) throws(RemoteModelError) {
    guard Self.isMeant(by: specification),
      let at = specification.range(of: "@http", options: [.backwards, .caseInsensitive])
    else { throw .badAddress(found: Self.nameOnly(specification), problem: nil) }
    name = String(specification[..<at.lowerBound].dropFirst(Self.prefix.count))
    let address = specification[specification.index(after: at.lowerBound)...]
    let problem: String?
    (base, isPlain, isLoopback, problem) = Self.parts(of: String(address))
    let hasName = !name.isEmpty && name.unicodeScalars.allSatisfy { $0.value > 0x20 }
    if let problem = hasName ? problem : "no name of a model before the @" {
      throw .badAddress(found: Self.nameOnly(specification), problem: problem)
    }
    guard !isPlain || isLoopback || allowsPlainHTTP else {
      throw .unencrypted(host: host)
    }
  }

  private typealias Parts = (base: String, isPlain: Bool, isLoopback: Bool, problem: String?)

  private static func parts(of address: String) -> Parts {
    guard let parts = URLComponents(string: address), let host = parts.host, !host.isEmpty,
      let scheme = parts.scheme?.lowercased(), ["http", "https"].contains(scheme),
      URL(string: address) != nil
    else { return ("", false, false, "no http or https address after the @") }
    // Arguments are seen by every process of the machine.
    if parts.user != nil || parts.password != nil {
      return ("", false, false, "a user or password in the address")
    }
    if parts.query != nil || parts.fragment != nil {
      return ("", false, false, "a `?` or `#` in the address")
    }
    var base = address
    while base.hasSuffix("/") { base.removeLast() }
    return (base, scheme == "http", isLoopback(host), nil)
  }

  /// Decided by the address itself, so that `127.0.0.1.example.org` is none.
  private static func isLoopback(_ host: String) -> Bool {
    if host.lowercased() == "localhost" { return true }
    var four = in_addr()
    if inet_pton(AF_INET, host, &four) == 1 { return UInt32(bigEndian: four.s_addr) >> 24 == 127 }
    var six = in6_addr()
    let bare = host.trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
    guard inet_pton(AF_INET6, bare, &six) == 1 else { return false }
    return withUnsafeBytes(of: six) { $0.dropLast().allSatisfy { $0 == 0 } && $0.last == 1 }
  }

  /// Without the address, in which somebody may have written a secret.
  package static func nameOnly(_ specification: String) -> String {
    guard let at = specification.range(of: "@http", options: [.backwards, .caseInsensitive]) else {
      // The last @ could be that of `user:password@host`.
      return String(specification.prefix { $0 != "@" })
    }
    return specification[..<at.lowerBound] + "@…"
  }
}
