import Foundation

/// Writes files so that a reader finds the old content or the whole new one, never a part.
///
/// The bytes go to a hidden file in the same folder, reach the disk, and take the place of the
/// file in one rename. An error removes the hidden file; a process that is killed can leave it
/// behind (`.plumbline-….partial`), where it may be deleted.
package enum AtomicFile {
  /// Writes `bytes` to `path`, in place of what is there.
  ///
  /// - Throws: ``ModelFileError/unwritable(_:)``; the path is then as it was.
  package static func write(_ bytes: [UInt8], to path: String) throws(ModelFileError) {
    try write(to: path) { (output) throws(ModelFileError) in try output.append(bytes) }
  }

  /// Writes what `body` appends to `path`, in place of what is there.
  ///
  /// - Throws: ``ModelFileError/unwritable(_:)``, or what `body` throws; the path is then as it
  ///   was.
  package static func write(
    to path: String, _ body: (Output) throws(ModelFileError) -> Void
  ) throws(ModelFileError) {
    try refuseUnlessRegular(path)
    let folder = (path as NSString).deletingLastPathComponent
    let random = String(UInt64.random(in: .min ... .max), radix: 36)
    let partial = (folder as NSString).appendingPathComponent(".plumbline-\(random).partial")
    let descriptor = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw .cannotWrite(path, errno: errno) }
    do throws(ModelFileError) {
      try fill(descriptor, path: path, body)
      guard rename(partial, path) == 0 else { throw .cannotWrite(path, errno: errno) }
    } catch {
      unlink(partial)
      throw error
    }
    flushFolder(folder.isEmpty ? "." : folder)
  }

  /// A file that is being written.
  package struct Output {
    let descriptor: Int32
    let path: String

    /// Appends `bytes`.
    ///
    /// - Throws: ``ModelFileError/unwritable(_:)``, as on a full disk.
    package func append(_ bytes: UnsafeRawBufferPointer) throws(ModelFileError) {
      var rest = bytes[...]
      while !rest.isEmpty {
        // macOS refuses more than 2 GB in one call.
        let part = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 30))
        let written = Foundation.write(descriptor, part.baseAddress, part.count)
        if written < 0 {
          if errno == EINTR { continue }
          throw .cannotWrite(path, errno: errno)
        }
        rest = rest.dropFirst(written)
      }
    }

    /// Appends the bytes of `values`, as they lie in memory.
    ///
    /// - Throws: ``ModelFileError/unwritable(_:)``, as on a full disk.
    package func append<T: BitwiseCopyable>(_ values: [T]) throws(ModelFileError) {
      let result = values.withUnsafeBytes { bytes in
        Result { () throws(ModelFileError) in try append(bytes) }
      }
      try result.get()
    }
  }

  private static func fill(
    _ descriptor: Int32, path: String, _ body: (Output) throws(ModelFileError) -> Void
  ) throws(ModelFileError) {
    do throws(ModelFileError) {
      try body(Output(descriptor: descriptor, path: path))
      guard fsync(descriptor) == 0 else { throw .cannotWrite(path, errno: errno) }
    } catch {
      close(descriptor)
      throw error
    }
    // Network file systems report a full disk only here.
    guard close(descriptor) == 0 else { throw .cannotWrite(path, errno: errno) }
  }

  /// A rename would put a file in the place of a device such as `/dev/null`, if root asks for it.
  private static func refuseUnlessRegular(_ path: String) throws(ModelFileError) {
    guard !path.isEmpty, !path.utf8.contains(0) else { throw .cannotWrite(path, errno: ENOENT) }
    var status = stat()
    guard stat(path, &status) == 0 else { return }
    switch status.st_mode & S_IFMT {
    case S_IFREG: return
    case S_IFDIR: throw .cannotWrite(path, errno: EISDIR)
    default:
      throw .unwritable(
        .init(
          path: path, expected: "a file or a free name", found: "a device or pipe",
          remedy: "name a file on disk"))
    }
  }

  /// Makes the rename itself durable. The file is already in place, and some file systems cannot
  /// do this, so a failure is no error.
  private static func flushFolder(_ folder: String) {
    let descriptor = open(folder, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
  }
}
