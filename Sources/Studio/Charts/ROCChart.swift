/// One small ROC panel a detector, with its uncertainty and the threshold that was chosen.
package struct ROCChart: Chart {
  /// Rates at the chosen threshold, on text that the threshold was not chosen on.
  package struct OperatingPoint: Sendable {
    package var fpr: CitedNumber
    package var tpr: CitedNumber

    package init(fpr: CitedNumber, tpr: CitedNumber) {
      self.fpr = fpr
      self.tpr = tpr
    }
  }

  /// One detector.
  package struct Panel: Sendable {
    package var label: String
    package var series: Series
    /// From (0, 0) to (1, 1), in order of FPR.
    package var curve: [(fpr: Double, tpr: Double)]
    /// Pointwise bounds of the TPR, in order of FPR; empty if none were computed.
    package var band: [(fpr: Double, lower: Double, upper: Double)]
    package var auroc: CitedNumber?
    package var operatingPoint: OperatingPoint?
    /// Why there is no curve.
    package var missing: String?

    package init(
      _ label: String, series: Series = .blue, curve: [(fpr: Double, tpr: Double)],
      band: [(fpr: Double, lower: Double, upper: Double)] = [], auroc: CitedNumber,
      operatingPoint: OperatingPoint? = nil
    ) {
      self.label = label
      self.series = series
      self.curve = curve
      self.band = band
      self.auroc = auroc
      self.operatingPoint = operatingPoint
    }

    /// A detector without a curve, and why.
    package init(_ label: String, missing: String) {
      self.label = label
      series = .grey
      curve = []
      band = []
      self.missing = missing
    }
  }

  package var title: String
  package var panels: [Panel]

  package init(title: String, panels: [Panel]) {
    self.title = title
    self.panels = panels
  }

  package var absence: String? { panels.isEmpty ? "no detector scored any response." : nil }

  package var summary: String {
    panels.map { panel in
      if let missing = panel.missing { return "\(panel.label): \(missing)" }
      var text = "\(panel.label): AUROC \(panel.auroc?.text ?? NumberFormat.undefined)"
      if let point = panel.operatingPoint {
        text += ", at the threshold TPR \(point.tpr.text) and FPR \(point.fpr.text)"
      }
      return text
    }.joined(separator: "; ") + "."
  }

  package func draw(width: Double) -> Drawing {
    let columns = width < 500 ? 2 : panels.count > 6 ? 4 : panels.count == 4 ? 4 : 3
    let gap = 16.0
    let panelWidth = (width - gap * Double(columns - 1)) / Double(columns)
    let frame = Frame(left: 32, top: 40, side: min(panelWidth - 38, 240))
    let panelHeight = frame.top + frame.side + 40
    var shapes: [Node] = []
    for (index, panel) in panels.enumerated() {
      let x = Double(index % columns) * (panelWidth + gap)
      let y = Double(index / columns) * (panelHeight + 8)
      shapes.append(
        Tag.g(.set(.transform, "translate(\(SVG.number(x)) \(SVG.number(y)))")) {
          draw(panel, frame, width: panelWidth)
        })
    }
    let rows = (panels.count + columns - 1) / columns
    return Drawing(height: Double(rows) * (panelHeight + 8) - 8, shapes: shapes)
  }

  /// The square of one panel.
  private struct Frame {
    let left: Double
    let top: Double
    let side: Double

    var x: LinearScale { LinearScale(domain: 0...1, from: left, to: left + side) }
    var y: LinearScale { LinearScale(domain: 0...1, from: top + side, to: top) }
  }

  private func draw(_ panel: Panel, _ frame: Frame, width: Double) -> [Node] {
    let heading = [
      SVG.text(SVG.fitted(panel.label, width: width), x: 0, y: 13, "group-label"),
      SVG.text(auroc(panel, width: width), x: 0, y: 29, "tick"),
    ]
    if let missing = panel.missing {
      let lines = SVG.wrapped(missing, width: frame.side - 16, size: 12)
      return heading + axes(frame)
        + lines.enumerated().map { index, line in
          SVG.text(
            line, x: frame.left + 8, y: frame.top + frame.side / 2 + Double(index) * 15, "missing")
        }
    }
    return heading + axes(frame) + curve(panel, frame) + operatingPoint(panel, frame)
  }

  /// The area under the curve; its name gives way first where there is little room.
  private func auroc(_ panel: Panel, width: Double) -> String {
    guard let auroc = panel.auroc else { return "" }
    let full = "AUROC " + auroc.text
    return SVG.textWidth(full, size: 11) <= width ? full : auroc.text
  }

  private func axes(_ frame: Frame) -> [Node] {
    let bottom = frame.top + frame.side
    let right = frame.left + frame.side
    var nodes: [Node] = []
    for tick in [0, 0.5, 1.0] {
      nodes.append(SVG.line(frame.x(tick), frame.top, frame.x(tick), bottom, "grid"))
      nodes.append(SVG.line(frame.left, frame.y(tick), right, frame.y(tick), "grid"))
      let text = NumberFormat.fixed(tick, places: tick == 0.5 ? 1 : 0)
      nodes.append(SVG.text(text, x: frame.x(tick), y: bottom + 14, anchor: .middle, "tick"))
      if tick != 0.5 {
        // The middle of this side belongs to the axis label.
        nodes.append(SVG.text(text, x: frame.left - 6, y: frame.y(tick) + 4, anchor: .end, "tick"))
      }
    }
    nodes.append(SVG.line(frame.left, bottom, right, frame.top, "reference"))
    nodes.append(
      SVG.text("FPR", x: (frame.left + right) / 2, y: bottom + 29, anchor: .middle, "axis-label"))
    let middle = frame.top + frame.side / 2
    nodes.append(
      Tag.g(.set(.transform, "rotate(-90 9 \(SVG.number(middle)))")) {
        SVG.text("TPR", x: 9, y: middle + 4, anchor: .middle, "axis-label")
      })
    return nodes
  }

  private func curve(_ panel: Panel, _ frame: Frame) -> [Node] {
    let upper = panel.band.map { (x: frame.x.clamped($0.fpr), y: frame.y.clamped($0.upper)) }
    let lower = panel.band.map { (x: frame.x.clamped($0.fpr), y: frame.y.clamped($0.lower)) }
    let points = panel.curve.filter { $0.fpr.isFinite && $0.tpr.isFinite }
    guard points.count > 1 else {
      return [
        SVG.text(
          "no curve: undefined", x: frame.left + 8, y: frame.top + frame.side / 2, "missing")
      ]
    }
    let line = Self.thinned(points.map { (x: frame.x.clamped($0.fpr), y: frame.y.clamped($0.tpr)) })
    let band = SVG.path(upper + lower.reversed(), closed: true, "band \(panel.series.className)")
    return [band, SVG.path(line, "curve \(panel.series.className)")]
  }

  private func operatingPoint(_ panel: Panel, _ frame: Frame) -> [Node] {
    guard let point = panel.operatingPoint, point.fpr.value.isFinite, point.tpr.value.isFinite
    else { return [] }
    let (x, y) = (frame.x.clamped(point.fpr.value), frame.y.clamped(point.tpr.value))
    let whisker = "whisker \(panel.series.className)"
    let tooltip =
      "\(panel.label) at the chosen threshold: TPR \(point.tpr.text), FPR \(point.fpr.text)"
    return [
      SVG.group(tooltip: tooltip) {
        if let tpr = point.tpr.finiteInterval {
          SVG.line(
            x, frame.y.clamped(tpr.lowerBound), x, frame.y.clamped(tpr.upperBound), whisker)
        }
        if let fpr = point.fpr.finiteInterval {
          SVG.line(
            frame.x.clamped(fpr.lowerBound), y, frame.x.clamped(fpr.upperBound), y, whisker)
        }
        SVG.mark(panel.series, x: x, y: y, size: 4.5)
      }
    ]
  }

  /// The points without those in the middle of a straight run, which a line does not need.
  static func thinned(_ points: [(x: Double, y: Double)]) -> [(x: Double, y: Double)] {
    var kept: [(x: Double, y: Double)] = []
    for point in points {
      if let last = kept.last, kept.count > 1 {
        let before = kept[kept.count - 2]
        let area =
          (last.x - before.x) * (point.y - before.y) - (last.y - before.y) * (point.x - before.x)
        if abs(area) < 1e-6 { kept.removeLast() }
      }
      kept.append(point)
    }
    return kept
  }
}
