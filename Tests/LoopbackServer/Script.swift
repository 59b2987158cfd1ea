import Foundation
import Synchronization

/// What the server does, by the first word of the model's name.
///
///     fine                   answers with `count=N`, the times that this very model was asked
///     total                  answers with `count=N`, the times that anything was asked before
///     fail/STATUS/N/AFTER    the first N times that status, with `Retry-After: AFTER` unless it is -
///     date/SECONDS           once 429 with a date so far ahead of the server's own, then as fine
///     slow/MILLISECONDS      waits, then as fine
///     gather/N               waits until N wait at a time, the first time, and a little longer; then
///                            answers with `most=N`, the most that waited at a time
///     slowly                 a byte every half second, for more than a minute
///     drop/N                 the first N times breaks off after half of the body, then as fine
///     body/TYPE              whatever the prompt is, as a body of that type (`_` for `/` in it)
///     huge/BYTES             so many bytes without saying how many
///     leak/STATUS            a complaint that quotes the key
///     key                    answers with the key
///     redirect/STATUS/PORT   sends the client to another port
///     echo, plain            scores the prompt where it is asked to; passes over that
///     both                   tells the log-probabilities of what it generated
///     request                answers with the request's own body, keys sorted
final class Script: Sendable {
  private struct State {
    var total = 0
    var counts: [String: Int] = [:]
    var waiting = 0
    var mostWaiting = 0
  }

  private let state = Mutex(State())

  /// Whether the connection may go on.
  func answer(_ request: Request, on connection: Connection) -> Bool {
    let words = request.model
    let name = words.joined(separator: "/")
    let (count, total) = state.withLock { state in
      defer { state.total += 1 }
      state.counts[name, default: 0] += 1
      return (state.counts[name] ?? 0, state.total)
    }
    let numbers = words.dropFirst().map { Int($0) ?? 0 } + [0, 0]
    func fine(_ text: String? = nil) -> Bool {
      connection.reply(Answers.text(text ?? "count=\(count)", request))
    }
    switch words.first {
    case "fine": return fine()
    case "total": return fine("count=\(total)")
    case "fail":
      guard count <= numbers[1] else { return fine() }
      let after = words[3] == "-" ? [] : ["Retry-After: \(words[3])"]
      return connection.reply(Answers.complaint("not now"), status: numbers[0], headers: after)
    case "date":
      return count == 1 ? later(numbers[0], connection) : fine()
    case "slow":
      usleep(UInt32(numbers[0]) * 1000)
      return fine()
    case "gather": return fine("most=\(gather(numbers[0]))")
    default: return misbehave(request, words, numbers, count, connection)
    }
  }

  private func misbehave(
    _ request: Request, _ words: [String], _ numbers: [Int], _ count: Int, _ connection: Connection
  ) -> Bool {
    let key = request.authorization?.split(separator: " ").last.map(String.init) ?? "none"
    switch words.first {
    case "slowly": return drip(Answers.text("late", request), connection)
    case "drop":
      let body = Answers.text("count=\(count)", request)
      guard count <= numbers[0] else { return connection.reply(body) }
      let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
      connection.send(head + "\(body.utf8.count)\r\n\r\n\(body.prefix(body.count / 2))")
      return false
    case "body":
      let type = words[1] == "none" ? nil : words[1].replacingOccurrences(of: "_", with: "/")
      return connection.reply(request.body["prompt"] as? String ?? "", type: type)
    case "huge": return flood(numbers[0], connection)
    case "leak":
      return connection.reply(
        Answers.complaint("Incorrect API key provided: \(key)"), status: numbers[0])
    case "key": return connection.reply(Answers.text(key, request))
    case "redirect":
      let location = "Location: http://127.0.0.1:\(numbers[1])\(request.path)"
      return connection.reply("", status: numbers[0], headers: [location])
    case "echo": return connection.reply(Answers.scores(request))
    case "both": return connection.reply(Answers.logprobs(request))
    case "plain": return connection.reply(Answers.text(" more", request))
    case "request": return connection.reply(Answers.text(Answers.json(request.body), request))
    default: return connection.reply(Answers.complaint("no such model"), status: 404)
    }
  }

  private func gather(_ number: Int) -> Int {
    state.withLock { state in
      state.waiting += 1
      state.mostWaiting = max(state.mostWaiting, state.waiting)
    }
    while state.withLock({ $0.mostWaiting < number }) { usleep(1000) }
    // For those that should not be there.
    usleep(100_000)
    return state.withLock { state in
      state.waiting -= 1
      return state.mostWaiting
    }
  }

  /// The clock of this server is a day ahead.
  private func later(_ seconds: Int, _ connection: Connection) -> Bool {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.timeZone = TimeZone(secondsFromGMT: 0)
    formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
    let now = Date() + 86_400
    return connection.reply(
      Answers.complaint("not now"), status: 429,
      headers: [
        "Date: " + formatter.string(from: now),
        "Retry-After: " + formatter.string(from: now + Double(seconds)),
      ])
  }

  private func drip(_ body: String, _ connection: Connection) -> Bool {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
    connection.send(head + "\(body.utf8.count)\r\n\r\n")
    for character in body {
      usleep(500_000)
      guard connection.send(String(character)) else { return false }
    }
    return true
  }

  private func flood(_ bytes: Int, _ connection: Connection) -> Bool {
    connection.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"choices\": [")
    let part = String(repeating: "1, ", count: 1 << 14)
    var sent = 0
    while sent < bytes, connection.send(part) { sent += part.utf8.count }
    return false
  }
}
