internal import Foundation

/// A request as it goes over the network.
struct RemoteRequest: Sendable {
  let url: URL
  /// Canonical: keys sorted, so that equal requests are equal bytes.
  let body: [UInt8]
  /// Its SHA-256, address included.
  let key: String
  /// Whether an answer that was kept may stand for a new one.
  let isRepeatable: Bool

  /// The address, for messages.
  var address: String { url.absoluteString }

  init(
    _ path: String, _ body: some Encodable, at endpoint: RemoteEndpoint, _ sampling: RemoteSampling
  ) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(body), let url = URL(string: endpoint.base + path) else {
      preconditionFailure("\(endpoint) and its options were checked before")
    }
    (self.url, self.body) = (url, [UInt8](data))
    key = ResponseCache.key(
      url: url.absoluteString, body: self.body, sampleIndex: sampling.sampleIndex)
    isRepeatable = sampling.isRepeatable
  }
}

extension RemoteModel {
  /// The answer to a request, from the cache or over the network.
  ///
  /// - Parameters:
  ///   - request: What is asked.
  ///   - read: Makes a value of the answer and refuses what it cannot use, which is then not kept.
  /// - Returns: What `read` makes of it.
  /// - Throws: ``RemoteModelError``, ``ModelFileError`` where the cache cannot be written, or
  ///   `CancellationError`.
  func send<Answer: RemoteAnswer, Value>(
    _ request: RemoteRequest,
    read: (Answer, RemoteOrigin) throws(RemoteModelError) -> Value
  ) async throws -> Value {
    let cache = request.isRepeatable ? cache : nil
    if let body = cache?.body(for: request.key, limit: settings.longestAnswer),
      let answer = try? HTTPAnswer(status: 200, headers: [:], body: body)
        .decoded(Answer.self, from: request.address),
      let value = try? read(answer, RemoteOrigin(attempts: 0, key: request.key))
    {
      count { $0.cached += 1 }
      return value
    }
    let (reply, attempts) = try await answered(request)
    let answer = try reply.decoded(Answer.self, from: request.address)
    count { $0.add(answer.usage) }
    let value = try read(answer, RemoteOrigin(attempts: attempts, key: request.key))
    try cache?.keep(reply.body, for: request.key)
    return value
  }

  /// Sends a request until there is an answer or no hope of one.
  private func answered(
    _ request: RemoteRequest
  ) async throws -> (answer: HTTPAnswer, attempts: Int) {
    let policy = settings.retries
    var begun: ContinuousClock.Instant?
    var attempts = 0
    var earlier: String?
    while true {
      let outcome = try await gate.pass {
        // Waiting for a place in the queue is no sign of a server in trouble.
        let start = begun ?? .now
        begun = start
        return try await attempt(request, before: start + policy.deadline)
      }
      attempts += 1
      guard case .failed(let reason, let retryAfter, let isFinal) = outcome else {
        if case .answered(let answer) = outcome { return (answer, attempts) }
        continue
      }
      // A try that the deadline cut short says nothing of the server; the one before it may.
      let isOver = ContinuousClock.now >= (begun ?? .now) + policy.deadline
      let telling = isOver ? earlier ?? reason : reason
      earlier = reason
      let pause = max(policy.pause(after: attempts, request: request.key), retryAfter ?? .zero)
      let isLate = ContinuousClock.now + pause >= (begun ?? .now) + policy.deadline
      guard !isFinal, attempts < policy.attempts, !isLate else {
        let wait = isLate && retryAfter != nil ? ", which asks to wait \(pause.inWords)" : ""
        throw RemoteModelError.unavailable(
          url: request.address, attempts: attempts, last: "the last with \(telling)\(wait)")
      }
      try await Task.sleep(for: pause)
    }
  }

  private enum Outcome {
    case answered(HTTPAnswer)
    /// Worth another try unless final.
    case failed(reason: String, retryAfter: Duration?, isFinal: Bool)
  }

  /// Sends a request once.
  private func attempt(
    _ request: RemoteRequest, before deadline: ContinuousClock.Instant
  ) async throws -> Outcome {
    count { $0.attempts += 1 }
    let timeout = min(settings.retries.timeout, ContinuousClock.now.duration(to: deadline))
    do {
      let answer = try await transport.post(
        request.body, to: request.url, authorization: key?.authorization, timeout: timeout,
        limit: settings.longestAnswer)
      return try judge(answer, request)
    } catch let failure as HTTPFailure {
      switch failure {
      case .timeout:
        return .failed(
          reason: "no answer within \(timeout.inWords)", retryAfter: nil, isFinal: false)
      case .connection(let reason): return .failed(reason: reason, retryAfter: nil, isFinal: false)
      case .untrusted(let reason): return .failed(reason: reason, retryAfter: nil, isFinal: true)
      case .tooLong(let limit):
        throw RemoteModelError.malformed(
          url: request.address, expected: "an answer of at most \(limit) bytes",
          found: "a longer one")
      }
    }
  }

  /// What the status and the type of an answer say about it.
  private func judge(_ answer: HTTPAnswer, _ request: RemoteRequest) throws -> Outcome {
    let url = request.address
    switch answer.status {
    case 200..<300:
      if key?.occurs(in: answer.body) == true { throw RemoteModelError.repeatsKey(url: url) }
      guard answer.isJSON else {
        throw RemoteModelError.malformed(
          url: url, expected: "JSON", found: answer.said(redacting: key))
      }
      return .answered(answer)
    case 300..<400:
      throw RemoteModelError.redirected(
        url: url, status: answer.status, to: answer.destination(redacting: key))
    case let status where RetryPolicy.isWorthAnother(status):
      return .failed(
        reason: "status \(status), \(answer.said(redacting: key))",
        retryAfter: RetryPolicy.retryAfter(
          answer.headers["retry-after"], date: answer.headers["date"]),
        isFinal: false)
    default:
      throw RemoteModelError.refused(
        url: url, status: answer.status, said: answer.said(redacting: key))
    }
  }
}

extension Duration {
  /// Rounded to what a person would say.
  fileprivate var inWords: String {
    self < .seconds(10) ? "\((inSeconds * 10).rounded() / 10) s" : "\(Int(inSeconds.rounded())) s"
  }
}

extension RemoteTally {
  fileprivate mutating func add(_ usage: RemoteUsage?) {
    answered += 1
    promptTokens += usage?.promptTokens ?? 0
    completionTokens += usage?.completionTokens ?? 0
  }
}
