package import Foundation

/// When a request is sent again, and when it is given up.
package struct RetryPolicy: Sendable, Equatable {
  /// The most times that one request is sent.
  package var attempts = 6
  /// The pause after the first failure; it doubles with each further one.
  package var firstPause = Duration.milliseconds(500)
  /// The longest pause of our own; a server may ask for more.
  package var longestPause = Duration.seconds(30)
  /// How long a single try may take, from connecting to the last byte.
  package var timeout = Duration.seconds(120)
  /// How long a request may take in all, pauses included, once its turn has come.
  package var deadline = Duration.seconds(600)
  /// Two programs that send the same request at once take different seeds, so that they do not
  /// come back at the same moment.
  package var jitterSeed: UInt64 = 0

  package init() {}

  /// Whether another try may end otherwise: 409 is what servers say of a lock that was not free.
  static func isWorthAnother(_ status: Int) -> Bool {
    // 501 and 505 say that the server cannot do this at all.
    switch status {
    case 408, 409, 429: true
    case 501, 505: false
    default: (500..<600).contains(status)
    }
  }

  /// How long to wait after a failed try.
  ///
  /// Half of the pause is fixed and half is drawn, from the request and the number of the try, so
  /// that requests that failed together come back apart and a run can be repeated.
  ///
  /// - Parameters:
  ///   - failures: How many tries have failed; at least 1.
  ///   - request: The request's key.
  /// - Returns: Between half of the pause and all of it.
  package func pause(after failures: Int, request: String) -> Duration {
    let doublings = min(failures - 1, 30)
    let full = min(longestPause, firstPause * (1 << doublings))
    let digest = FileDigest.sha256(Array("\(jitterSeed) \(failures) \(request)".utf8))
    // 13 hexadecimal digits are 52 bits, which a Double holds exactly.
    let draw = Double(UInt64(digest.prefix(13), radix: 16) ?? 0) / Double(1 << 52)
    return full * (0.5 + 0.5 * draw)
  }

  /// What the header `Retry-After` asks for (RFC 9110, 10.2.3): seconds, or a date.
  ///
  /// A date counts from the server's own `Date`, because its clock may differ from ours.
  package static func retryAfter(_ value: String?, date: String?, now: Date = Date()) -> Duration? {
    guard let value = value?.trimmingCharacters(in: .whitespaces), !value.isEmpty else {
      return nil
    }
    if value.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
      // What does not fit is for ever as far as a deadline is concerned.
      return .seconds(min(Int64(value) ?? .max, 1 << 40))
    }
    guard let moment = httpDate(value) else { return nil }
    let seconds = moment.timeIntervalSince(date.flatMap(httpDate) ?? now)
    return .seconds(max(0, min(seconds, 0x1p40)))
  }

  /// The three forms of RFC 9110, 5.6.7, of which two are obsolete and still to be read.
  private static func httpDate(_ text: String) -> Date? {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.timeZone = TimeZone(secondsFromGMT: 0)
    let forms = [
      "EEE, dd MMM yyyy HH:mm:ss 'GMT'", "EEEE, dd-MMM-yy HH:mm:ss 'GMT'",
      "EEE MMM d HH:mm:ss yyyy",
    ]
    for form in forms {
      formatter.dateFormat = form
      if let date = formatter.date(from: text) { return date }
    }
    return nil
  }
}
