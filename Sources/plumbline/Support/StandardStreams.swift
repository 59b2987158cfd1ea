internal import Foundation
internal import Lab

/// The text that is piped into the command.
enum StandardInput {
  /// All bytes up to the end; says on a terminal that it is waiting for them.
  static func bytes() throws(CommandError) -> [UInt8] {
    if isatty(STDIN_FILENO) == 1 {
      StandardError.write("reading text from the terminal; end it with Ctrl-D")
    }
    do {
      return try contents(of: STDIN_FILENO)
    } catch {
      throw .unreadableInput(reason: error.reason)
    }
  }

  /// All text up to the end, repaired where it is not UTF-8.
  static func text() throws(CommandError) -> String {
    let bytes = try bytes()
    let text = String(decoding: bytes, as: UTF8.self)
    if !text.utf8.elementsEqual(bytes) {
      StandardError.write("note: the input is not valid UTF-8; its bad bytes are read as U+FFFD")
    }
    return text
  }

  /// As ``text()``, for commands that can do nothing with an empty one.
  static func nonEmptyText() throws(CommandError) -> String {
    let text = try text()
    guard !text.isEmpty else { throw .emptyInput }
    return text
  }
}

/// Where results go, and nothing else.
enum StandardOutput {
  static func write(line: String) throws(CommandError) {
    try write(Array(line.utf8) + [UInt8(ascii: "\n")])
  }

  static func write(lines: [String]) throws(CommandError) {
    guard !lines.isEmpty else { return }
    try write(line: lines.joined(separator: "\n"))
  }

  /// Whether a person looks at it, and not another program.
  static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

  /// How many characters a line has room for; 100 where nobody says.
  static var columns: Int {
    var size = winsize()
    let isKnown = isTerminal && ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0
    return isKnown && size.ws_col > 0 ? Int(size.ws_col) : 100
  }

  /// One line of JSON with its keys in order.
  static func write(json value: some Encodable) throws {
    try write(JSONValue(encoding: value).canonicalBytes + [UInt8(ascii: "\n")])
  }

  private static func write(_ bytes: [UInt8]) throws(CommandError) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Foundation.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
      if count >= 0 {
        rest = rest.dropFirst(count)
      } else if errno != EINTR {
        throw .unwritableOutput(reason: SystemError.last.reason)
      }
    }
  }
}

/// Where everything that is no result goes.
enum StandardError {
  /// Writes `message` as one line under the command's name.
  static func write(_ message: String) {
    let line = message.split(whereSeparator: \.isNewline).joined(separator: " ")
    // Nothing can be told to anybody if this fails.
    try? FileHandle.standardError.write(contentsOf: Data("plumbline: \(line)\n".utf8))
  }
}
