internal import Tensors

/// Sequences laid one after the other in a single row of tokens, without padding.
///
/// What all of them begin with, a system prompt for instance, is computed once: later tokens of
/// every sequence attend to the one copy. Results are those of separate sequences, because a
/// causal model's prefix does not see what follows it.
package struct TokenBatch: Sendable {
  /// Every token that is computed, the shared prefix first.
  package let tokens: [Int]
  /// Each token's place in its own sequence.
  package let positions: [Int]
  /// Tokens that all sequences share.
  package let prefixLength: Int
  /// Where each sequence's own tokens lie in ``tokens``.
  package let spans: [Range<Int>]
  /// How many tokens each sequence takes from the beginning of the row before its own.
  package let starts: [Int]

  /// Packs sequences into one row.
  ///
  /// - Parameters:
  ///   - sequences: Token ids, at least one in each sequence.
  ///   - sharingPrefix: Whether to compute a common beginning once. Every sequence keeps at least
  ///     one token of its own.
  package init(_ sequences: [[Int]], sharingPrefix: Bool = true) {
    precondition(sequences.allSatisfy { !$0.isEmpty }, "TokenBatch: an empty sequence")
    let prefix = sharingPrefix && sequences.count > 1 ? Self.commonPrefix(sequences) : 0
    var tokens = Array(sequences.first?.prefix(prefix) ?? [])
    var positions = Array(0..<prefix)
    var spans: [Range<Int>] = []
    for sequence in sequences {
      spans.append(tokens.count..<tokens.count + sequence.count - prefix)
      tokens += sequence[prefix...]
      positions += prefix..<sequence.count
    }
    (self.tokens, self.positions) = (tokens, positions)
    (self.prefixLength, self.spans) = (prefix, spans)
    starts = sequences.map { _ in prefix }
  }

  /// One sequence and, behind it, stretches of it that are computed once more: each sees what comes
  /// before it in the first and itself, so that what is changed in one changes nothing elsewhere.
  ///
  /// - Parameters:
  ///   - base: Token ids, sequence 0.
  ///   - branches: Positions of each of the sequences from 1 on.
  package init(_ base: [Int], branches: [Range<Int>]) {
    precondition(
      !base.isEmpty
        && branches.allSatisfy { !$0.isEmpty && base.indices.contains($0.upperBound - 1) },
      "TokenBatch: a branch that is not part of its sequence")
    var tokens = base
    var positions = Array(base.indices)
    var spans = [base.indices]
    for branch in branches {
      spans.append(tokens.count..<tokens.count + branch.count)
      tokens += base[branch]
      positions += branch
    }
    (self.tokens, self.positions, self.spans) = (tokens, positions, spans)
    prefixLength = 0
    starts = [0] + branches.map(\.lowerBound)
  }

  private static func commonPrefix(_ sequences: [[Int]]) -> Int {
    guard let first = sequences.first else { return 0 }
    var length = (sequences.map(\.count).min() ?? 0) - 1
    for sequence in sequences {
      while length > 0, !sequence.prefix(length).elementsEqual(first.prefix(length)) {
        length -= 1
      }
    }
    return max(length, 0)
  }

  /// Where `position` of sequence `index` lies in ``tokens``.
  package func row(sequence index: Int, position: Int) -> Int {
    position < starts[index] ? position : spans[index].lowerBound + position - starts[index]
  }

  /// The length of sequence `index`, shared prefix included.
  package func length(of index: Int) -> Int { starts[index] + spans[index].count }

  /// What each token sees: the shared prefix and its own sequence up to itself. `offset` shifts all
  /// rows, for a cache that already holds others. Where attention is not causal, a token sees all of
  /// its sequence.
  func visibleRows(offset: Int = 0, isCausal: Bool = true) -> [[KeyRanges.Rows]] {
    if !isCausal {
      return spans.flatMap { span in
        span.map { _ in
          [KeyRanges.Rows(offset + span.lowerBound, offset + span.upperBound)]
        }
      }
    }
    var visible = (0..<prefixLength).map { [KeyRanges.Rows(offset, offset + $0 + 1)] }
    for (span, start) in zip(spans, starts) {
      for row in span {
        let own = KeyRanges.Rows(offset + span.lowerBound, offset + row + 1)
        visible.append(start == 0 ? [own] : [KeyRanges.Rows(offset, offset + start), own])
      }
    }
    return visible
  }
}
