internal import Foundation

/// The tokenizer and the chat template of a Hugging Face folder.
package struct TokenizerFolder: Sendable {
  package let tokenizer: Tokenizer
  /// The chat template's source, where the folder has one.
  package let chatTemplate: String?
  /// What `bos_token` and `eos_token` stand for in the template.
  package let bosToken: String?
  package let eosToken: String?

  /// Reads `tokenizer.json`, or `tokenizer.model` where there is none, with what
  /// `tokenizer_config.json`, `special_tokens_map.json` and `generation_config.json` add.
  ///
  /// Truncation and padding in `tokenizer.json` are left out: they are for who makes a batch.
  ///
  /// - Throws: ``ModelFileError`` or ``TokenizerError`` naming what is wrong with which file.
  package init(path: String) throws {
    func file(_ name: String) -> String? {
      let file = URL(filePath: path).appending(path: name).path(percentEncoded: false)
      return FileManager.default.fileExists(atPath: file) ? file : nil
    }
    let configuration = try file("tokenizer_config.json").map(JSONValue.init(path:))
    let special = try file("special_tokens_map.json").map(JSONValue.init(path:))
    let generation = try file("generation_config.json").map(JSONValue.init(path:))
    bosToken = Self.token("bos_token", configuration, special)
    eosToken = Self.token("eos_token", configuration, special)
    var description: TokenizerDescription
    if file("tokenizer.json") == nil, let model = file("tokenizer.model") {
      description = try TokenizerDescription(
        sentencePiece: model, addsBOS: configuration?["add_bos_token"]?.bool,
        addsEOS: configuration?["add_eos_token"]?.bool)
    } else {
      let json =
        file("tokenizer.json") ?? URL(filePath: path).appending(path: "tokenizer.json").path
      description = try TokenizerJSON(path: json).description()
    }
    description.readEnds(bosToken, eosToken, generation)
    tokenizer = try Tokenizer(description)
    chatTemplate =
      try Self.template(configuration?["chat_template"])
      ?? file("chat_template.jinja").map { try String(contentsOfFile: $0, encoding: .utf8) }
  }

  /// A special token, which is a text or an object with one.
  private static func token(_ name: String, _ files: JSONValue?...) -> String? {
    for case let file? in files {
      if let text = file[name]?.string ?? file[name]?["content"]?.string { return text }
    }
    return nil
  }

  /// The template, or the one called `default` of several.
  private static func template(_ value: JSONValue?) throws -> String? {
    if let text = value?.string { return text }
    return value?.array?.first { $0["name"]?.string == "default" }?["template"]?.string
  }
}

extension Tokenizer {
  /// Builds the tokenizer that a `tokenizer.json` describes, without what other files say of its
  /// special tokens.
  ///
  /// - Throws: ``ModelFileError`` where it cannot be read, ``TokenizerError`` where it uses what is
  ///   not implemented or contradicts itself.
  package convenience init(json path: String) throws {
    try self.init(TokenizerJSON(path: path).description())
  }
}

extension TokenizerDescription {
  /// Takes the tokens that begin and end a text from the names and ids that configurations give.
  fileprivate mutating func readEnds(_ bos: String?, _ eos: String?, _ generation: JSONValue?) {
    func id(_ name: String?) -> Int? {
      guard let name, !name.isEmpty else { return nil }
      return tokens.firstIndex { $0.utf8.elementsEqual(name.utf8) }
    }
    bosID = id(bos) ?? generation?["bos_token_id"]?.int ?? bosID
    let ends = generation?["eos_token_id"]
    let declared = ends?.int.map { [$0] } ?? ends?.array?.compactMap(\.int) ?? []
    eosIDs = Array(Set(eosIDs + [id(eos)].compactMap { $0 } + declared)).sorted()
  }
}
