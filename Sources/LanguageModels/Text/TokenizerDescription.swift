/// All that a tokenizer is made of, as plain values: what each file format is read into.
package struct TokenizerDescription: Sendable {
  /// How words become tokens.
  enum Model: Sendable {
    case bytePairs(BytePairs)
    case unigram(Unigram)
    case wordPiece(prefix: String, unknown: Int, longestWord: Int)
  }

  /// Byte-pair encoding.
  struct BytePairs: Sendable {
    /// Which pairs merge, and in which order.
    enum Merges: Sendable {
      /// Lines such as `Ġ t`, by rank.
      case lines([String])
      case pairs([(String, String)])
      /// Any two tokens that make a third; the one with the highest score first, as in
      /// SentencePiece.
      case scores([Double])
    }

    var merges: Merges
    /// Whether the vocabulary is written in ``ByteAlphabet``.
    var isByteLevel: Bool
    /// Whether a scalar without a token becomes the tokens `<0x00>` to `<0xFF>` of its bytes.
    var fallsBackToBytes = false
    var unknown: Int?
    var fusesUnknown = false
    var keepsWholeWords = false
    /// Whether user-defined tokens never merge and unused ones fall apart again, as in
    /// SentencePiece itself.
    var followsSentencePiece = false
  }

  /// A unigram language model.
  struct Unigram: Sendable {
    /// The logarithm of each token's probability, by id.
    var scores: [Double]
    var unknown: Int
    var fallsBackToBytes: Bool
    /// Whether the names of control tokens are found in words as well, as in Hugging Face
    /// tokenizers.
    var readsSpecial: Bool
    /// Whether sums are rounded as SentencePiece itself rounds them, which decides between paths
    /// of the same probability.
    var followsSentencePiece = false
  }

  /// The vocabulary as it is written down, by id; empty for an id without a token.
  var tokens: [String]
  /// The type of each token, by id.
  var types: [Tokenizer.TokenType]
  var model: Model
  var normalizer = Normalizer()
  var preTokenizer = PreTokenizer()
  var added: [AddedToken] = []
  var addedOrder = AddedTokens.Order.leftmost
  var decoding = Decoding.byteLevel(plainNames: false)
  /// What stands before and after every text, where special tokens are asked for.
  var prefix: [Int] = []
  var suffix: [Int] = []
  var bosID: Int?
  var eosIDs: [Int] = []

  /// The tokens of a type.
  func ids(of type: Tokenizer.TokenType) -> [Int] {
    tokens.indices.filter { types[$0] == type && !tokens[$0].isEmpty }
  }
}
