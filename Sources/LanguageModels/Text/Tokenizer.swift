import Synchronization

/// Byte-level byte-pair encoding, built from the plain values of a model file's metadata.
///
/// It agrees with llama.cpp token by token; where that library's treatment of malformed UTF-8
/// differs from Python's, it follows Python: the bytes are repaired first.
package final class Tokenizer: Sendable {
  /// What `tokenizer.ggml.token_type` says of a token.
  package enum TokenType: Int, Sendable {
    case normal = 1
    case unknown, control, userDefined, unused, byte
  }

  /// The vocabulary as it is written down, byte-level stand-ins and all, by id.
  package let tokens: [String]
  /// The type of each token, by id.
  package let types: [TokenType]
  /// The token that begins a sequence, where the model has one.
  package let bosID: Int?
  /// The tokens that end a turn or a text.
  package let eosIDs: Set<Int>
  /// Whether the model was trained with ``bosID`` in front of every text.
  package let addsBOS: Bool
  /// Number of token ids; every id lies below it.
  package var vocabSize: Int { tokens.count }

  let preTokenizer: PreTokenizer
  let merges: MergeTable
  let specials: SpecialTokens
  /// The token of each byte; -1 where the vocabulary has none, and the byte is dropped.
  let byteIDs: [Int32]
  /// What each token stands for, one after the other; token i ends at `byteEnds[i]`.
  let bytes: [UInt8]
  let byteEnds: [Int]
  private let ids: [[UInt8]: Int32]
  /// Taken out for the length of one call: calls at the same time each find their own.
  let scratch = Mutex<EncodingScratch?>(nil)

  /// Builds a tokenizer from `tokenizer.ggml.*`.
  ///
  /// - Parameters:
  ///   - tokens: `tokens`, by id.
  ///   - tokenTypes: `token_type`; empty means that all are normal.
  ///   - merges: `merges`, by rank.
  ///   - pre: `pre`, the name of the pre-tokeniser.
  ///   - bosID: `bos_token_id`.
  ///   - eosIDs: `eos_token_id` and its kind. Control tokens that end a turn by their name, such
  ///     as `<|endoftext|>`, join them.
  ///   - addsBOS: `add_bos_token`.
  /// - Throws: ``TokenizerError`` on values that contradict each other or name a pre-tokeniser
  ///   that is not implemented.
  package init(
    tokens: [String], tokenTypes: [Int], merges: [String], pre: String, bosID: Int?,
    eosIDs: [Int], addsBOS: Bool
  ) throws(TokenizerError) {
    preTokenizer = try PreTokenizer(named: pre)
    let types = try Self.types(tokenTypes, count: tokens.count)
    ids = try Self.index(tokens)
    self.merges = try MergeTable(merges, ids: ids)
    try Self.check([("bos_token_id", bosID)] + eosIDs.map { ("eos_token_id", $0) }, tokens.count)
    if addsBOS, bosID == nil { throw .missingBOS }
    (bytes, byteEnds) = Self.spelledOut(tokens, types)
    byteIDs = ByteAlphabet.scalars.map { [ids] in ids[Array(String($0).utf8)] ?? -1 }
    specials = SpecialTokens(tokens, types)
    self.eosIDs = Set(eosIDs).union(
      tokens.indices.filter { types[$0] == .control && endings.contains(tokens[$0]) })
    (self.tokens, self.types, self.bosID, self.addsBOS) = (tokens, types, bosID, addsBOS)
  }

  /// The id of a vocabulary entry, spelled as in the file (`Ġthe`, `<|im_end|>`).
  package func id(ofToken token: String) -> Int? {
    ids[Array(token.utf8)].map { Int($0) }
  }
}

/// Control tokens that end a turn or a text, whichever of them the file declares.
private let endings: Set<String> = [
  "<|im_end|>", "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "<|eom_id|>", "<|end|>",
  "<|return|>", "<|call|>", "<end_of_turn>",
]

extension Tokenizer {
  private static func types(_ raw: [Int], count: Int) throws(TokenizerError) -> [TokenType] {
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

  /// Keyed by bytes: two strings that Unicode deems equivalent are different tokens.
  private static func index(_ tokens: [String]) throws(TokenizerError) -> [[UInt8]: Int32] {
    var ids: [[UInt8]: Int32] = [:]
    ids.reserveCapacity(tokens.count)
    for (id, token) in tokens.enumerated() {
      if let first = ids.updateValue(Int32(id), forKey: Array(token.utf8)) {
        throw .duplicateToken(text: token, first: Int(first), second: id)
      }
    }
    return ids
  }

  private static func check(
    _ named: [(name: String, id: Int?)], _ vocabSize: Int
  ) throws(TokenizerError) {
    for case (let name, let id?) in named where !(0..<vocabSize).contains(id) {
      throw .idOutOfRange(name: name, id: id, vocabSize: vocabSize)
    }
  }

  /// Normal tokens are written in the byte alphabet, special ones in plain text.
  private static func spelledOut(
    _ tokens: [String], _ types: [TokenType]
  ) -> (bytes: [UInt8], ends: [Int]) {
    var bytes: [UInt8] = []
    var ends: [Int] = []
    ends.reserveCapacity(tokens.count)
    for (token, type) in zip(tokens, types) {
      let decoded = type.isSpecial ? nil : ByteAlphabet.bytes(of: token)
      bytes.append(contentsOf: decoded ?? Array(token.utf8))
      ends.append(bytes.count)
    }
    return (bytes, ends)
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
