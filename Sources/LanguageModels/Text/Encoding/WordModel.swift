/// How a word becomes tokens.
struct WordModel: Sendable {
  private enum Kind {
    case bytePairs(BPEModel)
    case unigram(UnigramModel)
    case wordPiece(WordPieceModel)
  }

  private let kind: Kind
  /// Whether no token reaches across the start of a run of SentencePiece's visible spaces, so that
  /// what lies between may be encoded piece by piece, and remembered.
  let cutsAtMarker: Bool

  static let marker = Array("▁".utf8)
  /// Longer tokens of SentencePiece make the search for merges, and in a text, slow.
  private static let longestToken = 1 << 10

  init(_ description: TokenizerDescription, _ index: TokenIndex) throws(TokenizerError) {
    let tokens = description.tokens
    switch description.model {
    case .bytePairs(let pairs):
      let merges = try Self.merges(pairs, description, index)
      let frozen = pairs.followsSentencePiece ? description.ids(of: .userDefined) : []
      cutsAtMarker =
        !pairs.isByteLevel && !pairs.keepsWholeWords && index["▁"] != nil
        && !merges.contains { Self.crosses(tokens[$0.left], tokens[$0.right]) }
        && !frozen.contains { Self.crossesInside(tokens[$0]) }
      kind = .bytePairs(try Self.bytePairs(pairs, merges, frozen, description, index))
    case .unigram(let unigram):
      let pieces = tokens.indices.filter {
        unigram.readsSpecial || description.types[$0] == .normal
          || description.types[$0] == .userDefined
      }
      try Self.checkLength(tokens, pieces)
      // How SentencePiece rounds a sum depends on all that comes before.
      cutsAtMarker =
        !unigram.followsSentencePiece && index["▁"] != nil
        && !pieces.contains { Self.crossesInside(tokens[$0]) }
      kind = .unigram(try Self.unigram(unigram, pieces, description, index))
    case .wordPiece(let prefix, let unknown, let longestWord):
      cutsAtMarker = false
      kind = .wordPiece(
        WordPieceModel(
          tokens: tokens, prefix: prefix, unknown: unknown, longestWord: longestWord))
    }
  }

  /// Appends the tokens of `word`.
  func encode(_ word: Bytes, _ scratch: inout EncodingScratch, _ output: inout [Int]) {
    switch kind {
    case .bytePairs(let model): model.encode(word, &scratch.word, &output)
    case .unigram(let model): model.encode(word, &scratch.nodes, &output)
    case .wordPiece(let model): model.encode(word, &output)
    }
  }
}

extension WordModel {
  private static func merges(
    _ pairs: TokenizerDescription.BytePairs, _ description: TokenizerDescription,
    _ index: TokenIndex
  ) throws(TokenizerError) -> [MergeTable.Merge] {
    switch pairs.merges {
    case .lines(let lines): return try MergeTable.list(lines, index)
    case .pairs(let pairs):
      var list: [MergeTable.Merge] = []
      list.reserveCapacity(pairs.count)
      for (rank, pair) in pairs.enumerated() {
        let parts = (Array(pair.0.utf8), Array(pair.1.utf8))
        list.append(try MergeTable.merge(parts, rank, index))
      }
      return list
    case .scores(let scores):
      let merges = try merges(by: scores, description, index)
      guard pairs.followsSentencePiece else { return merges }
      return merges.filter {
        ![$0.left, $0.right, $0.result].contains { description.types[$0] == .userDefined }
      }
    }
  }

  /// Every way to put a token together from two, the token with the highest score first.
  private static func merges(
    by scores: [Double], _ description: TokenizerDescription, _ index: TokenIndex
  ) throws(TokenizerError) -> [MergeTable.Merge] {
    let tokens = description.tokens
    try check(scores, tokens.count)
    let pieces = tokens.indices.filter {
      [.normal, .userDefined, .unused].contains(description.types[$0])
    }
    try checkLength(tokens, pieces)
    let ranks = ranks(scores)
    var list: [MergeTable.Merge] = []
    for id in pieces {
      var token = tokens[id]
      token.withUTF8 { bytes in
        var split = 0
        while split < bytes.count {
          split += bytes.scalar(at: split).length
          guard split < bytes.count, let left = index.id(bytes[part: 0..<split]),
            let right = index.id(bytes[part: split..<bytes.count])
          else { continue }
          list.append(.init(left: left, right: right, result: id, rank: ranks[id]))
        }
      }
    }
    return list
  }

