import LanguageModels
import Testing

/// Vocabularies so small that each answer can be counted out; those from a `tokenizer.json` are Hugging
/// Face tokenizers' too.
@Suite struct TextPartsTests {
  @Test func `white space beside an added token goes with it where it says so`() throws {
    let json = """
      {"model":{"type":"BPE","merges":[],"vocab":{"a":0," ":1,"b":2,"x":3,"y":4,"\\n":5}},
       "added_tokens":[{"id":6,"content":"<l>","special":true,"lstrip":true},
        {"id":7,"content":"<r>","special":true,"rstrip":true},
        {"id":8,"content":"xy","special":true,"single_word":true}]}
      """
    let tokenizer = try tokenizer(json)
    #expect(tokenizer.encode("a \n<l> b") == [0, 6, 1, 2])
    #expect(tokenizer.encode("a <r> \n b") == [0, 1, 7, 2])
    #expect(tokenizer.encode("a xy b") == [0, 1, 8, 1, 2])
    for text in ["axy", "xyb", "xy_"] { #expect(!tokenizer.encode(text).contains(8), "\(text)") }
  }

  @Test func `WordPiece counts scalars, and words up to the limit are spelled`() throws {
    let tokenizer = try tokenizer(
      """
      {"model":{"type":"WordPiece","unk_token":"U","continuing_subword_prefix":"##",
       "max_input_chars_per_word":3,"vocab":{"U":0,"a":1,"##a":2,"é":3,"##é":4}},
       "pre_tokenizer":{"type":"WhitespaceSplit"}}
      """)
    #expect(tokenizer.encode("aaa aaaa") == [1, 2, 2, 0])
    #expect(tokenizer.encode("ééé éééé") == [3, 4, 4, 0])
  }

  @Test(arguments: ["NFC", "NFD", "NFKC", "NFKD"])
  func `marks are ordered, those that the reference does not know are left alone`(
    form: String
  ) throws {
    let scalars = ["f71", "f72", "f74", "f80", "fb3", "f78", "f75", "316", "fb2"]
    let vocabulary = scalars.enumerated().map { "\"\\u0\($1)\":\($0)" }.joined(separator: ",")
    let tokenizer = try tokenizer(
      """
      {"model":{"type":"BPE","merges":[],"vocab":{\(vocabulary),"a":9,"\\ud838\\udc8f":10}},
       "normalizer":{"type":"\(form)"}}
      """)
    #expect(tokenizer.encode("\u{F78}\u{F75}") == [4, 0, 3, 2])
    #expect(tokenizer.encode("a\u{1E08F}\u{316}") == [9, 10, 7])
  }

  @Test func `only the first text gets a marker where that is the scheme`() throws {
    let tokenizer = try tokenizer(
      """
      {"model":{"type":"BPE","merges":[],"vocab":{"▁":0,"a":1,"b":2}},
       "added_tokens":[{"id":3,"content":"<s>","special":true}],
       "pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true}}
      """)
    #expect(tokenizer.encode("a<s>b") == [0, 1, 3, 2])
    #expect(tokenizer.encode("<s>a") == [3, 1])
    #expect(tokenizer.encode("a b") == [0, 1, 0, 2])
  }

  @Test func `a GGUF file of SentencePiece begins with its token and a space`() throws {
    let tokens = ["<unk>", "<s>", "▁", "a", "b", "▁a"]
    var builder = file("llama", tokens, types: [2, 3, 1, 1, 1, 1], scores: [0, 0, -3, -4, -5, -1])
    builder.key("tokenizer.ggml.bos_token_id", 1)
    builder.key("tokenizer.ggml.unknown_token_id", 0)
    let tokenizer = try self.tokenizer(builder)
    #expect(tokenizer.encode("ab", addSpecial: true) == [1, 5, 4])
    #expect(tokenizer.encode("a<s>a") == [5, 1, 5])
    #expect(tokenizer.decode([5, 4, 5]) == "ab a")
    builder.key("tokenizer.ggml.add_space_prefix", type: 7, [0])
    #expect(try self.tokenizer(builder).encode("ab") == [3, 4])
  }

  @Test func `a GGUF file of WordPiece marks the words that BERT leaves plain`() throws {
    let tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "▁a", "b"]
    var builder = file("bert", tokens, types: [3, 3, 3, 3, 1, 1], scores: [])
    builder.key("tokenizer.ggml.unknown_token_id", 1)
    builder.key("tokenizer.ggml.cls_token_id", 2)
    builder.key("tokenizer.ggml.seperator_token_id", 3)
    let tokenizer = try self.tokenizer(builder)
    #expect(tokenizer.encode("Ab a b", addSpecial: true) == [2, 4, 5, 4, 1, 3])
    #expect(tokenizer.decode([4, 5, 4]) == "ab a")
  }

  private func tokenizer(_ json: String) throws -> Tokenizer {
    try ScratchFile.holding(Array(json.utf8)) { try Tokenizer(json: $0) }
  }

  private func tokenizer(_ builder: GGUFBuilder) throws -> Tokenizer {
    try ScratchFile.holding(builder.build()) { try Tokenizer(GGUFFile(path: $0)) }
  }

  private func file(
    _ model: String, _ tokens: [String], types: [Int32], scores: [Float]
  ) -> GGUFBuilder {
    var builder = GGUFBuilder()
    builder.key("tokenizer.ggml.model", model)
    let count = UInt64(tokens.count)
    builder.array(
      "tokenizer.ggml.tokens", type: 8, count: count, tokens.flatMap(GGUFBuilder.string))
    builder.array(
      "tokenizer.ggml.token_type", type: 5, count: count, types.flatMap(GGUFBuilder.bytes))
    builder.array(
      "tokenizer.ggml.scores", type: 6, count: UInt64(scores.count),
      scores.flatMap { GGUFBuilder.bytes($0.bitPattern) })
    return builder
  }
}
