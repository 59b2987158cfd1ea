/// Every score as a dot, one row a group, against a threshold.
package struct StripPlot: Chart {
  /// Scores that belong together.
  package struct Group: Sendable {
    package var label: String
    package var series: Series
    /// NaN counts as unscored.
    package var scores: [Double]
    /// Responses that got no score, such as unparsable ones.
    package var unscored: Int

    package init(_ label: String, series: Series = .blue, scores: [Double], unscored: Int = 0) {
      self.label = label
      self.series = series
      self.scores = scores
      self.unscored = unscored
    }

    var finite: [Double] { scores.filter(\.isFinite) }
    var missing: Int { unscored + scores.count - finite.count }
  }

  package var title: String
  package var axisLabel: String
  package var groups: [Group]
  /// Scores at or above it are flagged.
  package var threshold: (value: Double, label: String)?

  package init(
    title: String, axisLabel: String, groups: [Group],
    threshold: (value: Double, label: String)? = nil
  ) {
    self.title = title
    self.axisLabel = axisLabel
    self.groups = groups
    self.threshold = threshold
  }

  package var absence: String? {
    if groups.allSatisfy({ $0.finite.isEmpty }) {
      let missing = groups.map(\.missing).reduce(0, +)
      return missing > 0 ? "none of \(missing) responses got a score." : "nothing was scored."
    }
    return nil
  }

  package var summary: String {
    groups.map { group in
      var text = "\(group.label): \(group.finite.count) scores"
      if let above = countAbove(group) { text += ", \(above) at or above the threshold" }
      if group.missing > 0 { text += ", \(group.missing) unscored" }
      return text
    }.joined(separator: "; ") + "."
  }

  package func draw(width: Double) -> Drawing {
    let isNarrow = width < 500
    let drawnThreshold = threshold.flatMap { $0.value.isFinite ? $0 : nil }
    let domain = LinearScale.domain(
      around: groups.flatMap(\.finite), including: drawnThreshold.map { [$0.value] } ?? [])
    let scale =
      isNarrow
      ? LinearScale(domain: domain, from: 8, to: width - 8)
      : LinearScale(domain: domain, from: 180, to: width - 110)
    let top = drawnThreshold == nil ? 6.0 : 24.0
    let rowHeight = isNarrow ? 68.0 : 52.0
    let bottom = top + rowHeight * Double(groups.count)
    var shapes = SVG.horizontalAxis(
      scale, unit: .plain, label: axisLabel, top: top, bottom: bottom)
    for (index, group) in groups.enumerated() {
      let y = top + rowHeight * Double(index)
      shapes += labels(group, y: y, width: width, isNarrow: isNarrow)
      shapes += dots(group, center: isNarrow ? y + 44 : y + rowHeight / 2, scale)
    }
    if let drawnThreshold {
      let x = scale(drawnThreshold.value)
      shapes.append(SVG.line(x, top - 8, x, bottom, "reference"))
      shapes.append(SVG.text(drawnThreshold.label, near: x, y: 11, within: width, "tick"))
    }
    return Drawing(height: bottom + 38, shapes: shapes)
  }

  private func countAbove(_ group: Group) -> Int? {
    threshold.map { threshold in group.finite.count { $0 >= threshold.value } }
  }

  private func labels(_ group: Group, y: Double, width: Double, isNarrow: Bool) -> [Node] {
    var counts = "n = \(NumberFormat.grouped(group.finite.count))"
    if group.missing > 0 { counts += ", \(NumberFormat.grouped(group.missing)) unscored" }
    let above = countAbove(group).map { "\(NumberFormat.grouped($0)) flagged" } ?? ""
    if isNarrow {
      let right = above.isEmpty ? counts : "\(above), \(counts)"
      let room = width - SVG.textWidth(right, size: 11) - 8
      return [
        SVG.text(SVG.fitted(group.label, width: room), x: 0, y: y + 14),
        SVG.text(right, x: width, y: y + 14, anchor: .end, "tick"),
      ]
    }
    return [
      SVG.text(SVG.fitted(group.label, width: 172), x: 0, y: y + 23),
      SVG.text(SVG.fitted(counts, width: 172, size: 11), x: 0, y: y + 38, "tick"),
      SVG.text(above, x: width, y: y + 30, anchor: .end, "value"),
    ]
  }

  /// One size for all groups, small enough for the largest.
  private var radius: Double {
    switch groups.map(\.finite.count).max() ?? 0 {
    case 301...: 1.5
    case 91...: 2
    case 21...: 3
    default: 4.5
    }
  }

  /// All dots of a group as one path of round caps, which stays small with thousands of them.
  private func dots(_ group: Group, center: Double, _ scale: LinearScale) -> [Node] {
    let scores = group.finite
    guard !scores.isEmpty else {
      return [SVG.text("no scores", x: scale.start + 6, y: center + 4, "missing")]
    }
    let places = Self.beeswarm(scores.map { scale($0) }, radius: radius, reach: 21 - radius)
    let d = places.map { "M\(SVG.number($0.x)) \(SVG.number(center + $0.offset))h.01" }.joined()
    return [
      Tag.path(
        .class("dots \(group.series.className)"), .set(.strokeWidth, SVG.number(radius * 2)),
        .set(.d, d))
    ]
  }

  /// Where dots go so that they touch but do not cover each other, as near to the line as they fit.
  ///
  /// Dots that do not fit within `reach` are laid over others at a place that depends on their
  /// order only, so that the same scores always give the same picture.
  static func beeswarm(_ xs: [Double], radius: Double, reach: Double)
    -> [(x: Double, offset: Double)]
  {
    let step = radius
    var candidates = [0.0]
    for rank in stride(from: 1.0, through: max(0, (reach / step).rounded(.down)), by: 1) {
      candidates += [rank * step, -rank * step]
    }
    var placed: [(x: Double, offset: Double)] = []
    for (index, x) in xs.sorted().enumerated() {
      let near = placed.reversed().prefix { x - $0.x < 2 * radius }
      let free = candidates.first { offset in
        near.allSatisfy { other in
          let (dx, dy) = (x - other.x, offset - other.offset)
          return dx * dx + dy * dy >= 4 * radius * radius - 1e-9
        }
      }
      placed.append((x, free ?? candidates[index % candidates.count]))
    }
    return placed
  }
}
