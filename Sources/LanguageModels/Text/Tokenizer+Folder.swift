// placeholder until merged
extension Tokenizer {
  package convenience init(folder: String) throws {
    throw ModelFileError.unsupported(
      .init(path: folder, expected: "a GGUF file", found: "a folder", remedy: "wait"))
  }
}
extension ChatTemplate {
  init?(folder: String, tokenizer: Tokenizer) throws { return nil }
}
