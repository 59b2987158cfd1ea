import Foundation

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// How far a ledger was read: the end of an entry that was in order.
struct LedgerPosition: Equatable, Sendable {
  /// The offset of the first byte after it.
  var bytes = 0
  var seq = 0
  var hash = ContentHash.zero
}

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
  /// The end of the last entry in order.
  private(set) var end: LedgerPosition
  /// Set if a complete line is not what was written.
  private(set) var damage: Damage?
  /// Bytes after the last newline: an append that was cut short, and never acknowledged.
  private(set) var tail: [UInt8] = []

  /// Reads the entries of a whole ledger that follow `known`, which must be a place in it.
  init(of bytes: [UInt8], after known: LedgerPosition = LedgerPosition()) {
    end = known
    while let newline = bytes[end.bytes...].firstIndex(of: UInt8(ascii: "\n")) {
      do {
        try take(Array(bytes[end.bytes..<newline]))
      } catch {
        damage = Damage(line: end.seq + 1, byte: end.bytes + error.byte, reason: error.reason)
        return
      }
    }
    tail = Array(bytes[end.bytes...])
    // An append that is cut short leaves a beginning of its line. A whole line with something else
    // in place of its newline is no such beginning: it was acknowledged once and then changed.
    if !tail.isEmpty, (try? next(Array(tail.dropLast()))) != nil {
      damage = Damage(
        line: end.seq + 1, byte: bytes.count - 1, reason: "its newline was changed")
    }
  }

  private mutating func take(_ line: [UInt8]) throws(LedgerLineError) {
    let entry = try next(line)
    entries.append(entry)
    offsets.append(end.bytes)
    end = LedgerPosition(bytes: end.bytes + line.count + 1, seq: entry.seq, hash: entry.hash)
  }

  private func next(_ line: [UInt8]) throws(LedgerLineError) -> LedgerEntry {
    let entry = try LedgerEntry(line: line)
    guard entry.seq == end.seq + 1, entry.prev == end.hash else {
      throw LedgerLineError(
        byte: 0, reason: "it does not follow the entry before it (a line was removed or moved)")
    }
    return entry
  }
}

extension LabError {
  init(_ damage: LedgerScan.Damage, in ledger: URL) {
    self = .damagedLedger(
      file: ledger.path, line: damage.line, byte: damage.byte, reason: damage.reason)
  }
}

/// The append-only file itself. Only the holder of the run's lock has one.
struct LedgerFile: Sendable {
  private let path: String
  private let descriptor: Descriptor
  private var end: LedgerPosition

  /// Opens or creates the file for appending.
  /// - Returns: the file, and what it holds; a torn tail is reported and still in the file.
  /// - Throws: `LabError.damagedLedger` if a complete line is not what was written.
  static func open(_ file: URL) throws -> (LedgerFile, LedgerScan) {
    let isNew = !exists(file)
    let descriptor = try Descriptor(file, O_RDWR | O_CREAT, for: "open")
    if isNew { try syncToDisk(file.deletingLastPathComponent()) }
    let scan = LedgerScan(of: try contents(of: file))
    if let damage = scan.damage { throw LabError(damage, in: file) }
    let ledger = LedgerFile(path: file.path, descriptor: descriptor, end: scan.end)
    return (ledger, scan)
  }

  /// The entry that an append would write.
  func next(_ type: EntryType, _ payload: JSONValue) -> LedgerEntry {
    let format = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
    return LedgerEntry(
      seq: end.seq + 1, time: Date.now.formatted(format), type: type, payload: payload,
      prev: end.hash)
  }

  /// Appends an entry made by `next` and returns when it is on the disk.
  ///
  /// If that fails the file is cut back to where it was, so that a full disk leaves no half line.
  mutating func append(_ entry: LedgerEntry) throws(LabError) {
    let line = entry.line
    do throws(LabError) {
      guard lseek(descriptor.number, off_t(end.bytes), SEEK_SET) >= 0 else {
        throw systemError("write", path)
      }
      try writeAll(line, to: descriptor, path: path)
      if fsync(descriptor.number) != 0 { throw systemError("write", path) }
    } catch {
      cutTail()
      throw error
    }
    end = LedgerPosition(bytes: end.bytes + line.count, seq: entry.seq, hash: entry.hash)
  }

  /// Drops whatever stands after the last complete entry.
  func cutTail() {
    // If this fails too, the tail stays torn and the next opening sets it aside.
    _ = ftruncate(descriptor.number, off_t(end.bytes))
    _ = fsync(descriptor.number)
  }
}
