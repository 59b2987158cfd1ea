import Foundation
import Statistics
import Studio
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

func interval(_ lower: Double, _ upper: Double, level: Double = 0.95) -> Interval {
  Interval(lower: lower, upper: upper, level: level)
}

/// Element names, attributes and text of a document, as an XML parser sees them.
final class XMLReading: NSObject, XMLParserDelegate {
  private(set) var elements: [String] = []
  private(set) var attributes: [(element: String, name: String, value: String)] = []
  private(set) var text = ""
  private(set) var failure: String?

  /// Reads markup; `failure` says where it is not well-formed.
  init(_ markup: String) {
    super.init()
    let parser = XMLParser(data: Data(markup.utf8))
    parser.delegate = self
    if !parser.parse() {
      let reason = parser.parserError.map { "\($0)" } ?? "unknown"
      failure = "line \(parser.lineNumber), column \(parser.columnNumber): \(reason)"
    }
  }

  func values(of name: String) -> [String] {
    attributes.filter { $0.name == name }.map(\.value)
  }

  func parser(
    _ parser: XMLParser, didStartElement elementName: String, namespaceURI: String?,
    qualifiedName: String?, attributes: [String: String]
  ) {
    elements.append(elementName)
    for (name, value) in attributes { self.attributes.append((elementName, name, value)) }
  }

  func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }
}

/// That a page loads nothing from outside.
func expectNoNetwork(_ html: String) {
  let namespace = "xmlns=\"http://www.w3.org/2000/svg\""
  let rest = html.replacing(namespace, with: "").replacing("http-equiv=", with: "")
  for forbidden in ["http", "//", "url(", "@import", "src=", "<link", "<iframe", "<object"] {
    #expect(!rest.contains(forbidden), "\(forbidden)")
  }
  #expect(html.contains("default-src 'none'") || html.contains("default-src &#39;none&#39;"))
}

/// That every link of a page leads to an id in it, and ids are unique; returns how many links there are.
func expectLinksLead(_ reading: XMLReading) -> Int {
  let ids = reading.values(of: "id")
  #expect(Set(ids).count == ids.count)
  let targets =
    reading.values(of: "href") + reading.values(of: "aria-labelledby").map { "#" + $0 }
  for target in targets { #expect(ids.contains(String(target.dropFirst())), "\(target)") }
  return targets.count
}

/// Every number written as a coordinate, for checks that none lies outside of the picture.
func coordinates(_ reading: XMLReading) -> [String] {
  let names: Set = [
    "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height", "d", "viewBox",
    "transform", "stroke-width",
  ]
  return reading.attributes.filter { names.contains($0.name) }.map(\.value)
}

/// The numbers below an axis and where they stand.
final class TickReading: NSObject, XMLParserDelegate {
  private(set) var ticks: [(x: Double, text: String)] = []
  private var x: Double?

  init(_ markup: String) {
    super.init()
    let parser = XMLParser(data: Data(markup.utf8))
    parser.delegate = self
    _ = parser.parse()
  }

  func parser(
    _ parser: XMLParser, didStartElement elementName: String, namespaceURI: String?,
    qualifiedName: String?, attributes: [String: String]
  ) {
    let isTick = attributes["class"] == "tick" && attributes["text-anchor"] == "middle"
    x = isTick ? attributes["x"].flatMap(Double.init) : nil
  }

  func parser(_ parser: XMLParser, foundCharacters string: String) {
    if let x { ticks.append((x, string)) }
  }

  func parser(
    _ parser: XMLParser, didEndElement elementName: String, namespaceURI: String?,
    qualifiedName: String?
  ) { x = nil }
}
