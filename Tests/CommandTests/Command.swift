import Foundation
import TestSupport
import Testing

/// One run of the built command, as a process of its own.
struct Command {
  let status: Int32
  let output: Data
  let errors: String

  var text: String { String(decoding: output, as: UTF8.self) }

  /// The program lies beside the tests' own bundle.
  private static let program = beside("plumbline")

  private static func beside(_ name: String) -> URL {
    URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: name)
  }

  /// Runs `plumbline` with `arguments` and gives it `input`.
  init(_ arguments: String..., input: String = "") throws {
    try self.init(arguments, input: Data(input.utf8))
  }

  init(_ arguments: [String], input: Data) throws {
    // Through files: pipes on both ends would have to be served at the same time.
    try self = withTemporaryFolder { folder in
      let source = folder.appending(path: "input")
      try input.write(to: source)
      return try Command(arguments, standardInput: FileHandle(forReadingFrom: source), folder)
    }
  }

  /// Runs another program of the package.
  init(beside name: String, _ arguments: String...) throws {
    try self = withTemporaryFolder { folder in
      try Command(
        arguments, program: Self.beside(name), standardInput: .nullDevice, folder)
    }
  }

  /// Runs a line of shell, in which `$PLUMBLINE` is the program.
  init(shell line: String) throws {
    try self = withTemporaryFolder { folder in
      try Command(
        ["-c", line], program: URL(filePath: "/bin/sh"), standardInput: .nullDevice, folder)
    }
  }

  private init(
    _ arguments: [String], program: URL = Self.program, standardInput: FileHandle, _ folder: URL
  ) throws {
    let process = Process()
    process.executableURL = program
    process.arguments = arguments
    process.environment = ["PLUMBLINE": Self.program.path]
    process.standardInput = standardInput
    let files = ["output", "errors"].map { folder.appending(path: $0) }
    for file in files { try Data().write(to: file) }
    process.standardOutput = try FileHandle(forWritingTo: files[0])
    process.standardError = try FileHandle(forWritingTo: files[1])
    try process.run()
    process.waitUntilExit()
    status = process.terminationReason == .exit ? process.terminationStatus : -1
    output = try Data(contentsOf: files[0])
    errors = String(decoding: try Data(contentsOf: files[1]), as: UTF8.self)
  }

  /// The output as JSON of the type wanted, after a success that said nothing else.
  func decoded<T: Decodable>(as type: T.Type = T.self) throws -> T {
    #expect(status == 0, "\(errors)")
    #expect(errors == "")
    return try JSONDecoder().decode(type, from: output)
  }

  /// Expects the command to have ended with `status`, no result, and one sentence with `part` in it.
  func expectFailure(
    _ status: Int32, _ part: String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(self.status == status, "\(errors)", sourceLocation: sourceLocation)
    #expect(text == "", sourceLocation: sourceLocation)
    #expect(
      errors.hasPrefix("plumbline: error: ") && errors.hasSuffix("\n")
        && errors.split(separator: "\n").count == 1, "\(errors)", sourceLocation: sourceLocation)
    #expect(errors.contains(part), "\(errors)", sourceLocation: sourceLocation)
  }
}

/// A folder that is gone when the body is done.
func withTemporaryFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
  let folder = FileManager.default.temporaryDirectory
    .appending(path: "command-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try body(folder)
}

/// Why tests of commands that load weights may be skipped.
let noModel: Comment = "the default model is not here: run `make bootstrap`"
let hasModel = defaultModelPath() != nil
