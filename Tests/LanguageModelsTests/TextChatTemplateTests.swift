import Foundation
import LanguageModels
import TestSupport
import Testing

/// Jinja2's answers, recorded by `Scripts/reference/chat_template_fixtures.py`.
private struct TemplateFixture: Decodable {
  enum Outcome: Decodable, Equatable {
    case text(String)
    case refused(String)
    /// Jinja2 or Python raised an error.
    case failed

    init(from decoder: any Decoder) throws {
      let value = try decoder.singleValueContainer()
      if value.decodeNil() {
        self = .failed
      } else if let text = try? value.decode(String.self) {
        self = .text(text)
      } else {
        self = .refused(try value.decode([String: String].self)["refused", default: ""])
      }
    }

    /// Compared by bytes: Swift deems canonically equivalent strings equal.
    static func == (a: Outcome, b: Outcome) -> Bool {
      switch (a, b) {
      case (.text(let a), .text(let b)), (.refused(let a), .refused(let b)):
        a.utf8.elementsEqual(b.utf8)
      case (.failed, .failed): true
      default: false
      }
    }
  }

  struct Rendered: Decodable {
    var style: String
    var conversation: Int
    var prompt: Bool
    var expected: Outcome
  }

  struct Snippet: Decodable {
    var template: String
    var expected: Outcome
  }

  var styles: [String: String]
  var conversations: [[ChatMessage]]
  var rendered: [Rendered]
  var snippetConversation: Int
  var snippets: [Snippet]

  static let recorded = Result {
    let file = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "Fixtures/chat_templates.json")
    return try JSONDecoder().decode(TemplateFixture.self, from: Data(contentsOf: file))
  }
}

private func render(
  _ source: String, _ messages: [ChatMessage] = [], addGenerationPrompt: Bool = false
) throws(ChatTemplateError) -> String {
  try ChatTemplate(source, bosToken: "<s>", eosToken: "</s>")
    .render(messages, addGenerationPrompt: addGenerationPrompt)
}

private func outcome(
  _ source: String, _ messages: [ChatMessage], addGenerationPrompt: Bool
) -> (outcome: TemplateFixture.Outcome, error: ChatTemplateError?) {
  do {
    return (.text(try render(source, messages, addGenerationPrompt: addGenerationPrompt)), nil)
  } catch .refused(let message) {
    return (.refused(message), nil)
  } catch {
    return (.failed, error)
  }
}

