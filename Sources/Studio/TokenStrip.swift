package import Lab

/// A transcript whose tokens are shaded by a score.
package struct TokenStrip: Sendable {
  package struct Token: Sendable, Hashable {
    package var text: String
    /// nil where the detector gave none; NaN counts as none.
    package var score: Double?

    package init(_ text: String, score: Double? = nil) {
      self.text = text
      self.score = score
    }
  }

  /// Who wrote it and what it shows: "Specimen B, trigger in the prompt".
  package var label: String
  package var tokens: [Token]
  /// Scores shown as no shade and as full shade; nil takes the least and the greatest.
  package var range: ClosedRange<Double>?
  /// Ids of the cells that the text and the scores came from.
  let cells: [String]

  /// A strip, naming the cell that it came from.
  package init(
    label: String, tokens: [Token], range: ClosedRange<Double>? = nil, cell: CellID,
    _ moreCells: CellID...
  ) {
    self.label = label
    self.tokens = tokens
    self.range = range
    cells = ([cell] + moreCells).map(\.hex)
  }

  package var node: Node {
    guard !tokens.isEmpty else { return Tag.p(.class("absent")) { "\(label): no tokens." } }
    return Tag.div(.class("tokens"), .set(.role, "group"), .set(.ariaLabel, label)) {
      Tag.span(.class("role")) {
        label
        Node.citation(cells)
        "\u{2003}\(legend)"
      }
      // Each token is isolated, so that right-to-left text or direction marks in one cannot reorder
      // its neighbours.
      for token in tokens { node(token) }
    }
  }

  private var scores: [Double] { tokens.compactMap(\.score).filter(\.isFinite) }

  private var shade: LinearScale? {
    guard let low = scores.min(), let high = scores.max() else { return nil }
    return LinearScale(domain: range ?? low...high, from: 0, to: 1)
  }

  private var legend: String {
    guard let shade, !scores.isEmpty else { return "no token got a score" }
    let ends = [shade.domain.lowerBound, shade.domain.upperBound]
      .map { NumberFormat.trimmed($0) }
    let missing = tokens.count - scores.count
    return "score \(ends[0]) (no shade) to \(ends[1]) (full)"
      + (missing > 0 ? ", \(missing) of \(tokens.count) tokens unscored" : "")
  }

  private func node(_ token: Token) -> Node {
    guard let score = token.score, score.isFinite, let shade else {
      return Tag.bdi(.class("unscored"), .set(.title, "no score")) { visible(token.text) }
    }
    let strength = shade.clamped(score)
    // At most 45 % of the colour, so that the text on it stays readable in both modes.
    let style = "--p:\(Int((strength * 45).rounded()))%;--q:\(Int((strength * 100).rounded()))%"
    return Tag.bdi(
      .set(.style, style), .set(.title, NumberFormat.significant(score))
    ) { visible(token.text) }
  }

  /// Line breaks are kept and marked; they are tokens like any other.
  private func visible(_ text: String) -> String {
    text.replacing("\n", with: "↵\n")
  }
}
