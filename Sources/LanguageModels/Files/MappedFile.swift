import Foundation

/// A file mapped into memory for reading; unmapped when the last reference goes.
///
/// The mapping is a view of the file, so a program that truncates the file while it is in use
/// takes the pages away and the next access ends the process with SIGBUS. Replacing the file
/// through a rename, as ``AtomicFile`` does, leaves an existing mapping intact.
///
/// `@unchecked Sendable`: the pages are mapped read-only, and the pointer and count never change
/// between `init` and `deinit`.
final class MappedFile: @unchecked Sendable {
  /// The file as the caller named it.
  let path: String
  private let bytes: UnsafeRawBufferPointer

  /// The file's size in bytes; at least 1.
  var count: Int { bytes.count }

  /// Maps the file at `path`.
  ///
  /// - Throws: ``ModelFileError/unreadable(_:)`` if it is missing, not permitted, a folder, a
  ///   device or a pipe, and ``ModelFileError/malformed(_:)`` if it is empty.
  init(path: String) throws(ModelFileError) {
    guard !path.utf8.contains(0) else {
      throw .cannotRead(String(path.prefix { $0 != "\0" }), errno: ENOENT)
    }
    // Non-blocking, so that a pipe without a writer is refused below and not waited for.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .cannotRead(path, errno: errno) }
    defer { close(descriptor) }
    let size = try Self.regularFileSize(descriptor, path: path)
    guard let start = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED
    else { throw .cannotRead(path, errno: errno) }
    self.path = path
    self.bytes = UnsafeRawBufferPointer(start: start, count: size)
  }

  deinit {
    munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
  }

  /// Lends the file's bytes to `body`; they must not be used after it returns.
  func withBytes<R, E: Error>(
    _ body: (UnsafeRawBufferPointer) throws(E) -> R
  ) throws(E) -> R {
    defer { withExtendedLifetime(self) {} }
    return try body(bytes)
  }

  /// The bytes of `range`, with which this mapping stays.
  func lent(_ range: Range<Int>) -> MappedBytes {
    MappedBytes(bytes: UnsafeRawBufferPointer(rebasing: bytes[range]), file: self)
  }

  /// Takes the pages that lie within `range` out of this process's memory; the next access brings them
  /// back, mostly from the system's cache. What has been decoded need not be held twice.
  func release(_ range: Range<Int>) {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let first = (range.lowerBound + page - 1) / page * page
    let last = range.upperBound / page * page
    guard first < last, let base = bytes.baseAddress else { return }
    madvise(UnsafeMutableRawPointer(mutating: base + first), last - first, MADV_DONTNEED)
  }

  private static func regularFileSize(
    _ descriptor: Int32, path: String
  ) throws(ModelFileError) -> Int {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .cannotRead(path, errno: errno) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      let isFolder = status.st_mode & S_IFMT == S_IFDIR
      throw .unreadable(
        .init(
          path: path, expected: "a regular file", found: isFolder ? "a folder" : "a device or pipe",
          remedy: isFolder ? "name a file inside it" : "name a file on disk"))
    }
    guard status.st_size > 0 else {
      throw .malformed(
        .init(
          path: path, expected: "a model file", found: "an empty file",
          remedy: "fetch or write it again"))
    }
    return Int(status.st_size)
  }
}

/// Bytes of a mapped file, which stays mapped as long as this value lives.
///
/// For a holder that outlives a closure: it keeps this value beside the pointer, and lets go of both
/// together.
///
/// `@unchecked Sendable`: the bytes are mapped read-only, as ``MappedFile`` says.
package struct MappedBytes: @unchecked Sendable {
  /// Little-endian, and of any alignment that the file's format allows: a multiple of 32 in GGUF
  /// unless the file says otherwise, none in safetensors. Not to be used after this value is gone.
  package let bytes: UnsafeRawBufferPointer
  private let file: MappedFile

  /// What keeps the bytes where they are.
  package var owner: AnyObject { file }

  fileprivate init(bytes: UnsafeRawBufferPointer, file: MappedFile) {
    self.bytes = bytes
    self.file = file
  }
}
