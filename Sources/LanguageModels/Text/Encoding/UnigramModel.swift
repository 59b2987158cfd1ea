/// The most probable segmentation of a word under a unigram language model (Kudo 2018,
/// arXiv 1804.10959, section 3.2), by Viterbi's algorithm.
struct UnigramModel: Sendable {
  private let trie: ByteTrie
  private let scores: [Double]
  private let unknown: Int32
  private let unknownScore: Double
  /// The tokens of single bytes, for what is unknown; empty where that is one token.
  private let byteIDs: [Int32]
  /// Whether SentencePiece itself is followed, which sums in single precision.
  private let isSingle: Bool

  /// The best path to one position of a word.
  struct Node {
    var score = 0.0
    var start: Int32 = -1
    var id: Int32 = 0
  }

  /// - Parameters:
  ///   - pieces: The tokens that a text can hold, with their ids.
  ///   - scores: The logarithm of each token's probability, by id.
  ///   - unknown: The token of what no piece covers.
  ///   - lowest: The lowest score of all.
  ///   - byteIDs: The tokens of single bytes or nothing.
  ///   - userDefined: The tokens that SentencePiece prefers to all others; nil where it is not
  ///     followed to the last bit.
  init(
    pieces: [(text: [UInt8], value: Int32)], scores: [Double], unknown: Int32, lowest: Double,
    byteIDs: [Int32], userDefined: [Int]? = nil
  ) {
    var scores = scores
    // As of its version 0.2.3; 0.2.0 gave every one of them -0.1.
    let isUserDefined = Set(userDefined ?? [])
    for piece in pieces where isUserDefined.contains(Int(piece.value)) {
      scores[Int(piece.value)] = Double(Float(0.1 * Double(piece.text.count - 1)))
    }
    trie = ByteTrie(pieces)
    (self.scores, self.unknown, self.byteIDs) = (scores, unknown, byteIDs)
    isSingle = userDefined != nil
    // SentencePiece's penalty: far below any path of pieces.
    unknownScore = isSingle ? Double(Float(lowest) - 10) : lowest - 10
  }

  /// Appends the tokens of `text`.
  func encode(_ text: Bytes, _ nodes: inout [Node], _ output: inout [Int]) {
    search(text, &nodes)
    var end = text.count
    let first = output.count
    while end > 0 {
      let node = nodes[end]
      var start = Int(node.start)
      if node.id == unknown {
        // Unknown scalars in a row are one.
        while start > 0, nodes[start].id == unknown { start = Int(nodes[start].start) }
        addUnknown(text[part: start..<end], &output)
      } else {
        output.append(Int(node.id))
      }
      end = start
    }
    output[first...].reverse()
  }

  private func search(_ text: Bytes, _ nodes: inout [Node]) {
    nodes.removeAll(keepingCapacity: true)
    nodes.append(contentsOf: repeatElement(Node(), count: text.count + 1))
    var start = 0
    while start < text.count {
      let length = text.scalar(at: start).length
      let score = nodes[start].score
      var coversScalar = false
      func reach(_ end: Int, _ candidate: Double, _ id: Int32) {
        let candidate = rounded(candidate)
        if nodes[end].start < 0 || candidate > nodes[end].score {
          nodes[end] = Node(score: candidate, start: Int32(start), id: id)
        }
      }
      var node: Int32 = 0
      for position in start..<text.count {
        node = trie.next(node, text[position])
        if node < 0 { break }
        let id = trie.values[Int(node)]
        guard id >= 0 else { continue }
        reach(position + 1, scores[Int(id)] + score, id)
        if position + 1 - start == length { coversScalar = true }
      }
      if !coversScalar { reach(start + length, unknownScore + score, unknown) }
      start += length
    }
  }

  @inline(__always)
  private func rounded(_ score: Double) -> Double { isSingle ? Double(Float(score)) : score }

  /// In reverse, as all is.
  private func addUnknown(_ text: Bytes, _ output: inout [Int]) {
    if !isSingle, let (id, end) = trie.longest(text, from: 0), end == text.count {
      output.append(Int(id))
    } else if !byteIDs.isEmpty, text.allSatisfy({ byteIDs[Int($0)] >= 0 }) {
      for byte in text.reversed() { output.append(Int(byteIDs[Int(byte)])) }
    } else {
      output.append(Int(unknown))
    }
  }
}
