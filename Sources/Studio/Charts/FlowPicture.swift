/// The steps of a study in order, and between which of them the arms were sealed.
package struct FlowPicture: Chart {
  /// One step.
  package struct Step: Sendable {
    package var name: String
    package var detail: String

    package init(_ name: String, detail: String = "") {
      self.name = name
      self.detail = detail
    }
  }

  package var title: String
  package var steps: [Step]
  /// Positions of the first and last step that ran without knowledge of the arms.
  package var sealed: ClosedRange<Int>?
  package var sealedLabel: String

  package init(
    title: String, steps: [Step], sealed: ClosedRange<Int>? = nil,
    sealedLabel: String = "arms sealed, unreadable here"
  ) {
    self.title = title
    self.steps = steps
    self.sealed = sealed
    self.sealedLabel = sealedLabel
  }

  package var absence: String? { steps.isEmpty ? "no step was taken." : nil }

  package var summary: String {
    let names = steps.map { $0.detail.isEmpty ? $0.name : "\($0.name) (\($0.detail))" }
    guard let range = usableSeal else { return names.joined(separator: ", then ") + "." }
    return names.joined(separator: ", then ")
      + ". From \(steps[range.lowerBound].name) to \(steps[range.upperBound].name): \(sealedLabel)."
  }

  /// The seal, held inside the steps that there are.
  private var usableSeal: ClosedRange<Int>? {
    sealed.flatMap { $0.lowerBound >= 0 && $0.upperBound < steps.count ? $0 : nil }
  }

  package func draw(width: Double) -> Drawing {
    width < 500 ? drawDown(width: width) : drawAcross(width: width)
  }

  private func drawAcross(width: Double) -> Drawing {
    let gap = 16.0
    let boxWidth = (width - 2 - gap * Double(steps.count - 1)) / Double(steps.count)
    let texts = steps.map { lines($0, width: boxWidth - 6) }
    let boxHeight = Double(texts.map { $0.name.count * 14 + $0.detail.count * 13 }.max() ?? 14) + 18
    let left = { (index: Int) in 1 + Double(index) * (boxWidth + gap) }
    var top = 2.0
    var shapes: [Node] = []
    if let seal = usableSeal {
      let bandWidth = left(seal.upperBound) + boxWidth - left(seal.lowerBound) + 14
      let lines = SVG.wrapped(sealedLabel, width: bandWidth - 8, size: 11)
      top = Double(lines.count) * 14 + 14
      shapes += sealBand(
        x: left(seal.lowerBound) - 7, y: 1, width: bandWidth, height: boxHeight + top + 6,
        lines: lines)
    }
    for (index, text) in texts.enumerated() {
      let x = left(index)
      shapes.append(SVG.rect(x: x, y: top, width: boxWidth, height: boxHeight, "box"))
      let height = Double(text.name.count * 14 + text.detail.count * 13)
      shapes += draw(text, x: x + boxWidth / 2, y: top + (boxHeight - height) / 2, anchor: .middle)
      if index > 0 { shapes += arrowRight(from: x - gap + 1, to: x - 1, y: top + boxHeight / 2) }
    }
    return Drawing(height: top + boxHeight + 9, shapes: shapes)
  }

  private func drawDown(width: Double) -> Drawing {
    let (boxHeight, gap) = (42.0, 16.0)
    let left = usableSeal == nil ? 1.0 : 44.0
    let top = { (index: Int) in 8 + Double(index) * (boxHeight + gap) }
    var shapes: [Node] = []
    if let seal = usableSeal {
      let height = top(seal.upperBound) + boxHeight - top(seal.lowerBound) + 12
      let lines = SVG.wrapped(sealedLabel, width: height - 10, size: 11)
      let (x, middle) = (1.0, top(seal.lowerBound) - 6 + height / 2)
      shapes += sealBand(
        x: x, y: top(seal.lowerBound) - 6, width: width - 2, height: height, lines: [])
      shapes.append(
        Tag.g(.set(.transform, "rotate(-90 \(SVG.number(x + 16)) \(SVG.number(middle)))")) {
          for (index, line) in lines.prefix(2).enumerated() {
            SVG.text(
              line, x: x + 16, y: middle + 2 + Double(index) * 14, anchor: .middle, "seal-label")
          }
        })
    }
    for (index, step) in steps.enumerated() {
      shapes.append(
        SVG.rect(x: left, y: top(index), width: width - left - 8, height: boxHeight, "box"))
      let text = (name: [step.name], detail: step.detail.isEmpty ? [] : [step.detail])
      shapes += draw(
        text, x: left + 12, y: top(index) + (step.detail.isEmpty ? 13 : 7), anchor: .start)
      if index > 0 {
        shapes += arrowDown(from: top(index) - gap + 1, to: top(index) - 1, x: left + 22)
      }
    }
    return Drawing(height: top(steps.count) - gap + 8, shapes: shapes)
  }

  private func lines(_ step: Step, width: Double) -> (name: [String], detail: [String]) {
    (
      SVG.wrapped(step.name, width: width, size: 11.5),
      SVG.wrapped(step.detail, width: width, size: 10.5)
    )
  }

  private func draw(
    _ text: (name: [String], detail: [String]), x: Double, y: Double, anchor: SVG.Anchor
  ) -> [Node] {
    var baseline = y
    var nodes: [Node] = []
    for line in text.name {
      baseline += 13
      nodes.append(SVG.text(line, x: x, y: baseline, anchor: anchor, "step"))
    }
    for line in text.detail {
      baseline += 13
      nodes.append(SVG.text(line, x: x, y: baseline, anchor: anchor, "step-detail"))
    }
    return nodes
  }

  private func sealBand(
    x: Double, y: Double, width: Double, height: Double, lines: [String]
  ) -> [Node] {
    [SVG.rect(x: x, y: y, width: width, height: height, "seal")]
      + lines.enumerated().map { index, line in
        SVG.text(
          line, x: x + width / 2, y: y + 17 + Double(index) * 14, anchor: .middle, "seal-label")
      }
  }

  private func arrowRight(from x1: Double, to x2: Double, y: Double) -> [Node] {
    [
      SVG.line(x1, y, x2 - 4, y, "flow"),
      SVG.path([(x2 - 6, y - 4), (x2, y), (x2 - 6, y + 4)], closed: true, "arrow"),
    ]
  }

  private func arrowDown(from y1: Double, to y2: Double, x: Double) -> [Node] {
    [
      SVG.line(x, y1, x, y2 - 4, "flow"),
      SVG.path([(x - 4, y2 - 6), (x, y2), (x + 4, y2 - 6)], closed: true, "arrow"),
    ]
  }
}
