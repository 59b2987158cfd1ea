/// What `model.safetensors.index.json` says: which file of a sharded checkpoint has which tensor.
struct SafetensorsIndex {
  /// The shards in the order of their names.
  var shards: [String]
  /// The shard of each tensor, by the tensor's name.
  var shardOfTensor: [String: String]

  private static let largestShardCount = 4096

  /// Reads the index at `path`.
  ///
  /// `metadata.total_size` is not compared with the files: transformers does not either, and
  /// published indices get it wrong where tensors are tied.
  ///
  /// - Throws: ``ModelFileError/unreadable(_:)`` or ``ModelFileError/malformed(_:)``, also for a
  ///   shard's name that leads out of the folder.
  init(path: String) throws(ModelFileError) {
    let file = try MappedFile(path: path)
    self = try file.withBytes { (bytes) throws(ModelFileError) in
      try SafetensorsIndex(bytes: bytes, path: path)
    }
  }

  init(bytes: UnsafeRawBufferPointer, path: String) throws(ModelFileError) {
    var json = JSONScanner(
      bytes: bytes, path: path,
      subject: .init(name: "index", remedy: "fetch the checkpoint's files again"))
    var map: [String: String]?
    try json.object { (json, key) throws(ModelFileError) in
      guard key == "weight_map" else { return try json.skip() }
      guard map == nil else { throw json.malformed("`weight_map` once", "it twice") }
      map = try Self.weightMap(&json)
    }
    try json.expectEnd()
    guard let map, !map.isEmpty else {
      throw json.malformed("tensors under `weight_map`", "none")
    }
    shards = Set(map.values).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    shardOfTensor = map
    guard shards.count <= Self.largestShardCount else {
      throw json.malformed("at most \(Self.largestShardCount) shards", "\(shards.count)")
    }
  }

  private static func weightMap(
    _ json: inout JSONScanner
  ) throws(ModelFileError) -> [String: String] {
    var map: [String: String] = [:]
    try json.object { (json, tensor) throws(ModelFileError) in
      let shard = try json.string()
      // A name and not a path: anything else could name a file that is no part of the checkpoint.
      guard shard.hasSuffix(".safetensors"), !shard.hasPrefix("."),
        !shard.utf8.contains(UInt8(ascii: "/")), !shard.utf8.contains(0)
      else {
        throw json.malformed(
          "the plain name of a .safetensors file for \(quoted(tensor))", quoted(shard))
      }
      guard map.updateValue(shard, forKey: tensor) == nil else {
        throw json.malformed("each tensor name once", "\(quoted(tensor)) twice")
      }
    }
    return map
  }
}
