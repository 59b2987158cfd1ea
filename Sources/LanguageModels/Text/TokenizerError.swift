/// Why a vocabulary cannot be used.
package enum TokenizerError: Error, Equatable, CustomStringConvertible {
  /// `tokenizer.ggml.tokens` holds nothing.
  case emptyVocabulary
  /// `tokenizer.ggml.token_type` does not have one entry a token.
  case typeCount(expected: Int, found: Int)
  /// A token type that GGUF does not define (1 to 6 are).
  case unknownType(type: Int, id: Int)
  /// Two ids with the same text: neither could be told from the other.
  case duplicateToken(text: String, first: Int, second: Int)
  /// A merge that is not two tokens with one space between them.
  case malformedMerge(text: String, rank: Int)
  /// A merge of, or into, a text that is no token.
  case mergeOfUnknownToken(text: String, missing: String, rank: Int)
  /// A pre-tokeniser that is not implemented.
  case unsupportedPreTokenizer(name: String)
  /// A special id (`bos`, `eos`) outside the vocabulary.
  case idOutOfRange(name: String, id: Int, vocabSize: Int)
  /// Beginning-of-sequence tokens are asked for, but the file names none.
  case missingBOS

  /// Not one score a token.
  case scoreCount(expected: Int, found: Int)
  /// A score that is no number.
  case badScore(id: Int)
  /// A token so long that searching for it would take too long.
  case longToken(id: Int, bytes: Int, most: Int)
  /// A part of a description that is not implemented, with its value.
  case unsupported(path: String, field: String, value: String)
  /// A part of a description that is missing or of the wrong kind.
  case malformed(path: String, field: String, expected: String, found: String)

  /// Expected, found, remedy, in one sentence.
  package var description: String {
    switch self {
    case .emptyVocabulary:
      "Expected at least one token in `tokenizer.ggml.tokens`, found none: "
        + "the file was converted without its vocabulary; convert it again."
    case .typeCount(let expected, let found):
      "Expected \(expected) entries in `tokenizer.ggml.token_type`, one a token, found \(found): "
        + "the file's metadata contradicts itself; convert it again."
    case .unknownType(let type, let id):
      "Expected a token type from 1 to 6, found \(type) for token \(id): "
        + "the file is damaged or newer than this program; convert it again."
    case .duplicateToken(let text, let first, let second):
      "Expected every token once, found \(quoted(text)) as ids \(first) and \(second): "
        + "repair `tokenizer.ggml.tokens`."
    case .malformedMerge(let text, let rank):
      "Expected merge \(rank) as two tokens with a space between them, found \(quoted(text)): "
        + "repair `tokenizer.ggml.merges`."
    case .mergeOfUnknownToken(let text, let missing, let rank):
      "Expected merge \(rank), \(quoted(text)), to join tokens into a token, found no token "
        + "\(quoted(missing)): merges and tokens come from different tokenizers."
    case .unsupportedPreTokenizer(let name):
      "Expected a pre-tokeniser such as `gpt-2`, `smollm`, `llama-bpe` or `qwen2`, found "
        + "\(quoted(name)): this model's text cannot be tokenised correctly yet; use one of the supported models."
    case .idOutOfRange(let name, let id, let vocabSize):
      "Expected `\(name)` from 0 to \(vocabSize - 1), found \(id): "
        + "the file's metadata contradicts itself; convert it again."
    case .missingBOS:
      "Expected `tokenizer.ggml.bos_token_id` because `tokenizer.ggml.add_bos_token` is true, "
        + "found none: set one or clear the other."
    case .scoreCount(let expected, let found):
      "Expected \(expected) scores, one a token, found \(found): "
        + "the file contradicts itself; convert it again."
    case .badScore(let id):
      "Expected a finite score for every token, found none for token \(id): "
        + "the file is damaged; convert or fetch it again."
    case .longToken(let id, let bytes, let most):
      "Expected tokens of at most \(most) bytes, found \(bytes) in token \(id): "
        + "the vocabulary is damaged; convert or fetch it again."
    case .unsupported(let path, let field, let value):
      "\(path): expected an implemented `\(field)`, found \(quoted(value)): "
        + "this model's text cannot be tokenised correctly yet; use one of the supported models."
    case .malformed(let path, let field, let expected, let found):
      "\(path): expected \(expected) as `\(field)`, found \(quoted(found)): "
        + "the file is damaged or newer than this program; fetch it again."
    }
  }
}

/// A text from outside, shortened and escaped, so that a hostile one cannot flood a terminal.
private func quoted(_ text: String) -> String {
  let shown = text.unicodeScalars.prefix(40).map { $0.escaped(asASCII: false) }.joined()
  return text.unicodeScalars.count > 40 ? "`\(shown)…`" : "`\(shown)`"
}
