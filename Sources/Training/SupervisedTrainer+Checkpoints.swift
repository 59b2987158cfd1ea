internal import Foundation
internal import LanguageModels
internal import Tensors

extension SupervisedTrainer {
  private static let format = "plumbline-training-1"

  /// Writes parameters, moments and step to one safetensors file at `path`, in place of what is
  /// there. fp32 is kept bit for bit, so a training that ``resume(from:)``s goes on as if it had
  /// never stopped.
  ///
  /// - Throws: ``ModelFileError/unwritable(_:)``; the path is then as it was.
  package func checkpoint(to path: String) throws {
    let metadata = [
      "format": Self.format, "training": try identity(), "step": optimizer.step.description,
    ]
    try SafetensorsFile.write(
      try entries("parameters", adapter.parameters) + entries("first", optimizer.moments.first)
        + entries("second", optimizer.moments.second),
      metadata: metadata, to: path)
  }

  /// Goes on from the file that ``checkpoint(to:)`` wrote in a training of the same configuration,
  /// base, sequences and start.
  ///
  /// - Throws: ``TrainingError/badCheckpoint(path:reason:)`` for another training's file, or
  ///   ``ModelFileError`` for one that is damaged; the training is then as it was.
  package mutating func resume(from path: String) throws {
    let file = try SafetensorsFile(path: path)
    guard file.metadata["format"] == Self.format else {
      throw TrainingError.badCheckpoint(path: path, reason: "another kind of file")
    }
    guard file.metadata["training"] == (try identity()) else {
      throw TrainingError.badCheckpoint(
        path: path, reason: "one of another base, configuration, seed or set of sequences")
    }
    let written = file.metadata["step"] ?? "nothing"
    guard let step = Int(written), (0...totalSteps).contains(step) else {
      throw TrainingError.badCheckpoint(
        path: path, reason: "step \(written.prefix(20)) of \(totalSteps)")
    }
    guard file.tensors.count == 3 * adapter.parameters.paths.count else {
      throw TrainingError.badCheckpoint(path: path, reason: "\(file.tensors.count) tensors")
    }
    let optimizer = AdamW(
      configuration.optimizer, step: step, first: try tree("first", in: file),
      second: try tree("second", in: file))
    let adapter = adapter.replacing(try tree("parameters", in: file))
    replaceState(adapter: adapter, optimizer: optimizer)
  }

  private func entries(_ kind: String, _ tree: ParameterTree) throws -> [SafetensorsEntry] {
    try zip(tree.paths, tree.tensors).map { path, tensor in
      SafetensorsEntry(
        name: "\(kind).\(path)", shape: tensor.shape, values: try tensor.floats())
    }
  }

  private func tree(_ kind: String, in file: SafetensorsFile) throws -> ParameterTree {
    let parameters = adapter.parameters
    return parameters.replacing(
      try zip(parameters.paths, parameters.tensors).map { path, like in
        let entry = try file.tensor("\(kind).\(path)")
        guard entry.shape == like.shape, entry.type == .float32 else {
          throw TrainingError.badCheckpoint(
            path: file.path, reason: "\(entry.type) \(entry.shape) for \(entry.name)")
        }
        let values = try entry.floats()
        // Training never leaves such numbers behind: the disk did.
        let isSound = values.allSatisfy { $0.isFinite && (kind != "second" || $0 >= 0) }
        guard isSound else {
          throw TrainingError.badCheckpoint(
            path: file.path, reason: "impossible numbers in \(entry.name)")
        }
        return Tensor(values, shape: like.shape)
      })
  }

  /// A hash of everything that decides which numbers the training computes, but for the machine.
  private func identity() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let configuration = FileDigest.sha256(Array(try encoder.encode(configuration)))
    let sequences = FileDigest.sha256(Array(try encoder.encode(sequences)))
    let base = try FileDigest.sha256(path: model.path)
    let parts = [
      configuration, sequences, base, model.precision.rawValue, try originDescription(),
      penalty.map { "\($0.weight) times \($0.name)" } ?? "no penalty",
    ]
    return FileDigest.sha256(Array(parts.joined(separator: "\n").utf8))
  }

  private func originDescription() throws -> String {
    switch origin {
    case .seed(let seed): return "seed \(seed)"
    case .adapter(let parameters, let step):
      let digests = try parameters.tensors.map { tensor in
        FileDigest.sha256(try tensor.floats().withUnsafeBytes { Array($0) })
      }
      return "step \(step) of \(FileDigest.sha256(Array(digests.joined().utf8)))"
    }
  }
}
