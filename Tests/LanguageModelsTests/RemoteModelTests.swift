import Foundation
import LanguageModels
import TestSupport
import Testing

@Suite(.serialized, .timeLimit(.minutes(5))) struct RemoteModelTests {
  private let secret = "sk-0123/456789\\abc"

  @Test func `a conversation is answered`() async throws {
    let server = try LoopbackServer()
    let model = try server.model("fine/answer")
    let found = try await model.answer(to: [ChatMessage(role: "user", content: "Hello!")])
    #expect(found.text == "count=1" && found.finishReason == .stop && found.tokens == nil)
    #expect(found.model == "served" && found.origin.attempts == 1)
    #expect(found.usage?.promptTokens == 5 && found.usage?.completionTokens == 1)
    #expect(model.tally.answered == 1 && model.tally.attempts == 1)
    #expect(model.tally.promptTokens == 5 && model.tally.completionTokens == 1)
  }

  @Test func `a request says what was asked, and nothing more`() async throws {
    let server = try LoopbackServer()
    let model = try server.model("request/1")
    let chat = try await model.answer(
      to: [ChatMessage(role: "user", content: "a/b")],
      sampling: RemoteSampling(
        maxTokens: 7, temperature: 0.7, seed: 3, stop: ["x"], topLogprobs: nil, sampleIndex: 9))
    #expect(
      chat.text == #"{"max_tokens":7,"messages":[{"content":"a/b","role":"user"}],"#
        + #""model":"request/1","seed":3,"stop":["x"],"temperature":0.7}"#)
    #expect(
      try await model.text(after: "p")
        == #"{"max_tokens":128,"model":"request/1","prompt":"p","temperature":0}"#)
  }

  @Test func `log-probabilities of generated tokens are read in both forms`() async throws {
    let server = try LoopbackServer()
    let model = try server.model("both/1")
    let sampling = RemoteSampling(topLogprobs: 2)
    let chat = try await model.answer(
      to: [ChatMessage(role: "user", content: "a")], sampling: sampling)
    let text = try await model.completion(of: "a", sampling: sampling)
    #expect(chat.tokens == text.tokens)
    let tokens = try #require(text.tokens)
    #expect(tokens.map(\.text) == [" b", " c"] && tokens.map(\.logprob) == [-0.25, -1.5])
    #expect(tokens[0].alternatives.map(\.text) == [" b", " a"])
    #expect(tokens[1].alternatives.map(\.logprob) == [-0.75, -1.5])
    let none = try await model.completion(of: "a", sampling: RemoteSampling(topLogprobs: 0))
    #expect(none.tokens?.allSatisfy { $0.alternatives.isEmpty } == true)
    #expect(try await model.completion(of: "a").tokens == nil)
    await expectRemoteError("log-probabilities of generated tokens", "without them") {
      try await server.model("fine/1").completion(of: "a", sampling: sampling)
    }
  }

  @Test func `a given text is scored without the token that was generated`() async throws {
    let server = try LoopbackServer()
    let found = try await server.model("echo/1").logprobs(of: "one two three")
    #expect(found.tokens.map(\.text) == ["one", " two", " three"])
    #expect(found.tokens.map(\.logprob) == [nil, -0.5, -1])
  }

  @Test func `a server that scores no given text is said to offer none`() async throws {
    let server = try LoopbackServer()
    await expectRemoteError("`echo` with `logprobs`", "does not repeat it") {
      try await server.model("plain/1").logprobs(of: "one two")
    }
    await expectRemoteError("`echo` with `logprobs`", "status 400", "not now") {
      try await server.model("fail/400/9/-/1").logprobs(of: "one two")
    }
    await expectRemoteError("status 401", "PLUMBLINE_API_KEY") {
      try await server.model("fail/401/9/-/1").logprobs(of: "one two")
    }
  }

  @Test func `answers that are none give one sentence with the field`() async throws {
    let server = try LoopbackServer()
    let cases: [(body: String, parts: [String])] = [
      ("", ["JSON", "0 bytes"]), ("{\"choices\": [{\"te", ["JSON", "end too early"]),
      ("{}", ["`choices`", "none"]),
      (#"{"choices": []}"#, ["one element in `choices`", "found 0"]),
      (#"{"choices": [3]}"#, ["`choices[0]`"]),
      (#"{"choices": [{"finish_reason": "stop"}]}"#, ["`choices[0].text`", "none"]),
      (#"{"choices": [{"text": null, "finish_reason": "stop"}]}"#, ["`choices[0].text`", "null"]),
      (
        #"{"choices": [{"text": 3, "finish_reason": "stop"}]}"#,
        ["`choices[0].text` to be a string"]
      ),
      (#"{"choices": [{"text": "", "finish_reason": "bored"}]}"#, ["`choices[0].finish_reason`"]),
      (
        #"{"choices": [{"text": "", "finish_reason": "stop"}], "usage": {"prompt_tokens": 1}}"#,
        ["`usage.completion_tokens`"]
      ),
      (Self.logprobs(#""tokens": ["a"], "token_logprobs": []"#), ["different lengths"]),
      (Self.logprobs(#""tokens": ["a"], "token_logprobs": [0.5]"#), ["a log-probability of 0.5"]),
      (Self.logprobs(#""tokens": ["a"], "token_logprobs": [null]"#), ["null among them"]),
      (Self.logprobs(#""tokens": ["a"], "token_logprobs": [-Infinity]"#), ["JSON"]),
    ]
    for (body, parts) in cases {
      let error = await expectRemoteError("127.0.0.1") {
        try await server.model("body/application_json").completion(
          of: body.isEmpty ? " " : body, sampling: RemoteSampling(topLogprobs: 0))
      }
      for part in parts where !body.isEmpty {
        #expect(error?.description.contains(part) == true, "\(body): \(error as Any)")
      }
    }
  }

  private static func logprobs(_ table: String) -> String {
    #"{"choices": [{"text": "", "finish_reason": "stop", "logprobs": {"# + table + "}}]}"
  }

  @Test func `pages and texts in place of JSON are said to be such`() async throws {
    let server = try LoopbackServer()
    await expectRemoteError("JSON", "a page of HTML") {
      try await server.model("body/text_html").text(after: "<html>Sign in</html>")
    }
    await expectRemoteError("JSON", "saying `gone fishing`") {
      try await server.model("body/text_plain").text(
        after: "gone\u{7}\nfishing".replacing("\u{7}", with: ""))
    }
    await expectRemoteError(#"saying `\u{1B}[2J`"#) {
      try await server.model("body/text_plain").text(after: "\u{1b}[2J")
    }
    let long = await expectRemoteError("aaa…`") {
      try await server.model("body/text_plain").text(after: String(repeating: "a", count: 5000))
    }
    #expect((long?.description.count ?? 1000) < 400)
    let fine = #"{"choices": [{"text": "t", "finish_reason": "length"}]}"#
    #expect(try await server.model("body/none").text(after: fine) == "t")
    #expect(try await server.model("body/application_vnd.x+json").text(after: fine) == "t")
  }

  @Test func `an answer without end is cut off where the limit is`() async throws {
    let server = try LoopbackServer()
    let model = try server.model("huge/400000000") { $0.longestAnswer = 1 << 20 }
    await expectRemoteError("at most 1048576 bytes", "a longer one") { try await model.text() }
  }

  @Test func `a key that a server repeats does not come out`() async throws {
    let server = try LoopbackServer()
    for status in [400, 401, 403, 404] {
      let error = await expectRemoteError("status \(status)", "provided: [key]`") {
        try await server.model("leak/\(status)", key: secret).text()
      }
      #expect(error.map { "\($0)\($0.description)".contains("0123") } == false)
    }
    let error = await expectRemoteError("after 2 tries", "[key]") {
      try await server.model("leak/500", key: secret) { $0.retries.attempts = 2 }.text()
    }
    #expect(error?.description.contains("0123") == false)
    await expectRemoteError("repeats the API key") {
      try await server.model("key/1", key: secret).text()
    }
    // What is no secret may well be a word of an answer.
    #expect(try await server.model("key/2", key: "EMPTY").text() == "EMPTY")
    #expect(try await server.model("key/3").text() == "none")
  }

  @Test func `no redirect is followed`() async throws {
    let (server, other) = (try LoopbackServer(), try LoopbackServer())
    for status in [301, 302, 303, 307, 308] {
      await expectRemoteError("status \(status)", "http://127.0.0.1:\(other.port)") {
        try await server.model("redirect/\(status)/\(other.port)", key: secret).text()
      }
    }
    #expect(try await other.model("total/1").text() == "count=0")
    #expect(try await server.model("total/1").text() == "count=5")
  }

  @Test func `options that no server can mean are refused before anything is sent`() async throws {
    let server = try LoopbackServer()
    let model = try server.model("fine/1")
    for sampling in [
      RemoteSampling(maxTokens: 0), RemoteSampling(temperature: -1),
      RemoteSampling(temperature: .nan), RemoteSampling(topLogprobs: 21),
      RemoteSampling(stop: [""]),
    ] {
      await expectRemoteError("change the request") { try await model.text(sampling) }
    }
    await expectRemoteError("a text to continue") { try await model.text(after: "") }
    await expectRemoteError("a text to score") { try await model.logprobs(of: "") }
    await expectRemoteError("a message to answer") { try await model.answer(to: []) }
    #expect(model.tally.attempts == 0)
    #expect(try await server.model("total/1").text() == "count=0")
  }
}

extension RemoteModel {
  fileprivate func text(_ sampling: RemoteSampling) async throws -> String {
    try await text(after: "p", sampling)
  }
}
