import Foundation

/// Why a model file could not be read or written.
///
/// Every case says in one sentence which file it is, what was expected, what was found instead
/// and what to do about it.
package enum ModelFileError: Error, Equatable, Sendable {
  /// The system refused to open or map the file, or it is not a file at all.
  case unreadable(Problem)
  /// The bytes contradict the format: truncated, hostile or not this kind of file.
  case malformed(Problem)
  /// The file is well formed and uses something that is not implemented.
  case unsupported(Problem)
  /// A metadata key or a tensor that was asked for is not there or is of another type.
  case absent(Problem)
  /// The system refused to write; what was at the path before is still there.
  case unwritable(Problem)

  /// The four parts of a message.
  package struct Problem: Equatable, Sendable {
    /// The file as the caller named it.
    package var path: String
    /// What the reader wanted, as a noun phrase.
    package var expected: String
    /// What was there instead, as a noun phrase.
    package var found: String
    /// What a person can do, in the imperative.
    package var remedy: String

    package init(path: String, expected: String, found: String, remedy: String) {
      self.path = path
      self.expected = expected
      self.found = found
      self.remedy = remedy
    }
  }

  /// The message's parts, whatever the case.
  package var problem: Problem {
    switch self {
    case .unreadable(let problem), .malformed(let problem), .unsupported(let problem),
      .absent(let problem), .unwritable(let problem):
      problem
    }
  }
}

extension ModelFileError: CustomStringConvertible, LocalizedError {
  /// One sentence: the file, what was expected, what was found, what to do.
  package var description: String {
    let problem = problem
    return "\(problem.path): expected \(problem.expected), found \(problem.found): "
      + "\(problem.remedy)."
  }

  /// The same sentence as ``description``.
  package var errorDescription: String? { description }
}

extension ModelFileError {
  /// What is found where a disk is full.
  package static let fullDisk = "a full disk"

  /// The error for a failed `open`, `fstat` or `mmap`, by its `errno`.
  static func cannotRead(_ path: String, errno code: Int32) -> ModelFileError {
    let (found, remedy) =
      switch code {
      case ENOENT, ENOTDIR: ("no such file", "check the path's spelling")
      case EACCES, EPERM:
        ("permission denied", "make the file and its folders readable to this user")
      default: (message(code), "check the path and the disk that it is on")
      }
    return .unreadable(
      Problem(path: path, expected: "a readable file", found: found, remedy: remedy))
  }

  /// The error for a failed step of writing a file, by its `errno`.
  package static func cannotWrite(_ path: String, errno code: Int32) -> ModelFileError {
    let (found, remedy) =
      switch code {
      case ENOENT, ENOTDIR: ("no such folder", "create the folder that the file goes into")
      case EACCES, EPERM, EROFS: (message(code), "choose a folder that this user may write to")
      case ENOSPC, EDQUOT: (fullDisk, "free some space and run the same command again")
      case EISDIR: ("a folder of that name", "choose another name or remove the folder")
      default: (message(code), "check the path and the disk that it is on")
      }
    return .unwritable(
      Problem(path: path, expected: "to write the whole file", found: found, remedy: remedy))
  }

  private static func message(_ code: Int32) -> String {
    String(cString: strerror(code)).lowercased() + " (errno \(code))"
  }
}

/// A name that comes from a file, made safe to print: quoted, escaped and cut at 64 characters.
func quoted(_ name: some StringProtocol) -> String {
  let head = name.unicodeScalars.prefix(64).reduce(into: "") { text, scalar in
    text += scalar.escaped(asASCII: false)
  }
  return head.isEmpty ? "an empty name" : "`\(head)\(name.unicodeScalars.count > 64 ? "…" : "")`"
}
