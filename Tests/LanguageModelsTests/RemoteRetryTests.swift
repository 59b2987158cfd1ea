import Foundation
import LanguageModels
import TestSupport
import Testing

// No upper bounds on times, which a busy machine would break: what could wait too long would wait
// for longer than the time limit.

@Suite(.serialized, .timeLimit(.minutes(5))) struct RemoteRetryTests {
  @Test(arguments: [408, 409, 429, 500, 502, 503, 504, 529])
  func `a status that passes is tried again`(_ status: Int) async throws {
    let server = try LoopbackServer()
    let model = try server.model("fail/\(status)/3/-")
    let found = try await model.completion(of: "p")
    #expect(found.text == "count=4" && found.origin.attempts == 4)
    #expect(model.tally.attempts == 4 && model.tally.answered == 1)
  }

  @Test(arguments: [400, 401, 403, 404, 405, 413, 422, 501])
  func `a status that stays is not tried again`(_ status: Int) async throws {
    let server = try LoopbackServer()
    let model = try server.model("fail/\(status)/1/-")
    await expectRemoteError("status \(status), saying `not now`") { try await model.text() }
    #expect(model.tally.attempts == 1 && model.tally.answered == 0)
  }

  @Test func `tries are counted and end`() async throws {
    let server = try LoopbackServer()
    let model = try server.model("fail/500/99/-") { $0.retries.attempts = 3 }
    await expectRemoteError("none after 3 tries", "status 500, saying `not now`") {
      try await model.text()
    }
    #expect(model.tally.attempts == 3)
    await expectRemoteError("none after 1 try,") {
      try await server.model("fail/500/99/-/x") { $0.retries.attempts = 1 }.text()
    }
  }

  @Test func `Retry-After is waited for, in seconds and as a date of the server's clock`()
    async throws
  {
    let server = try LoopbackServer()
    for (script, least) in [("fail/429/1/1", 1.0), ("date/2", 2.0)] {
      let start = ContinuousClock.now
      #expect(try await server.model(script).text() == "count=2")
      let seconds = (ContinuousClock.now - start) / .seconds(1)
      #expect(seconds >= least, "\(script): \(seconds) s")
    }
  }

  @Test func `a Retry-After beyond the deadline ends it at once`() async throws {
    let server = try LoopbackServer()
    for after in ["601", "99999999999999999999999"] {
      await expectRemoteError("none after 1 try", "which asks to wait") {
        try await server.model("fail/429/1/\(after)").text()
      }
    }
  }

  @Test func `a try that is too slow is given up and repeated`() async throws {
    let server = try LoopbackServer()
    for script in ["slow/600000", "slowly/1"] {
      let model = try server.model(script) {
        $0.retries.timeout = .milliseconds(200)
        $0.retries.attempts = 2
      }
      await expectRemoteError("none after 2 tries", "no answer within 0.2 s") {
        try await model.text()
      }
    }
  }

  @Test func `a deadline ends everything`() async throws {
    let server = try LoopbackServer()
    let model = try server.model("fail/503/999999/-") {
      $0.retries.attempts = 1_000_000
      $0.retries.longestPause = .milliseconds(20)
      $0.retries.deadline = .milliseconds(500)
    }
    // Nothing else ends it within the time limit.
    await expectRemoteError("none after", "status 503") { try await model.text() }
  }

  @Test func `a connection that breaks off is tried again`() async throws {
    let server = try LoopbackServer()
    #expect(try await server.model("drop/2").text() == "count=3")
    await expectRemoteError("none after 2 tries, the last with") {
      try await server.model("drop/9/x") { $0.retries.attempts = 2 }.text()
    }
  }

  @Test func `a server that is gone is said to be`() async throws {
    var server: LoopbackServer? = try LoopbackServer()
    let model = try #require(try server?.model("fine/1") { $0.retries.attempts = 2 })
    #expect(try await model.text() == "count=1")
    server = nil
    await expectRemoteError("none after 2 tries", "nobody listening there") {
      try await model.text()
    }
  }

  @Test func `pauses double up to a limit, differ by request, and are the same in every run`() {
    var policy = RetryPolicy()
    policy.longestPause = .seconds(5)
    let pauses = (1...9).map { policy.pause(after: $0, request: "a") }
    for (index, pause) in pauses.enumerated() {
      let full = min(0.5 * pow(2, Double(index)), 5)
      let seconds = pause / .seconds(1)
      #expect(seconds >= full / 2 && seconds <= full, "pause \(index): \(seconds) s")
    }
    #expect(pauses == (1...9).map { policy.pause(after: $0, request: "a") })
    #expect(policy.pause(after: 1, request: "a") != policy.pause(after: 1, request: "b"))
    policy.jitterSeed = 1
    #expect(policy.pause(after: 1, request: "a") != pauses[0])
    #expect(policy.pause(after: 1_000_000, request: "a") <= .seconds(5))
  }

  @Test func `Retry-After is read in all its forms`() {
    let date = "Sun, 06 Nov 1994 08:49:37 GMT"
    let cases: [(String?, Duration?)] = [
      ("0", .zero), (" 120 ", .seconds(120)), ("Sun, 06 Nov 1994 08:50:07 GMT", .seconds(30)),
      ("Sunday, 06-Nov-94 08:50:07 GMT", .seconds(30)), ("Sun Nov  6 08:50:07 1994", .seconds(30)),
      ("Sun, 06 Nov 1994 08:00:00 GMT", .zero), ("soon", nil), ("-1", nil), ("", nil), (nil, nil),
      ("1.5", nil),
    ]
    for (value, expected) in cases {
      #expect(RetryPolicy.retryAfter(value, date: date) == expected, "\(value ?? "none")")
    }
    let now = Date(timeIntervalSince1970: 784_111_777)  // that date
    #expect(RetryPolicy.retryAfter(cases[2].0, date: nil, now: now) == .seconds(30))
  }
}
