/// How tokens become text again.
enum Decoding: Sendable {
  /// Tokens are written in ``ByteAlphabet``; where `plainNames`, special ones in plain text.
  case byteLevel(plainNames: Bool)
  /// Texts in tokens are replaced, `<0x0A>` is a byte, spaces at the start of the text go.
  case pieces(replacing: [(String, String)], bytes: ByteTokens, strip: Strip)
  /// A marker is a space, and nothing in the first token.
  case marker(String, dropsFirst: Bool)
  /// Tokens are words, but for those that begin with `prefix`; `cleansUp` takes away spaces
  /// before punctuation.
  case wordPiece(prefix: String, cleansUp: Bool)
  /// Tokens with spaces between them.
  case spaced

  /// What `<0x0A>` is.
  enum ByteTokens: Sendable {
    case plainText
    /// A byte; a run of them that is malformed is U+FFFD for each, as in Hugging Face tokenizers.
    case runs
    /// A byte; only those that are malformed are U+FFFD, as in SentencePiece.
    case single
  }

  /// How many spaces go at the start of a text.
  enum Strip: Sendable {
    case spaces(Int)
    /// One from each token that stands before any text, as SentencePiece does where it takes extra
    /// spaces out.
    case onePerToken
  }

  /// What each token stands for within a text, and where it ends in all of them.
  func spelledOut(
    _ tokens: [String], _ types: [Tokenizer.TokenType]
  ) -> (bytes: [UInt8], ends: [Int]) {
    var bytes: [UInt8] = []
    var ends: [Int] = []
    ends.reserveCapacity(tokens.count)
    for (token, type) in zip(tokens, types) {
      bytes += spelledOut(token, type)
      ends.append(bytes.count)
    }
    return (bytes, ends)
  }

  private func spelledOut(_ token: String, _ type: Tokenizer.TokenType) -> [UInt8] {
    switch self {
    case .byteLevel(let plainNames):
      (plainNames && type.isSpecial ? nil : ByteAlphabet.bytes(of: token)) ?? Array(token.utf8)
    case .pieces(let replacements, let bytes, _):
      bytes == .plainText
        ? Self.replaced(token, replacements)
        : Self.byte(token).map { [$0] } ?? Self.replaced(token, replacements)
    case .marker(let marker, _): Self.replaced(token, [(marker, " ")])
    case .wordPiece(let prefix, let cleansUp):
      cleanedUp(
        token.utf8.starts(with: prefix.utf8) && !prefix.isEmpty
          ? Array(token.utf8.dropFirst(prefix.utf8.count)) : [0x20] + Array(token.utf8), cleansUp)
    case .spaced: [0x20] + Array(token.utf8)
    }
  }

  /// What a token stands for at the very start of a text; nil where that is what it stands for
  /// anywhere.
  func atStart(_ token: String) -> [UInt8]? {
    switch self {
    case .marker(let marker, true): Self.replaced(token, [(marker, "")])
    case .wordPiece(_, let cleansUp): cleanedUp(Array(token.utf8), cleansUp)
    case .spaced: Array(token.utf8)
    default: nil
    }
  }

  /// Whether a token is a byte that stands with others for a character.
  func isByte(_ token: String) -> Bool {
    guard case .pieces(_, let bytes, _) = self, bytes != .plainText else { return false }
    return Self.byte(token) != nil
  }

  /// The text of byte tokens in a row.
  func repaired(_ run: [UInt8]) -> [UInt8] {
    let replacement: [UInt8] = [0xEF, 0xBF, 0xBD]
    if String(validating: run, as: UTF8.self) != nil { return run }
    guard case .pieces(_, .single, _) = self else { return run.flatMap { _ in replacement } }
    var text: [UInt8] = []
    var position = 0
    while position < run.count {
      let rest = run[position...]
      if let length = (1...4).first(where: {
        $0 <= rest.count && String(validating: rest.prefix($0), as: UTF8.self) != nil
      }) {
        text += rest.prefix(length)
        position += length
      } else {
        text += replacement
        position += 1
      }
    }
    return text
  }

  /// How many spaces go at the start of a text.
  var stripped: Int {
    switch self {
    case .pieces(_, _, .spaces(let count)): count
    case .pieces(_, _, .onePerToken): .max
    default: 0
    }
  }

  /// How many of them one token can lose.
  var strippedOfToken: Int {
    if case .pieces(_, _, .onePerToken) = self { return 1 }
    return .max
  }

  private static func byte(_ token: String) -> UInt8? {
    let text = Array(token.utf8)
    guard text.count == 6, text.starts(with: "<0x".utf8), text[5] == UInt8(ascii: ">") else {
      return nil
    }
    return UInt8(String(decoding: text[3...4], as: UTF8.self), radix: 16)
  }

  private static func replaced(_ token: String, _ replacements: [(String, String)]) -> [UInt8] {
    var text = Array(token.utf8)
    for (old, new) in replacements where !old.isEmpty && text.contains(Array(old.utf8)[0]) {
      text = text.replacing(Array(old.utf8), Array(new.utf8))
    }
    return text
  }

  /// The abbreviations and punctuation that Hugging Face tokenizers' WordPiece decoder joins.
  private func cleanedUp(_ text: [UInt8], _ cleansUp: Bool) -> [UInt8] {
    guard cleansUp else { return text }
    return Self.joined.reduce(text) {
      $0.replacing($1.old, $1.new)
    }
  }

  private static let joined: [(old: [UInt8], new: [UInt8])] = [
    (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"),
    (" 'm", "'m"), (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
  ].map { (Array($0.0.utf8), Array($0.1.utf8)) }
}
