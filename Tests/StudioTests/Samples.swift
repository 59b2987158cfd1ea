import Foundation
import Lab
import Statistics
import Studio
import Testing

/// A cell kind whose finding holds every number, so that tests can cite any.
///
/// The loophole is a subscript that returns its own argument; it exists in the tests only.
struct SampleKind: CellKind {
  struct Config: Codable, Sendable, Equatable {
    var number: Int
  }

  struct Finding: Codable, Sendable {
    var number: Int

    subscript(value: Double) -> Double { value }
    subscript(count: Int) -> Int { count }
    subscript(estimate: Estimate) -> Estimate { estimate }
    subscript(proportion: Proportion) -> Proportion { proportion }
  }

  static let kind = "sample"
  static let version = 1

  func run(_ config: Config, in context: CellContext) async throws -> Finding {
    context.spend(tokens: 100 + config.number)
    return Finding(number: config.number)
  }
}

/// Cells of a real run, and invented numbers cited from them.
struct Samples: Sendable {
  let results: [CellResult<SampleKind.Finding>]
  let summaries: [CellSummary]

  /// The run is made once for all tests and its folder removed when it has been read.
  static func all() async throws -> Samples { try await shared.value }

  private static let shared = Task {
    let folder = FileManager.default.temporaryDirectory
      .appending(path: "plumbline-studio-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let environment = Environment(build: "test", device: "cpu", instructionSet: "any")
    let run = try Run.open(folder: folder, manifest: ["study": "sample"], environment: environment)
    var results: [CellResult<SampleKind.Finding>] = []
    for number in 0..<41 {
      results.append(try await run.perform(SampleKind(), .init(number: number)))
    }
    return Samples(results: results, summaries: try Ledger.cells(in: folder))
  }

  /// The full id of a cell.
  func cell(_ number: Int) -> String { results[number].id.hex }

  func number(
    _ value: Double, _ interval: Interval? = nil, unit: CitedNumber.Unit = .plain, cell: Int = 1
  ) -> CitedNumber {
    guard let interval else { return CitedNumber(results[cell].cite(\.[value]), unit: unit) }
    let estimate = Estimate(value: value, interval: interval, n: 1, unit: "", method: "")
    return CitedNumber(results[cell].cite(\.[estimate]), unit: unit)
  }

  func rate(
    _ k: Int, of n: Int, _ counted: String, _ interval: Interval, cell: Int = 1
  ) -> CitedNumber {
    guard let proportion = try? Proportion(successes: k, trials: n) else {
      Issue.record("Expected k of n with k <= n, found \(k) of \(n).")
      return number(.nan)
    }
    let estimate = Estimate(
      value: Double(k) / Double(n), interval: interval, n: n, unit: "", method: "")
    return CitedNumber(
      results[cell].cite(\.[proportion]), counted, estimate: results[cell].cite(\.[estimate]))
  }
}
