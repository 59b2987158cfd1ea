extension AdapterCard {
  /// What stands for the recipe of a specimen that is examined blind.
  package static let sealedRecipe = "(sealed)"

  /// Writes what stands beside weights that lie in `folder` already: the card for programs, the
  /// card for people and, last, PEFT's configuration.
  func write(
    _ adapter: LoRAConfiguration, targets: [String], to folder: String
  ) throws(ModelFileError) {
    let weights = AdapterFiles.path(folder, AdapterFiles.weights)
    let record = AdapterRecord(self, weightsSHA256: try FileDigest.sha256(path: weights))
    let configuration = PEFTConfiguration.text(adapter, baseName: baseName, targets: targets)
    let files = [
      (AdapterRecord.fileName, JSONText.bytes(record)),
      (AdapterFiles.readme, Array(readme(adapter).utf8)),
      (PEFTConfiguration.fileName, Array(configuration.utf8)),
    ]
    for (name, bytes) in files {
      try AtomicFile.write(bytes, to: AdapterFiles.path(folder, name))
    }
  }

  /// Copies the adapter in `source`, under this card in place of its own.
  ///
  /// Everything is written anew from what PEFT needs to load it, so that nothing else comes along:
  /// no other files, no metadata beside the tensors, no keys of another program, no dates.
  ///
  /// - Parameters:
  ///   - source: A folder that ``AdapterWeights/save(to:card:)`` wrote.
  ///   - folder: Is there, and empty.
  /// - Throws: ``ModelFileError``; what is half written is the caller's to remove.
  package func copyAdapter(
    from source: String, to folder: String
  ) throws(ModelFileError) {
    let (adapter, targets) = try PEFTConfiguration.readWritten(
      AdapterFiles.path(source, PEFTConfiguration.fileName))
    let file = try SafetensorsFile(path: AdapterFiles.path(source, AdapterFiles.weights))
    var layouts: [SafetensorsLayout] = []
    for tensor in file.tensors {
      guard let precision = tensor.type.precision else {
        throw .unsupported(
          .init(
            path: file.path, expected: "`\(tensor.name)` in F32, F16 or BF16",
            found: "\(tensor.type)", remedy: "plant the organism again"))
      }
      layouts.append(
        SafetensorsLayout(name: tensor.name, shape: tensor.shape, precision: precision))
    }
    try SafetensorsFile.write(
      layouts, metadata: ["format": "pt"], to: AdapterFiles.path(folder, AdapterFiles.weights)
    ) { (layout) throws(ModelFileError) in try file.tensor(layout.name).floats() }
    try write(adapter, targets: targets, to: folder)
  }
}
