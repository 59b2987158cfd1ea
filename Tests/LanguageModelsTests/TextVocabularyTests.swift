import Foundation
import LanguageModels
import Testing

/// A vocabulary of the 256 bytes, with what the test adds to it.
private func tokenizer(
  adding tokens: [String] = [], types: [Int]? = nil, merges: [String] = [], pre: String = "gpt-2",
  bosID: Int? = nil, eosIDs: [Int] = [], addsBOS: Bool = false
) throws(TokenizerError) -> Tokenizer {
  try Tokenizer(
    tokens: byteTokens + tokens,
    tokenTypes: [Int](repeating: 1, count: 256) + (types ?? tokens.map { _ in 1 }),
    merges: merges, pre: pre, bosID: bosID, eosIDs: eosIDs, addsBOS: addsBOS)
}

/// GPT-2's stand-ins, listed independently of the product's table: printable Latin-1 as it is, the
/// rest from U+0100 on; token i stands for byte i.
private let byteTokens: [String] = {
  let plain = Set([0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF].joined())
  var next = 0x100
  return (0..<256).map { byte in
    if plain.contains(byte) { return String(UnicodeScalar(UInt8(byte))) }
    defer { next += 1 }
    return UnicodeScalar(next).map { String($0) } ?? ""
  }
}()

