/// A safetensors file, opened and checked: its metadata, and tensors that decode on demand.
///
/// Opening reads the whole header and checks it against the file's size: names once, shapes that
/// fit their bytes, and the data covered by the tensors without gap or overlap, as the reference
/// implementation demands. The data stays on disk, mapped, as long as this value or a tensor of
/// it lives.
package struct SafetensorsFile: Sendable {
  /// The file as the caller named it.
  package var path: String { file.path }
  /// The strings under `__metadata__`; empty where there is none.
  package let metadata: [String: String]
  /// The tensors, in the order of their data.
  package let tensors: [SafetensorsTensor]

  private let file: MappedFile
  private let indices: [String: Int]

  /// Opens the file at `path` and checks its header.
  ///
  /// - Throws: ``ModelFileError/unreadable(_:)``, ``ModelFileError/malformed(_:)``, or
  ///   ``ModelFileError/unsupported(_:)`` for a `dtype` that is not implemented.
  package init(path: String) throws(ModelFileError) {
    let file = try MappedFile(path: path)
    let header = try file.withBytes { (bytes) throws(ModelFileError) in
      try SafetensorsHeaderReader(bytes: bytes, path: path).header()
    }
    self.file = file
    metadata = header.metadata
    tensors = header.tensors.map { SafetensorsTensor($0, dataOffset: header.dataOffset, file) }
    var indices: [String: Int] = [:]
    for (index, tensor) in header.tensors.enumerated() { indices[tensor.name] = index }
    self.indices = indices
  }

  /// The tensor called `name`.
  ///
  /// - Throws: ``ModelFileError/absent(_:)`` if the file has none of that name.
  package func tensor(_ name: String) throws(ModelFileError) -> SafetensorsTensor {
    guard let index = indices[name] else {
      throw .absent(
        .init(
          path: path, expected: "a tensor called `\(name)`",
          found: "\(tensors.count) tensors without it",
          remedy: "use the file that belongs to this model"))
    }
    return tensors[index]
  }

  /// Whether the file has a tensor called `name`.
  package func hasTensor(_ name: String) -> Bool { indices[name] != nil }

  /// Lends the whole file's bytes to `body`, for hashing; not to be used after it returns.
  package func withBytes<R, E: Error>(
    _ body: (UnsafeRawBufferPointer) throws(E) -> R
  ) throws(E) -> R {
    try file.withBytes(body)
  }
}

/// One tensor of an open safetensors file; it keeps the file mapped.
package struct SafetensorsTensor: Sendable {
  package let name: String
  package let type: SafetensorsType
  /// Row-major, the fastest axis last; empty for a scalar.
  package let shape: [Int]
  /// Where the data starts, in bytes from the start of the file.
  package let offset: Int
  /// The data's size in bytes.
  package let byteCount: Int

  private let file: MappedFile

  /// The number of elements; 1 for a scalar, and 0 where an axis is empty.
  package var elementCount: Int { byteCount / type.byteCount }

  init(_ entry: SafetensorsHeader.Tensor, dataOffset: Int, _ file: MappedFile) {
    name = entry.name
    type = entry.type
    shape = entry.shape
    offset = dataOffset + entry.range.lowerBound
    byteCount = entry.range.count
    self.file = file
  }

  /// Lends the stored bytes, little-endian and of any alignment, to `body`.
  package func withBytes<R, E: Error>(
    _ body: (UnsafeRawBufferPointer) throws(E) -> R
  ) throws(E) -> R {
    try file.withBytes { (bytes) throws(E) in
      try body(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + byteCount]))
    }
  }

  /// The stored elements as they lie in the mapped file; ``type`` and ``shape`` say what they mean.
  package var storedBytes: MappedBytes { file.lent(offset..<offset + byteCount) }

  /// Converts `elements`, counted row-major, to fp32, into `output` of as many floats; all of them
  /// unless told.
  ///
  /// Integers and doubles round to the nearest float; `BOOL` becomes 0 or 1.
  ///
  /// - Throws: ``ModelFileError/unsupported(_:)`` if the type is an 8-bit float.
  package func read(
    _ elements: Range<Int>? = nil, into output: UnsafeMutableBufferPointer<Float>
  ) throws(ModelFileError) {
    let decode = try checkReadable()
    let elements = elements ?? 0..<elementCount
    precondition(
      output.count == elements.count && elements.upperBound <= elementCount,
      "\(elements) of \(elementCount) elements of \(name) do not fill \(output.count) floats")
    guard let target = output.baseAddress, !elements.isEmpty else { return }
    withBytes { bytes in
      guard let source = bytes.baseAddress else { return }
      decode(source + elements.lowerBound * type.byteCount, elements.count, target)
    }
  }

  /// Lets go of what has been read of the file; see ``MappedFile/release(_:)``.
  func releasePages() { file.release(offset..<offset + byteCount) }

  /// Whether the elements convert to fp32.
  ///
  /// - Throws: ``ModelFileError/unsupported(_:)`` if the type is an 8-bit float.
  @discardableResult
  func checkReadable() throws(ModelFileError) -> WeightDecoder {
    if let decoder = type.decoder { return decoder }
    throw .unsupported(
      .init(
        path: file.path, expected: "a type that converts to fp32", found: "\(type) in `\(name)`",
        remedy: "save the tensor as F32, F16 or BF16"))
  }

  /// All elements as fp32, row-major; see ``read(into:)``.
  ///
  /// - Throws: ``ModelFileError/unsupported(_:)`` if the type is an 8-bit float.
  package func floats() throws(ModelFileError) -> [Float] {
    try [Float](count: elementCount) { (output) throws(ModelFileError) in try read(into: output) }
  }
}

extension [Float] {
  /// An array of `count` floats, all of which `fill` writes.
  init(
    count: Int, _ fill: (UnsafeMutableBufferPointer<Float>) throws(ModelFileError) -> Void
  ) throws(ModelFileError) {
    // The standard initialiser rethrows untyped errors, so the typed one is carried around it.
    var failure: ModelFileError?
    let filled = [Float](unsafeUninitializedCapacity: count) { buffer, initialised in
      do throws(ModelFileError) {
        try fill(UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
        initialised = count
      } catch { failure = error }
    }
    if let failure { throw failure }
    self = filled
  }
}
