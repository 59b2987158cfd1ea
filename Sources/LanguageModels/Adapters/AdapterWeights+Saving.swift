internal import Foundation
internal import Tensors

/// The files of an adapter's folder.
enum AdapterFiles {
  static let weights = "adapter_model.safetensors"
  static let readme = "README.md"
  /// In the order in which they are written: PEFT's configuration last, because a folder without
  /// it holds no adapter.
  static let all = [weights, AdapterRecord.fileName, readme, PEFTConfiguration.fileName]

  static func path(_ folder: String, _ name: String) -> String {
    (folder as NSString).appendingPathComponent(name)
  }

  /// PEFT's name of the parameter at `path`.
  static func tensorName(_ path: String) -> String { "base_model.model.\(path).weight" }
}

extension AdapterWeights {
  /// Writes a folder that PEFT loads: `adapter_config.json`, `adapter_model.safetensors`, the model
  /// card `README.md`, and `plumbline.json` with the card for programs.
  ///
  /// The folder may exist, but none of these files in it. `adapter_config.json` comes last and each
  /// file appears whole, so a folder without it holds no adapter; an error removes what was written.
  ///
  /// - Throws: ``ModelFileError/unwritable(_:)``, or ``TensorError`` when the computation behind the
  ///   weights fails.
  package func save(to folder: String, card: AdapterCard) throws {
    let entries = try zip(parameters.paths, parameters.tensors).map { path, tensor in
      SafetensorsEntry(
        name: AdapterFiles.tensorName(path), shape: tensor.shape, values: try tensor.floats())
    }
    let isNew = try Self.makeFolder(folder)
    do {
      try write(entries, card, to: folder)
    } catch {
      Self.removeWhatWasWritten(folder, isNew: isNew)
      throw error
    }
  }

  private func write(
    _ entries: [SafetensorsEntry], _ card: AdapterCard, to folder: String
  ) throws(ModelFileError) {
    let weights = AdapterFiles.path(folder, AdapterFiles.weights)
    try SafetensorsFile.write(entries, metadata: ["format": "pt"], to: weights)
    try card.write(configuration, targets: targets, to: folder)
  }

  /// The last parts of the adapted layers' names, each once.
  private var targets: [String] {
    var targets: [String] = []
    for path in parameters.paths {
      // …{layer}.lora_A
      let leaf = String(path.split(separator: ".").dropLast().last ?? "")
      if !targets.contains(leaf) { targets.append(leaf) }
    }
    return targets
  }

  /// Makes `folder` unless it is there, and says whether it was made.
  private nonisolated static func makeFolder(_ folder: String) throws(ModelFileError) -> Bool {
    let files = FileManager.default
    if let name = AdapterFiles.all.first(where: {
      files.fileExists(atPath: AdapterFiles.path(folder, $0))
    }) {
      throw .unwritable(
        .init(
          path: folder, expected: "a folder without an adapter", found: "\(name) in it",
          remedy: "name another folder or remove this one"))
    }
    if files.fileExists(atPath: folder) { return false }
    do {
      try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
      return true
    } catch {
      throw .unwritable(
        .init(
          path: folder, expected: "to make this folder", found: error.localizedDescription,
          remedy: "choose a place that this user may write to"))
    }
  }

  /// Best effort after a failure, whose own error is what the caller needs to see.
  private nonisolated static func removeWhatWasWritten(_ folder: String, isNew: Bool) {
    for name in AdapterFiles.all { unlink(AdapterFiles.path(folder, name)) }
    // Not `removeItem`, which would take along what somebody else put there.
    if isNew { rmdir(folder) }
  }
}
