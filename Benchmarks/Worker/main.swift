// Our side of the benchmark: the protocol is written down in ../bench.py.
import Foundation
import Instruments
import LanguageModels
import Tensors
import Training

struct Request: Decodable {
  var work: String
  var precision: String?
  var tokens: String?
  var repeats: Int?
  var output: String?
  var adapter: String?
  var learningRate: Double?
  var newTokens: Int?
  var rows: Int?
  var fresh: Bool?
  var tokensPerStep: Int?
}

struct Answer: Encodable {
  var error: String?
  var seconds: [Double]?
  var name: String?
  var threads: Int?
  var versions: [String: String]?
  var isa: String?
  var losses: [Float]?
  var ids: [[Int]]?
  var weightBytes: Int?
  var shapes: [Product]?

  struct Product: Encodable {
    var m, k, n, count: Int
    var seconds: Double
  }
}

struct Refusal: Error, CustomStringConvertible {
  let description: String
}

@TensorActor final class Bench {
  private let path: String
  private let threads: Int
  private var models: [Precision: LanguageModel] = [:]
  private var trainers: [Precision: SupervisedTrainer] = [:]
  private var lensTrainers: [Precision: LensTrainer] = [:]

  init(path: String, threads: Int) { (self.path, self.threads) = (path, threads) }

  func answer(_ request: Request) throws -> Answer {
    switch request.work {
    case "hello":
      return Answer(
        name: "plumbline", threads: threads, versions: ["MLX": Processor.mlxVersion],
        isa: Processor.instructionSet)
    case "load":
      return try timed(request) { _ = try LanguageModel(path: path, precision: precision(request)) }
    case "forward": return try forward(request)
    case "capture": return try capture(request)
    case "prefill", "length": return try lastRow(request)
    case "logprobs": return try logprobs(request)
    case "decode": return try decode(request)
    case "lora_step": return try loraStep(request)
    case "lens_step": return try lensStep(request)
    case "lens_train": return try lensTrain(request)
    case "matmul": return try products(request)
    default: throw Refusal(description: "Expected a work of the protocol, found \(request.work).")
    }
  }

  // MARK: - Works

  private func forward(_ request: Request) throws -> Answer {
    let (model, batch) = (try model(request), try batch(request))
    var logits: Tensor?
    let answer = try timed(request) {
      logits = nil
      logits = try model.forward(batch).logits
      try logits.map { try Tensor.evaluate([$0]) }
    }
    try write(logits, shape: [batch.spans.count, batch.spans[0].count, -1], request)
    return answer
  }

  private func capture(_ request: Request) throws -> Answer {
    let (model, batch) = (try model(request), try batch(request))
    let sites = (0..<model.configuration.nLayers).map { Site.block($0, .residPost) }
    let hasLogits = model.configuration.hasHead  // an encoder has none
    var captured: [Tensor] = []
    let answer = try timed(request) {
      captured = []
      let output = try model.forward(
        batch, logits: hasLogits ? .all : .none, hooks: Hooks(captures: Set(sites)))
      captured = sites.compactMap { output.captured[$0] }
      try Tensor.evaluate(captured + [output.logits].compactMap { $0 })
    }
    if request.output != nil {
      let all = Tensor.concatenate(captured.map { $0.expandDims(0) }, axis: 0)
      try write(all, shape: [sites.count, batch.spans.count, batch.spans[0].count, -1], request)
    }
    return answer
  }

  private func lastRow(_ request: Request) throws -> Answer {
    let (model, batch) = (try model(request), try batch(request))
    var logits: Tensor?
    let answer = try timed(request) {
      logits = try model.forward(batch, logits: .rows([batch.tokens.count - 1])).logits
      try logits.map { try Tensor.evaluate([$0]) }
    }
    try write(logits, shape: [1, -1], request)
    return answer
  }

