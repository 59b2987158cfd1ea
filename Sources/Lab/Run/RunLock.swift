import Foundation

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// The exclusive hold on a run, let go of when nobody refers to it or the process ends, however.
struct RunLock: Sendable {
  private let descriptor: Descriptor

  /// Takes the lock at once or not at all, but for the moment in which somebody looks at it.
  /// - Throws: `LabError.runIsInUse` naming the holder, if another has it.
  init(_ folder: RunFolder) throws(LabError) {
    // The file is never removed: a third process could then lock a new file of the same name.
    descriptor = try Descriptor(folder.lock, O_RDWR | O_CREAT, for: "create")
    let code = descriptor.lock(waiting: .milliseconds(50))
    guard code == 0 else {
      if code != EWOULDBLOCK { throw systemError("lock", folder.lock.path, code: code) }
      let text = (try? contents(of: folder.lock)).map { String(decoding: $0, as: UTF8.self) } ?? ""
      let process = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines))
      throw .runIsInUse(folder: folder.url.path, process: process)
    }
    // The number only serves the message above, so a full disk is no reason to stop here.
    _ = ftruncate(descriptor.number, 0)
    try? writeAll(Array("\(getpid())\n".utf8), to: descriptor, path: folder.lock.path)
  }

  /// Whether a process holds the run now; false too where its lock may not be looked at.
  static func isHeld(_ folder: RunFolder) -> Bool {
    guard let descriptor = try? Descriptor(folder.lock, O_RDONLY, for: "read") else { return false }
    // Shared, so that two who look do not take each other for a run.
    return withExtendedLifetime(descriptor) {
      flock(descriptor.number, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK
    }
  }
}

extension Descriptor {
  /// Locks the file for nobody else, trying for so long.
  /// - Returns: 0, or why that failed; `EWOULDBLOCK` where another has it.
  func lock(waiting: Duration) -> Int32 {
    let end = ContinuousClock.now + waiting
    while flock(number, LOCK_EX | LOCK_NB) != 0 {
      let code = errno
      guard code == EWOULDBLOCK || code == EINTR, ContinuousClock.now < end else { return code }
      usleep(2_000)
    }
    return 0
  }
}
