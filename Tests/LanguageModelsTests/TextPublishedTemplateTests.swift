import Digests
import Foundation
import LanguageModels
import Testing

/// What transformers makes of published templates, recorded by
/// `Scripts/reference/published_templates.py` as digests: the templates are other people's work.
private struct PublishedTemplates: Decodable {
  struct Template: Decodable {
    var sha256: String
    /// The first half of each text's SHA-256, for every input without and with a generation
    /// prompt; nil where transformers refuses.
    var expected: [String?]
  }

  var date: [Int]
  var inputs: [String]
  var templates: [String: Template]

  static let recorded = Result {
    let file = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "Fixtures/published_templates.json")
    return try JSONDecoder().decode(PublishedTemplates.self, from: Data(contentsOf: file))
  }

  /// The folder of templates to check, as the script wants it.
  static let folder = ProcessInfo.processInfo.environment["PLUMBLINE_TEMPLATES"]
}

private func sha256(_ data: Data) -> String {
  let hash = SHA256()
  data.withUnsafeBytes { hash.update($0) }
  return hash.hexadecimal()
}

@Suite struct TextPublishedTemplateTests {
  @Test(.enabled(if: PublishedTemplates.folder != nil, "PLUMBLINE_TEMPLATES names no folder"))
  func `published templates give what transformers gives`() throws {
    let fixture = try PublishedTemplates.recorded.get()
    let folder = try #require(PublishedTemplates.folder)
    let inputs = try fixture.inputs.map { try ChatValue(json: $0) }
    let date = ChatDate(
      year: fixture.date[0], month: fixture.date[1], day: fixture.date[2], hour: fixture.date[3],
      minute: fixture.date[4], second: fixture.date[5])
    #expect(fixture.templates.count >= 30)
    for (name, template) in fixture.templates.sorted(by: { $0.key < $1.key }) {
      let bytes = try Data(contentsOf: URL(fileURLWithPath: folder).appending(path: name))
      #expect(sha256(bytes) == template.sha256, "\(name) is another version")
      let source = String(decoding: bytes, as: UTF8.self)
      #expect(template.expected.count == 2 * inputs.count)
      for (place, expected) in template.expected.enumerated() {
        let found = digest(source, inputs[place / 2], date, addGenerationPrompt: place % 2 == 1)
        #expect(found == expected, "\(name), input \(place / 2)")
      }
    }
  }

  private func digest(
    _ source: String, _ input: ChatValue, _ date: ChatDate, addGenerationPrompt: Bool
  ) -> String? {
    guard case .list(let messages)? = input["messages"],
      let template = try? ChatTemplate(source, bosToken: "<s>", eosToken: "</s>")
    else { return nil }
    var tools: [ChatValue]?
    if case .list(let given)? = input["tools"] { tools = given }
    var variables: [String: ChatValue] = [:]
    if case .object(let members)? = input["variables"] {
      for member in members { variables[member.name] = member.value }
    }
    let text = try? template.render(
      messages: messages, tools: tools, variables: variables, date: date,
      addGenerationPrompt: addGenerationPrompt)
    return text.map { String(sha256(Data($0.utf8)).prefix(16)) }
  }
}