  private func logprobs(_ request: Request) throws -> Answer {
    let (model, batch) = (try model(request), try batch(request))
    var values: Tensor?
    var answer = try timed(request) {
      let hidden = try model.forward(batch, logits: .none).finalNorm
      let losses = try model.crossEntropy(
        hidden.slice(0..<batch.tokens.count - 1),
        targets: Array(batch.tokens.dropFirst()), differentiable: false)
      values = -losses
      try Tensor.evaluate([losses])
    }
    try write(values, shape: [1, -1], request)
    // As they are multiplied: 2 or 4 bytes each, the unembedding being the embedding.
    let c = model.configuration
    answer.weightBytes =
      (c.parameterCount - c.dVocab * c.dModel) * (model.precision == .bfloat16 ? 2 : 4)
    return answer
  }

  private func decode(_ request: Request) throws -> Answer {
    let model = try model(request)
    let prompts = try tokens(request)
    var options = GenerationOptions(maxTokens: request.newTokens ?? 128)
    options.stopsAtEnd = false
    var texts: [Generation] = []
    var answer = try timed(request) {
      texts = try model.generate(prompts, options: options, batchSize: prompts.count)
    }
    answer.ids = texts.map(\.ids)
    return answer
  }

  private func loraStep(_ request: Request) throws -> Answer {
    if let folder = request.adapter {
      let model = try model(request)
      let adapter = try AdapterWeights.load(
        folder: folder, for: model.configuration, baseHash: String(repeating: "0", count: 64))
      var configuration = SupervisedConfiguration(
        lora: adapter.configuration,
        optimizer: .init(learningRate: request.learningRate ?? 1e-4))
      (configuration.batchSize, configuration.epochs) = (4, 1_000_000)
      configuration.schedule = .constant
      let sequences = try tokens(request).map {
        TrainingSequence(ids: $0, targets: Array(1..<$0.count))
      }
      trainers[try precision(request)] = SupervisedTrainer(
        configuration, model: model, sequences: sequences, adapter: adapter,
        optimizer: AdamW(configuration.optimizer, parameters: adapter.parameters))
    }
    guard var trainer = trainers[try precision(request)] else {
      throw Refusal(description: "Expected an adapter first, found none.")
    }
    var losses: [Float] = []
    var answer = try timed(request) { losses.append(try trainer.step()) }
    trainers[try precision(request)] = trainer
    answer.losses = losses
    return answer
  }

  /// Training a tuned lens as published.
  private func lensTrainer(
    _ request: Request, _ schedule: Schedule, epochs: Int
  ) throws -> LensTrainer {
    let (model, sequences) = (try model(request), try tokens(request))
    let c = model.configuration
    return LensTrainer(
      LensTraining(
        method: .sgd, clipping: .together, schedule: schedule,
        tokensPerStep: request.tokensPerStep ?? sequences.reduce(0) { $0 + $1.count },
        epochs: epochs), model: model, sequences: sequences,
      from: Lens(.tuned, sites: Lens.sites(of: c), dModel: c.dModel))
  }

  /// Steps on the same tokens.
  private func lensStep(_ request: Request) throws -> Answer {
    let precision = try precision(request)
    if request.fresh == true {
      lensTrainers[precision] = try lensTrainer(request, .constant, epochs: 1_000_000)
    }
    guard var trainer = lensTrainers[precision] else {
      throw Refusal(description: "Expected a fresh start first, found none.")
    }
    var losses: [Float] = []
    var answer = try timed(request) {
      let step = try trainer.takeStep()
      losses.append(step.reduce(0, +) / Float(step.count))
    }
    lensTrainers[precision] = trainer
    answer.losses = losses
    return answer
  }

  /// One pass over the tokens, the rate falling to zero; the lens goes to the folder `output`.
  private func lensTrain(_ request: Request) throws -> Answer {
    var trainer = try lensTrainer(request, .linear, epochs: 1)
    var losses: [Float] = []
    var answer = try timed(request) {
      while !trainer.isFinished {
        let step = try trainer.takeStep()
        losses.append(step.reduce(0, +) / Float(step.count))
      }
    }
    answer.losses = losses
    if let folder = request.output {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      try trainer.lens.writeTunedLens(to: folder, for: trainer.model)
    }
    return answer
  }

