import Foundation
import Lab
import Synchronization
import Testing

let testEnvironment = Environment(build: "test", device: "cpu", instructionSet: "any")

/// A folder that is gone when the body is done.
func withTemporaryFolder(_ body: (URL) async throws -> Void) async throws {
  let folder = FileManager.default.temporaryDirectory.appending(path: "lab-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  do {
    try await body(folder)
    try FileManager.default.removeItem(at: folder)
  } catch {
    try? FileManager.default.removeItem(at: folder)
    throw error
  }
}

func openRun(
  _ folder: URL, manifest: String = "study", environment: Environment = testEnvironment,
  watch: @escaping @Sendable (RunEvent) -> Void = { _ in }
) throws -> Run {
  try Run.open(folder: folder, manifest: manifest, environment: environment, watch: watch)
}

struct PlannedFailure: Error, Equatable {}

/// Squares a number and counts how often it really ran. Deliberately not Sendable, like a kind that
/// holds a model.
final class Squaring: CellKind {
  static let kind = "squaring"
  static let version = 1

  struct Config: Codable, Equatable {
    var number: Double
    var seed: UInt64 = 1
  }

  struct Finding: Codable, Equatable {
    struct Row: Codable, Equatable {
      var score: Double
    }

    var square: Double
    var rows: [Row]
    var missing: Double?
  }

  var runs = 0
  var failures = 0

  func run(_ config: Config, in context: CellContext) async throws -> Finding {
    runs += 1
    if failures > 0 {
      failures -= 1
      throw PlannedFailure()
    }
    context.spend(tokens: 7)
    context.report(progress: CellProgress(done: 1, total: 1, unit: "numbers"))
    let folder = context.artifacts.appending(path: "nested")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try Data("\(config.number)".utf8).write(to: folder.appending(path: "number.txt"))
    let square = config.number * config.number
    return Finding(square: square, rows: [.init(score: square), .init(score: 0.25)])
  }
}

/// A kind whose work is whatever a test says.
struct Scripted: CellKind {
  static let kind = "scripted"
  static let version = 1

  struct Config: Codable, Equatable {
    var name = "cell"
  }

  struct Finding: Codable, Equatable {
    var text: String
  }

  let body: (CellContext) async throws -> String

  func run(_ config: Config, in context: CellContext) async throws -> Finding {
    Finding(text: try await body(context))
  }
}

/// Events that a run reported, for tests to look at.
final class EventLog: Sendable {
  private let texts = Mutex<[String]>([])

  var all: [String] { texts.withLock { $0 } }

  func add(_ event: RunEvent) {
    let text =
      switch event {
      case .started: "started"
      case .progress(_, _, let progress): "progress \(progress.done)/\(progress.total)"
      case .finished(_, _, _, let wasCached): wasCached ? "read back" : "finished"
      case .failed(_, _, let reason): "failed \(reason)"
      }
    texts.withLock { $0.append(text) }
  }
}

/// Flips some bits of one byte of a file.
func flip(_ file: URL, at offset: Int, mask: UInt8 = 1) throws {
  var bytes = [UInt8](try Data(contentsOf: file))
  bytes[offset] ^= mask
  try Data(bytes).write(to: file)
}

func text(of file: URL) throws -> String {
  String(decoding: try Data(contentsOf: file), as: UTF8.self)
}
