/// The error promised on calibration text beside the error realised on fresh text.
package struct DumbbellPlot: Chart {
  /// One detector.
  package struct Row: Sendable {
    package var label: String
    package var series: Series
    package var calibrated: CitedNumber
    package var realised: CitedNumber?
    /// Why nothing was realised.
    package var missing: String

    package init(
      _ label: String, series: Series = .blue, calibrated: CitedNumber, realised: CitedNumber
    ) {
      self.label = label
      self.series = series
      self.calibrated = calibrated
      self.realised = realised
      missing = ""
    }

    /// A detector whose error on fresh text is not known, and why.
    package init(_ label: String, calibrated: CitedNumber, missing: String) {
      self.label = label
      series = .grey
      self.calibrated = calibrated
      self.missing = missing
    }
  }

  package var title: String
  package var axisLabel: String
  package var rows: [Row]
  /// The rate that the threshold was set for.
  package var target: Double?

  package init(title: String, axisLabel: String, target: Double?, rows: [Row]) {
    self.title = title
    self.axisLabel = axisLabel
    self.target = target
    self.rows = rows
  }

  package var absence: String? { rows.isEmpty ? "no threshold was set." : nil }

  package var summary: String {
    rows.map { row in
      let realised = row.realised.map { "realised " + $0.text } ?? row.missing
      return "\(row.label): calibrated \(row.calibrated.text), \(realised)"
    }.joined(separator: "; ") + "."
  }

  package func draw(width: Double) -> Drawing {
    let isNarrow = width < 500
    let scale = scale(width: width)
    let (top, rowHeight) = (26.0, isNarrow ? 46.0 : 34.0)
    let bottom = top + rowHeight * Double(rows.count) + 4
    var shapes = SVG.horizontalAxis(
      scale, unit: .percent, label: axisLabel, top: top - 4, bottom: bottom)
    if let target, target.isFinite {
      let x = scale.clamped(target)
      shapes.append(SVG.line(x, top - 8, x, bottom, "reference"))
      let label = "set for \(NumberFormat.trimmed(target * 100)) %"
      shapes.append(SVG.text(label, near: x, y: 13, within: width, "tick"))
    }
    for (index, row) in rows.enumerated() {
      shapes.append(
        draw(row, y: top + rowHeight * Double(index), width: width, height: rowHeight, scale))
    }
    return Drawing(height: bottom + 40, shapes: shapes)
  }

  private func scale(width: Double) -> LinearScale {
    var values = [0, target ?? 0]
    for number in rows.flatMap({ [$0.calibrated, $0.realised].compactMap { $0 } }) {
      values.append(number.value)
      if let bounds = number.finiteInterval { values.append(bounds.upperBound) }
    }
    let domain = LinearScale.domain(around: values)
    let shown = max(0, domain.lowerBound)...min(max(domain.upperBound, 0.01), 1)
    return width < 500
      ? LinearScale(domain: shown, from: 10, to: width - 10)
      : LinearScale(domain: shown, from: 206, to: width - 130)
  }

  private func draw(
    _ row: Row, y: Double, width: Double, height: Double, _ scale: LinearScale
  ) -> Node {
    let isNarrow = width < 500
    let center = isNarrow ? y + 31 : y + height / 2
    let value = row.realised?.text ?? "–"
    let baseline = isNarrow ? y + 15 : center + 4
    let room = isNarrow ? width - SVG.textWidth(value) - 10 : 196
    let tooltip =
      "\(row.label): calibrated \(row.calibrated.text), "
      + (row.realised.map { "realised \($0.text), \($0.tallyText)" } ?? row.missing)
    return SVG.group(tooltip: tooltip) {
      SVG.text(SVG.fitted(row.label, width: room), x: 0, y: baseline)
      SVG.text(value, x: width, y: baseline, anchor: .end, "value")
      marks(row, center: center, scale)
    }
  }

  private func marks(_ row: Row, center: Double, _ scale: LinearScale) -> [Node] {
    var nodes: [Node] = []
    let calibrated = scale.clamped(row.calibrated.value)
    guard let realised = row.realised, realised.value.isFinite else {
      let why = row.realised == nil ? row.missing : NumberFormat.undefined
      return [
        SVG.circle(calibrated, center, radius: 4.5, "hollow \(row.series.className)"),
        SVG.text(why, x: max(calibrated, scale.start) + 12, y: center + 4, "missing"),
      ]
    }
    let end = scale.clamped(realised.value)
    nodes.append(SVG.line(calibrated, center, end, center, "stem \(row.series.className)"))
    if let bounds = realised.finiteInterval {
      nodes += SVG.interval(
        from: scale.clamped(bounds.lowerBound), to: scale.clamped(bounds.upperBound), y: center,
        row.series)
    }
    nodes.append(SVG.circle(calibrated, center, radius: 4.5, "hollow \(row.series.className)"))
    nodes.append(SVG.circle(end, center, radius: 5, "mark \(row.series.className)"))
    return nodes
  }
}
