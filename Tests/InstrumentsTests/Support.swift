import Foundation
import Instruments
import LanguageModels
import Tensors
import TestSupport
import Testing

/// What `Scripts/reference/lens_fixtures.py` recorded.
struct LensReference: Decodable {
  struct Hash: Decodable {
    let corners: [[Float]]
    let text: String
    let sha256: String
  }

  let ids: [Int]
  let lossesTogether: [[Float]]
  let lossesPerSite: [[Float]]
  let hashes: [Hash]

  /// The two sequences that were trained on.
  var sequences: [[Int]] { [Array(ids.prefix(15)), Array(ids.dropFirst(15))] }

  static func read() throws -> LensReference {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(
      LensReference.self, from: Data(contentsOf: URL(fileURLWithPath: fixture("lens.json"))))
  }
}

func fixture(_ name: String) -> String {
  URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("Fixtures/\(name)").path
}

/// The tiny Llama with a sharp head.
@TensorActor func sharpModel() throws -> LanguageModel { try LanguageModel(path: fixture("model")) }

/// A tiny checkpoint of another family.
@TensorActor func tinyModel(_ family: String) throws -> LanguageModel {
  let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("LanguageModelsTests/Fixtures/families")
  return try LanguageModel(path: folder.appendingPathComponent(family).path)
}

/// A fresh folder, removed with everything in it when `body` returns.
@TensorActor func inFolder<R>(_ body: (String) throws -> R) throws -> R {
  let folder = FileManager.default.temporaryDirectory
    .appendingPathComponent("plumbline-instruments-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try body(folder.path)
}

/// The largest absolute difference; infinite for NaN and for another number of elements.
func largestDifference(_ actual: [Float], _ expected: [Float]) -> Double {
  guard actual.count == expected.count, !expected.isEmpty else { return .infinity }
  return zip(actual, expected).reduce(0) { worst, pair in
    let difference = abs(Double(pair.0) - Double(pair.1))
    return difference.isNaN ? .infinity : max(worst, difference)
  }
}

/// Expects `error` within `bound`; with `PLUMBLINE_MEASURE` set every error is printed.
func expectError(
  _ error: Double, within bound: Double, _ what: String,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  if ProcessInfo.processInfo.environment["PLUMBLINE_MEASURE"] != nil {
    print("measured \(what): \(error) of \(bound)")
  }
  #expect(
    error <= bound, "\(what): error \(error), allowed \(bound)", sourceLocation: sourceLocation)
}