  /// The place of each score among all, from the highest; equal scores share one.
  private static func ranks(_ scores: [Double]) -> [Int] {
    var ranks = [Int](repeating: 0, count: scores.count)
    var last: Double?
    var rank = -1
    for id in scores.indices.sorted(by: { scores[$0] > scores[$1] }) {
      if scores[id] != last { rank += 1 }
      last = scores[id]
      ranks[id] = rank
    }
    return ranks
  }

  private static func bytePairs(
    _ pairs: TokenizerDescription.BytePairs, _ merges: [MergeTable.Merge], _ frozen: [Int],
    _ description: TokenizerDescription, _ index: TokenIndex
  ) throws(TokenizerError) -> BPEModel {
    try check(pairs.unknown, description.tokens.count)
    let byteIDs: [Int32] =
      if pairs.isByteLevel {
        ByteAlphabet.scalars.map { index[String($0)].map(Int32.init) ?? -1 }
      } else if pairs.fallsBackToBytes { Self.byteIDs(index) } else { [] }
    let unused = pairs.followsSentencePiece ? description.ids(of: .unused) : []
    return BPEModel(
      alphabet: pairs.isByteLevel ? .bytes : .scalars,
      merges: MergeTable(merges, unused: Set(unused.map { Int32($0) })),
      byteIDs: byteIDs, unknown: pairs.unknown.map { Int32($0) },
      fusesUnknown: pairs.fusesUnknown,
      index: pairs.isByteLevel ? Self.rawIndex(description) : index,
      keepsWholeWords: pairs.keepsWholeWords,
      frozen: ByteTrie(frozen.map { (Array(description.tokens[$0].utf8), Int32($0)) }))
  }

  /// Normal tokens by the bytes that they stand for.
  private static func rawIndex(_ description: TokenizerDescription) -> TokenIndex {
    let (bytes, ends) = Decoding.byteLevel(plainNames: true)
      .spelledOut(description.tokens, description.types)
    return TokenIndex(
      bytes: bytes, ends: ends, of: ends.indices.filter { description.types[$0] == .normal })
  }

  private static func unigram(
    _ unigram: TokenizerDescription.Unigram, _ pieces: [Int],
    _ description: TokenizerDescription, _ index: TokenIndex
  ) throws(TokenizerError) -> UnigramModel {
    try check(unigram.scores, description.tokens.count)
    try check(unigram.unknown, description.tokens.count)
    let rated = unigram.readsSpecial ? pieces : pieces.filter { description.types[$0] == .normal }
    return UnigramModel(
      pieces: pieces.map { (Array(description.tokens[$0].utf8), Int32($0)) },
      scores: unigram.scores, unknown: Int32(unigram.unknown),
      lowest: rated.map { unigram.scores[$0] }.min() ?? 0,
      byteIDs: unigram.fallsBackToBytes ? byteIDs(index) : [],
      userDefined: unigram.followsSentencePiece ? description.ids(of: .userDefined) : nil)
  }

  /// The tokens `<0x00>` to `<0xFF>`.
  private static func byteIDs(_ index: TokenIndex) -> [Int32] {
    (0..<256).map { byte in
      let digits = String(byte, radix: 16, uppercase: true)
      return index["<0x" + (digits.count < 2 ? "0" : "") + digits + ">"].map(Int32.init) ?? -1
    }
  }

  // MARK: Checks

  private static func check(_ scores: [Double], _ count: Int) throws(TokenizerError) {
    guard scores.count == count else { throw .scoreCount(expected: count, found: scores.count) }
    if let id = scores.firstIndex(where: { !$0.isFinite }) { throw .badScore(id: id) }
  }

  private static func check(_ unknown: Int?, _ count: Int) throws(TokenizerError) {
    guard let unknown, !(0..<count).contains(unknown) else { return }
    throw .idOutOfRange(name: "unk_id", id: unknown, vocabSize: count)
  }

  private static func checkLength(_ tokens: [String], _ ids: [Int]) throws(TokenizerError) {
    for id in ids where tokens[id].utf8.count > longestToken {
      throw .longToken(id: id, bytes: tokens[id].utf8.count, most: longestToken)
    }
  }

  /// Whether a visible space follows something else where two tokens meet.
  private static func crosses(_ left: String, _ right: String) -> Bool {
    right.utf8.starts(with: marker) && !left.utf8.suffix(marker.count).elementsEqual(marker)
  }

  private static func crossesInside(_ token: String) -> Bool {
    var seesOther = false
    for scalar in token.unicodeScalars {
      if scalar != "▁" { seesOther = true } else if seesOther { return true }
    }
    return false
  }
}
