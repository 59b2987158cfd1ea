import Foundation
import Testing

/// A server in a process of its own; `Tests/LoopbackServer` says what it does.
///
/// It listens on 127.0.0.1 and ends with this object, or with this process should that be killed.
package final class LoopbackServer {
  package let port: Int
  private let process = Process()
  private let input = Pipe()

  package init() throws {
    Self.goesStraight
    let output = Pipe()
    // The program lies beside the tests' own bundle.
    process.executableURL = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
      .appending(path: "LoopbackServer")
    (process.standardInput, process.standardOutput) = (input, output)
    try process.run()
    let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    port = try #require(Int(line.trimmingCharacters(in: .whitespacesAndNewlines)))
  }

  /// A proxy that is set on this machine would not know its loopback.
  private static let goesStraight: Void = { setenv("no_proxy", "127.0.0.1", 1) }()

  /// By SIGKILL: a child may have inherited that milder signals are blocked. The system is asked
  /// for its end, because `waitUntilExit` waits for a run loop, at times for many seconds.
  deinit {
    kill(process.processIdentifier, SIGKILL)
    var end = siginfo_t()
    _ = waitid(P_PID, id_t(process.processIdentifier), &end, WEXITED | WNOWAIT)
  }

  /// The model of that name, as `--model` takes it.
  package func address(_ script: String) -> String {
    "openai:\(script)@http://127.0.0.1:\(port)/v1"
  }
}
