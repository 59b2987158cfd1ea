/// The entries of a ZIP archive whose members are stored as they are, as `torch.save` writes them.
///
/// Sizes and places are those of the central directory, each held against the file before it is
/// used. Nothing is decompressed: a compressed member is refused.
struct StoredZip: Sendable {
  /// Where each member's bytes lie in the file, and their checksum, by its name.
  let members: [String: (range: Range<Int>, sum: UInt32)]

  /// The tags that records begin with (APPNOTE 6.3.10, sections 4.3.7 to 4.3.16).
  private enum Signature {
    static let local: UInt32 = 0x0403_4b50
    static let central: UInt32 = 0x0201_4b50
    static let end: UInt32 = 0x0605_4b50
    static let end64: UInt32 = 0x0606_4b50
    static let locator64: UInt32 = 0x0706_4b50
  }

  /// Reads the central directory of `file`.
  ///
  /// - Throws: ``ModelFileError/malformed(_:)`` or, for a compressed or encrypted member,
  ///   ``ModelFileError/unsupported(_:)``.
  init(_ file: MappedFile) throws(ModelFileError) {
    members = try file.withBytes { (bytes) throws(ModelFileError) in
      try Self.members(ZipBytes(bytes: bytes, path: file.path))
    }
  }

  /// Holds a member's bytes against their checksum.
  ///
  /// - Throws: ``ModelFileError/malformed(_:)`` where they were changed.
  func check(_ name: String, in file: MappedFile) throws(ModelFileError) {
    guard let member = members[name] else { return }
    let found = file.withBytes { CRC32.of(UnsafeRawBufferPointer(rebasing: $0[member.range])) }
    guard found == member.sum else {
      throw .malformed(
        .init(
          path: file.path, expected: "the bytes of \(quoted(name)) as they were written",
          found: "others, by their checksum", remedy: "fetch or write the file again"))
    }
  }

  private static func members(
    _ zip: ZipBytes
  ) throws(ModelFileError) -> [String: (range: Range<Int>, sum: UInt32)] {
    var (place, count) = try directory(zip)
    var members: [String: (range: Range<Int>, sum: UInt32)] = [:]
    // One entry takes 46 bytes at least, so a count beyond the file is found out by its end.
    while count > 0 {
      guard try zip.u32(place) == Signature.central else {
        throw zip.damage("the entries that its end announces", "something else at byte \(place)")
      }
      let lengths = try [28, 30, 32].map { (offset) throws(ModelFileError) in
        Int(try zip.u16(place + offset))
      }
      let name = try zip.text(place + 46, lengths[0])
      guard try zip.u16(place + 8) & 1 == 0, try zip.u16(place + 10) == 0 else {
        throw zip.unsupported("members that are stored as they are", "compressed \(quoted(name))")
      }
      var size = Int(try zip.u32(place + 24))
      var offset = Int(try zip.u32(place + 42))
      if size == 0xFFFF_FFFF || offset == 0xFFFF_FFFF {
        try zip.readZip64(
          from: place + 46 + lengths[0], length: lengths[1], size: &size, offset: &offset)
      }
      let member = (range: try zip.data(at: offset, size), sum: try zip.u32(place + 16))
      guard members.updateValue(member, forKey: name) == nil else {
        throw zip.damage("every member once", "\(quoted(name)) twice")
      }
      place += 46 + lengths.reduce(0, +)
      count -= 1
    }
    return members
  }

  /// Where the central directory begins, and how many entries it has.
  private static func directory(_ zip: ZipBytes) throws(ModelFileError) -> (Int, Int) {
    let last = zip.bytes.count - 22
    let first = max(0, last - 65_535)
    guard last >= 0 else { throw zip.damage("a ZIP archive", "\(zip.bytes.count) bytes") }
    var end = last
    while try zip.u32(end) != Signature.end {
      end -= 1
      guard end >= first else { throw zip.damage("the end of a ZIP archive", "none") }
    }
    let (start, count) = (Int(try zip.u32(end + 16)), Int(try zip.u16(end + 10)))
    guard start == 0xFFFF_FFFF || count == 0xFFFF else { return (start, count) }
    guard end >= 20, try zip.u32(end - 20) == Signature.locator64 else { return (start, count) }
    let end64 = try zip.length(end - 12)
    guard try zip.u32(end64) == Signature.end64 else {
      throw zip.damage("the end of a ZIP64 archive", "something else at byte \(end64)")
    }
    return (try zip.length(end64 + 48), try zip.length(end64 + 32))
  }
}

