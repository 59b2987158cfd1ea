import Foundation
import LanguageModels
import Tensors
import TestSupport
import Testing
import Training

let hasModel = defaultModelPath() != nil

/// The default model in fp32, read once for all tests.
@TensorActor enum DefaultModel {
  private static var loaded: LanguageModel?

  static func model() throws -> LanguageModel {
    if let loaded { return loaded }
    let model = try LanguageModel(path: try #require(defaultModelPath()), precision: .float32)
    loaded = model
    return model
  }
}

/// The path of a recorded file, written by `Scripts/reference/lora_fixtures.py`.
func fixture(_ name: String) -> String {
  URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("Fixtures/\(name)").path
}

/// A fresh folder, removed with everything in it when `body` returns.
@TensorActor func inFolder<R>(_ body: (String) throws -> R) throws -> R {
  let folder = FileManager.default.temporaryDirectory
    .appendingPathComponent("plumbline-training-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try body(folder.path)
}

/// What `body` throws, as its message.
@TensorActor func message(of body: () throws -> some Any) -> String? {
  do {
    _ = try body()
    return nil
  } catch { return "\(error)" }
}

/// A model of two blocks that is small enough to write out; it has widths only.
func tinyConfiguration(dModel: Int = 4, nLayers: Int = 2) -> ModelConfiguration {
  ModelConfiguration(
    family: "llama", nLayers: nLayers, dModel: dModel, nHeads: 2, nKVHeads: 1, dHead: 2, dMLP: 6,
    dVocab: 8, contextLength: 16, normEpsilon: 1e-5, attentionScale: 0.7)
}

/// An adapter whose A and B are both drawn, so that every gradient is other than zero.
@TensorActor func drawnAdapter(
  _ configuration: LoRAConfiguration, for model: ModelConfiguration, seed: UInt64
) -> AdapterWeights {
  var key = RandomKey(seed: seed)
  let named = configuration.shapes(for: model).map { path, shape in
    (path, (key.uniform(shape) - 0.5) * 0.1)
  }
  return AdapterWeights(configuration, parameters: ParameterTree(named))
}

@TensorActor func bits(_ tree: ParameterTree) throws -> [[UInt32]] {
  try tree.tensors.map { try $0.floats().map(\.bitPattern) }
}

/// ‖a − b‖ / ‖b‖ in the Frobenius norm; NaN where an element is.
func relativeDistance(_ a: [Float], _ b: [Float]) -> Double {
  precondition(a.count == b.count, "relativeDistance: \(a.count) against \(b.count) elements")
  var (difference, size) = (0.0, 0.0)
  for (x, y) in zip(a, b) {
    difference += (Double(x) - Double(y)) * (Double(x) - Double(y))
    size += Double(y) * Double(y)
  }
  return (difference / size).squareRoot()
}

/// `lora.json`; `Scripts/reference/README.md` describes every field.
struct LoRAFixture: Decodable {
  struct Optimiser: Decodable {
    var learningRate: Double
    var weightDecay: Double
  }
  struct Row: Decodable {
    var ids: [Int]
    var mask: [Int]
    var sequence: TrainingSequence {
      TrainingSequence(ids: ids, targets: mask.indices.filter { mask[$0] == 1 })
    }
  }
  struct Module: Decodable {
    var name: String
    var norm: Double
  }

  var rank: Int
  var alpha: Double
  var seed: UInt64
  var startSha256: String
  var optimiser: Optimiser
  var recorded: [String]
  var batches: [[Row]]
  var losses: [Double]
  var modules: [Module]

  static func read() throws -> LoRAFixture {
    let data = try Data(contentsOf: URL(fileURLWithPath: fixture("lora.json")))
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(LoRAFixture.self, from: data)
  }

  var sequences: [TrainingSequence] { batches.flatMap { $0.map(\.sequence) } }

  var configuration: SupervisedConfiguration {
    SupervisedConfiguration(
      lora: LoRAConfiguration(rank: rank, alpha: alpha),
      optimizer: AdamW.Configuration(
        learningRate: optimiser.learningRate, weightDecay: optimiser.weightDecay),
      schedule: .constant, batchSize: batches[0].count, epochs: 1)
  }

  /// A by the formula of `Scripts/reference/README.md`, B zero.
  @TensorActor func start(for model: ModelConfiguration) -> (AdapterWeights, sha256: String) {
    var bytes: [UInt8] = []
    var stream: UInt64 = 0
    let lora = configuration.lora
    let named = lora.shapes(for: model).map { path, shape in
      guard path.hasSuffix("lora_A") else { return (path, Tensor.zeros(shape)) }
      let values = uniform(stream: stream, count: shape[0] * shape[1], inputs: shape[1])
      stream += 1
      values.withUnsafeBytes { bytes += $0 }
      return (path, Tensor(values, shape: shape))
    }
    let adapter = AdapterWeights(lora, parameters: ParameterTree(named))
    return (adapter, FileDigest.sha256(bytes))
  }

  private func uniform(stream: UInt64, count: Int, inputs: Int) -> [Float] {
    let bound = 1 / Double(inputs).squareRoot()
    return (0..<UInt64(count)).map { n in
      var z = seed &+ (stream << 32) &+ n &+ 0x9e37_79b9_7f4a_7c15
      z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
      z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
      z ^= z >> 31
      return Float((2 * (Double(z >> 11) * 0x1p-53) - 1) * bound)
    }
  }
}
