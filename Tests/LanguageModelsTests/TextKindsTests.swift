import Foundation
import LanguageModels
import Testing

/// Small tokenizers of every kind, with the answers of Hugging Face tokenizers, recorded by
/// `Scripts/reference/small_tokenizer_fixtures.py`.
private struct KindFixture: Decodable {
  struct Row: Decodable {
    var text: String
    var ids: [Int]
    var idsWithEnds: [Int]
    var decoded: String
    var decodedWithoutSpecial: String

    init(from decoder: any Decoder) throws {
      var row = try decoder.unkeyedContainer()
      text = try row.decode(String.self)
      ids = try row.decode([Int].self)
      idsWithEnds = try row.decode([Int].self)
      decoded = try row.decode(String.self)
      decodedWithoutSpecial = try row.decode(String.self)
    }
  }

  var rows: [Row]

  init(_ name: String) throws {
    let file = fixtures.appending(path: "\(name).ids.json")
    self = try JSONDecoder().decode(Self.self, from: Data(contentsOf: file))
  }
}

private let fixtures = URL(filePath: #filePath).deletingLastPathComponent()
  .appending(path: "Fixtures/tokenizers")

private let names = [
  "gpt2", "starcoder", "llama3", "qwen2", "qwen35", "gpt4o", "tekken", "deepseek", "llama2",
  "gemma", "bert", "albert",
]

private func tokenizer(_ name: String) throws -> Tokenizer {
  try Tokenizer(json: fixtures.appending(path: "\(name).json").path)
}

/// Calls `body` with a file that holds `bytes`, in a folder of its own.
@discardableResult
private func withFile<R>(_ name: String, _ bytes: [UInt8], _ body: (String) throws -> R) throws -> R
{
  let folder = URL(filePath: NSTemporaryDirectory()).appending(path: UUID().uuidString)
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  let file = folder.appending(path: name)
  try Data(bytes).write(to: file)
  return try body(file.path)
}

@Suite struct TextKindsTests {
  @Test(arguments: names)
  func `every kind gives the ids of Hugging Face tokenizers`(name: String) throws {
    let tokenizer = try tokenizer(name)
    let rows = try KindFixture(name).rows
    #expect(rows.count >= 100)
    for row in rows {
      #expect(tokenizer.encode(row.text) == row.ids, "\(row.text.debugDescription)")
      #expect(tokenizer.encode(row.text, addSpecial: true) == row.idsWithEnds)
      // The second time the words come out of the cache.
      #expect(tokenizer.encode(row.text) == row.ids)
    }
  }

  @Test(arguments: names)
  func `every kind decodes as Hugging Face tokenizers does, streamed or whole`(name: String) throws
  {
    let tokenizer = try tokenizer(name)
    for row in try KindFixture(name).rows {
      #expect(Array(tokenizer.decode(row.ids).utf8) == Array(row.decoded.utf8), "\(row.ids)")
      let short = tokenizer.decode(row.ids, skipSpecial: true)
      #expect(Array(short.utf8) == Array(row.decodedWithoutSpecial.utf8), "\(row.ids)")
      var stream = StreamingDecoder(tokenizer)
      var text = row.ids.flatMap { Array(stream.append($0).utf8) }
      text += stream.finish().utf8
      #expect(text == Array(row.decoded.utf8), "\(row.ids)")
    }
  }

  @Test func `BERT strips the accents of Unicode 8, whatever became of them since`() throws {
    let bert = try tokenizer("bert")
    // U+1734 and U+1171E have become marks that take up space.
    for accent in ["\u{301}", "\u{1171E}", "\u{1734}"] {
      #expect(bert.encode("the\(accent)re") == bert.encode("there"), "\(accent.unicodeScalars)")
    }
    // Marks that are newer than its tables stay.
    #expect(bert.encode("the\u{1E08F}re") != bert.encode("there"))
  }

  @Test(
    arguments: [
      (#""normalizer":{"type":"Nmt"}"#, "normalizer", "Nmt"),
      (#""pre_tokenizer":{"type":"UnicodeScripts"}"#, "pre_tokenizer", "UnicodeScripts"),
      (
        #""pre_tokenizer":{"type":"Split","pattern":{"Regex":"x+"},"behavior":"Isolated","invert":false}"#,
        "pre_tokenizer.pattern", "x+"
      ),
      (#""decoder":{"type":"CTC"}"#, "decoder", "CTC"),
      (#""post_processor":{"type":"Other"}"#, "post_processor", "Other"),
      (#""x":0"#, "model.dropout", "0.5"),
    ])
  func `what is not implemented is named`(part: String, field: String, value: String) throws {
    let dropout = field == "model.dropout" ? "0.5" : "null"
    let json =
      #"{"model":{"type":"BPE","dropout":\#(dropout),"vocab":{"a":0},"merges":[]},\#(part)}"#
    try withFile("tokenizer.json", Array(json.utf8)) { path in
      #expect(throws: TokenizerError.unsupported(path: path, field: field, value: value)) {
        try Tokenizer(json: path)
      }
    }
  }

  @Test(
    arguments: [
      #"{"model":{"type":"BPE","vocab":{"a":9000000},"merges":[]}}"#,
      #"{"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}}"#,
      #"{"model":{"type":"BPE","vocab":{},"merges":[]}}"#,
      #"{"model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":[["a","b"]]}}"#,
      #"{"model":{"type":"BPE","vocab":{"a":0},"merges":[],"unk_token":"u"}}"#,
      #"{"model":{"type":"Unigram","vocab":[["a",0]],"unk_id":7}}"#,
      #"{"model":{"type":"WordPiece","vocab":{"a":0},"unk_token":"u"}}"#,
      #"{"model":{"vocab":3}}"#, #"{}"#, #"[]"#, #"{"model""#,
      String(repeating: "[", count: 5000),
      #"{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"added_tokens":[{"id":0,"content":"b"}]}"#,
    ])
  func `a description that contradicts itself is refused`(json: String) throws {
    try withFile("tokenizer.json", Array(json.utf8)) { path in
      #expect(throws: (any Error).self) { try Tokenizer(json: path) }
    }
  }

  @Test func `tokens that Unicode deems the same stay apart in a vocabulary`() throws {
    let json =
      "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"\u{C5}\":0,\"\u{212B}\":1},\"merges\":[]}}"
    try withFile("tokenizer.json", Array(json.utf8)) { path in
      let tokenizer = try Tokenizer(json: path)
      #expect(tokenizer.encode("\u{C5}\u{212B}") == [0, 1])
    }
  }

  @Test func `a SentencePiece model is read field by field`() throws {
    try withFile("tokenizer.model", sentencePiece) { path in
      let tokenizer = try Tokenizer(TokenizerDescription(sentencePiece: path))
      #expect(tokenizer.vocabSize == 7)
      #expect(tokenizer.encode("ab", addSpecial: true) == [6, 2])
      #expect(tokenizer.encode("ba b") == [3, 5, 4, 3, 5])
      #expect(tokenizer.decode([1, 6, 3, 5]) == "<s> ab b")
      #expect(tokenizer.decode([1, 6, 3, 5], skipSpecial: true) == "ab b")
      #expect(tokenizer.decode([6, 0, 3, 5], skipSpecial: true) == "ab b")
    }
  }

  @Test func `no prefix of a SentencePiece model is more than an error`() throws {
    for count in 1..<sentencePiece.count {
      try withFile("tokenizer.model", Array(sentencePiece[..<count])) { path in
        // Some prefixes are whole models with fewer tokens.
        _ = try? Tokenizer(TokenizerDescription(sentencePiece: path)).encode("ab b")
      }
    }
  }

  @Test func `a folder says what begins and ends a text`() throws {
    let folder = URL(filePath: NSTemporaryDirectory()).appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try FileManager.default.copyItem(
      at: fixtures.appending(path: "llama3.json"), to: folder.appending(path: "tokenizer.json"))
    let configuration = #"{"bos_token":{"content":"<s>"},"chat_template":"{{ messages }}"}"#
    try Data(configuration.utf8).write(to: folder.appending(path: "tokenizer_config.json"))
    try Data(#"{"eos_token_id":[0,5]}"#.utf8)
      .write(to: folder.appending(path: "generation_config.json"))
    let read = try TokenizerFolder(path: folder.path)
    #expect(read.tokenizer.bosID == 1)
    #expect(read.tokenizer.addsBOS)
    #expect(read.tokenizer.eosIDs == [0, 5])
    #expect(read.chatTemplate == "{{ messages }}")
    #expect(read.bosToken == "<s>")
  }
}

/// A unigram model of seven tokens: `<unk> <s> </s> ▁ a b ▁ab`.
private let sentencePiece: [UInt8] = {
  func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] {
    [number << 3 | 2, UInt8(bytes.count)] + bytes
  }
  func piece(_ text: String, _ score: Float, _ type: UInt8) -> [UInt8] {
    let bits = score.bitPattern
    let bytes = (0..<4).map { UInt8(truncatingIfNeeded: bits >> (8 * UInt32($0))) }
    return field(1, field(1, Array(text.utf8)) + [2 << 3 | 5] + bytes + [3 << 3, type])
  }
  return piece("<unk>", 0, 2) + piece("<s>", 0, 3) + piece("</s>", 0, 3) + piece("▁", -3, 1)
    + piece("a", -4, 1) + piece("b", -5, 1) + piece("▁ab", -1, 1)
    + field(2, [3 << 3, 1]) + field(3, [3 << 3, 1, 4 << 3, 1])
}()
