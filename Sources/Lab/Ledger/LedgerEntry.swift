/// One line of a ledger.
///
/// `hash` covers the canonical JSON of all the other members, `prev` among them, so an entry cannot
/// be changed, dropped or moved without all later hashes changing too.
package struct LedgerEntry: Codable, Equatable, Sendable {
  /// Position in the ledger, from 1.
  package let seq: Int
  /// When it was written, ISO 8601 in UTC with milliseconds.
  package let time: String
  /// What happened.
  package let type: EntryType
  /// The particulars; their shape depends on the type.
  package let payload: JSONValue
  /// The hash of the entry before, `ContentHash.zero` for the first.
  package let prev: ContentHash
  /// The hash of this entry.
  package let hash: ContentHash

  init(seq: Int, time: String, type: EntryType, payload: JSONValue, prev: ContentHash) {
    self.seq = seq
    self.time = time
    self.type = type
    self.payload = payload
    self.prev = prev
    hash = ContentHash(
      of: .object(Self.members(seq: seq, time: time, type: type, payload: payload, prev: prev)))
  }

  /// Reads one line and checks that it is, byte for byte, what `line` writes.
  init(line: [UInt8]) throws(LedgerLineError) {
    do {
      let json = try JSONValue(parsing: line)
      guard case .object(let members) = json, members.count == 6,
        case .number(let seqText)? = members["seq"], let seq = Int(seqText),
        let time = members["time"]?.string, let type = members["type"]?.string,
        let payload = members["payload"],
        let prev = members["prev"]?.string.flatMap(ContentHash.init(hex:)),
        let hash = members["hash"]?.string.flatMap(ContentHash.init(hex:))
      else { throw LedgerLineError(byte: 0, reason: "it is no ledger entry") }
      self.init(seq: seq, time: time, type: EntryType(type), payload: payload, prev: prev)
      guard hash == self.hash else {
        throw LedgerLineError(byte: 0, reason: "its contents do not have the hash that it states")
      }
      let canonical = self.line.dropLast()
      guard canonical.elementsEqual(line) else {
        let byte = zip(canonical, line).prefix { $0 == $1 }.count
        throw LedgerLineError(byte: byte, reason: "it is spelled otherwise than it was written")
      }
    } catch let error as JSONSyntaxError {
      throw LedgerLineError(byte: error.byte, reason: "it is not JSON (\(error.reason))")
    } catch let error as LedgerLineError {
      throw error
    } catch {
      throw LedgerLineError(byte: 0, reason: "\(error)")
    }
  }

  /// The entry as it stands in the file, newline included.
  var line: [UInt8] {
    var members = Self.members(seq: seq, time: time, type: type, payload: payload, prev: prev)
    members["hash"] = .string(hash.hex)
    return JSONValue.object(members).canonicalBytes + [UInt8(ascii: "\n")]
  }

  private static func members(
    seq: Int, time: String, type: EntryType, payload: JSONValue, prev: ContentHash
  ) -> [String: JSONValue] {
    [
      "seq": .number(String(seq)), "time": .string(time), "type": .string(type.rawValue),
      "payload": payload, "prev": .string(prev.hex),
    ]
  }
}

/// Why a line is no entry, and at which of its bytes that shows.
struct LedgerLineError: Error {
  let byte: Int
  let reason: String
}

/// What an entry records.
package struct EntryType: RawRepresentable, Hashable, Codable, Sendable {
  package let rawValue: String

  package init(rawValue: String) { self.rawValue = rawValue }

  /// A type by its name in the file.
  package init(_ name: String) { rawValue = name }

  /// The run folder was made.
  package static let runCreated = EntryType("run-created")
  /// A process went on with the run.
  package static let runResumed = EntryType("run-resumed")
  /// An incomplete last line was set aside.
  package static let tornLine = EntryType("torn-line-set-aside")
  /// A seed was drawn.
  package static let drawn = EntryType("drawn")
  /// A cell began.
  package static let cellStarted = EntryType("cell-started")
  /// A cell finished; with the hashes of all that it left.
  package static let cellFinished = EntryType("cell-finished")
  /// A cell threw an error, or was cancelled.
  package static let cellFailed = EntryType("cell-failed")
  /// The arms of a line-up were sealed; with their salted hash.
  package static let sealed = EntryType("sealed")
  /// The keeper of a line-up read its sealed arms back in order to go on with the run.
  package static let sealReread = EntryType("seal-reread")
  /// A detector's scores were committed.
  package static let scoresCommitted = EntryType("scores-committed")
  /// A detector gave up; with the reason.
  package static let detectorWithdrawn = EntryType("detector-withdrawn")
  /// Training or selection touched a monitor, which is no longer held out.
  package static let monitorRevoked = EntryType("monitor-revoked")
  /// The arms were opened for the scorer.
  package static let unsealed = EntryType("unsealed")

  /// The types that only Lab itself writes.
  static let reserved: Set<EntryType> = [
    runCreated, runResumed, tornLine, drawn, cellStarted, cellFinished, cellFailed, sealed,
    sealReread, scoresCommitted, detectorWithdrawn, monitorRevoked, unsealed,
  ]
}
