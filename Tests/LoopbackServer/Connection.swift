import Foundation

/// A request, as much of it as the tests look at.
struct Request {
  /// `/chat/completions` or `/completions`, or whatever else was asked for.
  let path: String
  let authorization: String?
  let body: [String: Any]

  var model: [String] { (body["model"] as? String ?? "").split(separator: "/").map(String.init) }
}

/// One client's connection, which may carry several requests.
struct Connection {
  let socket: Int32
  private var bytes: [UInt8] = []

  init(socket: Int32) { self.socket = socket }

  /// The next request, or nil at the end.
  mutating func next() -> Request? {
    let gap = Array("\r\n\r\n".utf8)
    var headEnd: Int?
    while headEnd == nil {
      headEnd = bytes.indices.first { bytes[$0...].starts(with: gap) }
      if headEnd == nil, !receive() { return nil }
    }
    guard let headEnd else { return nil }
    let lines = String(decoding: bytes[..<headEnd], as: UTF8.self).components(separatedBy: "\r\n")
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      if parts.count == 2 {
        headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
      }
    }
    let count = Int(headers["content-length"] ?? "0") ?? 0
    let bodyStart = headEnd + gap.count
    if headers["expect"] != nil { send("HTTP/1.1 100 Continue\r\n\r\n") }
    while bytes.count < bodyStart + count { if !receive() { return nil } }
    let body = Data(bytes[bodyStart..<bodyStart + count])
    bytes.removeFirst(bodyStart + count)
    let words = lines[0].split(separator: " ")
    return Request(
      path: words.count > 1 ? String(words[1]) : "", authorization: headers["authorization"],
      body: (try? JSONSerialization.jsonObject(with: body)) as? [String: Any] ?? [:])
  }

  private mutating func receive() -> Bool {
    var part = [UInt8](repeating: 0, count: 1 << 16)
    let count = recv(socket, &part, part.count, 0)
    if count > 0 { bytes += part[..<count] }
    return count > 0
  }

  /// Whether the client still takes what it is sent.
  @discardableResult
  func send(_ text: String) -> Bool {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Foundation.send(socket, $0.baseAddress, $0.count, 0) }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }

  /// Sends a whole answer; whether the connection may carry another.
  func reply(
    _ body: String, status: Int = 200, type: String? = "application/json",
    headers: [String] = []
  ) -> Bool {
    let lines =
      ["HTTP/1.1 \(status) Words", "Content-Length: \(body.utf8.count)"]
      + (type.map { ["Content-Type: \($0)"] } ?? []) + headers
    return send(lines.joined(separator: "\r\n") + "\r\n\r\n" + body)
  }

  func end() {
    shutdown(socket, Int32(SHUT_RDWR))
    close(socket)
  }
}
