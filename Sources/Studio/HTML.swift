/// A piece of a page: text, an element, several of them, or a reference to the cells behind a number.
///
/// Text is escaped when it is rendered and there is no way to insert markup as a string, so that a
/// transcript written by a model can never become part of the page's structure.
package enum Node: Sendable, Hashable {
  case text(String)
  case element(Element)
  case group([Node])
  /// Full cell ids; a page resolves them to links into its appendix.
  case citation([String])
  /// The page's own style or script, never data: rendered as it is.
  case verbatim(StaticText)

  /// Nothing at all.
  package static let empty = Node.group([])
}

/// Text fixed at compile time, or made from such text by this target.
package struct StaticText: Sendable, Hashable {
  let text: String

  init(_ text: StaticString) { self.text = text.description }

  /// For style sheets assembled from constants.
  init(assembled text: String) { self.text = text }
}

/// A named element with attributes and children.
package struct Element: Sendable, Hashable {
  package var tag: Tag
  package var attributes: [Attribute]
  package var children: [Node]
}

/// The element names that reports use.
package enum Tag: String, Sendable, Hashable {
  case html, head, body, meta, title, style, script
  case header, main, footer, nav, section, article, aside, figure, figcaption, details, summary
  case h1, h2, h3, p, div, span, a, sup, strong, em, code, ul, ol, li, dl, dt, dd, br, button, bdi
  case table, caption, thead, tbody, tr, th, td
  case svg, g, path, rect, circle, line, polygon, desc, text, tspan

  /// Elements that HTML closes by themselves, and shapes that hold no text.
  var isVoid: Bool {
    switch self {
    case .meta, .br, .path, .rect, .circle, .line, .polygon: true
    default: false
    }
  }

  /// Elements that begin a new line of the source, so that a page can be read and compared as text.
  var startsLine: Bool {
    switch self {
    case .head, .body, .meta, .title, .style, .script, .header, .main, .footer, .nav, .section,
      .figure, .figcaption, .details, .h1, .h2, .h3, .p, .div, .ul, .ol, .li, .dl, .dt, .table,
      .caption, .thead, .tbody, .tr, .svg, .g:
      true
    default: false
    }
  }

  /// An element of this name.
  package func callAsFunction(
    _ attributes: Attribute..., @NodeBuilder content: () -> [Node] = { [] }
  ) -> Node {
    .element(Element(tag: self, attributes: attributes, children: content()))
  }
}

/// An attribute of an element; links can point into the page only.
package struct Attribute: Sendable, Hashable {
  package enum Name: String, Sendable {
    case id, title, lang, role, scope, colspan, style, name, content, charset, tabindex, type, open
    case `class`, transform, x, y, x1, y1, x2, y2, cx, cy, r, width, height, points, d, viewBox
    case ariaLabel = "aria-label"
    case ariaLabelledBy = "aria-labelledby"
    case ariaHidden = "aria-hidden"
    case httpEquiv = "http-equiv"
    case textAnchor = "text-anchor"
    case strokeWidth = "stroke-width"
    case dataLabel = "data-label"
  }

  let name: String
  let value: String

  /// An attribute with a text value.
  package static func set(_ name: Name, _ value: String) -> Attribute {
    Attribute(name: name.rawValue, value: value)
  }

  /// The element's class names, separated by spaces.
  package static func `class`(_ value: String) -> Attribute { set(.class, value) }

  /// The element's id, unique in the page.
  package static func id(_ value: String) -> Attribute { set(.id, value) }

  /// A link to the element of this page with that id.
  package static func link(toID id: String) -> Attribute {
    Attribute(name: "href", value: "#" + id)
  }

  /// The namespace that lets an SVG picture stand outside of a page too.
  static let svgNamespace = Attribute(name: "xmlns", value: "http://www.w3.org/2000/svg")
}

/// Collects nodes, strings and cited numbers in the order written.
@resultBuilder
package enum NodeBuilder {
  package static func buildExpression(_ node: Node) -> [Node] { [node] }
  package static func buildExpression(_ nodes: [Node]) -> [Node] { nodes }
  package static func buildExpression(_ text: String) -> [Node] { [.text(text)] }
  package static func buildExpression(_ number: CitedNumber) -> [Node] { [number.node] }
  package static func buildBlock(_ parts: [Node]...) -> [Node] { parts.flatMap { $0 } }
  package static func buildOptional(_ part: [Node]?) -> [Node] { part ?? [] }
  package static func buildEither(first part: [Node]) -> [Node] { part }
  package static func buildEither(second part: [Node]) -> [Node] { part }
  package static func buildArray(_ parts: [[Node]]) -> [Node] { parts.flatMap { $0 } }
}

extension Node: ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
  package init(stringLiteral value: String) { self = .text(value) }

  /// Several nodes, strings and cited numbers as one node.
  package init(@NodeBuilder _ content: () -> [Node]) { self = .group(content()) }

  /// The text of this node alone, as a screen reader would say it; citations are left out.
  package var plainText: String {
    switch self {
    case .text(let text): text
    case .element(let element): element.children.map(\.plainText).joined()
    case .group(let nodes): nodes.map(\.plainText).joined()
    case .citation, .verbatim: ""
    }
  }
}
