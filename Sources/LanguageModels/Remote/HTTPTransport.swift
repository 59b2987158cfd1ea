internal import Foundation
internal import Synchronization

#if canImport(FoundationNetworking)
  internal import FoundationNetworking
#endif

/// What a server answered.
struct HTTPAnswer: Sendable {
  let status: Int
  /// Values by lower-case name.
  let headers: [String: String]
  let body: [UInt8]
}

/// Why there is no answer.
enum HTTPFailure: Error, Equatable {
  case timeout
  /// The body is longer than it may be.
  case tooLong(limit: Int)
  /// No secure connection, which another try does not change.
  case untrusted(String)
  /// Whatever else may happen to a connection, as the rest of a sentence.
  case connection(String)
}

/// Sends requests over URLSession, follows no redirect and keeps nothing: no cookie, no cache.
///
/// The session holds its delegate and is ended with this object.
final class HTTPTransport: Sendable {
  private let session: URLSession
  private let exchanges: ExchangeTable

  init(connections: Int) {
    let configuration = URLSessionConfiguration.ephemeral
    configuration.urlCache = nil
    configuration.httpCookieStorage = nil
    configuration.httpShouldSetCookies = false
    configuration.urlCredentialStorage = nil
    configuration.httpMaximumConnectionsPerHost = connections
    exchanges = ExchangeTable()
    session = URLSession(
      configuration: configuration, delegate: exchanges, delegateQueue: PacedQueue())
  }

  deinit { session.invalidateAndCancel() }

  /// Sends a JSON document and waits for the whole answer, whatever its status.
  ///
  /// - Parameters:
  ///   - body: The document.
  ///   - url: Where to.
  ///   - authorization: The header of that name, if there is one.
  ///   - timeout: How long all of it may take.
  ///   - limit: The longest body that is taken, in bytes.
  /// - Returns: The answer, be it an error or a redirect.
  /// - Throws: ``HTTPFailure``, or `CancellationError` at once when the task is cancelled.
  func post(
    _ body: [UInt8], to url: URL, authorization: String?, timeout: Duration, limit: Int
  ) async throws -> HTTPAnswer {
    // URLSession's own limit is on idle time, which a server that drips a byte a second never meets.
    var request = URLRequest(url: url, timeoutInterval: timeout.inSeconds + 5)
    request.httpMethod = "POST"
    request.httpBody = Data(body)
    request.setValue("application/json", forHTTPHeaderField: "Content-Type")
    request.setValue("application/json", forHTTPHeaderField: "Accept")
    if let authorization { request.setValue(authorization, forHTTPHeaderField: "Authorization") }
    let task = session.dataTask(with: request)
    return try await withThrowingTaskGroup(of: HTTPAnswer.self) { group in
      group.addTask { try await self.exchanges.run(task, limit: limit) }
      group.addTask {
        try await Task.sleep(for: timeout)
        throw HTTPFailure.timeout
      }
      defer { group.cancelAll() }
      guard let answer = try await group.next() else { throw CancellationError() }
      return answer
    }
  }
}

extension Duration {
  /// As a number of seconds.
  var inSeconds: Double {
    let (seconds, attoseconds) = components
    return Double(seconds) + Double(attoseconds) * 1e-18
  }
}

/// A serial queue that lets its clients wait where work piles up.
///
/// URLSession reads as fast as a server sends and queues each piece for its delegate. Behind a
/// delegate that has to wait for a processor, an endless answer piled up to 1.3 GB where 1 MB was
/// the limit.
///
/// `@unchecked Sendable`, as its superclass: nothing is added but a semaphore.
private final class PacedQueue: OperationQueue, @unchecked Sendable {
  private let places = DispatchSemaphore(value: 64)

  override init() {
    super.init()
    maxConcurrentOperationCount = 1
  }

  override func addOperation(_ block: @escaping @Sendable () -> Void) {
    places.wait()
    super.addOperation { [places] in
      defer { places.signal() }
      block()
    }
  }
}

extension URLSessionTask {
  /// Cancels from a thread that may wait: `cancel` waits for URLSession's own queue, and that may
  /// wait for the delegate, or for a lock that a cancelled task holds.
  fileprivate func cancelSoon() {
    DispatchQueue.global().async { self.cancel() }
  }
}

