import Synchronization

/// Turns texts into tokens and back: byte-level BPE, SentencePiece's BPE with byte fallback, unigram
/// models and WordPiece, whichever the model's files describe.
///
/// A `tokenizer.json` gives what Hugging Face tokenizers gives, a `tokenizer.model` what the
/// sentencepiece package gives, and a GGUF file what llama.cpp gives, but for BERT and for tokens whose
/// type llama.cpp overrides by their name: there the file and Hugging Face count. Malformed UTF-8 is repaired first, as Python does it.
package final class Tokenizer: Sendable {
  /// What `tokenizer.ggml.token_type` and SentencePiece say of a token.
  package enum TokenType: Int, Sendable {
    case normal = 1
    case unknown, control, userDefined, unused, byte
  }

  /// The vocabulary as it is written down, byte-level stand-ins and all, by id; empty for an id
  /// that has no token.
  package let tokens: [String]
  /// The type of each token, by id.
  package let types: [TokenType]
  /// The token that begins a sequence, where the model has one.
  package let bosID: Int?
  /// The tokens that end a turn or a text.
  package let eosIDs: Set<Int>
  /// Whether the model was trained with ``bosID`` in front of every text.
  package var addsBOS: Bool { bosID != nil && prefix.first == bosID }
  /// Number of token ids; every id lies below it.
  package var vocabSize: Int { tokens.count }

  /// What stands before and after every text, where special tokens are asked for.
  let prefix: [Int]
  let suffix: [Int]
  let normalizer: Normalizer
  let preTokenizer: PreTokenizer
  let model: WordModel
  /// Looked for in the text as it is, and in what the normaliser made of it.
  let rawTokens: AddedTokens
  let normalizedTokens: AddedTokens?
  let decoding: Decoding
  /// What each token stands for within a text, one after the other; token i ends at `byteEnds[i]`.
  let bytes: [UInt8]
  let byteEnds: [Int]
  private let index: TokenIndex
  /// Taken out for the length of one call: calls at the same time each find their own.
  let scratch = Mutex<EncodingScratch?>(nil)

  /// Builds a tokenizer from its description.
  ///
  /// - Throws: ``TokenizerError`` on values that contradict each other.
  package init(_ description: TokenizerDescription) throws(TokenizerError) {
    let tokens = description.tokens
    try Self.check(description)
    index = try TokenIndex(tokens)
    model = try WordModel(description, index)
    (normalizer, preTokenizer) = (description.normalizer, description.preTokenizer)
    rawTokens = AddedTokens(
      description.added.filter { !$0.isNormalized }, description.addedOrder)
    let normalized = description.added.filter(\.isNormalized).map { [normalizer] token in
      var token = token
      normalizer.apply(to: &token.text)
      return token
    }
    normalizedTokens = normalized.isEmpty ? nil : AddedTokens(normalized, description.addedOrder)
    decoding = description.decoding
    (bytes, byteEnds) = decoding.spelledOut(tokens, description.types)
    (prefix, suffix) = (description.prefix, description.suffix)
    bosID = description.bosID
    eosIDs = Set(description.eosIDs).union(
      tokens.indices.filter {
        description.types[$0] == .control && endings.contains(tokens[$0])
      })
    (self.tokens, types) = (tokens, description.types)
  }

  /// The id of a vocabulary entry, spelled as in the file (`Ġthe`, `<|im_end|>`).
  package func id(ofToken token: String) -> Int? { index[token] }
}

/// Control tokens that end a turn or a text, whichever of them the file declares.
private let endings: Set<String> = [
  "<|im_end|>", "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "<|eom_id|>", "<|end|>",
  "<|return|>", "<|call|>", "<end_of_turn>",
]

extension Tokenizer {
  /// More ids than any vocabulary has, and few enough for 32 bits.
  static let maximumSize = 1 << 24

  private static func check(_ description: TokenizerDescription) throws(TokenizerError) {
    let count = description.tokens.count
    guard count > 0 else { throw .emptyVocabulary }
    guard count <= maximumSize else {
      throw .idOutOfRange(name: "token id", id: count - 1, vocabSize: maximumSize)
    }
    guard description.types.count == count else {
      throw .typeCount(expected: count, found: description.types.count)
    }
    func check(_ name: String, _ id: Int?) throws(TokenizerError) {
      if let id, !description.tokens.indices.contains(id) {
        throw .idOutOfRange(name: name, id: id, vocabSize: count)
      }
    }
    try check("bos_token_id", description.bosID)
    for id in description.eosIDs { try check("eos_token_id", id) }
    for id in description.prefix + description.suffix { try check("post_processor", id) }
    for token in description.added { try check("added_tokens", token.id) }
  }

  /// The types that raw numbers stand for; none at all means that all tokens are normal.
  static func types(_ raw: [Int], count: Int) throws(TokenizerError) -> [TokenType] {
    guard count > 0 else { throw .emptyVocabulary }
    if raw.isEmpty { return Array(repeating: .normal, count: count) }
    guard raw.count == count else { throw .typeCount(expected: count, found: raw.count) }
    var types: [TokenType] = []
    types.reserveCapacity(count)
    for (id, type) in raw.enumerated() {
      guard let known = TokenType(rawValue: type) else { throw .unknownType(type: type, id: id) }
      types.append(known)
    }
    return types
  }
}

extension Tokenizer.TokenType {
  /// Whether tokens of this type stand for themselves and are looked for in raw text.
  package var isSpecial: Bool {
    switch self {
    case .unknown, .control, .userDefined: true
    case .normal, .unused, .byte: false
    }
  }
}
