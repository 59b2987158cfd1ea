/// GPT-2's printable stand-ins for the 256 bytes: how byte-level vocabularies are written down.
///
/// Bytes that Latin-1 prints stand for themselves; the other 68 take the scalars from U+0100 on,
/// in order, so that the space is `Ġ` and the newline `Ċ`.
enum ByteAlphabet {
  /// The stand-in of each byte.
  static let scalars: [Unicode.Scalar] = {
    var next: UInt32 = 0x100
    return (UInt8.min...UInt8.max).map { byte in
      if isPrintable(byte) { return Unicode.Scalar(byte) }
      defer { next += 1 }
      return Unicode.Scalar(next) ?? "\u{FFFD}"
    }
  }()

  /// The bytes that `token` stands for; nil where a scalar in it stands for none.
  static func bytes(of token: String) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(token.utf8.count)
    for scalar in token.unicodeScalars {
      guard scalar.value < inverse.count, let byte = inverse[Int(scalar.value)] else { return nil }
      bytes.append(byte)
    }
    return bytes
  }

  private static let inverse: [UInt8?] = {
    var inverse = [UInt8?](repeating: nil, count: 0x100 + 68)
    for (byte, scalar) in scalars.enumerated() { inverse[Int(scalar.value)] = UInt8(byte) }
    return inverse
  }()

  private static func isPrintable(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: true
    default: false
    }
  }
}
