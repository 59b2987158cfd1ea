package import Foundation

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

// The run folder has to survive `kill -9`, a power cut and a full disk. Foundation neither syncs
// nor tells a full disk apart from other failures, so the few calls that matter go to POSIX.

/// The error of the last system call, with a full disk told apart.
func systemError(_ operation: String, _ path: String, code: Int32 = errno) -> LabError {
  if code == ENOSPC || code == EDQUOT { return .diskFull(path: path) }
  return .fileSystem(operation: operation, path: path, reason: String(cString: strerror(code)))
}

/// What the system said below an error of Foundation's, which does not always pass it on.
package func posixCode(of error: any Error) -> Int32 {
  let error = error as NSError
  if error.domain == NSPOSIXErrorDomain { return Int32(error.code) }
  if isDiskFull(error) { return ENOSPC }
  if let below = error.userInfo[NSUnderlyingErrorKey] as? any Error { return posixCode(of: below) }
  switch (error as? CocoaError)?.code {
  case .fileNoSuchFile, .fileReadNoSuchFile: return ENOENT
  case .fileWriteFileExists: return EEXIST
  case .fileReadNoPermission, .fileWriteNoPermission: return EACCES
  default: return EIO
  }
}

/// Recognises a full disk in whatever error a cell or Foundation threw.
func isDiskFull(_ error: any Error) -> Bool {
  if case LabError.diskFull = error { return true }
  let foundation = error as NSError
  if foundation.domain == NSCocoaErrorDomain,
    foundation.code == CocoaError.fileWriteOutOfSpace.rawValue
  {
    return true
  }
  let full = [Int(ENOSPC), Int(EDQUOT)]
  if foundation.domain == NSPOSIXErrorDomain, full.contains(foundation.code) { return true }
  return (foundation.userInfo[NSUnderlyingErrorKey] as? any Error).map(isDiskFull) ?? false
}

/// A file descriptor that is closed when nobody holds it any more.
final class Descriptor: Sendable {
  let number: Int32

  /// - Throws: what `open` says, about the operation that it is opened for.
  init(
    _ file: URL, _ flags: Int32, mode: mode_t = 0o644, for operation: String
  ) throws(LabError) {
    // Close-on-exec: a program started by a cell must not inherit the run's lock or ledger.
    number = open(file.path, flags | O_CLOEXEC, mode)
    if number < 0 { throw systemError(operation, file.path) }
  }

  deinit { close(number) }
}

/// Feeds a file to `body` in pieces of 1 MiB.
func readFile(_ file: URL, _ body: (UnsafeRawBufferPointer) -> Void) throws(LabError) {
  let descriptor = try Descriptor(file, O_RDONLY, for: "read")
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
  defer { buffer.deallocate() }
  while true {
    let count = read(descriptor.number, buffer.baseAddress, buffer.count)
    if count < 0 && errno == EINTR { continue }
    if count < 0 { throw systemError("read", file.path) }
    if count == 0 { return }
    body(UnsafeRawBufferPointer(rebasing: buffer[0..<count]))
  }
}

/// All bytes of a file.
func contents(of file: URL) throws(LabError) -> [UInt8] {
  var bytes: [UInt8] = []
  try readFile(file) { bytes += $0 }
  return bytes
}

/// Writes all bytes, however many calls it takes.
func writeAll(_ bytes: [UInt8], to descriptor: Descriptor, path: String) throws(LabError) {
  var offset = 0
  while offset < bytes.count {
    let count = bytes.withUnsafeBytes { buffer in
      write(descriptor.number, buffer.baseAddress.map { $0 + offset }, bytes.count - offset)
    }
    if count < 0 && errno == EINTR { continue }
    if count < 0 { throw systemError("write", path) }
    offset += count
  }
}

