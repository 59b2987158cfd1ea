/// A GGUF model file, opened and checked: its metadata, and tensors that decode on demand.
///
/// Opening reads and checks the whole header (magic, version, counts, lengths, names, shapes,
/// offsets) against the file's size, so that nothing read later can leave the file. The weights
/// stay on disk, mapped; the mapping lives as long as this value or any tensor of it.
package struct GGUFFile: Sendable {
  /// The file as the caller named it.
  package var path: String { file.path }
  /// The format's version, 2 or 3.
  package let version: Int
  /// Every metadata value, under its key.
  package let metadata: [String: GGUFValue]
  /// The tensors in the file's order; they share no byte.
  package let tensors: [GGUFTensor]

  private let file: MappedFile
  private let indices: [String: Int]

  /// The file's size in bytes.
  package var byteCount: Int { file.count }

  /// Opens the file at `path` and checks its header.
  ///
  /// Costs memory in proportion to the header, whatever the header claims. The tokenizer's
  /// vocabulary is most of that: about 20 ms for 50,000 tokens and merges each.
  ///
  /// - Throws: ``ModelFileError/unreadable(_:)``, ``ModelFileError/malformed(_:)`` or, for a
  ///   version, byte order or tensor type that is not implemented,
  ///   ``ModelFileError/unsupported(_:)``.
  package init(path: String) throws(ModelFileError) {
    let file = try MappedFile(path: path)
    let header = try file.withBytes { (bytes) throws(ModelFileError) in
      var reader = GGUFHeaderReader(bytes: bytes, path: path)
      return try reader.header()
    }
    self.file = file
    version = header.version
    metadata = header.metadata
    tensors = header.tensors.map { GGUFTensor($0, dataOffset: header.dataOffset, file: file) }
    indices = header.tensorIndices
  }

  /// The tensor called `name`.
  ///
  /// - Throws: ``ModelFileError/absent(_:)`` if the file has none of that name.
  package func tensor(_ name: String) throws(ModelFileError) -> GGUFTensor {
    guard let index = indices[name] else {
      throw .absent(
        .init(
          path: path, expected: "a tensor called `\(name)`",
          found: "\(tensors.count) tensors without it",
          remedy: "use a file of the architecture that its metadata names"))
    }
    return tensors[index]
  }

  /// Whether the file has a tensor called `name`, such as an untied `output.weight`.
  package func hasTensor(_ name: String) -> Bool { indices[name] != nil }

  /// Lends the whole file's bytes to `body`, for hashing; not to be used after it returns.
  package func withBytes<R, E: Error>(
    _ body: (UnsafeRawBufferPointer) throws(E) -> R
  ) throws(E) -> R {
    try file.withBytes(body)
  }
}
