internal import Foundation

// What a server said, as a part of one of our sentences: on one line, of bounded length, and
// without the key.

extension HTTPAnswer {
  /// Characters that are quoted of a message.
  private static let longest = 200

  /// Whether the body calls itself JSON, or does not say what it is.
  var isJSON: Bool {
    guard let type else { return true }
    return type == "application/json" || type == "text/json" || type.hasSuffix("+json")
  }

  private var type: String? {
    headers["content-type"]?.prefix { $0 != ";" }.trimmingCharacters(in: .whitespaces).lowercased()
  }

  /// The message in the body, or what the body is.
  func said(redacting key: APIKey?) -> String {
    if body.isEmpty { return "without a word" }
    if type == "text/html" || type == "application/xhtml+xml" { return "a page of HTML" }
    // Not quoted as it stands: a key may be spelled with escapes in it.
    if let document = try? JSONDecoder().decode(Complaint.self, from: Data(body)) {
      return document.message.map { quoted($0, key) } ?? "a document without a message"
    }
    return isJSON && type != nil
      ? "\(body.count) bytes that are no JSON" : quoted(String(decoding: body, as: UTF8.self), key)
  }

  /// The server that a redirect names.
  func destination(redacting key: APIKey?) -> String {
    guard let location = headers["location"], let parts = URLComponents(string: location),
      let host = parts.host
    else { return "another path" }
    let port = parts.port.map { ":\($0)" } ?? ""
    return quoted("\(parts.scheme ?? "https")://\(host)\(port)", key)
  }

  private func quoted(_ text: String, _ key: APIKey?) -> String {
    // The key first: cut or escaped, it could not be found any more.
    let safe = (key?.redacting(text) ?? text).split(whereSeparator: \.isWhitespace)
      .joined(separator: " ").unicodeScalars
    let head = safe.prefix(Self.longest).reduce(into: "") { $0 += $1.printable }
    return head.isEmpty
      ? "without a word" : "saying `\(head)\(safe.count > Self.longest ? "…" : "")`"
  }
}

extension Unicode.Scalar {
  /// Itself, or its escape where a terminal would act on it.
  fileprivate var printable: String {
    switch properties.generalCategory {
    case .control, .format, .privateUse, .surrogate, .unassigned: escaped(asASCII: true)
    default: String(self)
    }
  }
}

/// The forms in which servers report errors.
private struct Complaint: Decodable {
  /// Nil in a document of another form.
  let message: String?

  private enum CodingKeys: String, CodingKey {
    case error, message, detail
  }

  init(from decoder: any Decoder) throws {
    guard let members = try? decoder.container(keyedBy: CodingKeys.self) else {
      message = nil
      return
    }
    let inner = try? members.nestedContainer(keyedBy: CodingKeys.self, forKey: .error)
    message =
      (try? inner?.decode(String.self, forKey: .message))
      ?? (try? members.decode(String.self, forKey: .error))
      ?? (try? members.decode(String.self, forKey: .message))
      ?? (try? members.decode(String.self, forKey: .detail))
  }
}
