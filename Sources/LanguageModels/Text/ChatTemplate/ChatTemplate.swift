/// One turn of a conversation.
package struct ChatMessage: Codable, Equatable, Sendable {
  /// Who speaks: `system`, `user` or `assistant`, unless the template knows others.
  package var role: String
  /// What is said.
  package var content: String

  /// A turn of a conversation.
  package init(role: String, content: String) {
    self.role = role
    self.content = content
  }
}

/// A model's chat template: the Jinja program that writes messages down as the model saw them in
/// training.
///
/// Implemented is the part of Jinja that such templates use, with the settings that transformers
/// gives it (`trim_blocks`, `lstrip_blocks`, loop controls, its `tojson`). Everything else is an
/// error that names it: a prompt that is almost right would silently measure another model.
package struct ChatTemplate: Sendable {
  /// Bounds that no honest template comes near.
  package struct Limits: Sendable {
    /// Operations, and for each 16 bytes of text made another one.
    package var steps = 2_000_000
    /// Size of any text, the result included.
    package var bytes = 16 << 20

    /// The default bounds.
    package init() {}
  }

  /// The program as the model's file has it.
  package let source: String
  /// What `bos_token` and `eos_token` stand for in the template; undefined where nil.
  package let bosToken: String?
  package let eosToken: String?
  /// Bounds for rendering.
  package var limits = Limits()

  private let body: [TemplateStatement]

  /// Reads a template.
  ///
  /// - Throws: ``ChatTemplateError/syntax(line:problem:)`` or
  ///   ``ChatTemplateError/unsupported(line:construct:)``. Unknown filters, tests and functions
  ///   are reported only when they are reached.
  package init(
    _ source: String, bosToken: String? = nil, eosToken: String? = nil
  ) throws(ChatTemplateError) {
    var parser = try TemplateParser(TemplateLexer.tokens(of: source))
    body = try parser.template()
    (self.source, self.bosToken, self.eosToken) = (source, bosToken, eosToken)
  }

  /// Writes the messages down as one text, to be tokenised with special tokens parsed.
  ///
  /// - Parameters:
  ///   - messages: The conversation, oldest turn first.
  ///   - addGenerationPrompt: Whether the text ends with the beginning of an answer.
  /// - Returns: The prompt.
  /// - Throws: ``ChatTemplateError``; ``ChatTemplateError/refused(message:)`` if the template
  ///   itself rejects the messages.
  package func render(
    _ messages: [ChatMessage], addGenerationPrompt: Bool
  ) throws(ChatTemplateError) -> String {
    try render(
      messages: messages.map {
        .object([
          .init(name: "role", value: .string($0.role)),
          .init(name: "content", value: .string($0.content)),
        ])
      }, addGenerationPrompt: addGenerationPrompt)
  }

  /// Writes messages of any form down: with tool calls, or contents of several parts.
  ///
  /// - Parameters:
  ///   - messages: Objects as the template expects them, oldest turn first.
  ///   - tools: The schemas of the tools that the model may call; `none` in the template if nil.
  ///   - variables: Whatever else the template reads, such as `enable_thinking`.
  ///   - date: What `strftime_now` tells; it is undefined if nil, and many templates then write
  ///     a fixed date.
  ///   - addGenerationPrompt: Whether the text ends with the beginning of an answer.
  /// - Returns: The prompt.
  /// - Throws: As ``render(_:addGenerationPrompt:)``.
  package func render(
    messages: [ChatValue], tools: [ChatValue]? = nil, variables: [String: ChatValue] = [:],
    date: ChatDate? = nil, addGenerationPrompt: Bool
  ) throws(ChatTemplateError) -> String {
    var globals = variables.mapValues(\.templateValue)
    globals["messages"] = ChatValue.list(messages).templateValue
    globals["add_generation_prompt"] = .bool(addGenerationPrompt)
    globals["tools"] = tools.map { ChatValue.list($0).templateValue } ?? .null
    // transformers passes these even where there are none.
    if globals["documents"] == nil { globals["documents"] = .null }
    if let bosToken { globals["bos_token"] = .string(bosToken) }
    if let eosToken { globals["eos_token"] = .string(eosToken) }
    var evaluator = TemplateEvaluator(globals: globals, limits: limits, date: date)
    return try evaluator.render(body)
  }
}

extension ChatTemplate {
  /// The template that a GGUF file carries; nil where it has none.
  ///
  /// - Throws: ``ModelFileError`` if the metadata is of another type, ``ChatTemplateError`` if
  ///   the template cannot be read.
  package init?(_ file: GGUFFile, tokenizer: Tokenizer) throws {
    guard file.metadata["tokenizer.chat_template"] != nil else { return nil }
    let eos = try file.int("tokenizer.ggml.eos_token_id", default: -1)
    try self.init(
      file.string("tokenizer.chat_template"),
      bosToken: tokenizer.bosID.map { tokenizer.tokens[$0] },
      eosToken: tokenizer.tokens.indices.contains(eos) ? tokenizer.tokens[eos] : nil)
  }
}
