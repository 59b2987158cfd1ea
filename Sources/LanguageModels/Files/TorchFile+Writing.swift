extension TorchFile {
  /// Writes tensors under their names as `torch.save` writes a state dictionary, in place of what is
  /// at `path`; `torch.load` reads it with `weights_only`.
  ///
  /// - Throws: ``ModelFileError/unwritable(_:)``; the path is then as it was.
  package static func write(
    _ entries: [SafetensorsEntry], to path: String
  ) throws(ModelFileError) {
    let bytes = entries.reduce(0) { $0 + 4 * $1.values.count + 1024 }
    // Beyond it every place would have to be written in 64 bits.
    guard bytes < 0xFFFF_FFFF, entries.count < 0xFFF0 else {
      throw .unwritable(
        .init(
          path: path, expected: "less than 4 GB of tensors", found: "\(bytes) bytes",
          remedy: "write safetensors"))
    }
    try AtomicFile.write(to: path) { (output) throws(ModelFileError) in
      var zip = StoredZipWriter(output)
      try zip.append("data.pkl", pickle(of: entries))
      try zip.append("byteorder", Array("little".utf8))
      for (index, entry) in entries.enumerated() {
        try zip.append("data/\(index)", entry.values)
      }
      try zip.append("version", Array("3\n".utf8))
      try zip.finish()
    }
  }

  /// An OrderedDict of contiguous tensors in fp32, each with a storage of its own.
  private static func pickle(of entries: [SafetensorsEntry]) -> [UInt8] {
    var bytes: [UInt8] = [0x80, 2]
    func text(_ text: String) {
      bytes += [UInt8(ascii: "X")] + littleEndian(UInt32(text.utf8.count)) + Array(text.utf8)
    }
    func int(_ value: Int) {
      if value < 1 << 31 {
        bytes += [UInt8(ascii: "J")] + littleEndian(UInt32(value))
      } else {
        bytes += [0x8A, 8] + littleEndian(UInt64(value))
      }
    }
    func tuple(_ values: [Int]) {
      bytes.append(UInt8(ascii: "("))
      values.forEach(int)
      bytes.append(UInt8(ascii: "t"))
    }
    let empty = Array("ccollections\nOrderedDict\n)R".utf8)
    bytes += empty + [UInt8(ascii: "(")]
    for (index, entry) in entries.enumerated() {
      text(entry.name)
      bytes += Array("ctorch._utils\n_rebuild_tensor_v2\n((".utf8)
      text("storage")
      bytes += Array("ctorch\nFloatStorage\n".utf8)
      text("\(index)")
      text("cpu")
      int(entry.values.count)
      bytes += Array("tQ".utf8)
      int(0)
      tuple(entry.shape)
      tuple(entry.shape.indices.map { entry.shape[($0 + 1)...].reduce(1, *) })
      bytes += [0x89] + empty + Array("tR".utf8)
    }
    return bytes + Array("u.".utf8)
  }
}

private func littleEndian<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

/// A ZIP archive of stored members below one folder, as `torch.load` reads it.
private struct StoredZipWriter {
  private let output: AtomicFile.Output
  private var place = 0
  private var directory: [UInt8] = []
  private var count = 0

  init(_ output: AtomicFile.Output) { self.output = output }

  mutating func append<T: BitwiseCopyable>(
    _ name: String, _ values: [T]
  ) throws(ModelFileError) {
    let name = Array("archive/\(name)".utf8)
    let size = values.count * MemoryLayout<T>.stride
    let sum = values.withUnsafeBytes { CRC32.of($0) }
    // Version, flags, method, time, date (1 January 1980), sum, sizes, lengths.
    let common =
      littleEndian(UInt16(20)) + littleEndian(UInt16(0x800)) + littleEndian(UInt16(0))
      + littleEndian(UInt16(0)) + littleEndian(UInt16(0x21)) + littleEndian(sum)
      + littleEndian(UInt32(size)) + littleEndian(UInt32(size))
      + littleEndian(UInt16(name.count))
    // Data begin at a multiple of 64 bytes, behind an extra field of zeros.
    let filling = 4 + (64 - (place + 34 + name.count) % 64) % 64
    let extra =
      littleEndian(UInt16(0x4246)) + littleEndian(UInt16(filling - 4))
      + [UInt8](repeating: 0, count: filling - 4)
    directory +=
      littleEndian(UInt32(0x0201_4b50)) + littleEndian(UInt16(20)) + common
      + [UInt8](repeating: 0, count: 12) + littleEndian(UInt32(place)) + name
    try output.append(
      littleEndian(UInt32(0x0403_4b50)) + common + littleEndian(UInt16(filling)) + name + extra)
    try output.append(values)
    place += 30 + name.count + filling + size
    count += 1
  }

  func finish() throws(ModelFileError) {
    try output.append(directory)
    try output.append(
      littleEndian(UInt32(0x0605_4b50)) + littleEndian(UInt32(0)) + littleEndian(UInt16(count))
        + littleEndian(UInt16(count)) + littleEndian(UInt32(directory.count))
        + littleEndian(UInt32(place)) + littleEndian(UInt16(0)))
  }
}