@Suite struct TextVocabularyTests {
  @Test func `every code point has the class of llama.cpp's tables`() throws {
    struct Run: Decodable {
      var first: UInt32
      var name: String

      init(from decoder: any Decoder) throws {
        var row = try decoder.unkeyedContainer()
        first = try row.decode(UInt32.self)
        name = try row.decode(String.self)
      }
    }
    struct Fixture: Decodable { var classes: [Run] }
    let file = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "Fixtures/tokenizer.json")
    let runs = try JSONDecoder().decode(Fixture.self, from: Data(contentsOf: file)).classes
    let names: [String: ScalarClass] = ["L": .letter, "N": .number, "S": .space, "O": .other]
    #expect(runs.count > 1000)
    for (index, run) in runs.enumerated() {
      let end = index + 1 < runs.count ? runs[index + 1].first : 0x110000
      let wrong = (run.first..<end).compactMap(Unicode.Scalar.init)
        .filter { ScalarClass($0) != names[run.name] }
      #expect(wrong.isEmpty, "\(run.name) from \(String(run.first, radix: 16))")
    }
  }

  @Test func `merges go by rank first and then from left to right`() throws {
    let tokens = ["ab", "bc", "aa", "abc"]
    let first = try tokenizer(adding: tokens, merges: ["b c", "a b", "a a"])
    #expect(first.encode("abc") == [0x61, 257])
    let second = try tokenizer(adding: tokens, merges: ["a b", "b c", "a a", "ab c"])
    #expect(second.encode("abc") == [259])
    #expect(second.encode("aaa") == [258, 0x61])
    #expect(second.encode("aaaaa") == [258, 258, 0x61])
  }

  @Test func `pre-tokenisers cut where their patterns do`() throws {
    let tokens = ["12", "ĊĊ", "¥A", "abc"]
    let merges = ["1 2", "Ċ Ċ", "¥ A"]
    func encode(_ pre: String, _ text: String) throws -> [Int] {
      try tokenizer(adding: tokens, merges: merges, pre: pre).encode(text)
    }
    // Digits: one by one, or in threes.
    #expect(try encode("qwen2", "12") == [0x31, 0x32])
    #expect(try encode("llama-bpe", "12") == [256])
    // Line breaks stay together, the last white space before a word does not.
    #expect(try encode("qwen2", "\n\nx") == [257, 0x78])
    #expect(try encode("gpt-2", "\n\nx") == [0x0A, 0x0A, 0x78])
    // 日 has no case, so it may end a word of lower case, but A may not: they never meet.
    #expect(try encode("gpt-4o", "日A") == [0xE6, 0x97, 0xA5, 0x41])
    #expect(try encode("qwen2", "日A") == [0xE6, 0x97, 258])
    // A word that is a token stays one without any merge.
    #expect(try encode("llama-bpe", "abc") == [259])
    #expect(try encode("gpt-2", "abc") == [0x61, 0x62, 0x63])
  }

  @Test func `a longer special token claims its place before a shorter one`() throws {
    let tokens = ["<a>", "<a><b>", "<b><c>x"]
    let special = try tokenizer(adding: tokens, types: [3, 3, 4])
    #expect(special.encode("<a><b>") == [257])
    #expect(special.encode("<a><b><c>x") == [256, 258])
    #expect(special.encode("<a><a>") == [256, 256])
    #expect(special.encode("<a>", parseSpecial: false) == [0x3C, 0x61, 0x3E])
    #expect(special.encode("<b><c>x", parseSpecial: false) == [258])
    #expect(special.decode([258, 256]) == "<b><c>x<a>")
  }

  @Test func `the beginning-of-sequence token is added only where asked for and wanted`() throws {
    let wanted = try tokenizer(adding: ["<s>"], types: [3], bosID: 256, addsBOS: true)
    #expect(wanted.encode("a") == [0x61])
    #expect(wanted.encode("a", addSpecial: true) == [256, 0x61])
    let unwanted = try tokenizer(adding: ["<s>"], types: [3], bosID: 256)
    #expect(unwanted.encode("a", addSpecial: true) == [0x61])
  }

  @Test func `canonically equivalent tokens are different tokens`() throws {
    let two = try tokenizer(adding: ["\u{E9}!", "e\u{301}!"], types: [4, 4])
    #expect(two.encode("\u{E9}!") == [256])
    #expect(two.encode("e\u{301}!") == [257])
  }

  @Test func `the cache never changes an answer`() throws {
    let fresh = try tokenizer(adding: ["ab", "abab"], merges: ["a b", "ab ab"])
    let used = try tokenizer(adding: ["ab", "abab"], merges: ["a b", "ab ab"])
    // More different words than the cache has room for.
    var words = (0..<100_000).map { String($0, radix: 36) + "abab" }
    words += words.prefix(1000)
    let all = words.flatMap { used.encode($0) }
    #expect(used.decode(all) == words.joined())
    for word in words.suffix(2000) { #expect(used.encode(word) == fresh.encode(word)) }
  }

  @Test func `vocabularies that contradict themselves are refused`() {
    func expect(_ error: TokenizerError, _ body: () throws -> Tokenizer) {
      #expect(throws: error) { try body() }
    }
    expect(.emptyVocabulary) {
      try Tokenizer(
        tokens: [], tokenTypes: [], merges: [], pre: "gpt-2", bosID: nil, eosIDs: [],
        addsBOS: false)
    }
    expect(.typeCount(expected: 257, found: 256)) { try tokenizer(adding: ["x1"], types: []) }
    expect(.unknownType(type: 7, id: 256)) { try tokenizer(adding: ["x1"], types: [7]) }
    expect(.unknownType(type: .min, id: 256)) { try tokenizer(adding: ["x1"], types: [.min]) }
    expect(.duplicateToken(text: "a", first: 0x61, second: 256)) { try tokenizer(adding: ["a"]) }
    expect(.unsupportedPreTokenizer(name: "falcon")) { try tokenizer(pre: "falcon") }
    expect(.idOutOfRange(name: "bos_token_id", id: 256, vocabSize: 256)) {
      try tokenizer(bosID: 256)
    }
    expect(.idOutOfRange(name: "eos_token_id", id: -2, vocabSize: 256)) {
      try tokenizer(eosIDs: [0, -2])
    }
    expect(.missingBOS) { try tokenizer(addsBOS: true) }
  }

  @Test(arguments: ["", " ", "ab", "a ", " b", "  "])
  func `a merge that is no pair is refused`(line: String) {
    #expect(throws: TokenizerError.malformedMerge(text: line, rank: 0)) {
      try tokenizer(adding: ["ab"], merges: [line])
    }
  }

  @Test func `a merge of unknown tokens, or into one, is refused`() {
    for (line, missing) in [("a zz", "zz"), ("zz a", "zz"), ("a b", "ab"), ("a b c", "b c")] {
      #expect(
        throws: TokenizerError.mergeOfUnknownToken(text: line, missing: missing, rank: 0)
      ) { try tokenizer(merges: [line]) }
    }
  }

  @Test func `a message quotes hostile text short and escaped`() {
    let error = TokenizerError.unsupportedPreTokenizer(
      name: "\u{1B}[2J" + String(repeating: "x", count: 1000))
    #expect(error.description.utf8.count < 300)
    #expect(!error.description.contains("\u{1B}"))
  }

  @Test func `the streaming decoder repairs every sequence of bytes as a whole would be`() throws {
    let bytes = try tokenizer()
    let leads = [
      0x41, 0x80, 0x90, 0x9F, 0xA0, 0xBF, 0xC1, 0xC2, 0xE0, 0xE1, 0xED, 0xF0, 0xF4, 0xF5,
    ]
    let wrong = (0..<(14 * 14 * 14 * 14)).filter { code in
      let ids = [code % 14, code / 14 % 14, code / 196 % 14, code / 2744].map { leads[$0] }
      var decoder = StreamingDecoder(bytes)
      let text = ids.map { decoder.append($0) }.joined() + decoder.finish()
      return Array(text.utf8) != Array(bytes.decode(ids).utf8)
    }
    #expect(wrong.isEmpty)
  }
}
