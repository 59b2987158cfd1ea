internal import Crypto
internal import Foundation

/// SHA-256 digests, which say whether two files hold the same bytes.
package enum FileDigest {
  /// The SHA-256 of the file at `path`, as 64 lower-case hexadecimal digits.
  ///
  /// - Throws: ``ModelFileError`` if the file cannot be read or is empty.
  package static func sha256(path: String) throws(ModelFileError) -> String {
    let file = try MappedFile(path: path)
    return file.withBytes { bytes in
      var hasher = SHA256()
      hasher.update(bufferPointer: bytes)
      return hexadecimal(hasher.finalize())
    }
  }

  /// The SHA-256 of `bytes`, as 64 lower-case hexadecimal digits.
  package static func sha256(_ bytes: [UInt8]) -> String {
    hexadecimal(SHA256.hash(data: bytes))
  }

  /// Whether `text` is a digest as this type writes them.
  static func isDigest(_ text: String) -> Bool {
    text.utf8.count == 64
      && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
  }

  private static func hexadecimal(_ digest: SHA256.Digest) -> String {
    let digits = Array("0123456789abcdef".utf8)
    let text = digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
    return String(decoding: text, as: UTF8.self)
  }
}
