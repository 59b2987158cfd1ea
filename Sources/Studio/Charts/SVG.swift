/// SVG shapes. A shape with a coordinate that is not finite is left out, so that no picture ever
/// holds "nan": charts say in words what they could not draw.
enum SVG {
  enum Anchor: String { case start, middle, end }

  /// A coordinate with at most two decimals.
  static func number(_ x: Double) -> String {
    let hundredths = (x * 100).rounded()
    guard hundredths.isFinite, abs(hundredths) < 1e12 else { return "0" }
    let whole = Int(hundredths)
    let (quotient, remainder) = whole.magnitude.quotientAndRemainder(dividingBy: 100)
    var text = (whole < 0 ? "-" : "") + "\(quotient)"
    if remainder > 0 {
      text += remainder < 10 ? ".0\(remainder)" : ".\(remainder)"
      if text.hasSuffix("0") { text.removeLast() }
    }
    return text
  }

  static func line(
    _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ className: String
  ) -> Node {
    guard allFinite(x1, y1, x2, y2) else { return .empty }
    return Tag.line(
      .class(className), .set(.x1, number(x1)), .set(.y1, number(y1)), .set(.x2, number(x2)),
      .set(.y2, number(y2)))
  }

  static func rect(
    x: Double, y: Double, width: Double, height: Double, _ className: String
  ) -> Node {
    guard allFinite(x, y, width, height), width >= 0, height >= 0 else { return .empty }
    return Tag.rect(
      .class(className), .set(.x, number(x)), .set(.y, number(y)), .set(.width, number(width)),
      .set(.height, number(height)))
  }

  static func circle(_ x: Double, _ y: Double, radius: Double, _ className: String) -> Node {
    guard allFinite(x, y, radius) else { return .empty }
    return Tag.circle(
      .class(className), .set(.cx, number(x)), .set(.cy, number(y)), .set(.r, number(radius)))
  }

  /// An open line through points, or a closed area.
  static func path(
    _ points: [(x: Double, y: Double)], closed: Bool = false, _ className: String
  ) -> Node {
    let drawn = points.filter { allFinite($0.x, $0.y) }
    guard drawn.count > 1 else { return .empty }
    var d = ""
    for (index, point) in drawn.enumerated() {
      d += (index == 0 ? "M" : "L") + number(point.x) + " " + number(point.y)
    }
    return Tag.path(.class(className), .set(.d, closed ? d + "Z" : d))
  }

  static func text(
    _ string: String, x: Double, y: Double, anchor: Anchor = .start, _ className: String = "label"
  ) -> Node {
    guard allFinite(x, y), !string.isEmpty else { return .empty }
    return Tag.text(
      .class(className), .set(.x, number(x)), .set(.y, number(y)),
      .set(.textAnchor, anchor.rawValue)
    ) { string }
  }

  /// Text centred on `x`, moved where it would leave a picture of `width` pixels.
  static func text(
    _ string: String, near x: Double, y: Double, within width: Double, _ className: String
  ) -> Node {
    let string = fitted(string, width: width, size: 11)
    let half = textWidth(string, size: 11) / 2
    return text(
      string, x: max(min(x, width - half), half), y: y, anchor: .middle, className)
  }

  /// The series' own mark: circle, square, triangle, diamond, or a hollow circle.
  static func mark(_ series: Series, x: Double, y: Double, size: Double = 5) -> Node {
    guard allFinite(x, y) else { return .empty }
    let className = "mark \(series.className)"
    let corners: [(x: Double, y: Double)]
    switch series {
    case .blue: return circle(x, y, radius: size, className)
    case .grey: return circle(x, y, radius: size, "hollow \(series.className)")
    case .vermilion:
      corners = [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]
    case .green: corners = [(0, -1.15), (1.1, 0.85), (-1.1, 0.85)]
    case .purple: corners = [(0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)]
    }
    return path(corners.map { (x + $0.x * size, y + $0.y * size) }, closed: true, className)
  }

  /// A horizontal interval with short caps.
  static func interval(from x1: Double, to x2: Double, y: Double, _ series: Series) -> [Node] {
    let className = "whisker \(series.className)"
    return [
      line(x1, y, x2, y, className),
      line(x1, y - 4, x1, y + 4, className), line(x2, y - 4, x2, y + 4, className),
    ]
  }

  /// Shapes that belong together, reachable by keyboard, with what they mean as a tooltip.
  static func group(tooltip: String, @NodeBuilder _ content: () -> [Node]) -> Node {
    Tag.g(
      .class("item"), .set(.tabindex, "0"), .set(.role, "img"), .set(.ariaLabel, tooltip)
    ) {
      Tag.title { tooltip }
      content()
    }
  }

  /// About how wide text will be, in pixels; generous, because the reader's font is not known.
  static func textWidth(_ string: String, size: Double = 12.5) -> Double {
    Double(string.count) * size * 0.57
  }

  /// Text cut with an ellipsis to about `width` pixels.
  static func fitted(_ string: String, width: Double, size: Double = 12.5) -> String {
    let characters = Int(width / (size * 0.57))
    guard string.count > characters else { return string }
    return string.prefix(max(1, characters - 1)).trimmingSuffix(" ") + "…"
  }

  /// Text broken between words into lines of about `width` pixels.
  static func wrapped(_ string: String, width: Double, size: Double = 12.5) -> [String] {
    var lines: [String] = []
    for word in string.split(separator: " ").map(String.init) {
      if let last = lines.last, textWidth(last + " " + word, size: size) <= width {
        lines[lines.count - 1] = last + " " + word
      } else {
        lines.append(fitted(word, width: width, size: size))
      }
    }
    return lines
  }

  private static func allFinite(_ values: Double...) -> Bool { values.allSatisfy(\.isFinite) }
}

extension Substring {
  fileprivate func trimmingSuffix(_ character: Character) -> String {
    var text = self
    while text.last == character { text.removeLast() }
    return String(text)
  }
}