  /// Every product of a forward pass over so many rows, each with its own weight.
  private func products(_ request: Request) throws -> Answer {
    let products = try model(request).products
    let rows = request.rows ?? 1_024
    var operands: [Int: Tensor] = [:]
    for columns in Set(products.map { $0.shape[1] }) {
      var key = RandomKey(seed: UInt64(columns))
      operands[columns] = key.normal([rows, columns])
    }
    try Tensor.evaluate(Array(operands.values))
    var totals: [[Int]: (count: Int, seconds: Double)] = [:]
    var answer = try timed(request) {
      totals = [:]
      for product in products {
        guard let x = operands[product.shape[1]] else { continue }
        let spent = try seconds { try Tensor.evaluate([try product(x)]) }
        let known = totals[product.shape] ?? (0, 0)
        totals[product.shape] = (known.count + 1, known.seconds + spent)
      }
    }
    answer.shapes = totals.map { shape, total in
      .init(m: rows, k: shape[1], n: shape[0], count: total.count, seconds: total.seconds)
    }
    return answer
  }

  // MARK: - Parts

  private func precision(_ request: Request) throws -> Precision {
    guard let precision = Precision(rawValue: request.precision ?? "float32") else {
      throw Refusal(
        description: "Expected a precision of ours, found \(request.precision ?? "none").")
    }
    return precision
  }

  private func model(_ request: Request) throws -> LanguageModel {
    let precision = try precision(request)
    if let model = models[precision] { return model }
    let model = try LanguageModel(path: path, precision: precision)
    models[precision] = model
    return model
  }

  private func tokens(_ request: Request) throws -> [[Int]] {
    let data = try Data(contentsOf: URL(fileURLWithPath: request.tokens ?? ""))
    return try JSONDecoder().decode([[Int]].self, from: data)
  }

  private func batch(_ request: Request) throws -> TokenBatch {
    TokenBatch(try tokens(request), sharingPrefix: false)
  }

  private func seconds(_ body: () throws -> Void) rethrows -> Double {
    let start = DispatchTime.now().uptimeNanoseconds
    try body()
    return Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9
  }

  private func timed(_ request: Request, _ body: () throws -> Void) rethrows -> Answer {
    Answer(seconds: try (0..<max(request.repeats ?? 1, 1)).map { _ in try seconds(body) })
  }

  /// Writes a tensor for the comparison; −1 stands for what is left over.
  private func write(_ tensor: Tensor?, shape: [Int], _ request: Request) throws {
    guard let path = request.output, let tensor else { return }
    let known = shape.filter { $0 >= 0 }.reduce(1, *)
    let size = tensor.shape.reduce(1, *)
    let entry = SafetensorsEntry(
      name: "values", shape: shape.map { $0 < 0 ? size / known : $0 }, values: try tensor.floats())
    try? FileManager.default.removeItem(atPath: path)
    try SafetensorsFile.write([entry], metadata: [:], to: path)
  }
}

/// The value after `--name`.
func argument(_ name: String) -> String? {
  guard let index = CommandLine.arguments.firstIndex(of: "--" + name),
    index + 1 < CommandLine.arguments.count
  else { return nil }
  return CommandLine.arguments[index + 1]
}

// OpenMP reads its number of threads when it is loaded, so the process starts again with it set.
let threads = argument("threads") ?? "\(ProcessInfo.processInfo.activeProcessorCount)"
if ProcessInfo.processInfo.environment["OMP_NUM_THREADS"] != threads {
  setenv("OMP_NUM_THREADS", threads, 1)
  var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
  execv("/proc/self/exe", &arguments)
}
let bench = await Bench(path: argument("model") ?? "", threads: Int(threads) ?? 1)
let decoder = JSONDecoder()
decoder.keyDecodingStrategy = .convertFromSnakeCase
let encoder = JSONEncoder()
encoder.keyEncodingStrategy = .convertToSnakeCase
while let line = readLine() {
  var answer: Answer
  do {
    let request = try decoder.decode(Request.self, from: Data(line.utf8))
    answer = try await bench.answer(request)
  } catch {
    answer = Answer(error: "\(error)")
  }
  FileHandle.standardOutput.write(try encoder.encode(answer) + [UInt8(ascii: "\n")])
}
