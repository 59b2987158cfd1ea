internal import Foundation

/// A model's files, opened and checked, nothing of its weights read yet.
struct ModelFiles: Sendable {
  let tensors: CheckedTensors
  let tokenizer: Tokenizer
  let chatTemplate: ChatTemplate?

  /// Opens a GGUF file, or a Hugging Face folder with `config.json`, safetensors and a tokenizer.
  ///
  /// - Throws: ``ModelFileError``, ``TokenizerError`` or ``ChatTemplateError`` naming the file and
  ///   what is wrong with it.
  init(path: String) throws {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    try self.init(exists && isFolder.boolValue ? Self.folder(path) : Self.gguf(path))
    let vocabulary = tensors.configuration.dVocab
    guard tokenizer.vocabSize <= vocabulary else {
      throw ModelFileError.unsupported(
        .init(
          path: path, expected: "at most \(vocabulary) tokens, the rows of the embedding",
          found: "a tokenizer of \(tokenizer.vocabSize)",
          remedy: "use the tokenizer that belongs to these weights"))
    }
  }

  private init(_ parts: (CheckedTensors, Tokenizer, ChatTemplate?)) {
    (tensors, tokenizer, chatTemplate) = parts
  }

  private static func gguf(_ path: String) throws -> (CheckedTensors, Tokenizer, ChatTemplate?) {
    let file = try GGUFFile(path: path)
    let family = try Family.of(file)
    guard let names = family.gguf, let configuration = try family.readMetadata?(file) else {
      preconditionFailure("a family that names GGUF architectures reads them")
    }
    let tokenizer = try Tokenizer(file)
    let tensors = try CheckedTensors(.gguf(file), names, configuration, tied: nil)
    return (tensors, tokenizer, try ChatTemplate(file, tokenizer: tokenizer))
  }

  private static func folder(_ path: String) throws -> (CheckedTensors, Tokenizer, ChatTemplate?) {
    let tensors = try checkpoint(path)
    let text = try TokenizerFolder(path: path)
    let template = try text.chatTemplate.map {
      try ChatTemplate($0, bosToken: text.bosToken, eosToken: text.eosToken)
    }
    return (tensors, text.tokenizer, template)
  }

  /// The weights of a Hugging Face folder, held against its `config.json`.
  static func checkpoint(_ path: String) throws(ModelFileError) -> CheckedTensors {
    let config = try ConfigFile(path: (path as NSString).appendingPathComponent("config.json"))
    let family = try Family.of(config)
    let configuration = try family.readConfig(config)
    let weights = try SafetensorsCheckpoint(folder: path)
    let tied = try config.bool("tie_word_embeddings", default: family.tiesByDefault)
    return try CheckedTensors(.safetensors(weights), family.checkpoint, configuration, tied: tied)
  }
}
