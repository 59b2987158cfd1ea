import Foundation
import LanguageModels
import TestSupport
import Testing

@Suite(.serialized, .timeLimit(.minutes(5))) struct RemoteCacheTests {
  private func entries(_ folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder).map { folder + "/" + $0 }
  }

  @Test func `an answer is kept for this and other programs`() async throws {
    let server = try LoopbackServer()
    try await withFolderName { folder in
      let model = try server.model("fine/1") { $0.cache = folder }
      let first = try await model.completion(of: "p")
      let second = try await model.completion(of: "p")
      #expect(first.text == "count=1" && second.text == "count=1")
      #expect(first.origin.attempts == 1 && second.origin.attempts == 0)
      #expect(first.origin.key == second.origin.key && first.usage == second.usage)
      #expect(model.tally.cached == 1 && model.tally.attempts == 1 && model.tally.promptTokens == 5)
      // Another instance, as another program would be.
      let other = try server.model("fine/1", key: "another-key") { $0.cache = folder }
      #expect(try await other.text() == "count=1")
      let status = try FileManager.default.attributesOfItem(atPath: folder)
      #expect(status[.posixPermissions] as? Int == 0o700)
    }
  }

  @Test func `every part of a request tells it apart`() async throws {
    let (server, second) = (try LoopbackServer(), try LoopbackServer())
    try await withFolderName { folder in
      func ask(_ model: RemoteModel) async throws -> String {
        try await model.completion(of: "p").origin.key
      }
      let model = try server.model("fine/1") { $0.cache = folder }
      var keys = [try await ask(model)]
      keys.append(try await ask(server.model("fine/2") { $0.cache = folder }))
      keys.append(try await ask(second.model("fine/1") { $0.cache = folder }))
      for sampling in [
        RemoteSampling(maxTokens: 1), RemoteSampling(seed: 1), RemoteSampling(stop: ["a"]),
        RemoteSampling(sampleIndex: 0), RemoteSampling(sampleIndex: 1),
        RemoteSampling(temperature: 1, seed: 1),
      ] {
        keys.append(try await model.completion(of: "p", sampling: sampling).origin.key)
      }
      keys.append(try await model.completion(of: "q").origin.key)
      let chat = try await model.answer(to: [ChatMessage(role: "user", content: "p")])
      keys.append(chat.origin.key)
      #expect(Set(keys).count == keys.count)
      #expect(try entries(folder).count == keys.count)
    }
  }

  @Test func `draws without a seed are kept only under a number`() async throws {
    let server = try LoopbackServer()
    try await withFolderName { folder in
      let model = try server.model("fine/1") { $0.cache = folder }
      let draw = RemoteSampling(temperature: 1)
      #expect(try await model.text(after: "p", draw) == "count=1")
      #expect(try await model.text(after: "p", draw) == "count=2")
      #expect(try entries(folder) == [])
      var numbered = draw
      for (index, expected) in [(0, "count=3"), (1, "count=4"), (0, "count=3"), (1, "count=4")] {
        numbered.sampleIndex = index
        #expect(try await model.text(after: "p", numbered) == expected)
      }
    }
  }

  @Test func `an entry that is damaged or cut short is fetched again`() async throws {
    let server = try LoopbackServer()
    try await withFolderName { folder in
      let model = try server.model("fine/1") { $0.cache = folder }
      #expect(try await model.text() == "count=1")
      let file = try #require(try entries(folder).first)
      let whole = try Data(contentsOf: URL(filePath: file))
      var count = 1
      for length in [0, 1, 64, 65, 66, whole.count - 1] {
        try whole.prefix(length).write(to: URL(filePath: file))
        count += 1
        #expect(try await model.text() == "count=\(count)", "cut to \(length) bytes")
      }
      for offset in [0, 64, 70, whole.count - 1] {
        var damaged = whole
        damaged[offset] ^= 1
        try damaged.write(to: URL(filePath: file))
        count += 1
        #expect(try await model.text() == "count=\(count)", "byte \(offset)")
        #expect(try await model.text() == "count=\(count)")
      }
      #expect(try entries(folder) == [file])
    }
  }

  @Test func `what is no answer is not kept, and no key ever`() async throws {
    let server = try LoopbackServer()
    let secret = "sk-0123456789abcdef"
    try await withFolderName { folder in
      for script in ["fail/400/9/-", "body/application_json", "key/1", "leak/401"] {
        let model = try server.model(script, key: secret) { $0.cache = folder }
        await expectRemoteError { try await model.text() }
      }
      #expect(try entries(folder) == [])
      _ = try await server.model("fine/1", key: secret) { $0.cache = folder }.text()
      let file = try #require(try entries(folder).first)
      let text = try String(contentsOfFile: file, encoding: .utf8)
      #expect(text.contains("count=1") && !text.contains(secret))
    }
  }

  @Test func `a folder that others may read, or that is none, is refused`() async throws {
    let server = try LoopbackServer()
    try await withFolderName { folder in
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
      await expectRemoteError(folder, "mode 755", "chmod 700") {
        try server.model("fine/1") { $0.cache = folder }
      }
      let file = folder + "/file"
      try Data().write(to: URL(filePath: file))
      await expectRemoteError(file, "found a file") {
        try server.model("fine/1") { $0.cache = file }
      }
      await expectRemoteError("/proc/here", "cannot be made") {
        try server.model("fine/1") { $0.cache = "/proc/here" }
      }
    }
  }

  @Test func `nothing is kept where no folder is named`() async throws {
    let server = try LoopbackServer()
    let model = try server.model("fine/1")
    #expect(try await model.text() == "count=1")
    #expect(try await model.text() == "count=2")
  }
}
