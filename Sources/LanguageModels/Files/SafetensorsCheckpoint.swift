import Foundation

/// The weights of a Hugging Face folder: `model.safetensors`, or the shards that
/// `model.safetensors.index.json` names.
///
/// Where both are there, the single file is read, as transformers does. The index and its shards
/// have to agree on every tensor. PyTorch's pickles are never opened, because reading one runs the
/// code that it holds.
package struct SafetensorsCheckpoint: Sendable {
  package static let fileName = "model.safetensors"
  package static let indexName = "model.safetensors.index.json"

  /// The folder as the caller named it.
  package let folder: String
  /// The single file, or the shards in the order of their names.
  package let files: [SafetensorsFile]
  /// All tensors, file by file in the order of their data.
  package let tensors: [SafetensorsTensor]

  private let indices: [String: Int]

  /// The size of all data in bytes.
  package var byteCount: Int { tensors.reduce(0) { $0 + $1.byteCount } }

  /// Opens the weights in `folder` and checks their headers.
  ///
  /// - Throws: ``ModelFileError/absent(_:)`` if there are none, ``ModelFileError/unsupported(_:)``
  ///   if they are only there as a pickle, and what ``SafetensorsFile/init(path:)`` throws;
  ///   ``ModelFileError/malformed(_:)`` also if the index and a shard disagree.
  package init(folder: String) throws(ModelFileError) {
    func path(_ name: String) -> String { (folder as NSString).appendingPathComponent(name) }
    if FileManager.default.fileExists(atPath: path(Self.fileName)) {
      files = [try SafetensorsFile(path: path(Self.fileName))]
    } else if FileManager.default.fileExists(atPath: path(Self.indexName)) {
      files = try Self.shards(folder: folder)
    } else {
      throw Self.missing(folder)
    }
    self.folder = folder
    tensors = files.flatMap(\.tensors)
    // Names are unique: within a file its reader saw to it, between shards the index.
    indices = Dictionary(uniqueKeysWithValues: zip(tensors.map(\.name), tensors.indices))
  }

  /// The tensor called `name`.
  ///
  /// - Throws: ``ModelFileError/absent(_:)`` if no file has one of that name.
  package func tensor(_ name: String) throws(ModelFileError) -> SafetensorsTensor {
    guard let index = indices[name] else {
      throw .absent(
        .init(
          path: folder, expected: "a tensor called `\(name)`",
          found: "\(tensors.count) tensors without it",
          remedy: "use the weights that belong to this model"))
    }
    return tensors[index]
  }

  /// Whether the checkpoint has a tensor called `name`, such as an untied `lm_head.weight`.
  package func hasTensor(_ name: String) -> Bool { indices[name] != nil }

  private static func shards(folder: String) throws(ModelFileError) -> [SafetensorsFile] {
    let indexPath = (folder as NSString).appendingPathComponent(indexName)
    let index = try SafetensorsIndex(path: indexPath)
    var files: [SafetensorsFile] = []
    for shard in index.shards {
      let file = try SafetensorsFile(path: (folder as NSString).appendingPathComponent(shard))
      for tensor in file.tensors where index.shardOfTensor[tensor.name] != shard {
        let said = index.shardOfTensor[tensor.name].map { "in \(quoted($0))" } ?? "not at all"
        throw disagreement(
          file.path, "\(quoted(tensor.name)), which \(indexName) names \(said)")
      }
      files.append(file)
    }
    for (tensor, shard) in index.shardOfTensor.sorted(by: { $0.key < $1.key }) {
      guard let place = index.shards.firstIndex(of: shard), files[place].hasTensor(tensor) else {
        throw disagreement(
          indexPath, "\(quoted(tensor)) named in \(quoted(shard)), which lacks it")
      }
    }
    return files
  }

  private static func disagreement(_ path: String, _ found: String) -> ModelFileError {
    .malformed(
      .init(
        path: path, expected: "the tensors that the index names in each shard", found: found,
        remedy: "fetch the checkpoint's files again, all of one revision"))
  }

  private static func missing(_ folder: String) -> ModelFileError {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    let pickle = names.sorted().first {
      $0.hasPrefix("pytorch_model") && ($0.hasSuffix(".bin") || $0.hasSuffix(".json"))
    }
    let expected = "\(fileName) or \(indexName)"
    if let pickle {
      return .unsupported(
        .init(
          path: folder, expected: expected, found: "only \(quoted(pickle))",
          remedy: "take a revision with safetensors, or save it again as such where running the "
            + "code in a pickle does no harm"))
    }
    return .absent(
      .init(
        path: folder, expected: expected, found: "neither",
        remedy: "name the folder that a model was downloaded or saved to"))
  }
}
