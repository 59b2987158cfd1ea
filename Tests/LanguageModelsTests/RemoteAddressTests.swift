import Foundation
import LanguageModels
import Testing

@Suite struct RemoteAddressTests {
  private func model(
    _ address: String, _ environment: [String: String] = [:], allowsPlainHTTP: Bool = false
  ) throws -> RemoteModel {
    var settings = RemoteSettings()
    settings.allowsPlainHTTP = allowsPlainHTTP
    return try RemoteModel(address, settings: settings, environment: environment)
  }

  @Test func `a name and an address are read, whatever the name holds`() throws {
    let cases = [
      ("openai:m@https://example.org/v1", "m", "https://example.org/v1"),
      (
        "openai:@cf/meta/llama-3@https://example.org/v1/", "@cf/meta/llama-3",
        "https://example.org/v1"
      ),
      ("openai:a:b@HTTPS://Example.org", "a:b", "HTTPS://Example.org"),
      ("openai:m@http://localhost:8080/v1//", "m", "http://localhost:8080/v1"),
      ("openai:m@http://127.9.9.9/v1", "m", "http://127.9.9.9/v1"),
      ("openai:m@http://[::1]:80/v1", "m", "http://[::1]:80/v1"),
    ]
    for (text, name, base) in cases {
      let endpoint = try model(text).endpoint
      #expect(endpoint.name == name && endpoint.base == base, "\(text)")
    }
  }

  @Test func `what is no address is refused in one sentence`() async throws {
    let cases = [
      "openai:", "openai:m", "openai:m@", "openai:m@example.org", "openai:m@ftp://example.org",
      "openai:@https://example.org", "openai:m@https://", "openai:m@httpx://example.org",
      "openai:m@https://exa mple.org", "openai:a b@https://example.org",
    ]
    for text in cases {
      await expectRemoteError("openai:NAME@URL") { try model(text) }
    }
  }

  @Test func `a secret in the address is refused and not repeated`() async throws {
    for text in [
      "openai:m@https://me:hunter22@example.org/v1", "openai:m@https://example.org/v1?key=hunter22",
      "openai:m@https://example.org/v1#hunter22", "openai:m@me:hunter22@example.org",
    ] {
      let error = await expectRemoteError("openai:m") { try model(text) }
      #expect(error?.description.contains("hunter22") == false)
    }
  }

  @Test func `plain http leaves this machine only where that is allowed`() async throws {
    for host in [
      "example.org", "127.0.0.1.example.org", "localhost.example.org", "128.0.0.1", "[::2]",
      "[::ffff:8.8.8.8]", "192.168.0.1", "0.0.0.0",
    ] {
      await expectRemoteError(
        "https for a server on another machine", host.filter { $0 != "[" && $0 != "]" }
      ) {
        try model("openai:m@http://\(host)/v1")
      }
      _ = try model("openai:m@http://\(host)/v1", allowsPlainHTTP: true)
    }
  }

  @Test func `plain http through a proxy is refused`() async throws {
    for variable in ["http_proxy", "all_proxy", "ALL_PROXY"] {
      await expectRemoteError(variable) {
        try model("openai:m@http://localhost/v1", [variable: "http://example.org:3128"])
      }
      for exempt in ["localhost", "*", "example.org, localhost", ".LOCALHOST", "localhost."] {
        _ = try model(
          "openai:m@http://localhost/v1", [variable: "http://example.org", "no_proxy": exempt])
      }
      _ = try model("openai:m@https://example.org/v1", [variable: "http://example.org:3128"])
    }
  }

  /// Where versions of libcurl differ, there is no exception.
  @Test(
    arguments: [
      ("http://api.example.org/v1", "example.org", true),
      ("http://api.example.org/v1", ".example.org.", true),
      ("http://api.example.org./v1", "example.org", true),
      ("http://api.example.org/v1", "ample.org", false),
      ("http://api.example.org/v1", "localhost,*", false),
      ("http://api.example.org/v1", ". ,", false),
      ("http://127.0.0.1/v1", "10.0.0.1 , 127.0.0.1", true),
      ("http://127.0.0.1/v1", "10.0.0.1\t127.0.0.1", false),
      ("http://127.0.0.1/v1", "127.0.0.1.", false),
      ("http://127.1/v1", "127.1", false),
      ("http://api.example.org/v1", "a b,example.org", false),
      ("http://127.0.0.1/v1", "0.0.1", false),
      ("http://127.0.0.1/v1", "1", false),
      ("http://[::1]/v1", "::1", true),
    ])
  func `exceptions to a proxy are libcurl's`(url: String, list: String, isExempt: Bool) async throws
  {
    let proxy = ["http_proxy": "http://example.org:3128"]
    for environment in [
      ["no_proxy": list], ["NO_PROXY": list],
      // Set to nothing is not set.
      ["no_proxy": "", "NO_PROXY": list],
    ].map({ proxy.merging($0) { _, new in new } }) {
      guard !isExempt else {
        _ = try model("openai:m@\(url)", environment, allowsPlainHTTP: true)
        continue
      }
      await expectRemoteError("http_proxy") {
        try model("openai:m@\(url)", environment, allowsPlainHTTP: true)
      }
    }
  }

  @Test(
    .enabled(if: FileManager.default.isExecutableFile(atPath: openssl), "no openssl"),
    .timeLimit(.minutes(1)))
  func `a certificate that is not trusted is named, and not tried again`() async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let (key, certificate) = (folder.path + "/key.pem", folder.path + "/certificate.pem")
    let making = try started(
      "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2",
      "-keyout", key, "-out", certificate)
    making.process.waitUntilExit()
    let server = try started(
      "s_server", "-accept", "127.0.0.1:0", "-key", key, "-cert", certificate, "-www")
    defer { server.process.terminate() }
    var said = ""
    while !said.contains("ACCEPT"), case let data = server.output.availableData, !data.isEmpty {
      said += String(decoding: data, as: UTF8.self)
    }
    let port = try #require(
      said.split(separator: "ACCEPT 127.0.0.1:").last?.split { !$0.isNumber }.first)
    let remote = try model("openai:m@https://localhost:\(port)/v1")
    await expectRemoteError("certificate", "1 try") {
      _ = try await remote.completion(of: "a")
    }
  }

  private static let openssl = "/usr/bin/openssl"

  private func started(_ arguments: String...) throws -> (process: Process, output: FileHandle) {
    let (process, output) = (Process(), Pipe())
    process.executableURL = URL(fileURLWithPath: Self.openssl)
    process.arguments = arguments
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    process.standardInput = FileHandle.nullDevice
    try process.run()
    return (process, output.fileHandleForReading)
  }

  @Test func `a key with characters that no header holds is refused and not repeated`() async {
    for key in ["hunter22\n", "hunter 22", "hunter22\u{e9}", "a\r\nX: hunter22"] {
      let error = await expectRemoteError("OPENAI_API_KEY") {
        try model("openai:m@https://example.org", ["OPENAI_API_KEY": key])
      }
      #expect(error?.description.contains("unter") == false)
    }
  }

  @Test func `a key is in nothing that can be printed of a model`() throws {
    let model = try model("openai:m@https://example.org", ["PLUMBLINE_API_KEY": "hunter22"])
    var dumped = ""
    dump(model, to: &dumped)
    #expect(dumped.contains("[key]"))
    for text in [dumped, "\(model)", String(reflecting: model)] {
      #expect(!text.contains("hunter22"))
    }
  }
}