/// Little-endian numbers of a ZIP archive, never from beyond its end.
private struct ZipBytes {
  let bytes: UnsafeRawBufferPointer
  let path: String

  func u16(_ place: Int) throws(ModelFileError) -> UInt16 { try number(place) }
  func u32(_ place: Int) throws(ModelFileError) -> UInt32 { try number(place) }

  /// 64 bits that are to be a place or length in this file.
  func length(_ place: Int) throws(ModelFileError) -> Int {
    let value: UInt64 = try number(place)
    guard value <= UInt64(bytes.count) else {
      throw damage("places within its \(bytes.count) bytes", "\(value)")
    }
    return Int(value)
  }

  private func number<T: FixedWidthInteger & BitwiseCopyable>(
    _ place: Int
  ) throws(ModelFileError) -> T {
    guard place >= 0, place <= bytes.count - MemoryLayout<T>.size else {
      throw damage("a whole ZIP archive", "one that ends at byte \(bytes.count)")
    }
    return T(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: T.self))
  }

  func text(_ place: Int, _ count: Int) throws(ModelFileError) -> String {
    guard place + count <= bytes.count else {
      throw damage("a whole ZIP archive", "one that ends at byte \(bytes.count)")
    }
    return String(decoding: bytes[place..<place + count], as: UTF8.self)
  }

  /// The sizes and places that do not fit 32 bits, from an entry's extra field 1.
  func readZip64(
    from start: Int, length: Int, size: inout Int, offset: inout Int
  ) throws(ModelFileError) {
    var place = start
    while place + 4 <= start + length {
      let (tag, count) = (try u16(place), Int(try u16(place + 2)))
      if tag == 1 {
        var next = place + 4
        for isSize in [true, false] where (isSize ? size : offset) == 0xFFFF_FFFF {
          let value = try self.length(next)
          if isSize { size = value } else { offset = value }
          next += 8
          // The compressed size lies between the two, and is the same.
          if isSize, count >= 16 { next += 8 }
        }
        return
      }
      place += 4 + count
    }
  }

  /// Where a member's bytes lie, behind its local header.
  func data(at offset: Int, _ size: Int) throws(ModelFileError) -> Range<Int> {
    guard try u32(offset) == 0x0403_4b50 else {
      throw damage("a member at byte \(offset)", "something else")
    }
    let start = offset + 30 + Int(try u16(offset + 26)) + Int(try u16(offset + 28))
    guard start <= bytes.count, size <= bytes.count - start else {
      throw damage("\(size) bytes of a member at byte \(start)", "a file of \(bytes.count)")
    }
    return start..<start + size
  }

  func damage(_ expected: String, _ found: String) -> ModelFileError {
    .malformed(
      .init(path: path, expected: expected, found: found, remedy: "fetch or write the file again"))
  }

  func unsupported(_ expected: String, _ found: String) -> ModelFileError {
    .unsupported(
      .init(path: path, expected: expected, found: found, remedy: "save it with torch.save"))
  }
}

/// The sum that ZIP archives carry (ISO 3309), eight bytes at a time.
enum CRC32 {
  private static let tables: [[UInt32]] = {
    let bit = { (sum: UInt32) -> UInt32 in (sum & 1) * 0xEDB8_8320 ^ (sum >> 1) }
    let byte = { (value: UInt32) -> UInt32 in (0..<8).reduce(value) { sum, _ in bit(sum) } }
    var tables = [(0..<256).map { byte(UInt32($0)) }]
    for _ in 1..<8 {
      let (first, last) = (tables[0], tables[tables.count - 1])
      tables.append(last.map { ($0 >> 8) ^ first[Int($0 & 0xFF)] })
    }
    return tables
  }()

  static func of(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    var sum: UInt32 = 0xFFFF_FFFF
    var place = 0
    let tables = tables
    while place + 8 <= bytes.count {
      let word = bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)
      let mixed = UInt64(littleEndian: word) ^ UInt64(sum)
      sum = 0
      for i in 0..<8 {
        sum ^= tables[7 - i][Int(truncatingIfNeeded: mixed >> UInt64(8 * i)) & 0xFF]
      }
      place += 8
    }
    while place < bytes.count {
      sum = tables[0][Int((sum ^ UInt32(bytes[place])) & 0xFF)] ^ sum >> 8
      place += 1
    }
    return ~sum
  }
}