@Suite struct TextChatTemplateTests {
  @Test func `templates of twelve styles give what Jinja2 gives`() throws {
    let fixture = try TemplateFixture.recorded.get()
    #expect(fixture.styles.count >= 12)
    #expect(fixture.rendered.count == fixture.styles.count * fixture.conversations.count * 2)
    for sample in fixture.rendered {
      let (found, error) = outcome(
        try #require(fixture.styles[sample.style]), fixture.conversations[sample.conversation],
        addGenerationPrompt: sample.prompt)
      #expect(
        found == sample.expected,
        "\(sample.style), \(sample.conversation), \(String(describing: error))")
    }
  }

  @Test func `each feature gives what Jinja2 gives and fails where it fails`() throws {
    let fixture = try TemplateFixture.recorded.get()
    let messages = fixture.conversations[fixture.snippetConversation]
    #expect(fixture.snippets.count >= 130)
    for snippet in fixture.snippets {
      let (found, error) = outcome(snippet.template, messages, addGenerationPrompt: true)
      #expect(
        found == snippet.expected,
        "\(snippet.template.debugDescription): \(String(describing: error))")
    }
  }

  @Test func `the default model's own template is in the file and is used`() throws {
    guard let path = defaultModelPath() else { return }
    let file = try GGUFFile(path: path)
    let tokenizer = try Tokenizer(file)
    let template = try #require(try ChatTemplate(file, tokenizer: tokenizer))
    #expect(template.source == (try TemplateFixture.recorded.get().styles["SmolLM2"]))
    #expect(template.bosToken == "<|im_start|>" && template.eosToken == "<|im_end|>")
    let text = try template.render(
      [ChatMessage(role: "user", content: "Hi")], addGenerationPrompt: true)
    #expect(
      text == """
        <|im_start|>system
        You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>
        <|im_start|>user
        Hi<|im_end|>
        <|im_start|>assistant

        """)
    #expect(tokenizer.encode(text).count { $0 == 1 } == 3)
  }

  @Test(arguments: [
    ("\n{% call f() %}{% endcall %}", 2, "the statement `call`"),
    ("\n\n{{ 'a' | shout }}", 3, "the filter `shout`"),
    ("{{ 1\n is prime }}", 2, "the test `prime`"),
    ("{{ lipsum() }}", 1, "the function `lipsum`"),
    ("a\n{{ 'a'.encode() }}", 2, "the method `encode` of a string"),
    ("{% for x in y recursive %}{% endfor %}", 1, "a recursive loop"),
    ("{{ 2 ** 3 }}", 1, "the operator `**`"),
    ("{{ f(**x) }}", 1, "the unpacking of named arguments"),
    ("{{ 'a'() }}", 1, "a call of a string"),
    ("{{ [1] | map('string') }}", 1, "the text of a generator"),
    ("{{ ('a' | safe).upper() }}", 1, "the method `upper` of a text marked `safe`"),
    ("{{ 'a' | safe | upper }}", 1, "the filter `upper` of a text marked `safe`"),
    ("{{ ('a' | safe)[0] }}", 1, "an element of a text marked `safe`"),
  ])
  func `what is not implemented is named with its line`(
    source: String, line: Int, construct: String
  ) {
    #expect(throws: ChatTemplateError.unsupported(line: line, construct: construct)) {
      try render(source)
    }
  }

  @Test func `a filter that is never reached does no harm`() throws {
    #expect(try render("{% if false %}{{ 'a' | shout }}{% endif %}b") == "b")
  }

  @Test func `an error in a loop is reported at its own line`() {
    let source = "{% for m in messages %}\n{{ m.role }}\n{{ m.role + 1 }}\n{% endfor %}"
    #expect(
      throws: ChatTemplateError.evaluation(
        line: 3, problem: "`+` between a string and an integer")
    ) { try render(source, [ChatMessage(role: "user", content: "")]) }
  }

  @Test func `generation marks write nothing`() throws {
    let source = "a{% generation %}\nb{% endgeneration %}\nc"
    #expect(try render(source) == "abc")
  }

  @Test(arguments: [
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{% for a in range(9223372036854775807) %}{% endfor %}",
    "{% set n = namespace(x='ab') %}{% for a in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "{% set n = namespace(x=[1]) %}{% for a in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "{% set n = namespace(x=[1]) %}{% for a in range(9999) %}{% set n.x = [n.x] %}{% endfor %}",
    "{% set n = namespace(x=[1]) %}{% for a in range(9999) %}{% set n.x = dict(x=n.x) %}{% endfor %}",
    "{% set n = namespace(x='aa') %}{% for a in range(99) %}{% set n.x = n.x.replace('a', n.x) %}"
      + "{% endfor %}",
    "{% set n = namespace(x=[1]) %}{% for a in range(99) %}{% set n.x = [n.x, n.x] %}{% endfor %}",
    String(repeating: "{{ '", count: 1) + String(repeating: "x", count: 1000) + "' }}"
      + "{% for a in range(999999) %}{{ 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' }}"
      + "{% endfor %}",
    "{{ range(1000000000) | list }}",
    "{{ 'a' * 1000000000 }}", "{{ [1] * 9223372036854775807 }}", "{{ 'ab' * 9223372036854775807 }}",
    "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
    "{% macro f(x) %}{{ g(x) }}{% endmacro %}{% macro g(x) %}{{ f(x) ~ f(x) }}{% endmacro %}{{ f(1) }}",
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
    "{% set s = 'x' * 9999999 %}{{ [" + String(repeating: "s, ", count: 200) + "] }}",
    "{% set s = ['x' * 99999] * 99999 %}{{ s | join }}",
    "{% set s = ['x' * 99999] * 99999 %}{{ s | tojson }}",
    "{% set s = [0] * 99999 %}{% for a in s %}{{ 1 in s }}{% endfor %}",
    "{% set s = [0] * 99999 %}{% for a in s %}{% set t = s[1:] %}{% endfor %}",
    "{% set s = 'x' * 999999 %}{% for a in range(99999) %}{{ s | length }}{% endfor %}",
    "{% set s = range(99999) | list %}{{ s | unique | list | length }}",
    "{{ 'a' | indent(999999999) }}",
    "{% set s = '\n' * 99999 %}{{ s | indent(99999, true, true) }}",
    "{{ " + String(repeating: "(", count: 5000) + "1" + String(repeating: ")", count: 5000) + " }}",
    "{{ " + String(repeating: "[", count: 5000) + String(repeating: "]", count: 5000) + " }}",
    "{{ " + String(repeating: "-", count: 5000) + "1 }}",
    "{{ " + String(repeating: "not ", count: 5000) + "1 }}",
    "{{ 1" + String(repeating: " + 1", count: 5000) + " }}",
    "{{ 'a'" + String(repeating: " | trim", count: 5000) + " }}",
    "{{ a" + String(repeating: ".b", count: 5000) + " }}",
    "{{ a" + String(repeating: "[0]", count: 5000) + " }}",
    "{{ 1" + String(repeating: " if 1 else 1", count: 5000) + " }}",
    String(repeating: "{% if 1 %}", count: 5000) + String(repeating: "{% endif %}", count: 5000),
  ])
  func `a template that does not end, or grows, is stopped`(source: String) {
    do {
      _ = try render(source)
      Issue.record("\(source.prefix(60)) was rendered")
    } catch {
      guard case .limit = error else {
        Issue.record("\(source.prefix(60)): \(error)")
        return
      }
    }
  }

  @Test func `strftime_now tells the given date, and is undefined without one`() throws {
    let template = try ChatTemplate(
      "{{ strftime_now is defined }}{% if strftime_now is defined %}"
        + "{{ strftime_now('%d %b %Y|%B|%A|%a|%y|%m|%e|%H:%M:%S|%I %p|%F|%T|%%') }}{% endif %}")
    let date = ChatDate(year: 2026, month: 3, day: 1, hour: 13, minute: 5, second: 7)
    // What Python's datetime gives for this moment.
    #expect(
      try template.render(messages: [], date: date, addGenerationPrompt: false)
        == "True01 Mar 2026|March|Sunday|Sun|26|03| 1|13:05:07|01 PM|2026-03-01|13:05:07|%")
    #expect(try template.render(messages: [], addGenerationPrompt: false) == "False")
    #expect {
      try render("{{ strftime_now('%Y') }}")
    } throws: { "\($0)".contains("`strftime_now`, for which no date was given") }
  }

  @Test func `extreme integers are errors or right, never traps`() throws {
    let large = "9223372036854775807"
    for source in [
      "{{ \(large) + 1 }}", "{{ -\(large) - 2 }}", "{{ \(large) * 2 }}",
      "{{ 99999999999999999999 }}",
      "{{ -(-\(large) - 1) }}", "{{ (-\(large) - 1) // -1 }}",
    ] {
      #expect(throws: ChatTemplateError.self) { try render(source) }
    }
    #expect(try render("{{ (-\(large) - 1) % -1 }}") == "0")
    #expect(try render("{{ 'abc'[\(large):] }}{{ 'abc'[-\(large) - 1:2] }}") == "ab")
    #expect(try render("{{ 'abc'[::\(large)] }}") == "a")
    #expect(try render("{{ 'abc'[\(large)] }}{{ 'abc'[-\(large) - 1] }}") == "")
    #expect(try render("{% for i in range(0, 9, \(large)) %}{{ i }}{% endfor %}") == "0")
    #expect(try render("{{ 1e999 }} {{ -1.5E+2 }} {{ 1e999 | int }}") == "inf -150.0 0")
  }

  @Test func `no cut of a template, and no foreign byte in it, does harm`() throws {
    for source in try TemplateFixture.recorded.get().styles.values {
      let messages = [ChatMessage(role: "user", content: "x")]
      let bytes = Array(source.utf8)
      for end in bytes.indices {
        _ = try? render(String(decoding: bytes[..<end], as: UTF8.self), messages)
      }
      for place in bytes.indices {
        var damaged = bytes
        damaged[place] = [0x7B, 0x25, 0x27, 0x28, 0x00, 0xFF, 0x2D][place % 7]
        _ = try? render(String(decoding: damaged, as: UTF8.self), messages)
      }
    }
  }
}
