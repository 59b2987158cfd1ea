/// One tensor of an open GGUF file; it keeps the file mapped.
package struct GGUFTensor: Sendable {
  package let name: String
  /// Row-major, the fastest axis last: ggml's dimensions reversed. A linear layer is
  /// `[outputs, inputs]`.
  package let shape: [Int]
  package let type: GGUFTensorType
  /// Where the weights start, in bytes from the start of the file.
  package let offset: Int
  /// The stored weights' size in bytes.
  package let byteCount: Int

  private let file: MappedFile

  /// The number of weights; 1 for a scalar.
  package var elementCount: Int { byteCount / type.blockByteCount * type.blockElementCount }

  init(_ entry: GGUFHeader.Tensor, dataOffset: Int, file: MappedFile) {
    name = entry.name
    shape = entry.shape
    type = entry.type
    offset = dataOffset + entry.offset
    byteCount = entry.byteCount
    self.file = file
  }

  /// Lends the stored bytes to `body`; they must not be used after it returns.
  package func withBytes<R, E: Error>(
    _ body: (UnsafeRawBufferPointer) throws(E) -> R
  ) throws(E) -> R {
    try file.withBytes { (bytes) throws(E) in
      try body(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + byteCount]))
    }
  }

  /// The stored weights as they lie in the mapped file, for a kernel that multiplies with them as
  /// they are; ``type`` and ``shape`` say what they mean.
  package var storedBytes: MappedBytes { file.lent(offset..<offset + byteCount) }

  /// Lets go of what has been read of the file; see ``MappedFile/release(_:)``.
  func releasePages() { file.release(offset..<offset + byteCount) }

  /// Decodes all weights as fp32, row-major, into `output` of ``elementCount`` floats.
  ///
  /// A scale that is NaN or infinite gives NaN or infinite weights and is no error here.
  ///
  /// - Throws: ``ModelFileError/unsupported(_:)`` if the type is not readable.
  package func dequantize(
    into output: UnsafeMutableBufferPointer<Float>
  ) throws(ModelFileError) {
    try dequantize(0..<elementCount, into: output)
  }

  /// Decodes the weights `elements`, counted row-major, into `output` of as many floats.
  ///
  /// Both bounds are multiples of the type's block, as those of whole rows are. Parts may be
  /// decoded on several threads.
  ///
  /// - Throws: ``ModelFileError/unsupported(_:)`` if the type is not readable.
  package func dequantize(
    _ elements: Range<Int>, into output: UnsafeMutableBufferPointer<Float>
  ) throws(ModelFileError) {
    let decode = try checkReadable()
    let block = type.blockElementCount
    precondition(
      elements.lowerBound >= 0 && elements.upperBound <= elementCount
        && elements.lowerBound % block == 0 && elements.upperBound % block == 0,
      "\(elements) are not whole blocks of \(block) in \(name) \(shape)")
    precondition(
      output.count == elements.count,
      "\(elements.count) weights of \(name) do not fill \(output.count) floats")
    guard let target = output.baseAddress, !elements.isEmpty else { return }
    withBytes { bytes in
      guard let source = bytes.baseAddress else { return }
      decode(
        source + elements.lowerBound / block * type.blockByteCount, elements.count / block, target)
    }
  }

  /// Whether the weights can be decoded.
  ///
  /// - Throws: ``ModelFileError/unsupported(_:)`` if the type is not readable.
  @discardableResult
  func checkReadable() throws(ModelFileError) -> WeightDecoder {
    if let decoder = type.decoder { return decoder }
    throw .unsupported(
      .init(
        path: file.path, expected: "\(GGUFTensorType.readableNames) weights",
        found: "\(type) in `\(name)`",
        remedy: "take the model's file of another type, such as Q8_0, Q6_K or Q4_K"))
  }

  /// All weights as fp32, row-major.
  ///
  /// - Throws: ``ModelFileError/unsupported(_:)`` if the type is not readable.
  package func floats() throws(ModelFileError) -> [Float] {
    try [Float](count: elementCount) { (output) throws(ModelFileError) in
      try dequantize(into: output)
    }
  }
}
