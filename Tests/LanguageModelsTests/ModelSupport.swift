import Foundation
import LanguageModels
import Tensors
import TestSupport
import Testing

/// The default model in fp32, read once for all tests.
@TensorActor
enum LoadedModel {
  private static var cached: LanguageModel?

  static func float32() throws -> LanguageModel {
    if let cached { return cached }
    let model = try LanguageModel(path: try #require(defaultModelPath()))
    cached = model
    return model
  }
}

extension Trait where Self == ConditionTrait {
  /// Skips a test where the set-up did not fetch the default model.
  static var needsModel: ConditionTrait {
    .enabled(
      if: defaultModelPath() != nil,
      "needs SmolLM2-135M-Instruct.Q4_1.gguf in .deps/models: run `make bootstrap`")
  }
}

/// What `Scripts/reference/model_fixtures.py` recorded of transformers.
struct ModelReference: Decodable {
  struct Sequence: Decodable, Sendable {
    let name: String
    let text: String
    let ids: [Int]
    let positions: [Int]
    let innerBlocks: [Int]
  }

  struct Greedy: Decodable, Sendable {
    let prompt: String
    let promptIds: [Int]
    let ids: [Int]
    let firstEndToken: Int?
  }

  let columns: [Int]
  let sequences: [Sequence]
  let greedy: [Greedy]

  static func read() throws -> ModelReference {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(
      ModelReference.self, from: Data(contentsOf: folder.appendingPathComponent("model.json")))
  }

  static func tensors(_ name: String) throws -> SafetensorsFile {
    try SafetensorsFile(path: folder.appendingPathComponent("\(name).safetensors").path)
  }

  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("Fixtures/model")
}

/// The largest absolute difference; infinite for NaN and for another number of elements.
func largestDifference(_ actual: [Float], _ expected: [Float]) -> Double {
  guard actual.count == expected.count, !expected.isEmpty else { return .infinity }
  var worst = 0.0
  for (a, e) in zip(actual, expected) {
    let difference = abs(Double(a) - Double(e))
    if difference.isNaN { return .infinity }
    worst = max(worst, difference)
  }
  return worst
}

/// The largest difference of any row relative to that row's own largest absolute value.
func rowwiseError(_ actual: [Float], _ expected: [Float], rows: Int) -> Double {
  guard actual.count == expected.count, !expected.isEmpty else { return .infinity }
  let width = expected.count / rows
  return (0..<rows).map { row in
    let range = row * width..<(row + 1) * width
    let scale = expected[range].map { abs(Double($0)) }.max() ?? 0
    return largestDifference(Array(actual[range]), Array(expected[range])) / scale
  }.max() ?? .infinity
}

/// Expects `error` within `bound`.
///
/// With `PLUMBLINE_MEASURE` set every error is printed: so the figures beside the tolerances were
/// taken.
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

extension LanguageModel {
  /// The logits of all rows of `batch`, `[token, dVocab]`.
  func logits(_ batch: TokenBatch, hooks: Hooks = Hooks()) throws -> Tensor {
    try #require(try forward(batch, hooks: hooks).logits)
  }

  /// log p of every token after the first, in nats.
  func logprobs(_ ids: [Int]) throws -> [Float] {
    let rows = try logits(TokenBatch([ids])).slice(0..<ids.count - 1).logSoftmax()
    let next = Tensor(ids.dropFirst().map(Int32.init), shape: [ids.count - 1, 1])
    return try rows.takeAlongAxis(next, axis: 1).floats()
  }
}
