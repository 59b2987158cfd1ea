import Foundation

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// What the bytes of a ledger hold, up to the first damage.
struct LedgerScan: Sendable {
  struct Damage: Sendable {
    let line: Int
    let byte: Int
    let reason: String
  }

  private(set) var entries: [LedgerEntry] = []
  /// The offset of each entry's first byte.
  private(set) var offsets: [Int] = []
  /// Set if a complete line is not what was written.
  private(set) var damage: Damage?
  /// Bytes after the last newline: an append that was cut short, and never acknowledged.
  private(set) var tail: [UInt8] = []

  init(of bytes: [UInt8]) {
    var start = 0
    while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
      do {
        try take(Array(bytes[start..<end]), at: start)
      } catch {
        damage = Damage(
          line: entries.count + 1, byte: start + error.byte, reason: error.reason)
        return
      }
      start = end + 1
    }
    tail = Array(bytes[start...])
    // An append that is cut short leaves a beginning of its line. A whole line with something else
    // in place of its newline is no such beginning: it was acknowledged once and then changed.
    if !tail.isEmpty, (try? next(Array(tail.dropLast()))) != nil {
      damage = Damage(
        line: entries.count + 1, byte: bytes.count - 1, reason: "its newline was changed")
    }
  }

  private mutating func take(_ line: [UInt8], at offset: Int) throws(LedgerLineError) {
    entries.append(try next(line))
    offsets.append(offset)
  }

  private func next(_ line: [UInt8]) throws(LedgerLineError) -> LedgerEntry {
    let entry = try LedgerEntry(line: line)
    guard entry.seq == entries.count + 1, entry.prev == (entries.last?.hash ?? .zero) else {
      throw LedgerLineError(
        byte: 0, reason: "it does not follow the entry before it (a line was removed or moved)")
    }
    return entry
  }
}

/// The append-only file itself. Only the holder of the run's lock has one.
struct LedgerFile: Sendable {
  private let path: String
  private let descriptor: Descriptor
  private var length: Int
  private var seq: Int
  private var last: ContentHash

  /// Opens or creates the file for appending.
  /// - Returns: the file, and what it holds; a torn tail is reported and still in the file.
  /// - Throws: `LabError.damagedLedger` if a complete line is not what was written.
  static func open(_ file: URL) throws -> (LedgerFile, LedgerScan) {
    let isNew = !exists(file)
    let descriptor = try Descriptor(file, O_RDWR | O_CREAT, for: "open")
    if isNew { try syncToDisk(file.deletingLastPathComponent()) }
    let bytes = try contents(of: file)
    let scan = LedgerScan(of: bytes)
    if let damage = scan.damage {
      throw LabError.damagedLedger(
        file: file.path, line: damage.line, byte: damage.byte, reason: damage.reason)
    }
    let ledger = LedgerFile(
      path: file.path, descriptor: descriptor, length: bytes.count - scan.tail.count,
      seq: scan.entries.count, last: scan.entries.last?.hash ?? .zero)
    return (ledger, scan)
  }

  /// The entry that an append would write.
  func next(_ type: EntryType, _ payload: JSONValue) -> LedgerEntry {
    let format = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
    return LedgerEntry(
      seq: seq + 1, time: Date.now.formatted(format), type: type, payload: payload, prev: last)
  }

  /// Appends an entry made by `next` and returns when it is on the disk.
  ///
  /// If that fails the file is cut back to where it was, so that a full disk leaves no half line.
  mutating func append(_ entry: LedgerEntry) throws(LabError) {
    let line = entry.line
    do throws(LabError) {
      guard lseek(descriptor.number, off_t(length), SEEK_SET) >= 0 else {
        throw systemError("write", path)
      }
      try writeAll(line, to: descriptor, path: path)
      if fsync(descriptor.number) != 0 { throw systemError("write", path) }
    } catch {
      cutTail()
      throw error
    }
    length += line.count
    seq = entry.seq
    last = entry.hash
  }

  /// Drops whatever stands after the last complete entry.
  func cutTail() {
    // If this fails too, the tail stays torn and the next opening sets it aside.
    _ = ftruncate(descriptor.number, off_t(length))
    _ = fsync(descriptor.number)
  }
}
