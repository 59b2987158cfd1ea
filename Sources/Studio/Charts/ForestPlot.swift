/// Estimates with their intervals, one a row, against a reference line.
package struct ForestPlot: Chart {
  /// One estimate.
  package struct Row: Sendable {
    package var label: String
    /// What the estimate rests on: "120 against 240 responses".
    package var detail: String
    package var series: Series
    package var content: Content

    package enum Content: Sendable {
      case estimate(CitedNumber)
      /// Not measured; why, in words. It is shown, never left out and never 0.
      case missing(String)
      /// A heading above the rows that follow.
      case heading
    }

    package init(
      _ label: String, detail: String = "", series: Series = .blue, _ content: Content
    ) {
      self.label = label
      self.detail = detail
      self.series = series
      self.content = content
    }
  }

  package var title: String
  package var axisLabel: String
  package var unit: AxisUnit
  package var rows: [Row]
  /// Where a useless instrument, or the promise made, would lie.
  package var reference: (value: Double, label: String)?
  /// Where estimates have to lie, shaded, and how that is said.
  package var bar: (range: GatePanel.Bar, label: String)?
  /// Fixed ends of the axis; nil takes round numbers around the data.
  package var domain: ClosedRange<Double>?

  package init(
    title: String, axisLabel: String, unit: AxisUnit, rows: [Row],
    reference: (value: Double, label: String)? = nil,
    bar: (range: GatePanel.Bar, label: String)? = nil, domain: ClosedRange<Double>? = nil
  ) {
    self.title = title
    self.axisLabel = axisLabel
    self.unit = unit
    self.rows = rows
    self.reference = reference
    self.bar = bar
    self.domain = domain
  }

  package var absence: String? {
    let estimates = rows.filter { if case .heading = $0.content { false } else { true } }
    return estimates.isEmpty ? "nothing was measured." : nil
  }

  package var summary: String {
    rows.compactMap { row in
      switch row.content {
      case .estimate(let number): "\(row.label): \(number.text)"
      case .missing(let why): "\(row.label): \(why)"
      case .heading: nil
      }
    }.joined(separator: "; ") + "."
  }

  package func draw(width: Double) -> Drawing {
    let layout = Layout(width: width, scale: scale(width: width))
    let top = reference == nil && bar == nil ? 8.0 : 26.0
    var y = top
    var drawn: [Node] = []
    for row in rows {
      drawn += draw(row, y: y, layout)
      y += layout.height(of: row)
    }
    let bottom = y + 4
    var shapes = SVG.horizontalAxis(
      layout.scale, unit: unit, label: axisLabel, top: top - 4, bottom: bottom)
    if let reference, layout.scale.domain.contains(reference.value) {
      let x = layout.scale(reference.value)
      shapes.append(SVG.line(x, top - 8, x, bottom, "reference"))
      shapes.append(SVG.text(reference.label, near: x, y: 12, within: width, "tick"))
    }
    let zone = zone(layout.scale, top: top, bottom: bottom, width: width)
    return Drawing(height: bottom + 40, shapes: zone + shapes + drawn)
  }

  private func zone(_ scale: LinearScale, top: Double, bottom: Double, width: Double) -> [Node] {
    guard let bar else { return [] }
    let (from, to) = bar.range.zone(on: scale)
    let edges = bar.range.edges.filter(scale.domain.contains).map { scale($0) }
    let middle = edges.isEmpty ? (from + to) / 2 : edges.reduce(0, +) / Double(edges.count)
    return [
      SVG.rect(x: from, y: top - 4, width: max(0, to - from), height: bottom - top + 4, "zone")
    ]
      + edges.map { SVG.line($0, top - 8, $0, bottom, "bar-line") }
      + [SVG.text(bar.label, near: middle, y: 12, within: width, "tick")]
  }

  /// Where the columns lie: label, plot and numbers side by side, or on a phone stacked.
  private struct Layout {
    let width: Double
    let scale: LinearScale
    var isNarrow: Bool { width < 500 }

    func height(of row: Row) -> Double {
      if case .heading = row.content { return isNarrow ? 28 : 30 }
      return isNarrow ? 54 : row.detail.isEmpty ? 30 : 38
    }
  }

  private func scale(width: Double) -> LinearScale {
    var values: [Double] = []
    for row in rows {
      guard case .estimate(let number) = row.content else { continue }
      values.append(number.value)
      if let bounds = number.finiteInterval { values += [bounds.lowerBound, bounds.upperBound] }
    }
    let domain =
      domain
      ?? LinearScale.domain(
        around: values, including: (reference.map { [$0.value] } ?? []) + (bar?.range.edges ?? []))
    guard width >= 500 else { return LinearScale(domain: domain, from: 14, to: width - 14) }
    // An interval of another level than 95 % says so, which takes room.
    let room = rows.map { row -> Double in
      guard case .estimate(let number) = row.content else { return 0 }
      return SVG.textWidth(number.text) + 16
    }
    return LinearScale(domain: domain, from: 206, to: width - max(172, room.max() ?? 0))
  }

  private func draw(_ row: Row, y: Double, _ layout: Layout) -> [Node] {
    let plotY = layout.isNarrow ? y + 36 : y + layout.height(of: row) / 2
    switch row.content {
    case .heading: return [SVG.text(row.label, x: 0, y: y + 19, "group-label")]
    case .missing(let why):
      return labels(row, value: "–", y: y, layout) + [
        SVG.text(
          SVG.fitted(why, width: layout.scale.end - layout.scale.start),
          x: layout.scale.start + 6, y: plotY + 4, "missing")
      ]
    case .estimate(let number):
      let tooltip = [row.label + ": " + number.text, number.tallyText, row.detail]
        .filter { !$0.isEmpty }.joined(separator: ", ")
      return [
        SVG.group(tooltip: tooltip) {
          labels(row, value: number.text, y: y, layout)
          marks(number, row.series, y: plotY, layout.scale)
        }
      ]
    }
  }

  private func labels(_ row: Row, value: String, y: Double, _ layout: Layout) -> [Node] {
    let right = layout.width
    if layout.isNarrow {
      let room = right - SVG.textWidth(value) - 12
      return [
        SVG.text(SVG.fitted(row.label, width: room), x: 0, y: y + 13),
        SVG.text(value, x: right, y: y + 13, anchor: .end, "value"),
        SVG.text(SVG.fitted(row.detail, width: right, size: 11), x: 0, y: y + 26, "tick"),
      ]
    }
    let middle = y + layout.height(of: row) / 2 + (row.detail.isEmpty ? 4 : -3)
    return [
      SVG.text(SVG.fitted(row.label, width: 196), x: 0, y: middle),
      SVG.text(SVG.fitted(row.detail, width: 196, size: 11), x: 0, y: middle + 14, "tick"),
      SVG.text(value, x: right, y: y + layout.height(of: row) / 2 + 4, anchor: .end, "value"),
    ]
  }

  private func marks(
    _ number: CitedNumber, _ series: Series, y: Double, _ scale: LinearScale
  ) -> [Node] {
    var nodes: [Node] = []
    if let interval = number.finiteInterval {
      nodes += SVG.interval(
        from: scale.clamped(interval.lowerBound), to: scale.clamped(interval.upperBound), y: y,
        series)
    }
    if number.value.isFinite {
      nodes.append(SVG.mark(series, x: scale.clamped(number.value), y: y))
    } else {
      nodes.append(SVG.text("undefined", x: scale.start + 6, y: y + 4, "missing"))
    }
    return nodes
  }
}
