package import Lab

/// A picture made from data.
///
/// A chart is drawn once for wide pages and once for phones, because scaled-down text cannot be
/// read; the page's style shows one of the two.
package protocol Chart: Sendable {
  /// What the picture shows, in a few words.
  var title: String { get }
  /// What a reader who cannot see the picture should know.
  var summary: String { get }
  /// Why there is nothing to draw; nil if there is.
  var absence: String? { get }
  /// The picture at a width in pixels.
  func draw(width: Double) -> Drawing
}

/// A finished picture: its height in pixels and its shapes.
package struct Drawing: Sendable {
  package var height: Double
  package var shapes: [Node]

  package init(height: Double, shapes: [Node]) {
    self.height = height
    self.shapes = shapes
  }
}

/// The series of the palette, each with a mark of its own so that colour is never the only cue.
package enum Series: Int, Sendable, Hashable, CaseIterable {
  case blue = 1
  case vermilion, green, purple, grey

  var className: String { "s\(rawValue)" }
}

/// The two widths that charts are drawn for, in pixels.
package enum ChartWidth {
  package static let wide = 720.0
  package static let narrow = 340.0
}

extension Chart {
  /// The picture as one SVG element.
  package func svg(width: Double) -> Node {
    let drawing = draw(width: width)
    let size = "0 0 \(SVG.number(width)) \(SVG.number(drawing.height))"
    return Tag.svg(
      .svgNamespace, .set(.viewBox, size), .set(.width, SVG.number(width)),
      .set(.height, SVG.number(drawing.height)), .set(.role, "group"),
      .set(.ariaLabel, "\(title). \(summary)"),
    ) {
      Tag.title { title }
      Tag.desc { summary }
      drawing.shapes
    }
  }

  /// The picture with its caption and the cells that it was drawn from, or one sentence on why
  /// there is no picture.
  package func figure(
    citing cells: [CellID] = [], @NodeBuilder caption: () -> [Node] = { [] }
  ) -> Node {
    let caption = caption()
    return Tag.figure {
      Tag.figcaption {
        Tag.strong { title + "." }
        if !caption.isEmpty {
          " "
          caption
        }
        Node.citation(cells.map(\.hex))
      }
      if let absence {
        Tag.p(.class("absent")) { "\(title): \(absence)" }
      } else {
        Tag.div(.class("wide")) { svg(width: ChartWidth.wide) }
        Tag.div(.class("narrow")) { svg(width: ChartWidth.narrow) }
      }
    }
  }
}
