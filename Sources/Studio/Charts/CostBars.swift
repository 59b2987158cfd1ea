/// What each cell cost, in tokens and in seconds.
package struct CostBars: Chart {
  package var title: String
  package var cells: [CellRecord]

  package init(title: String, cells: [CellRecord]) {
    self.title = title
    self.cells = cells
  }

  package var absence: String? { cells.isEmpty ? "no cell was run." : nil }

  package var summary: String {
    cells.map { cell in
      var text = "\(name(cell)): \(cell.tokens.map(NumberFormat.grouped) ?? "no") tokens"
      text += ", " + (cell.seconds.map { NumberFormat.duration(seconds: $0) } ?? "time unknown")
      return text + note(cell.origin)
    }.joined(separator: "; ") + "."
  }

  package func draw(width: Double) -> Drawing {
    let isNarrow = width < 500
    let labelWidth = isNarrow ? 0 : 270.0
    let column = (width - labelWidth - 20) / 2
    let (top, rowHeight) = (24.0, isNarrow ? 42.0 : 25.0)
    let left = (tokens: labelWidth, seconds: labelWidth + column + 20)
    var shapes = [
      SVG.text("Tokens", x: left.tokens, y: 13, "axis-label"),
      SVG.text("Time", x: left.seconds, y: 13, "axis-label"),
    ]
    let most = (
      tokens: maximum(cells.map { $0.tokens.map(Double.init) }),
      seconds: maximum(cells.map(\.seconds))
    )
    for (index, cell) in cells.enumerated() {
      let y = top + rowHeight * Double(index)
      let label = name(cell) + note(cell.origin)
      let barY = isNarrow ? y + 20 : y + 5
      shapes.append(
        SVG.text(
          SVG.fitted(label, width: isNarrow ? width : labelWidth - 12), x: 0,
          y: isNarrow ? y + 14 : y + 16))
      let isDone = cell.origin == .run
      shapes += bar(
        cell.tokens.map(Double.init), of: most.tokens, text: cell.tokens.map(NumberFormat.grouped),
        x: left.tokens, y: barY, width: column, (isDone, .blue))
      shapes += bar(
        cell.seconds, of: most.seconds,
        text: cell.seconds.map { NumberFormat.duration(seconds: $0) }, x: left.seconds, y: barY,
        width: column, (isDone, .green))
    }
    return Drawing(height: top + rowHeight * Double(cells.count) + 4, shapes: shapes)
  }

  /// The longest bar leaves room for its own number.
  private func bar(
    _ value: Double?, of most: Double, text: String?, x: Double, y: Double, width: Double,
    _ style: (isDone: Bool, series: Series)
  ) -> [Node] {
    guard let value, value.isFinite, value >= 0, let text else {
      return [SVG.text("–", x: x, y: y + 11, "tick")]
    }
    let length = most > 0 ? max(1, value / most * (width - 78)) : 1
    let className = (style.isDone ? "bar " : "faint ") + style.series.className
    return [
      SVG.rect(x: x, y: y, width: length, height: 14, className),
      SVG.text(text, x: x + length + 6, y: y + 11.5, "tick"),
    ]
  }

  private func maximum(_ values: [Double?]) -> Double {
    values.compactMap { $0 }.filter { $0.isFinite && $0 >= 0 }.max() ?? 0
  }

  private func name(_ cell: CellRecord) -> String {
    cell.label.isEmpty ? cell.kind : "\(cell.kind), \(cell.label)"
  }

  private func note(_ origin: CellRecord.Origin) -> String {
    switch origin {
    case .run: ""
    case .cached: " (read back)"
    case .failed: " (failed)"
    }
  }
}
