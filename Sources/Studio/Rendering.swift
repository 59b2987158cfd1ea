/// Why a report cannot be written.
package enum StudioError: Error, Hashable, CustomStringConvertible {
  /// A number cites a cell that the report's appendix does not list.
  case unknownCell(id: String, listed: Int)
  /// Two cells of the appendix carry the same id.
  case repeatedCell(id: String)

  package var description: String {
    switch self {
    case .unknownCell(let id, let listed):
      """
      Expected every number to cite one of the \(listed) cells in the appendix, found cell \
      "\(id.prefix(12))": add that cell to the report's cells.
      """
    case .repeatedCell(let id):
      """
      Expected each cell once in the appendix, found "\(id.prefix(12))" twice: list it once.
      """
    }
  }
}

/// Writes nodes as text that is valid HTML and well-formed XML at once.
struct Renderer {
  /// The place of each cell in the appendix, from 1, and what links to it say, under its full id.
  var citations: [String: (number: Int, label: String)] = [:]

  /// The text of a node.
  ///
  /// - Throws: ``StudioError/unknownCell(id:listed:)`` where a number cites a cell not listed.
  func render(_ node: Node) throws(StudioError) -> String {
    var output = ""
    try write(node, to: &output)
    return output
  }

  private func write(_ node: Node, to output: inout String) throws(StudioError) {
    switch node {
    case .text(let text): output += Self.escape(text)
    case .verbatim(let text): output += text.text
    case .group(let nodes): for node in nodes { try write(node, to: &output) }
    case .citation(let ids): try write(citation(ids), to: &output)
    case .element(let element): try write(element, to: &output)
    }
  }

  private func write(_ element: Element, to output: inout String) throws(StudioError) {
    if element.tag.startsLine { output += "\n" }
    output += "<\(element.tag.rawValue)"
    for attribute in element.attributes {
      output += " \(attribute.name)=\"\(Self.escape(attribute.value))\""
    }
    if element.tag.isVoid {
      output += "/>"
      return
    }
    output += ">"
    for child in element.children { try write(child, to: &output) }
    output += "</\(element.tag.rawValue)>"
  }

  private func citation(_ ids: [String]) throws(StudioError) -> Node {
    var links: [Node] = []
    for id in ids {
      guard let entry = citations[id] else {
        throw .unknownCell(id: id, listed: citations.count)
      }
      if !links.isEmpty { links.append(" ") }
      links.append(
        Tag.a(
          .link(toID: Sources.anchor(id)), .set(.title, entry.label), .set(.ariaLabel, entry.label)
        ) {
          "\(entry.number)"
        })
    }
    return links.isEmpty ? .empty : Tag.sup(.class("cite")) { links }
  }

  /// Text made safe for an element's content and for a quoted attribute.
  ///
  /// Characters that XML forbids even when escaped, control characters above all, become U+FFFD:
  /// a model's output may hold any of them.
  static func escape(_ text: String) -> String {
    var output = ""
    output.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": output += "&amp;"
      case "<": output += "&lt;"
      case ">": output += "&gt;"
      case "\"": output += "&quot;"
      case "'": output += "&#39;"
      case "\t", "\n": output.unicodeScalars.append(scalar)
      case "\r": output += "&#13;"
      case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{FFFE}", "\u{FFFF}": output += "\u{FFFD}"
      default: output.unicodeScalars.append(scalar)
      }
    }
    return output
  }
}

extension Node {
  /// The node as text, without a page around it.
  ///
  /// - Throws: ``StudioError/unknownCell(id:listed:)`` if it holds a citation, which only a page
  ///   can resolve.
  package func rendered() throws(StudioError) -> String { try Renderer().render(self) }
}
