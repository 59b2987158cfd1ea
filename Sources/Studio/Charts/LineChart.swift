/// Curves over ordered places, such as a loss by layer, each with a band for its intervals.
package struct LineChart: Chart {
  package struct Point: Sendable {
    package var x: Double
    package var y: Double
    package var interval: ClosedRange<Double>?

    package init(x: Double, y: Double, interval: ClosedRange<Double>? = nil) {
      (self.x, self.y, self.interval) = (x, y, interval)
    }
  }

  package struct Curve: Sendable {
    package var label: String
    package var series: Series
    package var points: [Point]

    package init(_ label: String, series: Series, points: [Point]) {
      (self.label, self.series, self.points) = (label, series, points)
    }

    var finite: [Point] { points.filter { $0.x.isFinite && $0.y.isFinite } }
  }

  package var title: String
  package var xLabel: String
  package var yLabel: String
  package var curves: [Curve]
  /// A level to compare with, such as what the model itself reaches.
  package var reference: (value: Double, label: String)?
  /// Values above it are drawn at the upper edge; nil shows all.
  package var ceiling: Double?

  package init(
    title: String, xLabel: String, yLabel: String, curves: [Curve],
    reference: (value: Double, label: String)? = nil, ceiling: Double? = nil
  ) {
    (self.title, self.xLabel, self.yLabel) = (title, xLabel, yLabel)
    (self.curves, self.reference, self.ceiling) = (curves, reference, ceiling)
  }

  package var absence: String? {
    curves.allSatisfy { $0.finite.isEmpty } ? "nothing was measured." : nil
  }

  package var summary: String {
    curves.compactMap { curve in
      guard let first = curve.finite.first, let last = curve.finite.last else { return nil }
      return "\(curve.label): \(NumberFormat.significant(first.y)) at \(xLabel) "
        + "\(NumberFormat.trimmed(first.x)), \(NumberFormat.significant(last.y)) at "
        + NumberFormat.trimmed(last.x)
    }.joined(separator: "; ") + "."
  }

  package func draw(width: Double) -> Drawing {
    let (left, right, top) = (46.0, width - 12, 16.0 + 18 * Double(curves.count))
    let bottom = top + (width < 500 ? 210 : 300)
    let all = curves.flatMap(\.finite)
    let x = LinearScale(
      domain: (all.map(\.x).min() ?? 0)...(all.map(\.x).max() ?? 1), from: left, to: right)
    let values = all.map(\.y) + [reference?.value].compactMap { $0 }
    let highest = min(values.max() ?? 1, ceiling ?? .infinity)
    let round = LinearScale.domain(around: values.map { min($0, highest) }, including: [0])
    // Losses are never below 0, and an axis that goes there would say so.
    let lowest = values.contains { $0 < 0 } ? round.lowerBound : 0
    let y = LinearScale(domain: lowest...max(round.upperBound, lowest), from: bottom, to: top)
    var shapes = SVG.horizontalAxis(x, unit: .plain, label: xLabel, top: top, bottom: bottom)
    let ticks = y.ticks(6)
    for tick in ticks {
      shapes.append(SVG.line(left, y(tick), right, y(tick), "grid"))
      shapes.append(
        SVG.text(
          AxisUnit.plain.text(tick, ticks: ticks), x: left - 6, y: y(tick) + 4, anchor: .end, "tick"
        ))
    }
    shapes.append(SVG.text(yLabel, x: left, y: top - 6, "axis-label"))
    if let reference {
      shapes.append(SVG.line(left, y(reference.value), right, y(reference.value), "reference"))
      shapes.append(
        SVG.text(reference.label, x: left + 4, y: y(reference.value) + 14, "tick"))
    }
    for (index, curve) in curves.enumerated() {
      shapes += draw(curve, x, y)
      shapes.append(legend(curve, y: 12 + 18 * Double(index), right: right))
    }
    return Drawing(height: bottom + 42, shapes: shapes)
  }

  private func draw(_ curve: Curve, _ x: LinearScale, _ y: LinearScale) -> [Node] {
    let points = curve.finite
    let bands = points.filter { $0.interval != nil }
    let upper = bands.map { (x: x($0.x), y: y.clamped($0.interval?.upperBound ?? $0.y)) }
    let lower = bands.reversed().map { (x: x($0.x), y: y.clamped($0.interval?.lowerBound ?? $0.y)) }
    let line = points.map { (x: x($0.x), y: y.clamped($0.y)) }
    return [
      SVG.path(upper + lower, closed: true, "band \(curve.series.className)"),
      SVG.path(line, "curve \(curve.series.className)"),
    ]
      + points.map { point in
        SVG.group(tooltip: tooltip(curve, point)) {
          SVG.mark(curve.series, x: x(point.x), y: y.clamped(point.y), size: 2.6)
        }
      }
  }

  private func tooltip(_ curve: Curve, _ point: Point) -> String {
    let ends = point.interval.map {
      " (\(NumberFormat.significant($0.lowerBound)) to \(NumberFormat.significant($0.upperBound)))"
    }
    return "\(curve.label), \(xLabel) \(NumberFormat.trimmed(point.x)): "
      + NumberFormat.significant(point.y) + (ends ?? "")
  }

  private func legend(_ curve: Curve, y: Double, right: Double) -> Node {
    Node.group([
      SVG.mark(curve.series, x: right - 6, y: y - 4, size: 4),
      SVG.text(curve.label, x: right - 16, y: y, anchor: .end),
    ])
  }
}