/// The exchanges under way, by the number of their task.
///
/// A delegate, because only one sees a body grow and can stop it.
private final class ExchangeTable: NSObject, URLSessionDataDelegate {
  private struct Exchange {
    let continuation: CheckedContinuation<HTTPAnswer, any Error>
    let limit: Int
    var body = Data()
    var isTooLong = false

    /// Whether the body has just become longer than it may be.
    mutating func take(_ data: Data) -> Bool {
      guard !isTooLong else { return false }
      isTooLong = body.count + data.count > limit
      if !isTooLong { body.append(data) }
      return isTooLong
    }
  }

  private let exchanges = Mutex<[Int: Exchange]>([:])

  /// Starts `task`, which has not been started, and waits for its end.
  func run(_ task: URLSessionDataTask, limit: Int) async throws -> HTTPAnswer {
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        exchanges.withLock {
          $0[task.taskIdentifier] = Exchange(continuation: continuation, limit: limit)
        }
        // Cancelled before it was entered above, it would never be heard of again.
        if Task.isCancelled { return end(task.taskIdentifier, .failure(CancellationError())) }
        task.resume()
      }
    } onCancel: {
      // The continuation first: a connection can take its time to close.
      end(task.taskIdentifier, .failure(CancellationError()))
      task.cancelSoon()
    }
  }

  private func end(_ number: Int, _ result: Result<HTTPAnswer, any Error>) {
    exchanges.withLock { $0.removeValue(forKey: number) }?.continuation.resume(with: result)
  }

  func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
    let number = dataTask.taskIdentifier
    let isTooLong: Bool = exchanges.withLock { $0[number]?.take(data) ?? false }
    if isTooLong { dataTask.cancelSoon() }
  }

  func urlSession(
    _ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?
  ) {
    let exchange = exchanges.withLock { $0.removeValue(forKey: task.taskIdentifier) }
    guard let exchange else { return }
    exchange.continuation.resume(
      with: Result {
        if exchange.isTooLong { throw HTTPFailure.tooLong(limit: exchange.limit) }
        if let error { throw HTTPFailure(error) }
        guard let response = task.response as? HTTPURLResponse else {
          throw HTTPFailure.connection("the connection ended without an answer")
        }
        return HTTPAnswer(
          status: response.statusCode, headers: response.headers, body: [UInt8](exchange.body))
      })
  }

  /// A redirect is an answer like others: following it would send the key to whom it names.
  func urlSession(
    _ session: URLSession, task: URLSessionTask,
    willPerformHTTPRedirection response: HTTPURLResponse, newRequest request: URLRequest,
    completionHandler: @escaping (URLRequest?) -> Void
  ) {
    completionHandler(nil)
  }
}

extension HTTPURLResponse {
  fileprivate var headers: [String: String] {
    let named = allHeaderFields.compactMap { name, value in
      (name as? String).map { ($0.lowercased(), "\(value)") }
    }
    return Dictionary(named) { first, _ in first }
  }
}

extension HTTPFailure {
  /// What URLSession says, without what it may quote of the request.
  fileprivate init(_ error: any Error) {
    guard let error = error as? URLError else {
      self = .connection("the connection failed (\((error as NSError).domain))")
      return
    }
    switch error.code {
    case .timedOut: self = .timeout
    case .secureConnectionFailed, .serverCertificateHasBadDate, .serverCertificateUntrusted,
      .serverCertificateHasUnknownRoot, .serverCertificateNotYetValid, .clientCertificateRejected,
      .clientCertificateRequired:
      self = .untrusted("no secure connection that this machine trusts")
    // What Foundation on Linux makes of most that libcurl says of certificates.
    case .unknown
    where ["certificate", "subject name", "issuer"].contains(
      where: error.localizedDescription.contains):
      self = .untrusted(
        "no secure connection that this machine trusts (\(error.localizedDescription))")
    case .cannotFindHost, .dnsLookupFailed: self = .connection("no such host")
    case .cannotConnectToHost: self = .connection("nobody listening there")
    case .networkConnectionLost: self = .connection("a connection that broke off")
    default: self = .connection("a connection that failed (URL error \(error.code.rawValue))")
    }
  }
}