/// Writes a file so that it is there with all its bytes, on the disk, or not at all.
func writeDurably(_ bytes: [UInt8], to file: URL, mode: mode_t = 0o644) throws(LabError) {
  let partial = file.deletingLastPathComponent().appending(
    path: ".\(file.lastPathComponent).partial")
  // A leftover with other permissions must not lend them to the new file.
  unlink(partial.path)
  do throws(LabError) {
    let flags = O_WRONLY | O_CREAT | O_TRUNC
    let descriptor = try Descriptor(partial, flags, mode: mode, for: "create")
    try writeAll(bytes, to: descriptor, path: file.path)
    if fsync(descriptor.number) != 0 { throw systemError("write", file.path) }
  } catch {
    unlink(partial.path)
    throw error
  }
  try moveDurably(partial, to: file)
}

/// Renames a file or folder and waits until the new name is on the disk.
func moveDurably(_ source: URL, to destination: URL) throws(LabError) {
  if rename(source.path, destination.path) != 0 {
    throw systemError("move into place", destination.path)
  }
  try syncToDisk(destination.deletingLastPathComponent())
}

/// Waits until a file's bytes, or a folder's list of names, are on the disk.
func syncToDisk(_ path: URL) throws(LabError) {
  let descriptor = try Descriptor(path, O_RDONLY, for: "open")
  if fsync(descriptor.number) != 0 { throw systemError("write", path.path) }
}

/// Creates a folder and those above it.
func createFolder(_ folder: URL, mode: Int = 0o755) throws(LabError) {
  do {
    try FileManager.default.createDirectory(
      at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: mode])
  } catch {
    throw systemError("create", folder.path, code: posixCode(of: error))
  }
}

/// Removes a file or folder with everything in it; nothing happens if there is none.
func remove(_ path: URL) throws(LabError) {
  guard exists(path) else { return }
  do {
    try FileManager.default.removeItem(at: path)
  } catch {
    throw systemError("remove", path.path, code: posixCode(of: error))
  }
}

/// Whether something has this name, be it a broken link.
func exists(_ path: URL) -> Bool {
  var status = stat()
  return lstat(path.path, &status) == 0
}

/// A text that is another one when a file was changed or replaced; nil if there is none.
///
/// The time of the last change is in it because the time of modification can be set back.
func stamp(of file: URL) -> String? {
  var status = stat()
  guard stat(file.path, &status) == 0 else { return nil }
  #if canImport(Darwin)
    let times = [status.st_mtimespec, status.st_ctimespec]
  #else
    let times = [status.st_mtim, status.st_ctim]
  #endif
  return (["\(status.st_size)", "\(status.st_ino)"] + times.map { "\($0.tv_sec).\($0.tv_nsec)" })
    .joined(separator: " ")
}

/// A file's length in bytes; nil if there is none.
func size(of file: URL) -> Int? {
  var status = stat()
  return stat(file.path, &status) == 0 ? Int(status.st_size) : nil
}

/// Every regular file below a folder by its path relative to it, with its content's hash.
/// - Throws: `LabError.unrecordableFile` for links and special files.
package func hashes(ofFilesIn folder: URL) throws -> [String: ContentHash] {
  var found: [String: ContentHash] = [:]
  try visit(folder, prefix: "") { path, file in found[path] = try ContentHash(ofFile: file) }
  return found
}

/// Visits the regular files below a folder in the order of their names.
func visit(_ folder: URL, prefix: String, _ body: (String, URL) throws -> Void) throws {
  for name in try names(in: folder) {
    let item = folder.appending(path: name)
    var status = stat()
    guard lstat(item.path, &status) == 0 else { throw systemError("read", item.path) }
    switch status.st_mode & S_IFMT {
    case S_IFDIR: try visit(item, prefix: prefix + name + "/", body)
    case S_IFREG: try body(prefix + name, item)
    default: throw LabError.unrecordableFile(item.path)
    }
  }
}

/// The names in a folder, sorted.
func names(in folder: URL) throws(LabError) -> [String] {
  do {
    return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
  } catch {
    throw systemError("list", folder.path, code: posixCode(of: error))
  }
}
