import Foundation
import LanguageModels
import Testing

/// What the sentencepiece package makes of strings with small models of its own, recorded by
/// `Scripts/reference/sentencepiece_fixtures.py`.
private struct SentencePieceFixture: Decodable {
  struct Encoded: Decodable {
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

  var encoded: [Encoded]
  var decoded: [Decoded]

  init(_ name: String) throws {
    let file = folder.appending(path: "\(name).ids.json")
    self = try JSONDecoder().decode(Self.self, from: Data(contentsOf: file))
  }
}

private let folder = URL(filePath: #filePath).deletingLastPathComponent()
  .appending(path: "Fixtures/sentencepiece")

private let names = [
  "unigram_user", "unigram_bytes", "unigram_unused", "bpe_user", "bpe_bytes", "bpe_unused",
]

private func tokenizer(_ name: String) throws -> Tokenizer {
  try Tokenizer(
    TokenizerDescription(sentencePiece: folder.appending(path: "\(name).model").path))
}

@Suite struct TextSentencePieceTests {
  @Test(arguments: names)
  func `a SentencePiece model gives the ids of the sentencepiece package`(name: String) throws {
    let tokenizer = try tokenizer(name)
    let rows = try SentencePieceFixture(name).encoded
    #expect(rows.count >= 100)
    for row in rows {
      let found = tokenizer.encode(row.text, parseSpecial: false)
      #expect(found == row.ids, "\(row.text.debugDescription)")
    }
  }

  @Test func `replacements in a tokenizer.json go by character, not by prefix`() throws {
    let tokenizer = try Tokenizer(json: folder.appending(path: "precompiled.json").path)
    let rows = try SentencePieceFixture("precompiled").encoded
    #expect(rows.count >= 100)
    for row in rows {
      #expect(tokenizer.encode(row.text) == row.ids, "\(row.text.debugDescription)")
    }
  }

  @Test(arguments: names)
  func `a SentencePiece model decodes as the sentencepiece package, streamed or whole`(
    name: String
  ) throws {
    let tokenizer = try tokenizer(name)
    let rows = try SentencePieceFixture(name).decoded
    #expect(rows.count >= 100)
    for row in rows {
      #expect(Array(tokenizer.decode(row.ids).utf8) == Array(row.text.utf8), "\(row.ids)")
      var stream = StreamingDecoder(tokenizer)
      var text = row.ids.flatMap { Array(stream.append($0).utf8) }
      text += stream.finish().utf8
      #expect(text == Array(row.text.utf8), "\(row.ids)")
    }
  }
}
