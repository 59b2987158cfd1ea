import Foundation
import LanguageModels
import Testing

/// A server in a process of its own; see `Tests/LoopbackServer`.
final class LoopbackServer {
  let port: Int
  private let process = Process()
  private let input = Pipe()

  init() throws {
    Self.goesStraight
    let output = Pipe()
    process.executableURL = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
      .appending(path: "LoopbackServer")
    (process.standardInput, process.standardOutput) = (input, output)
    try process.run()
    let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    port = try #require(Int(line.trimmingCharacters(in: .whitespacesAndNewlines)))
  }

  /// A proxy that is set on this machine would not know its loopback.
  private static let goesStraight: Void = { setenv("no_proxy", "127.0.0.1", 1) }()

  /// By SIGKILL: a child may have inherited that milder signals are blocked.
  deinit {
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  /// The server's model of that name, asked without pauses that a person would notice.
  func model(
    _ script: String, key: String? = nil, _ change: (inout RemoteSettings) -> Void = { _ in }
  ) throws -> RemoteModel {
    var settings = RemoteSettings()
    settings.retries.firstPause = .milliseconds(2)
    settings.retries.timeout = .seconds(20)
    change(&settings)
    return try RemoteModel(
      "openai:\(script)@http://127.0.0.1:\(port)/v1", settings: settings,
      environment: key.map { ["PLUMBLINE_API_KEY": $0] } ?? [:])
  }
}

extension RemoteModel {
  /// The text that follows `prompt`.
  func text(
    after prompt: String = "p", _ sampling: RemoteSampling = RemoteSampling()
  ) async throws -> String {
    try await completion(of: prompt, sampling: sampling).text
  }
}

/// Expects an error of a remote model, one sentence with `parts` in it, and gives it back.
@discardableResult
func expectRemoteError<Result>(
  _ parts: String..., sourceLocation: SourceLocation = #_sourceLocation,
  _ body: () async throws -> Result
) async -> RemoteModelError? {
  do {
    let result = try await body()
    Issue.record("expected an error, found \(result)", sourceLocation: sourceLocation)
  } catch let error as RemoteModelError {
    let text = error.description
    let isSentence = text.hasPrefix("Expected ") && text.hasSuffix(".") && !text.contains("\n")
    #expect(isSentence, "\(text)", sourceLocation: sourceLocation)
    #expect(text.count < 600, "\(text)", sourceLocation: sourceLocation)
    for part in parts { #expect(text.contains(part), "\(text)", sourceLocation: sourceLocation) }
    return error
  } catch {
    Issue.record(
      "expected an error of a remote model, found \(error)", sourceLocation: sourceLocation)
  }
  return nil
}

/// A name for a folder that is gone, should it have been made, when `body` is done.
func withFolderName<Result>(_ body: (String) async throws -> Result) async throws -> Result {
  let folder = FileManager.default.temporaryDirectory
    .appending(path: "plumbline-remote-\(UUID().uuidString)").path
  defer { try? FileManager.default.removeItem(atPath: folder) }
  return try await body(folder)
}
