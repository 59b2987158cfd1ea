import Foundation

// A worker process reads one line of JSON after the other: first what it needs to get ready, then a
// job at a time. It answers each job with lines of replies, the last of which says how it ended.

/// A cell to compute and where its files lie.
struct WorkerJob: Codable, Sendable {
  var kind: String
  var config: JSONValue
  var cell: CellID
  var inputs: [String: String]
  var artifacts: String
  var scratch: String

  init(kind: String, config: JSONValue, in context: CellContext) {
    (self.kind, self.config, cell) = (kind, config, context.cell)
    inputs = context.inputs.mapValues(\.path)
    (artifacts, scratch) = (context.artifacts.path, context.scratch.path)
  }
}

/// What a worker says about the cell that it was given.
struct WorkerReply: Codable, Sendable {
  enum Content: Codable, Sendable {
    case progress(CellProgress)
    case spent(tokens: Int)
    case finished(JSONValue)
    case failed(WorkerFailure)
  }

  /// Which one, so that no answer is ever taken for another cell's.
  var cell: CellID
  var content: Content
}

/// Why a cell failed in another process.
package struct WorkerFailure: Error, Codable, Equatable, CustomStringConvertible {
  /// What has to be told apart on this side.
  package enum Cause: String, Codable, Sendable {
    /// What the cell examined or examined with, and not the means to do so.
    case subject
    /// An input that is not usable.
    case data
    /// A file that could not be written.
    case unwritable
    case diskFull
    case other
  }

  package var reason: String
  package var cause: Cause

  package init(reason: String, cause: Cause) { (self.reason, self.cause) = (reason, cause) }

  /// Of an error, whose cause `classify` knows where it is not a full disk.
  init(_ error: any Error, classify: (any Error) -> Cause) {
    reason = String(describing: error)
    cause = isDiskFull(error) ? .diskFull : classify(error)
  }

  package var description: String { reason }
}

/// Cuts bytes into lines as they come.
struct LineReader: ~Copyable {
  private let descriptor: Int32
  private var rest: [UInt8] = []

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  /// The next line without its end; nil when nothing more will come.
  mutating func next() -> [UInt8]? {
    // What was searched before is not searched again: a job can be megabytes long.
    var searched = 0
    while true {
      if let end = rest[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        defer { rest.removeSubrange(...end) }
        return Array(rest[..<end])
      }
      searched = rest.count
      guard fill() else { return nil }
    }
  }

  private mutating func fill() -> Bool {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      if count > 0 { rest += buffer[..<count] }
      return count > 0
    }
  }
}

extension JSONValue {
  /// One line of the protocol.
  static func line(_ message: some Encodable) throws -> Data {
    Data(try JSONValue(encoding: message).canonicalBytes + [UInt8(ascii: "\n")])
  }
}
