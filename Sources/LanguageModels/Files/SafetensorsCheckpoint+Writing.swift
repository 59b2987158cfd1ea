import Foundation

extension SafetensorsCheckpoint {
  /// transformers' limit of a shard, in bytes.
  package static let defaultShardByteCount = 5_000_000_000

  /// Writes the tensors of `layouts` into `folder` as transformers' `save_pretrained` does: one
  /// file, or shards of at most `shardByteCount` bytes of data with an index.
  ///
  /// Tensors keep their order from shard to shard. One that is larger than a shard gets a shard of
  /// its own. The index is written last, so a folder without it or a single file is none that can
  /// be opened. Only one tensor's values are in memory at a time.
  ///
  /// - Precondition: As for ``SafetensorsFile/write(_:metadata:to:values:)``.
  /// - Throws: ``ModelFileError/unwritable(_:)`` if there are weights in the folder already or the
  ///   system refuses, or what `values` throws; the folder is then as it was.
  package static func write(
    _ layouts: [SafetensorsLayout], to folder: String,
    shardByteCount: Int = defaultShardByteCount, metadata: [String: String] = ["format": "pt"],
    values: (SafetensorsLayout) throws(ModelFileError) -> [Float]
  ) throws(ModelFileError) {
    try refuseIfTaken(folder)
    let shards = split(layouts, shardByteCount)
    let names = fileNames(shards.count)
    var written: [String] = []
    func path(_ name: String) -> String { (folder as NSString).appendingPathComponent(name) }
    do throws(ModelFileError) {
      for (shard, name) in zip(shards, names) {
        try SafetensorsFile.write(shard, metadata: metadata, to: path(name), values: values)
        written.append(name)
      }
      if shards.count > 1 {
        try AtomicFile.write(Array(index(shards, names).utf8), to: path(indexName))
      }
    } catch {
      for name in written { unlink(path(name)) }
      throw error
    }
  }

  /// Other weights beside the new ones could be read in their place.
  private static func refuseIfTaken(_ folder: String) throws(ModelFileError) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    let taken = names.sorted().first {
      $0 == indexName || $0.hasPrefix("model") && $0.hasSuffix(".safetensors")
    }
    if let taken {
      throw .unwritable(
        .init(
          path: folder, expected: "a folder without weights", found: quoted(taken),
          remedy: "choose another folder or remove the weights in it"))
    }
  }

  /// huggingface_hub's `split_torch_state_dict_into_shards`.
  private static func split(
    _ layouts: [SafetensorsLayout], _ limit: Int
  ) -> [[SafetensorsLayout]] {
    var shards: [[SafetensorsLayout]] = []
    var current: [SafetensorsLayout] = []
    var byteCount = 0
    for layout in layouts {
      if layout.byteCount > limit {
        shards.append([layout])
        continue
      }
      if byteCount + layout.byteCount > limit {
        shards.append(current)
        (current, byteCount) = ([], 0)
      }
      current.append(layout)
      byteCount += layout.byteCount
    }
    if !current.isEmpty || shards.isEmpty { shards.append(current) }
    return shards
  }

  private static func fileNames(_ count: Int) -> [String] {
    guard count > 1 else { return [fileName] }
    func digits(_ number: Int) -> String {
      let text = String(number)
      return String(repeating: "0", count: max(0, 5 - text.count)) + text
    }
    return (1...count).map { "model-\(digits($0))-of-\(digits(count)).safetensors" }
  }

  /// The index with the bytes of `json.dumps(…, indent=2, sort_keys=True)`.
  private static func index(_ shards: [[SafetensorsLayout]], _ names: [String]) -> String {
    let layouts = shards.joined()
    let entries = zip(shards, names).flatMap { shard, name in
      shard.map { (tensor: $0.name, file: name) }
    }
    // By code points, as Python sorts; in UTF-8 the order of the bytes is the same.
    let lines = entries.sorted { $0.tensor.utf8.lexicographicallyPrecedes($1.tensor.utf8) }
      .map { "    \(SafetensorsFile.jsonString($0.tensor)): \"\($0.file)\"" }
    return """
      {
        "metadata": {
          "total_parameters": \(layouts.reduce(0) { $0 + $1.elementCount }),
          "total_size": \(layouts.reduce(0) { $0 + $1.byteCount })
        },
        "weight_map": {
      \(lines.joined(separator: ",\n"))
        }
      }

      """
  }
}
