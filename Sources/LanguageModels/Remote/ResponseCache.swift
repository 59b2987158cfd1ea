internal import Foundation

/// Answers kept in a folder, by the SHA-256 of their request.
///
/// An entry is one file that takes its place in one rename, so that programs may share the folder
/// and be killed at any moment. Its first line is the digest of the rest; whatever does not agree
/// with it counts as no entry. Nothing in it depends on the key, or says what it is.
struct ResponseCache: Sendable {
  private let folder: String

  /// Cost of a first line: the digest and a line end.
  private static let head = 65

  /// The cache in `folder`, which is made, for its owner alone, if it is not there.
  ///
  /// - Throws: ``RemoteModelError/unusableCache(folder:found:remedy:)``.
  init(folder: String) throws(RemoteModelError) {
    self.folder = folder
    func unusable(_ found: String, _ remedy: String) -> RemoteModelError {
      .unusableCache(folder: folder, found: found, remedy: remedy)
    }
    var status = stat()
    if stat(folder, &status) != 0 {
      // The mode of `mkdir` holds from the first moment, and the umask can only narrow it.
      if mkdir(folder, 0o700) != 0, errno != EEXIST {
        let reason = String(cString: strerror(errno)).lowercased()
        throw unusable(
          "that it cannot be made (\(reason))", "create the folder above, or name another")
      }
      guard stat(folder, &status) == 0 else { throw unusable("none", "name another") }
    }
    guard status.st_mode & S_IFMT == S_IFDIR else { throw unusable("a file", "name a folder") }
    guard status.st_uid == geteuid() else {
      throw unusable("one of another user", "name another")
    }
    guard status.st_mode & 0o077 == 0 else {
      throw unusable(
        "mode \(String(status.st_mode & 0o777, radix: 8))", "run `chmod 700` on it, or name another"
      )
    }
  }

  /// The name of a request: equal requests to the same address have the same, everywhere.
  ///
  /// - Parameters:
  ///   - url: The full address.
  ///   - body: The body as it is sent, whose keys are sorted.
  ///   - sampleIndex: Which draw of it this is.
  /// - Returns: 64 lower-case hexadecimal digits.
  static func key(url: String, body: [UInt8], sampleIndex: Int?) -> String {
    let head = "plumbline response 1\n\(url)\n\(sampleIndex.map(String.init) ?? "-")\n"
    return FileDigest.sha256(Array(head.utf8) + body)
  }

  /// The body kept for a request, if there is one and all of it.
  func body(for key: String, limit: Int) -> [UInt8]? {
    // Read, not mapped: a file that somebody cuts short meanwhile must not end this process.
    guard let data = try? Data(contentsOf: URL(fileURLWithPath: path(key))),
      data.count <= limit + Self.head
    else { return nil }
    let bytes = [UInt8](data)
    guard bytes.count > Self.head, bytes[Self.head - 1] == UInt8(ascii: "\n") else { return nil }
    let body = Array(bytes[Self.head...])
    guard bytes[..<(Self.head - 1)].elementsEqual(FileDigest.sha256(body).utf8) else { return nil }
    return body
  }

  /// Keeps the body of an answer.
  ///
  /// - Throws: ``ModelFileError/unwritable(_:)``.
  func keep(_ body: [UInt8], for key: String) throws(ModelFileError) {
    try AtomicFile.write(Array("\(FileDigest.sha256(body))\n".utf8) + body, to: path(key))
  }

  private func path(_ key: String) -> String { folder + "/" + key + ".answer" }
}
