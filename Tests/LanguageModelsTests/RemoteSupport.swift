import Foundation
import LanguageModels
import TestSupport
import Testing

extension LoopbackServer {
  /// The server's model of that name, asked without pauses that a person would notice.
  func model(
    _ script: String, key: String? = nil, _ change: (inout RemoteSettings) -> Void = { _ in }
  ) throws -> RemoteModel {
    var settings = RemoteSettings()
    settings.retries.firstPause = .milliseconds(2)
    // A machine that is busy with other builds was seen to stall for 40 s.
    settings.retries.timeout = .seconds(200)
    change(&settings)
    return try RemoteModel(
      address(script), settings: settings,
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
