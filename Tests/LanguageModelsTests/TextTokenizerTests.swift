import Foundation
import LanguageModels
import TestSupport
import Testing

/// llama.cpp's answers, recorded by `Scripts/reference/tokenizer_fixtures.py`.
private struct TokenizerFixture: Decodable {
  struct Sample: Decodable {
    var text: String
    var ids: [Int]

    init(from decoder: any Decoder) throws {
      var row = try decoder.unkeyedContainer()
      text = try row.decode(String.self)
      ids = try row.decode([Int].self)
    }
  }

  struct Decoded: Decodable {
    var ids: [Int]
    var text: String

    init(from decoder: any Decoder) throws {
      var row = try decoder.unkeyedContainer()
      ids = try row.decode([Int].self)
      text = try row.decode(String.self)
    }
  }

  var texts: [Sample]
  var plain: [Sample]
  var gpt2: [Sample]
  var malformed: [Sample]
  var decoded: [Decoded]
  var endOfGeneration: [Int]

  static let recorded = Result {
    let file = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "Fixtures/tokenizer.json")
    return try JSONDecoder().decode(TokenizerFixture.self, from: Data(contentsOf: file))
  }
}

private let model = Result { try GGUFFile(path: #require(defaultModelPath())) }
private let smolLM2 = Result { try Tokenizer(model.get()) }

/// Expects `actual` of every sample, and shows the first that differ.
private func expectAll(
  _ samples: [TokenizerFixture.Sample], atLeast count: Int,
  sourceLocation: SourceLocation = #_sourceLocation, _ actual: (String) -> [Int]
) {
  #expect(samples.count >= count, sourceLocation: sourceLocation)
  let wrong = samples.filter { actual($0.text) != $0.ids }
  for sample in wrong.prefix(5) {
    Issue.record(
      "\(sample.text.debugDescription): expected \(sample.ids), found \(actual(sample.text))",
      sourceLocation: sourceLocation)
  }
  #expect(
    wrong.isEmpty, "\(wrong.count) of \(samples.count) differ", sourceLocation: sourceLocation)
}

@Suite(.enabled(if: defaultModelPath() != nil, "run `make bootstrap` for the default model"))
struct TextTokenizerTests {
  @Test func `tokenisation agrees with llama.cpp on texts of many scripts`() throws {
    let tokenizer = try smolLM2.get()
    try expectAll(TokenizerFixture.recorded.get().texts, atLeast: 2000) { tokenizer.encode($0) }
  }

  @Test func `special tokens stay plain text where they are not to be parsed`() throws {
    let tokenizer = try smolLM2.get()
    try expectAll(TokenizerFixture.recorded.get().plain, atLeast: 150) {
      tokenizer.encode($0, parseSpecial: false)
    }
  }

  @Test func `GPT-2's pre-tokeniser agrees with llama.cpp where digits make it differ`() throws {
    let file = try model.get()
    let tokenizer = try Tokenizer(
      tokens: file.strings("tokenizer.ggml.tokens"),
      tokenTypes: file.ints("tokenizer.ggml.token_type"),
      merges: file.strings("tokenizer.ggml.merges"), pre: "gpt-2", bosID: nil, eosIDs: [],
      addsBOS: false)
    try expectAll(TokenizerFixture.recorded.get().gpt2, atLeast: 150) { tokenizer.encode($0) }
  }

  @Test func `malformed bytes are read as Python repairs them`() throws {
    let tokenizer = try smolLM2.get()
    try expectAll(TokenizerFixture.recorded.get().malformed, atLeast: 100) { hex in
      tokenizer.encode(bytes: bytes(hex: hex))
    }
  }

  @Test func `decoding repairs malformed UTF-8 as Python does`() throws {
    let tokenizer = try smolLM2.get()
    for sample in try TokenizerFixture.recorded.get().decoded {
      let text = tokenizer.decode(sample.ids)
      #expect(Array(text.utf8) == Array(sample.text.utf8), "\(sample.ids)")
    }
  }

  @Test func `decoding gives back every text whose bytes the vocabulary has`() throws {
    let tokenizer = try smolLM2.get()
    let texts = try TokenizerFixture.recorded.get().texts.map(\.text)
      .filter { absentBytes.isDisjoint(with: $0.utf8) }
    #expect(texts.count > 2000)
    for text in texts {
      #expect(Array(tokenizer.decode(tokenizer.encode(text)).utf8) == Array(text.utf8))
    }
  }

  @Test func `streaming never shows half a character and adds up to the whole`() throws {
    let tokenizer = try smolLM2.get()
    let fixture = try TokenizerFixture.recorded.get()
    for ids in fixture.texts.map(\.ids) + fixture.decoded.map(\.ids) {
      var decoder = StreamingDecoder(tokenizer)
      var text: [UInt8] = []
      for id in ids { text.append(contentsOf: decoder.append(id).utf8) }
      text.append(contentsOf: decoder.finish().utf8)
      #expect(text == Array(tokenizer.decode(ids).utf8), "\(ids)")
    }
  }

  @Test func `an emoji in two tokens appears with its last one`() throws {
    let tokenizer = try smolLM2.get()
    let ids = tokenizer.encode("🪿")
    try #require(ids.count > 1)
    var decoder = StreamingDecoder(tokenizer)
    #expect(ids.map { decoder.append($0) } == ids.dropLast().map { _ in "" } + ["🪿"])
    #expect(decoder.finish().isEmpty)
  }

  @Test func `the vocabulary is described by the file`() throws {
    let tokenizer = try smolLM2.get()
    #expect(tokenizer.vocabSize == 49_152)
    #expect(tokenizer.bosID == 1)
    #expect(!tokenizer.addsBOS)
    #expect(tokenizer.eosIDs.isSubset(of: try TokenizerFixture.recorded.get().endOfGeneration))
    #expect(tokenizer.eosIDs == [0, 2])
    #expect(tokenizer.id(ofToken: "<|im_end|>") == 2)
    #expect(tokenizer.id(ofToken: "no such token") == nil)
    let the = try #require(tokenizer.id(ofToken: "Ġthe"))
    #expect(tokenizer.piece(the) == " the")
    #expect(tokenizer.piece(2) == "<|im_end|>")
    #expect(tokenizer.bytes(-1).isEmpty && tokenizer.bytes(49_152).isEmpty)
  }

  @Test func `a million letters without a space take a moment`() throws {
    let tokenizer = try smolLM2.get()
    let ids = tokenizer.encode(String(repeating: "ab", count: 500_000))
    #expect(tokenizer.decode(ids).utf8.count == 1_000_000)
  }

  @Test func `encodings at the same time do not disturb each other`() async throws {
    let tokenizer = try smolLM2.get()
    let texts = try TokenizerFixture.recorded.get().texts
    let wrong = await withTaskGroup(of: Int.self) { group in
      for _ in 0..<8 {
        group.addTask { texts.count { tokenizer.encode($0.text) != $0.ids } }
      }
      return await group.reduce(0, +)
    }
    #expect(wrong == 0)
  }
}

/// Bytes without a token in SmolLM2's vocabulary: control characters that its training text never
/// had, and the lead bytes of planes 4 to 11, which are empty. llama.cpp leaves them out as well.
private let absentBytes: Set<UInt8> = [0x04, 0x06, 0x13, 0x14, 0x16, 0x1D, 0xF1, 0xF2]

private func bytes(hex: String) -> [UInt8] {
  let digits = hex.compactMap(\.hexDigitValue)
  return stride(from: 0, to: digits.count - 1, by: 2).map {
    UInt8(digits[$0] * 16 + digits[$0 + 1])
  }
}
