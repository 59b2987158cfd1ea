internal import Digests
internal import Foundation

/// SHA-256 digests, which say whether two files hold the same bytes.
package enum FileDigest {
  /// The SHA-256 of the file at `path`, as 64 lower-case hexadecimal digits; that of a folder is one of
  /// the names and digests of the files in it, in the order of their names.
  ///
  /// - Throws: ``ModelFileError`` if the file cannot be read or is empty.
  package static func sha256(path: String) throws(ModelFileError) -> String {
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
      return try sha256(folder: path)
    }
    let file = try MappedFile(path: path)
    return file.withBytes { bytes in
      let hasher = SHA256()
      hasher.update(bytes)
      return hasher.hexadecimal()
    }
  }

  private static func sha256(folder: String) throws(ModelFileError) -> String {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    var lines: [String] = []
    for name in names.sorted() where !name.hasPrefix(".") {
      let path = (folder as NSString).appendingPathComponent(name)
      var isFolder: ObjCBool = false
      // A folder in it, such as that of another format, holds nothing that is read.
      guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder),
        !isFolder.boolValue
      else { continue }
      lines.append("\(try sha256(path: path)) \(name)")
    }
    return sha256(Array(lines.joined(separator: "\n").utf8))
  }

  /// The SHA-256 of `bytes`, as 64 lower-case hexadecimal digits.
  package static func sha256(_ bytes: [UInt8]) -> String {
    let hasher = SHA256()
    bytes.withUnsafeBytes { hasher.update($0) }
    return hasher.hexadecimal()
  }

  /// Whether `text` is a digest as this type writes them.
  static func isDigest(_ text: String) -> Bool {
    text.utf8.count == 64
      && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
  }
}
