/// Why a remote model cannot be asked, or did not answer as it should.
///
/// No case holds the key: what a server said is stripped of it before it gets here.
package enum RemoteModelError: Error, Equatable, Sendable {
  /// The model is not written as `openai:NAME@URL`.
  case badAddress(found: String, problem: String?)
  /// Unencrypted requests to another machine.
  case unencrypted(host: String)
  /// Requests to this machine would go to a proxy, unencrypted.
  case proxied(variable: String)
  /// The key cannot stand in a header.
  case badKey(variable: String)
  /// A request that no server could answer.
  case badRequest(expected: String, found: String)
  /// The server answered with a status that another try does not change.
  case refused(url: String, status: Int, said: String)
  /// No try of several got an answer.
  case unavailable(url: String, attempts: Int, last: String)
  /// The server sent the request elsewhere.
  case redirected(url: String, status: Int, to: String)
  /// The answer is not what the protocol says.
  case malformed(url: String, expected: String, found: String)
  /// The server answers, and does not do this.
  case notOffered(url: String, what: String, found: String)
  /// The server gave the key back.
  case repeatsKey(url: String)
  /// The folder for answers cannot be used.
  case unusableCache(folder: String, found: String, remedy: String)
}

extension RemoteModelError: CustomStringConvertible {
  /// One sentence: what was expected, what was found, what to do.
  package var description: String {
    let (expected, found, remedy) = parts
    return "Expected \(expected), found \(found): \(remedy)."
  }

  private var parts: (expected: String, found: String, remedy: String) {
    switch self {
    case .badAddress, .unencrypted, .proxied, .badKey, .badRequest, .unusableCache: ownSide
    case .refused, .unavailable, .redirected, .malformed, .notOffered, .repeatsKey: serverSide
    }
  }

  private var ownSide: (String, String, String) {
    switch self {
    case .badAddress(let found, let problem):
      (
        "a remote model as openai:NAME@URL", "`\(found)`" + (problem.map { " with \($0)" } ?? ""),
        "write for example openai:my-model@https://example.org/v1"
      )
    case .unencrypted(let host):
      (
        "https for a server on another machine", "http to \(host)",
        "use https, or allow plain http where the network between is trusted"
      )
    case .proxied(let variable):
      (
        "unencrypted requests to go straight to the server", "a proxy in \(variable)",
        "unset it, or name the server in no_proxy"
      )
    case .badKey(let variable):
      (
        "a key of visible ASCII characters in \(variable)", "another character",
        "set it again, without spaces and line ends"
      )
    case .badRequest(let expected, let found): (expected, found, "change the request")
    case .unusableCache(let folder, let found, let remedy):
      ("a folder for answers at \(folder) that only this user may read", found, remedy)
    default: preconditionFailure("a case of the server's side")
    }
  }

  private var serverSide: (String, String, String) {
    switch self {
    case .refused(let url, let status, let said):
      ("an answer from \(url)", "status \(status), \(said)", Self.remedy(status))
    case .unavailable(let url, let attempts, let last):
      (
        "an answer from \(url)",
        "none after \(attempts) \(attempts == 1 ? "try" : "tries"), \(last)",
        "see that the server runs and is not overloaded, then run the same command again"
      )
    case .redirected(let url, let status, let to):
      (
        "an answer from \(url)", "status \(status), a redirect to \(to)",
        "name that address if you trust it; the key is not sent on"
      )
    case .malformed(let url, let expected, let found):
      ("\(expected) from \(url)", found, "see that the address is that of an OpenAI-compatible API")
    case .notOffered(let url, let what, let found):
      ("\(what) from \(url)", found, "use a server or a model that offers this")
    case .repeatsKey(let url):
      (
        "an answer from \(url)", "one that repeats the API key",
        "do not trust this server, and replace the key"
      )
    default: preconditionFailure("a case of our own side")
    }
  }

  private static func remedy(_ status: Int) -> String {
    switch status {
    case 401, 403:
      "set \(APIKey.variables[0]) to a key that is allowed to use this model"
    case 404: "check the model's name and the address, which often ends in /v1"
    default: "change what is asked as the server says"
    }
  }
}
