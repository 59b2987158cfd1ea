internal import Foundation
internal import Tensors

extension AdapterWeights {
  /// Reads a folder that ``save(to:card:)`` or PEFT wrote.
  ///
  /// An adapter of Plumbline's carries its base's hash and is refused for any other base. One from
  /// elsewhere carries none: it loads when every tensor that its configuration asks for is there,
  /// nothing else is, and all shapes fit `model`; that it was trained from this base is then the
  /// caller's claim.
  ///
  /// - Parameters:
  ///   - folder: Where `adapter_config.json` and `adapter_model.safetensors` lie.
  ///   - model: The base's widths.
  ///   - baseHash: The SHA-256 of the base's file, from ``FileDigest/sha256(path:)``.
  /// - Returns: The adapter, in fp32.
  /// - Throws: ``ModelFileError`` naming the file, and the key or the tensor in it.
  package static func load(
    folder: String, for model: ModelConfiguration, baseHash: String
  ) throws(ModelFileError) -> AdapterWeights {
    let record = try AdapterRecord.read(AdapterFiles.path(folder, AdapterRecord.fileName))
    if let record { try check(record, folder, baseHash: baseHash) }
    let configuration = try PEFTConfiguration.read(
      AdapterFiles.path(folder, PEFTConfiguration.fileName), for: model)
    let path = AdapterFiles.path(folder, AdapterFiles.weights)
    let file = try SafetensorsFile(path: path)
    if let record { try check(record, weights: path) }
    var named: [(String, Tensor)] = []
    for (path, shape) in configuration.shapes(for: model) {
      named.append((path, try tensor(AdapterFiles.tensorName(path), shape, in: file)))
    }
    try refuseSurplus(in: file, besides: Set(named.map { AdapterFiles.tensorName($0.0) }))
    return AdapterWeights(configuration, parameters: ParameterTree(named))
  }

  /// The card of the adapter in `folder`; nil where somebody else made it.
  ///
  /// - Throws: ``ModelFileError`` if there is a card that cannot be read.
  package nonisolated static func card(
    folder: String
  ) throws(ModelFileError) -> AdapterCard? {
    try AdapterRecord.read(AdapterFiles.path(folder, AdapterRecord.fileName))?.card
  }

  private nonisolated static func check(
    _ record: AdapterRecord, _ folder: String, baseHash: String
  ) throws(ModelFileError) {
    guard record.base.sha256 == baseHash else {
      throw .unsupported(
        .init(
          path: folder, expected: "an adapter for the base with SHA-256 \(baseHash)",
          found: "one for \(quoted(record.base.name)) with SHA-256 \(record.base.sha256)",
          remedy: "name the base that it was trained from"))
    }
  }

  private nonisolated static func check(
    _ record: AdapterRecord, weights path: String
  ) throws(ModelFileError) {
    let hash = try FileDigest.sha256(path: path)
    guard record.weightsSHA256 == hash else {
      throw .malformed(
        .init(
          path: path, expected: "the SHA-256 \(record.weightsSHA256) of \(AdapterRecord.fileName)",
          found: hash, remedy: "write the adapter again"))
    }
  }

  private static func tensor(
    _ name: String, _ shape: [Int], in file: SafetensorsFile
  ) throws(ModelFileError) -> Tensor {
    let entry = try file.tensor(name)
    guard entry.shape == shape else {
      throw .unsupported(
        .init(
          path: file.path, expected: "`\(name)` \(shape)", found: "\(entry.shape)",
          remedy: "name the base that it was trained from, and keep adapter_config.json beside "
            + "its own weights"))
    }
    guard [.float32, .float16, .bfloat16].contains(entry.type) else {
      throw .unsupported(
        .init(
          path: file.path, expected: "`\(name)` in F32, F16 or BF16", found: "\(entry.type)",
          remedy: "save the adapter in one of these"))
    }
    let values = try entry.floats()
    guard values.allSatisfy(\.isFinite) else {
      throw .malformed(
        .init(
          path: file.path, expected: "finite numbers in `\(name)`", found: "NaN or infinity",
          remedy: "train the adapter again"))
    }
    return Tensor(values, shape: shape)
  }

  private nonisolated static func refuseSurplus(
    in file: SafetensorsFile, besides expected: Set<String>
  ) throws(ModelFileError) {
    guard let surplus = file.tensors.first(where: { !expected.contains($0.name) }) else { return }
    throw .unsupported(
      .init(
        path: file.path, expected: "only the tensors that adapter_config.json asks for",
        found: quoted(surplus.name),
        remedy: "use a plain LoRA adapter for a model with this many layers"))
  }
}

extension LoRAConfiguration {
  /// The layers of `model` that are adapted: those named, and the joint projection of queries, keys
  /// and values where any of these is named. A layer that the family does not have is none.
  package func modules(of model: ModelConfiguration) -> [LinearModule] {
    model.modules.filter { module in
      modules.contains(module)
        || module == .qkv && !Set(modules).isDisjoint(with: [.q, .k, .v])
    }
  }

  /// Path and shape of every parameter for `model`, block by block: A `[rank, in]`, B `[out, rank]`.
  package func shapes(for model: ModelConfiguration) -> [(path: String, shape: [Int])] {
    (0..<model.nLayers).flatMap { block in
      modules(of: model).flatMap { module in
        let layer = module.shape(in: model)
        return [
          (AdapterWeights.path(block: block, module, "A", of: model.family), [rank, layer[1]]),
          (AdapterWeights.path(block: block, module, "B", of: model.family), [layer[0], rank]),
        ]
      }
    }
  }
}
