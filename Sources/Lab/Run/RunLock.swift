import Foundation

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// The exclusive hold on a run, let go of when nobody refers to it or the process ends, however.
struct RunLock: Sendable {
  private let descriptor: Descriptor

  /// Takes the lock at once or not at all.
  /// - Throws: `LabError.runIsInUse` naming the holder, if another has it.
  init(_ folder: RunFolder) throws(LabError) {
    // The file is never removed: a third process could then lock a new file of the same name.
    descriptor = try Descriptor(folder.lock, O_RDWR | O_CREAT, for: "create")
    guard flock(descriptor.number, LOCK_EX | LOCK_NB) == 0 else {
      let code = errno
      if code != EWOULDBLOCK { throw systemError("lock", folder.lock.path, code: code) }
      let text = (try? contents(of: folder.lock)).map { String(decoding: $0, as: UTF8.self) } ?? ""
      let process = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines))
      throw .runIsInUse(folder: folder.url.path, process: process)
    }
    // The number only serves the message above, so a full disk is no reason to stop here.
    _ = ftruncate(descriptor.number, 0)
    try? writeAll(Array("\(getpid())\n".utf8), to: descriptor, path: folder.lock.path)
  }
}
